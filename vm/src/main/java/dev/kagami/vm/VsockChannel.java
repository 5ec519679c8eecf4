package dev.kagami.vm;

import dev.kagami.virtio.socket.GuestSocket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/**
 * A connection to a program in the guest. Reading waits for at least one byte, writing for room; {@code Channels} makes
 * streams of it. Thread-safe for one reader and one writer; closing ends both. It breaks off when the machine ends or is
 * reset.
 */
public final class VsockChannel implements ByteChannel {
    private final GuestSocket socket;

    VsockChannel(GuestSocket socket) {
        this.socket = socket;
    }

    /** {@return the port on the guest's side} */
    public int guestPort() {
        return socket.guestPort();
    }

    /** {@return the port on the host's side} */
    public int hostPort() {
        return socket.hostPort();
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        return socket.read(target);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        return socket.write(source);
    }

    /** Tells the guest that no more bytes will come. What was written still arrives; reading goes on. */
    public void shutdownOutput() {
        socket.shutdownOutput();
    }

    @Override
    public boolean isOpen() {
        return socket.isOpen();
    }

    @Override
    public void close() {
        socket.close();
    }
}
