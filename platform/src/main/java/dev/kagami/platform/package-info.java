/**
 * The PC as one piece.
 *
 * <p>{@link dev.kagami.platform.PcMachine} puts the bus, the interrupt controllers, the timers and the legacy devices
 * together. It knows no engine: it is built first, the engine makes its processors on {@link
 * dev.kagami.platform.PcMachine#bus}, and {@link dev.kagami.platform.PcMachine#connect} closes the circle. What the
 * guest does to the machine as a whole (power-off, reset, debug exit) comes out as a {@link
 * dev.kagami.platform.MachineEvent}.
 *
 * <p>Packages: {@code bus} is what devices are attached to, {@code device} holds one class a device, {@code acpi} writes
 * the tables that describe them. Locks are taken in the order device, {@code InterruptRouter}, 8259A, I/O APIC,
 * processors; nobody calls the bus while holding any of them.
 */
package dev.kagami.platform;
