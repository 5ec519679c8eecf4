package dev.kagami.net;

import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A cable with two ends. Each direction is a queue with a limit; nothing is lost, reordered or changed on the way, except that
 * frames are cut and checksums completed for an end that doesn't take them otherwise. Thread-safe.
 */
public final class EthernetLink {
    /** Frames that may wait in one direction. */
    public static final int QUEUE_FRAMES = 1024;
    /** Octets of memory that frames waiting in one direction may have behind them. */
    public static final int QUEUE_BYTES = 4 << 20;

    private final End first = new End();
    private final End second = new End();
    private volatile boolean up = true;
    private volatile @Nullable Tap tap;

    /** Makes a cable that is plugged in at both ends. */
    public EthernetLink() {
        first.peer = second;
        second.peer = first;
    }

    /** {@return the end that is commonly a guest's} */
    public EthernetPort first() {
        return first;
    }

    /** {@return the end that is commonly the network's} */
    public EthernetPort second() {
        return second;
    }

    /** Plugs the cable in or out, and tells both ends. Out, what waits is thrown away and what is sent too. */
    public void setUp(boolean value) {
        synchronized (this) {
            if (up == value) {
                return;
            }
            up = value;
        }
        if (!value) {
            first.discard();
            second.discard();
        }
        first.changed(value);
        second.changed(value);
    }

    /** {@return whether the cable is plugged in} */
    public boolean isUp() {
        return up;
    }

    /** Records from now on every frame in both directions, as an interface of that name. Replaces an earlier capture. */
    public void capture(PcapngWriter writer, String name) {
        tap = new Tap(writer, writer.addInterface(name));
    }

    /** Records no more frames. Doesn't close the file. */
    public void stopCapture() {
        tap = null;
    }

    private record Tap(PcapngWriter writer, int id) {}

    /** One end: holds the queue of the frames that it will receive. */
    private final class End implements EthernetPort {
        private final ArrayDeque<Frame> queue = new ArrayDeque<>(64);
        private long queuedBytes;
        /** Whether the peer was told that there is no room. */
        private boolean full;

        private End peer;
        private volatile Set<ReceiveOffload> offloads = Set.of();
        private volatile @Nullable PortListener listener;

        private final LongAdder frames = new LongAdder();
        private final LongAdder bytes = new LongAdder();
        private final LongAdder malformed = new LongAdder();
        private final LongAdder discarded = new LongAdder();

        @Override
        public void listen(PortListener newListener) {
            listener = newListener;
            boolean waiting;
            synchronized (queue) {
                waiting = !queue.isEmpty();
            }
            if (waiting) {
                newListener.readable();
            }
        }

        @Override
        public void setReceiveOffloads(Set<ReceiveOffload> newOffloads) {
            // A frame that is to be cut has a partial checksum (virtio 1.2, 5.1.3.1): without that one, none of the
            // others.
            offloads = newOffloads.contains(ReceiveOffload.CHECKSUM) ? Set.copyOf(newOffloads) : Set.of();
        }

        @Override
        public Set<ReceiveOffload> peerOffloads() {
            return peer.offloads.isEmpty() ? Set.of() : EnumSet.copyOf(peer.offloads);
        }

        @Override
        public Frame allocate(int length) {
            return FramePool.SHARED.allocate(length);
        }

        @Override
        public boolean send(Frame frame) {
            if (!Segmenter.isWellFormed(frame)) {
                malformed.increment();
                frame.release();
                return true;
            }
            return peer.enqueue(frame, this);
        }

        private boolean enqueue(Frame frame, End sender) {
            if (!up) {
                sender.discarded.increment();
                frame.release();
                return true;
            }
            if (!hasRoom()) {
                return false;
            }
            Tap capture = tap;
            if (capture != null) {
                capture.writer.write(capture.id, frame, this == first);
            }
            Set<ReceiveOffload> able = offloads;
            if (frame.gso() != Gso.NONE && !takes(able, frame.gso())) {
                add(Segmenter.cut(frame, able.contains(ReceiveOffload.CHECKSUM)));
            } else {
                if (!able.contains(ReceiveOffload.CHECKSUM)) {
                    Segmenter.completeChecksum(frame);
                }
                add(frame);
            }
            return true;
        }

        private static boolean takes(Set<ReceiveOffload> able, Gso gso) {
            return switch (gso) {
                case NONE -> true;
                case TCPV4 -> able.contains(ReceiveOffload.TCPV4);
                case TCPV6 -> able.contains(ReceiveOffload.TCPV6);
                case UDP -> able.contains(ReceiveOffload.UDP);
            };
        }

        private boolean hasRoom() {
            synchronized (queue) {
                boolean room = queue.size() < QUEUE_FRAMES && queuedBytes < QUEUE_BYTES;
                full |= !room;
                return room;
            }
        }

        private void add(Frame frame) {
            boolean wasEmpty;
            synchronized (queue) {
                wasEmpty = queue.isEmpty();
                append(frame);
            }
            notifyReadable(wasEmpty);
        }

        private void add(List<Frame> parts) {
            boolean wasEmpty;
            synchronized (queue) {
                wasEmpty = queue.isEmpty();
                // All parts or none: the queue may be longer than its limit by the parts of one frame.
                parts.forEach(this::append);
            }
            notifyReadable(wasEmpty);
        }

        private void append(Frame frame) {
            queue.addLast(frame);
            queuedBytes += frame.capacity();
            frames.increment();
            bytes.add(frame.length());
        }

        private void notifyReadable(boolean wasEmpty) {
            PortListener told = listener;
            if (wasEmpty && told != null) {
                told.readable();
            }
        }

        @Override
        public boolean canSend() {
            return peer.hasRoom();
        }

        @Override
        public @Nullable Frame receive() {
            Frame frame;
            boolean room = false;
            synchronized (queue) {
                frame = queue.pollFirst();
                if (frame != null) {
                    queuedBytes -= frame.capacity();
                }
                if (full && queue.size() <= QUEUE_FRAMES / 2 && queuedBytes <= QUEUE_BYTES / 2) {
                    full = false;
                    room = true;
                }
            }
            if (room) {
                peer.tellWritable();
            }
            return frame;
        }

        private void tellWritable() {
            PortListener told = listener;
            if (told != null) {
                told.writable();
            }
        }

        private void discard() {
            Frame frame;
            while ((frame = receive()) != null) {
                peer.discarded.increment();
                frame.release();
            }
        }

        private void changed(boolean value) {
            PortListener told = listener;
            if (told != null) {
                told.linkChanged(value);
            }
        }

        @Override
        public int receivable() {
            synchronized (queue) {
                return queue.size();
            }
        }

        @Override
        public int unreceived() {
            return peer.receivable();
        }

        @Override
        public boolean isUp() {
            return up;
        }

        @Override
        public PortStatistics statistics() {
            return new PortStatistics(
                    peer.frames.sum(), peer.bytes.sum(), frames.sum(), bytes.sum(), malformed.sum(), discarded.sum());
        }
    }
}
