package dev.kagami.net.nat;

import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.PortListener;
import dev.kagami.net.ReceiveOffload;
import dev.kagami.net.packet.Checksum;
import dev.kagami.net.packet.Wire;
import dev.kagami.net.tcp.ChunkPool;
import dev.kagami.net.tcp.TcpApplication;
import dev.kagami.net.tcp.TcpConfig;
import dev.kagami.net.tcp.TcpConnection;
import dev.kagami.net.tcp.TcpNetwork;
import dev.kagami.net.tcp.TcpSegment;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A guest with our own TCP and a thread, for traffic in amounts that can't be scripted. It talks to the gateway's address only. */
final class GuestStack implements AutoCloseable {
    private static final TcpConfig CONFIG = new TcpConfig(1460, 65_535 - 40, 1 << 20, 1 << 20);

    private final EthernetPort port;
    private final Random loss = new Random(1);
    private final double lossRate;
    private final Map<Integer, Connection> connections = new HashMap<>();
    private final Map<Integer, Function<Connection, TcpApplication>> listeners = new HashMap<>();
    private final ArrayDeque<Connection> ready = new ArrayDeque<>();
    private final ChunkPool pool = new ChunkPool(64 << 20);
    private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final TcpSegment segment = new TcpSegment();
    private final Random random = new Random(2);
    private final Thread thread;
    private boolean refused;
    private volatile boolean closed;
    volatile @Nullable Throwable failure;

    GuestStack(EthernetPort port, double lossRate) {
        this.port = port;
        this.lossRate = lossRate;
        port.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        thread = Thread.ofPlatform().daemon().name("guest-stack").unstarted(this::run);
        port.listen(new PortListener() {
            @Override
            public void readable() {
                LockSupport.unpark(thread);
            }

            @Override
            public void writable() {
                LockSupport.unpark(thread);
            }
        });
        thread.start();
    }

    Thread thread() {
        return thread;
    }

    /** Runs something on the guest's thread. */
    void execute(Runnable task) {
        tasks.add(task);
        LockSupport.unpark(thread);
    }

    /** Opens a connection; to be called on the guest's thread. */
    Connection connect(int localPort, int remotePort, Function<Connection, TcpApplication> application) {
        var connection = new Connection(localPort, remotePort);
        connections.put(localPort << 16 | remotePort, connection);
        connection.tcp = TcpConnection.open(
                connection, CONFIG, pool, application.apply(connection), random.nextInt(), System.nanoTime());
        connection.schedule(connection.tcp);
        return connection;
    }

    /** Answers connections to a port. */
    void listen(int localPort, Function<Connection, TcpApplication> application) {
        listeners.put(localPort, application);
    }

    int connections() {
        return connections.size();
    }

    /** One connection. */
    final class Connection implements TcpNetwork {
        private final int localPort;
        private final int remotePort;
        TcpConnection tcp;
        private Frame frame;

        Connection(int localPort, int remotePort) {
            this.localPort = localPort;
            this.remotePort = remotePort;
        }

        @Override
        public @Nullable ByteBuffer begin(TcpConnection of, int length) {
            if (!port.canSend()) {
                refused = true;
                return null;
            }
            frame = port.allocate(34 + length);
            return frame.buffer().position(34);
        }

        @Override
        public void end(TcpConnection of, int length, int size) {
            ByteBuffer buffer = frame.buffer().clear();
            buffer.putLong(0, Station.GATEWAY_MAC << 16 | Station.MAC >>> 32);
            buffer.putInt(8, (int) Station.MAC).putShort(12, (short) 0x0800);
            buffer.putInt(14, 0x4500_0000 | 20 + length).putInt(18, 0x4000).putInt(22, 0x4006_0000);
            buffer.putInt(26, Station.GUEST).putInt(30, Station.GATEWAY);
            buffer.putShort(24, (short) Checksum.of(buffer, 14, 20));
            buffer.putInt(34, localPort << 16 | remotePort);
            long pseudo = (Station.GUEST & 0xFFFFFFFFL) + (Station.GATEWAY & 0xFFFFFFFFL) + 6 + length;
            buffer.putShort(34 + Wire.TCP_CHECKSUM, (short) Checksum.fold(pseudo));
            frame.setPartialChecksum(34, Wire.TCP_CHECKSUM);
            if (size > 0) {
                frame.setGso(Gso.TCPV4, size);
            }
            if (loss.nextDouble() < lossRate || !port.send(frame)) {
                frame.release();
            }
        }

