/**
 * Machines that other processes can find by their names and control: each serves HTTP/1.1 with JSON bodies on a Unix socket
 * that is its user's only. {@code openapi.json} beside this package describes it; {@code curl --unix-socket} speaks it.
 *
 * {@snippet :
 * try (Machines.Claim claim = Machines.ofUser().claim("foobar");
 *         VirtualMachine machine = VirtualMachine.create(c -> c
 *                 .linux(guest)
 *                 .serial(s -> s.input(console.input()).output(console.output())))) {
 *     machine.start();
 *     try (ControlServer control = ControlServer.start(claim, machine, console)) {
 *         machine.awaitShutdown();
 *     }
 * }
 * }
 *
 * <p>The server is written by hand over {@link java.nio.channels.SocketChannel}: the JDK's own HTTP server and client know no
 * Unix sockets, and the servers that do weigh more than all of this project. It knows of HTTP what its clients need: bodies
 * with a length, connections that stay open, and Upgrade, by which a connection becomes the serial console.
 */
package dev.kagami.control;
