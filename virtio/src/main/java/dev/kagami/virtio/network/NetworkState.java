package dev.kagami.virtio.network;

/**
 * State of an active {@link NetworkDevice}. Frames that were held because one side had no room are lost, as on any network.
 *
 * @param mac the address that frames are received for
 * @param modes promiscuous, all unicast, all multicast, no unicast, no multicast, no broadcast, too many unicast addresses,
 *     too many multicast addresses, from bit 0 up
 * @param addresses further addresses
 * @param offloads the features of the guest that decide what is received whole, a bit each
 */
public record NetworkState(long mac, int modes, long[] addresses, long offloads) {}
