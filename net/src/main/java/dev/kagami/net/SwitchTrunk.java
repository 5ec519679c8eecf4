package dev.kagami.net;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.EnumSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;

/**
 * Carries frames between a port of this JVM's switch and one of another's, over a stream socket. Each frame is a length (four octets, big-endian,
 * of what follows), a virtio-net header, and the frame. Both sides begin with a magic number that names the version.
 */
final class SwitchTrunk implements PortListener, AutoCloseable {
    private static final int MAGIC = 0x4B47_5331;
    private static final int PREFIX = 4;
    private static final int OVERHEAD = PREFIX + VirtioNetHeader.LENGTH;
    private static final int BUFFER = 4 * (OVERHEAD + Frame.MAXIMUM_LENGTH);

    private final EthernetSwitch ethernet;
    private final EthernetLink link;
    private final EthernetPort port;
    private final SocketChannel socket;
    private final Thread writer;
    private final CountDownLatch ended = new CountDownLatch(2);
    private volatile boolean closed;
    private volatile boolean written;

    SwitchTrunk(EthernetSwitch ethernet, SocketChannel socket, String name) {
        this.ethernet = ethernet;
        this.socket = socket;
        link = ethernet.plug();
        port = link.first();
        writer = Thread.ofPlatform()
                .daemon()
                .name("kagami-switch-" + name + "-send")
                .unstarted(this::send);
        port.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        writer.start();
        Thread.ofPlatform().daemon().name("kagami-switch-" + name + "-receive").start(this::receive);
        port.listen(this);
    }

    @Override
    public void readable() {
        LockSupport.unpark(writer);
    }

    @Override
    public void linkChanged(boolean up) {
        if (!up) {
            close();
        }
    }

    /** Waits until the other side has gone. */
    void awaitEnd() throws InterruptedException {
        ended.await();
    }

    boolean isClosed() {
        return closed;
    }

    private void send() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        MemorySegment memory = MemorySegment.ofBuffer(buffer);
        try {
            buffer.putInt(MAGIC);
            write(buffer);
            while (!closed) {
                Frame frame;
                while (buffer.remaining() >= OVERHEAD + Frame.MAXIMUM_LENGTH && (frame = port.receive()) != null) {
                    int at = buffer.position();
                    buffer.putInt(VirtioNetHeader.LENGTH + frame.length());
                    VirtioNetHeader.write(frame, memory, at + PREFIX, 1);
                    buffer.put(at + OVERHEAD, frame.buffer(), 0, frame.length());
                    buffer.position(at + OVERHEAD + frame.length());
                    frame.release();
                }
                if (buffer.position() == 0) {
                    LockSupport.park(this);
                } else {
                    write(buffer);
                }
            }
        } catch (IOException e) {
            // The other side has gone; whoever waits for the end connects again.
        } finally {
            close();
            ended.countDown();
        }
    }

    private void write(ByteBuffer buffer) throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) {
            socket.write(buffer);
        }
        buffer.clear();
    }

    private void receive() {
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        MemorySegment memory = MemorySegment.ofBuffer(buffer);
        try {
            boolean greeted = false;
            while (!closed && socket.read(buffer) >= 0) {
                buffer.flip();
                if (!greeted && buffer.remaining() >= PREFIX) {
                    if (buffer.getInt() != MAGIC) {
                        throw new IOException("not a switch of this version");
                    }
                    greeted = true;
                    written = true;
                }
                while (greeted && take(buffer, memory)) {
                    continue;
                }
                buffer.compact();
            }
        } catch (IOException e) {
            // As above.
        } finally {
            close();
            ended.countDown();
        }
    }

    /** Takes one frame out of the buffer; false if it isn't all there. */
    private boolean take(ByteBuffer buffer, MemorySegment memory) throws IOException {
        if (buffer.remaining() < PREFIX) {
            return false;
        }
        int at = buffer.position();
        int length = buffer.getInt(at) - VirtioNetHeader.LENGTH;
        if (length < Frame.MINIMUM_LENGTH || length > Frame.MAXIMUM_LENGTH) {
            throw new IOException("frame of " + length + " octets");
        }
        if (buffer.remaining() < OVERHEAD + length) {
            return false;
        }
        Frame frame = port.allocate(length);
        frame.buffer().put(0, buffer, at + OVERHEAD, length);
        // The switch on the other end of this cable takes what comes at once, so the queue never fills.
        if (!VirtioNetHeader.read(memory, at + PREFIX, frame) || !port.send(frame)) {
            frame.release();
        }
        buffer.position(at + OVERHEAD + length);
        return true;
    }

    /** {@return whether the other side has greeted} */
    boolean isGreeted() {
        return written;
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            socket.close();
        } catch (IOException e) {
            // Nothing was promised about frames in flight.
        }
        ethernet.unplug(link);
        LockSupport.unpark(writer);
    }
}
