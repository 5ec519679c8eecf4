/**
 * Meters of virtual machines, for Micrometer.
 *
 * {@snippet :
 * new VirtualMachineMeters(machine, Tags.of("machine", "database")).bindTo(registry);
 * }
 */
package dev.kagami.micrometer;
