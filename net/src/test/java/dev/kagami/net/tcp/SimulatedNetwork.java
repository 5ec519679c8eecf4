package dev.kagami.net.tcp;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Two connections and a link between them that loses, repeats, delays and reorders what it is told to, in virtual time. */
final class SimulatedNetwork {
    static final long MILLISECOND = 1_000_000L;

    /** How likely it is, per segment, that the link misbehaves. */
    record Faults(double loss, double duplication, double reordering, long delay) {
        static final Faults NONE = new Faults(0, 0, 0, MILLISECOND / 10);
    }

    private record Arrival(long time, long number, Side to, byte[] segment) {}

    private final PriorityQueue<Arrival> flying = new PriorityQueue<>(
            (a, b) -> a.time != b.time ? Long.compare(a.time, b.time) : Long.compare(a.number, b.number));
    private final Random random;
    private long number;
    Faults faults;
    long now = 1_000 * MILLISECOND;

    final Side a = new Side();
    final Side b = new Side();
    int sent;
    int lost;

    SimulatedNetwork(long seed, Faults faults) {
        random = new Random(seed);
        this.faults = faults;
        a.peer = b;
        b.peer = a;
    }

    /** One end. */
    final class Side implements TcpNetwork {
        final ChunkPool pool = new ChunkPool(16 << 20);
        Side peer;

        @Nullable
        TcpConnection connection;

        boolean wantsOutput;
        boolean blocked;
        boolean forgotten;
        private final ByteBuffer buffer = ByteBuffer.allocate(70_000);
        private final TcpSegment parsed = new TcpSegment();
        final List<byte[]> log = new ArrayList<>();

        @Override
        public @Nullable ByteBuffer begin(TcpConnection which, int length) {
            if (blocked) {
                return null;
            }
            buffer.clear();
            return buffer;
        }

        @Override
        public void end(TcpConnection which, int length, int size) {
            int header = (buffer.get(12) & 0xF0) >> 2;
            int data = length - header;
            int part = size == 0 ? Math.max(1, data) : size;
            for (int at = 0; at == 0 || at < data; at += part) {
                int some = Math.min(part, data - at);
                byte[] segment = new byte[header + some];
                buffer.get(0, segment, 0, header);
                buffer.get(header + at, segment, header, some);
                ByteBuffer.wrap(segment).putInt(4, buffer.getInt(4) + at);
                if (at + some < data) {
                    segment[13] &= ~9;
                }
                fly(segment);
            }
        }

        private void fly(byte[] segment) {
            sent++;
            log.add(segment);
            if (random.nextDouble() < faults.loss) {
                lost++;
                return;
            }
            int copies = random.nextDouble() < faults.duplication ? 2 : 1;
            for (int i = 0; i < copies; i++) {
                long extra = random.nextDouble() < faults.reordering ? random.nextLong(5 * MILLISECOND) : 0;
                flying.add(new Arrival(now + faults.delay + extra, number++, peer, segment));
            }
        }

        @Override
        public boolean isWaiting() {
            return false;
        }

        @Override
        public void schedule(TcpConnection which) {
            wantsOutput = true;
        }

        @Override
        public void arm(TcpConnection which) {
            // All deadlines are looked at in every step.
        }

        @Override
        public void forget(TcpConnection which) {
            forgotten = true;
        }

        void receive(byte[] segment) {
            ByteBuffer data = ByteBuffer.allocate(segment.length).put(0, segment);
            if (connection != null && parsed.parse(data, 0, segment.length)) {
                connection.receive(parsed, data, now);
            }
        }

        void output() {
            while (wantsOutput && connection != null) {
                wantsOutput = connection.output(now);
            }
        }
    }

    /** Goes on to the next thing that happens; false if nothing will before the time. */
    boolean step(long until) {
        a.output();
        b.output();
        long next = Long.MAX_VALUE;
        if (!flying.isEmpty()) {
            next = flying.peek().time;
        }
        for (Side side : List.of(a, b)) {
            if (side.connection != null && !side.forgotten && side.connection.hasDeadline()) {
                next = Math.min(next, side.connection.deadline());
            }
        }
        if (next > until) {
            now = until;
            return false;
        }
        now = Math.max(now, next);
        while (!flying.isEmpty() && flying.peek().time <= now) {
            Arrival arrival = flying.poll();
            arrival.to.receive(arrival.segment);
        }
        for (Side side : List.of(a, b)) {
            if (side.connection != null
                    && !side.forgotten
                    && side.connection.hasDeadline()
                    && side.connection.deadline() <= now) {
                side.connection.expire(now);
            }
        }
        a.output();
        b.output();
        return true;
    }

    /** Goes on for a while. */
    void run(long nanos) {
        long until = now + nanos;
        while (step(until)) {
            continue;
        }
    }
}
