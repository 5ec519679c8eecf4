package dev.kagami.net;

import java.security.SecureRandom;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * A learning Ethernet switch. A frame goes out of the port where its destination was last heard, or out of all others if that isn't
 * known. It is forwarded on the thread that sent it. When the queue of the outgoing port is full the frame is dropped there:
 * a station that doesn't read must not stop the ones that talk to others. Thread-safe.
 */
public final class EthernetSwitch implements AutoCloseable {
    /** Ports that a switch may have. */
    public static final int MAXIMUM_PORTS = 1024;

    /** 01-80-C2-00-00-00 to -0F stay on their link (IEEE 802.1Q 8.6.3). */
    private static final long RESERVED = 0x0180_C200_0000L;

    private final List<Port> ports = new CopyOnWriteArrayList<>();
    private final MacTable<Port> stations = new MacTable<>(new SecureRandom().nextLong());
    private final LongAdder dropped = new LongAdder();
    private volatile boolean closed;

    /** Makes a switch without ports. */
    public EthernetSwitch() {}

    /**
     * {@return a cable from a new port; the station takes its {@linkplain EthernetLink#first() first} end}
     *
     * @throws IllegalStateException if there are too many, or the switch is closed
     */
    public EthernetLink plug() {
        var port = new Port(new EthernetLink());
        synchronized (this) {
            if (closed || ports.size() >= MAXIMUM_PORTS) {
                throw new IllegalStateException(closed ? "the switch is closed" : "the switch has no port left");
            }
            ports.add(port);
        }
        port.end.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        port.end.listen(port);
        return port.link;
    }

    /** Takes a cable out. Its station sees the link go down. */
    public void unplug(EthernetLink link) {
        for (Port port : ports) {
            if (port.link == link) {
                ports.remove(port);
                stations.forget(port);
                link.setUp(false);
            }
        }
    }

    /** {@return how many frames were dropped because an outgoing queue was full} */
    public long dropped() {
        return dropped.sum();
    }

    int ports() {
        return ports.size();
    }

    int stations() {
        return stations.size();
    }

    /** Takes all cables out. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        ports.forEach(port -> unplug(port.link));
    }

    private void forward(Frame frame, Port from) {
        long now = System.nanoTime();
        long source = frame.source();
        long destination = frame.destination();
        if (!MacAddress.isGroup(source)) {
            stations.learn(source, from, now);
        }
        if ((destination & ~0xFL) == RESERVED) {
            frame.release();
            return;
        }
        Port to = MacAddress.isGroup(destination) ? null : stations.find(destination, now);
        if (to == from) {
            frame.release();
        } else if (to != null) {
            send(to, frame);
        } else {
            flood(frame, from);
        }
    }

    private void flood(Frame frame, Port from) {
        for (Port port : ports) {
            if (port != from) {
                // Asked first, as copying what is then dropped would be the dearest case under a flood.
                if (port.end.canSend()) {
                    send(port, frame.copy());
                } else {
                    dropped.increment();
                }
            }
        }
        frame.release();
    }

    private void send(Port port, Frame frame) {
        if (!port.end.send(frame)) {
            dropped.increment();
            frame.release();
        }
    }

    /** The switch's side of a cable. */
    private final class Port implements PortListener {
        final EthernetLink link;
        final EthernetPort end;
        /** Calls of {@link #readable()} that weren't answered yet; who makes the first answers all, so frames stay in order. */
        private final AtomicInteger calls = new AtomicInteger();

        Port(EthernetLink link) {
            this.link = link;
            end = link.second();
        }

        @Override
        public void readable() {
            if (calls.getAndIncrement() != 0) {
                return;
            }
            int answered = 1;
            do {
                Frame frame;
                while ((frame = end.receive()) != null) {
                    forward(frame, this);
                }
                answered = calls.addAndGet(-answered);
            } while (answered != 0);
        }
    }
}