        @Override
        public boolean isWaiting() {
            return false;
        }

        @Override
        public void schedule(TcpConnection of) {
            if (tcp != null && !tcp.isScheduled()) {
                tcp.setScheduled(true);
                ready.addLast(this);
            }
        }

        @Override
        public void arm(TcpConnection of) {
            // All deadlines are looked at now and then.
        }

        @Override
        public void forget(TcpConnection of) {
            connections.remove(localPort << 16 | remotePort, this);
        }
    }

    private void run() {
        try {
            long lastTick = System.nanoTime();
            while (!closed) {
                Runnable task;
                while ((task = tasks.poll()) != null) {
                    task.run();
                }
                boolean idle = true;
                Frame received;
                for (int i = 0; i < 64 && (received = port.receive()) != null; i++) {
                    if (loss.nextDouble() >= lossRate) {
                        receive(received);
                    }
                    received.release();
                    idle = false;
                }
                long now = System.nanoTime();
                if (now - lastTick > 10_000_000) {
                    lastTick = now;
                    for (Connection connection : connections.values().toArray(Connection[]::new)) {
                        if (connection.tcp.hasDeadline() && connection.tcp.deadline() - now <= 0) {
                            connection.tcp.expire(now);
                        }
                    }
                }
                output();
                if (idle && tasks.isEmpty() && port.receivable() == 0) {
                    LockSupport.parkNanos(5_000_000);
                }
            }
        } catch (Throwable e) {
            failure = e;
            e.printStackTrace();
        }
    }

    private void output() {
        for (int turns = ready.size(); turns > 0; turns--) {
            Connection connection = ready.removeFirst();
            connection.tcp.setScheduled(false);
            refused = false;
            if (connection.tcp.output(System.nanoTime()) || refused) {
                connection.schedule(connection.tcp);
            }
        }
    }

    private void receive(Frame frame) {
        ByteBuffer buffer = frame.buffer();
        if (frame.length() < 54 || buffer.getShort(12) != 0x0800 || buffer.get(23) != 6) {
            if (frame.length() >= 42
                    && buffer.getShort(12) == 0x0806
                    && buffer.getShort(20) == 1
                    && buffer.getInt(38) == Station.GUEST) {
                answerArp(buffer);
            }
            return;
        }
        int remote = buffer.getShort(34) & 0xFFFF;
        int local = buffer.getShort(36) & 0xFFFF;
        int length = (buffer.getShort(16) & 0xFFFF) - 20;
        if (!segment.parse(buffer, 34, length)) {
            throw new IllegalStateException("bad segment");
        }
        Connection connection = connections.get(local << 16 | remote);
        if (connection == null && segment.opens() && listeners.containsKey(local)) {
            connection = new Connection(local, remote);
            connections.put(local << 16 | remote, connection);
            connection.tcp = TcpConnection.accept(
                    connection,
                    CONFIG,
                    pool,
                    listeners.get(local).apply(connection),
                    random.nextInt(),
                    segment,
                    System.nanoTime());
            connection.tcp.admit();
        } else if (connection != null) {
            connection.tcp.receive(segment, buffer, System.nanoTime());
        }
    }

    private void answerArp(ByteBuffer request) {
        Frame frame = port.allocate(42);
        ByteBuffer buffer = frame.buffer();
        buffer.putLong(0, Station.GATEWAY_MAC << 16 | Station.MAC >>> 32);
        buffer.putInt(8, (int) Station.MAC).putShort(12, (short) 0x0806);
        buffer.putInt(14, 0x0001_0800).putInt(18, 0x0604_0002);
        buffer.putLong(22, Station.MAC << 16).putInt(28, Station.GUEST);
        buffer.putLong(32, Station.GATEWAY_MAC << 16).putInt(38, request.getInt(28));
        if (!port.send(frame)) {
            frame.release();
        }
    }

    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(thread);
        try {
            thread.join(5_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
