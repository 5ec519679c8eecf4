/**
 * How a guest reaches a virtio device: over PCI (virtio 1.2, 4.1) or over memory-mapped registers announced by ACPI (4.2).
 * Both show the same {@link dev.kagami.virtio.DriverInterface}.
 */
package dev.kagami.virtio.transport;
