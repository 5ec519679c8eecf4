package dev.kagami.net.nat;

import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.LinkedHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Puts fragments of IP packets together (RFC 815, RFC 5722). A few packets at a time, for a few seconds; a packet whose fragments overlap is thrown
 * away. For one thread.
 */
final class Reassembler {
    /** Packets that may be incomplete at a time. */
    static final int MAXIMUM_PACKETS = 16;

    private static final long LIFETIME = 15_000_000_000L;
    private static final int MAXIMUM_PAYLOAD = 65_535;
    private static final int UNIT = 8;

    private record Key(IpAddress source, IpAddress destination, int identification, int protocol) {}

    private static final class Partial {
        final BitSet units = new BitSet(MAXIMUM_PAYLOAD / UNIT + 1);
        final long deadline;
        ByteBuffer payload = ByteBuffer.allocate(2 * 1500);
        int length = -1;
        boolean spoilt;

        Partial(long deadline) {
            this.deadline = deadline;
        }

        void put(int at, ByteBuffer source, int offset, int size) {
            if (at + size > payload.capacity()) {
                int capacity = Math.min(MAXIMUM_PAYLOAD, Math.max(at + size, 2 * payload.capacity()));
                payload = ByteBuffer.allocate(capacity).put(0, payload, 0, payload.capacity());
            }
            payload.put(at, source, offset, size);
        }
    }

    private final LinkedHashMap<Key, Partial> partials = new LinkedHashMap<>();

    int partials() {
        return partials.size();
    }

    /**
     * Takes a fragment.
     *
     * @param at where in the payload it belongs, in octets
     * @return the whole payload, from 0 to its limit, if this fragment was the last missing one
     */
    @Nullable
    ByteBuffer add(
            IpAddress source,
            IpAddress destination,
            int identification,
            int protocol,
            int at,
            boolean more,
            ByteBuffer buffer,
            int offset,
            int size,
            long now) {
        expire(now);
        if (size == 0 || at + size > MAXIMUM_PAYLOAD || more && size % UNIT != 0) {
            return null;
        }
        var key = new Key(source, destination, identification, protocol);
        Partial partial = partials.get(key);
        if (partial == null) {
            if (partials.size() >= MAXIMUM_PACKETS) {
                partials.pollFirstEntry();
            }
            partial = new Partial(now + LIFETIME);
            partials.put(key, partial);
        }
        if (partial.spoilt) {
            return null;
        }
        int first = at / UNIT;
        int end = (at + size + UNIT - 1) / UNIT;
        boolean overlaps = partial.units.nextSetBit(first) >= 0 && partial.units.nextSetBit(first) < end;
        boolean beyond = partial.length >= 0 && (at + size > partial.length || !more);
        boolean early = !more && partial.units.length() > end;
        if (overlaps || beyond || early) {
            // It is kept, empty, so that the rest of it isn't taken for a new packet.
            partial.spoilt = true;
            partial.payload = ByteBuffer.allocate(0);
            return null;
        }
        partial.put(at, buffer, offset, size);
        partial.units.set(first, end);
        if (!more) {
            partial.length = at + size;
        }
        if (partial.length < 0 || partial.units.nextClearBit(0) * UNIT < partial.length) {
            return null;
        }
        partials.remove(key);
        return partial.payload.clear().limit(partial.length);
    }

    private void expire(long now) {
        while (!partials.isEmpty() && partials.firstEntry().getValue().deadline - now <= 0) {
            partials.pollFirstEntry();
        }
    }
}
