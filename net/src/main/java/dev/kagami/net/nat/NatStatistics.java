package dev.kagami.net.nat;

/**
 * What a NAT holds and has done.
 *
 * @param connections TCP connections now, those that have ended not long ago included
 * @param opened TCP connections ever
 * @param flows UDP flows now
 * @param leases addresses that DHCP has given
 * @param bufferedBytes octets of memory in which payload of connections waits
 * @param dropped frames to guests that were lost as the link had no room
 * @param failures how often something was given up that should have worked; always 0, or it is a defect
 */
public record NatStatistics(
        int connections, long opened, int flows, int leases, long bufferedBytes, long dropped, long failures) {}
