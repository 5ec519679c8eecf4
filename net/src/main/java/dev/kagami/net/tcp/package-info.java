/**
 * TCP (RFC 9293) that ends connections of guests in this process.
 *
 * <p>A {@link dev.kagami.net.tcp.TcpConnection} is a state machine without threads, clocks or sockets: segments, times and an
 * {@linkplain dev.kagami.net.tcp.TcpApplication application} go in, segments come out through a
 * {@link dev.kagami.net.tcp.TcpNetwork}. All of one network's connections belong to one thread. What it does: window scaling
 * (RFC 7323), selective acknowledgment (RFC 2018), loss recovery (RFC 5681, 6582, 6675), retransmission timing (RFC 6298), zero-window
 * probes and silly-window avoidance (RFC 9293 3.8.6), delayed acknowledgments, keep-alives, and the checks against forged segments of
 * RFC 5961. What it doesn't: timestamps, urgent data as such (it is data), explicit congestion notification, fast open.
 *
 * <p>Sequence numbers are kept in 64 bits whose low half is what is on the wire, so comparing them is comparing numbers.
 *
 * <p>Payload waits in chunks from a {@link dev.kagami.net.tcp.ChunkPool} with a budget for all connections, so memory stays bounded
 * whatever a guest opens, sends out of order, or doesn't read.
 */
package dev.kagami.net.tcp;
