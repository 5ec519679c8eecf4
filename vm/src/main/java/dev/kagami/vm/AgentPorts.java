package dev.kagami.vm;

import dev.kagami.virtio.console.ConsoleConfig;
import dev.kagami.virtio.console.ConsoleDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;

/** Console ports that are used as connections to a guest's agent. Thread-safe. */
final class AgentPorts {
    private static final int COUNT = 4;
    /** The agent looks for ports of this name, with a number behind it. */
    private static final String NAME = "dev.kagami.agent.";

    private final ConsoleDevice device = new ConsoleDevice(new ConsoleConfig(
            IntStream.range(0, COUNT)
                    .mapToObj(i -> new ConsoleConfig.Port(NAME + i, false))
                    .toList(),
            0,
            0));
    private final BlockingQueue<Integer> free = new ArrayBlockingQueue<>(
            COUNT, true, IntStream.range(0, COUNT).boxed().toList());

    ConsoleDevice device() {
        return device;
    }

    /**
     * Opens a port that nobody uses.
     *
     * @param patience how long to wait for one
     * @return the connection; ends when either side closes the port
     * @throws IOException when there is none
     */
    ByteChannel connect(Duration patience) throws IOException {
        Integer port;
        try {
            port = free.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        if (port == null) {
            throw new IOException("all %d of the agent's ports are in use".formatted(COUNT));
        }
        return new Connection(port);
    }

    private final class Connection implements ByteChannel {
        private final int port;
        private final ByteChannel channel;
        private final AtomicBoolean closed = new AtomicBoolean();

        Connection(int port) {
            this.port = port;
            this.channel = device.connect(port);
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            return channel.read(target);
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            return channel.write(source);
        }

        @Override
        public boolean isOpen() {
            return !closed.get();
        }

        @Override
        public void close() throws IOException {
            if (closed.compareAndSet(false, true)) {
                try {
                    channel.close();
                } finally {
                    free.add(port);
                }
            }
        }
    }
}
