/**
 * The network device (virtio 1.2, 5.1): one end of an {@link dev.kagami.net.EthernetLink} for a guest.
 *
 * <p>Frames cross the boundary whole, with their offload fields: a guest hands over TCP segments of 64 KiB and takes them,
 * and nobody cuts them or sums them if both ends agree. Received frames are spread over as many buffers as they need
 * (mergeable buffers). When the network has no room the device stops taking frames from the guest, and when the guest has no
 * buffers it stops taking them from the network, so both sides feel back-pressure and nothing is dropped here.
 */
package dev.kagami.virtio.network;
