/**
 * PCI: a host bridge with one bus, and what a device needs to be a function on it.
 *
 * <p>{@link dev.kagami.platform.pci.PciHost} is the bridge. It answers configuration accesses (ports and memory-mapped),
 * gives every function its addresses as firmware would, and puts the functions' windows on the machine's bus wherever the
 * guest moves them. {@link dev.kagami.platform.pci.PciFunction} is a function's configuration space: identity, command
 * and status, base address registers, and a list of {@link dev.kagami.platform.pci.PciCapability capabilities}, among
 * them {@link dev.kagami.platform.pci.MsiX} and {@link dev.kagami.platform.pci.Msi}. A device never sees where its
 * windows are: it is an {@link dev.kagami.platform.bus.MmioDevice}, and the bus knows nothing of PCI.
 *
 * <p>Locks are taken in the order bridge, function, device, message-signalled interrupts. A device may raise interrupts
 * with locks of its own held; raising one never takes a bridge's or function's lock.
 *
 * <p>Sources: PCI Local Bus Specification 3.0, PCI Firmware Specification 3.0, PCI Express Base Specification 2.0 (7.2.2
 * for the memory-mapped configuration space).
 */
package dev.kagami.platform.pci;
