/**
 * A gateway that gives guests the host's network without privileges (network address translation in user space).
 *
 * <p>{@link dev.kagami.net.nat.Nat} answers on one port of a link or switch as a router, DHCP server and name server, and replays what
 * guests do through ordinary sockets of this process: a guest's TCP connection ends here and is spliced to a
 * {@link java.nio.channels.SocketChannel}, its UDP datagrams go through a connected {@link java.nio.channels.DatagramChannel} per
 * flow. One thread does all of it; nothing in it blocks.
 *
 * <h2>What a guest can reach</h2>
 * <ul>
 *   <li>The gateway's address stands for the host itself: 127.0.0.1 for IPv4, ::1 for IPv6. No other address leads to a service that
 *       listens on the host's loopback only.
 *   <li>The name server's address leads to the host's resolver, port 53 only.
 *   <li>Any other unicast address is outside, and reached as the host reaches it: that includes the host's own addresses in
 *       its networks.
 *   <li>Nothing else: packets for loopback, link-local (so cloud metadata services too), multicast, unspecified, reserved, IPv4-in-IPv6
 *       and the guest network's unused addresses go nowhere.
 *   <li>With {@link dev.kagami.net.nat.NatConfig#restrict()} neither host, nor resolver, nor outside: what is left is DHCP, router
 *       advertisements, pinging the gateway, and port forwards.
 * </ul>
 *
 * <p>A connection that can't be made is refused with a reset or an ICMP error as soon as the host knows. Pings of addresses outside are
 * answered if {@link java.net.InetAddress#isReachable(int)} says so, which without privileges often is not: it
 * depends on the host.
 */
package dev.kagami.net.nat;
