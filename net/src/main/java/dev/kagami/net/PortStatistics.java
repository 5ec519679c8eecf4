package dev.kagami.net;

/**
 * What went through one end of a link.
 *
 * @param framesSent frames that were queued for the other end, each after cutting
 * @param bytesSent octets in them
 * @param framesReceived frames that were queued for this end
 * @param bytesReceived octets in them
 * @param malformed frames thrown away because their offload fields contradicted their content
 * @param discarded frames thrown away because the link was down
 */
public record PortStatistics(
        long framesSent, long bytesSent, long framesReceived, long bytesReceived, long malformed, long discarded) {}
