/**
 * The socket device (virtio 1.2, 5.10): stream sockets between the guest ({@code AF_VSOCK}) and the host program.
 *
 * <p>The program connects to ports of the guest and listens on ports of its own ({@link
 * dev.kagami.virtio.socket.SocketDevice#connect}, {@link dev.kagami.virtio.socket.SocketDevice#listen}); both give a {@link
 * dev.kagami.virtio.socket.GuestSocket}, a {@link java.nio.channels.ByteChannel}. {@link
 * dev.kagami.virtio.socket.UnixSocketBridge} does the same for other programs of the host through Unix sockets.
 *
 * <p>Each direction of a connection has a bounded buffer, which is what credit is given for (5.10.6.3): a side that doesn't
 * read stops the other side of its own connection and nobody else. The device's thread does the protocol and never waits.
 */
package dev.kagami.virtio.socket;
