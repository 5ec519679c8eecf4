/**
 * Ethernet between virtual machines and the world.
 *
 * <p>An {@link dev.kagami.net.EthernetLink} is a cable with two {@linkplain dev.kagami.net.EthernetPort ends}. A network
 * device holds one end; an {@link dev.kagami.net.EthernetSwitch} or a NAT gateway holds the other. Each direction of a
 * cable is a bounded queue of {@link dev.kagami.net.Frame}s, so nobody's code runs on somebody else's thread for longer
 * than a queue operation takes, and a station that doesn't read stops the one that writes to it and nobody else.
 *
 * <p>Frames carry what a virtio-net header says ({@link dev.kagami.net.Gso}, partial checksums): segments of 64 KiB cross
 * the guest's boundary as one frame. Each end says what it can take; a link cuts and completes for the ends that can't.
 *
 * <pre>{@code
 * EthernetPort port = link.first();              // what a virtio-net device holds
 * port.listen(listener);                         // readable(), writable(), linkChanged(): only schedule work
 *
 * Frame frame = port.allocate(length);           // guest to network
 * MemorySegment.copy(guest, address, frame.segment(), 0, length);
 * VirtioNetHeader.read(guest, headerAddress, frame);
 * if (!port.send(frame)) { ... keep it, and try again when writable() comes }
 *
 * while ((frame = port.receive()) != null) {     // network to guest
 *     VirtioNetHeader.write(frame, guest, headerAddress, buffers);
 *     MemorySegment.copy(frame.segment(), 0, guest, address, frame.length());
 *     frame.release();
 * }
 * }</pre>
 */
package dev.kagami.net;
