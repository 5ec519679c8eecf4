package dev.kagami.net.tcp;

/**
 * What connections of a network have in common.
 *
 * @param maximumSegmentSize octets of data that the network carries in one packet, without TCP options
 * @param maximumPayload octets of data in one segment before it is cut
 * @param receiveBuffer octets that may wait for the application, and so the largest window
 * @param sendBuffer octets that may wait for the other side
 */
public record TcpConfig(int maximumSegmentSize, int maximumPayload, int receiveBuffer, int sendBuffer) {}
