package dev.kagami.net;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which port a station was last heard on: a table of fixed size that forgets stations it hasn't heard for five minutes (IEEE
 * 802.1Q 8.8.3). One port may hold only a share of it, so a station that makes up addresses can't push others out.
 * Thread-safe.
 */
final class MacTable<P> {
    /** Stations that one port may have behind it. */
    static final int SHARE = 256;

    private static final int WAYS = 8;
    private static final int SETS = 512;
    private static final long AGING_NANOS = 300_000_000_000L;
    private static final long HASH_MULTIPLIER = 0x9E37_79B9_7F4A_7C15L;

    private final long seed;
    private final long[] addresses = new long[SETS * WAYS];
    private final @Nullable Object[] ports = new Object[SETS * WAYS];
    private final long[] heard = new long[SETS * WAYS];

    /** Makes an empty table; the seed keeps stations from choosing addresses that collide. */
    MacTable(long seed) {
        this.seed = seed;
    }

    private int set(long address) {
        long hash = (address ^ seed) * HASH_MULTIPLIER;
        return (int) (hash >>> 55) * WAYS;
    }

    /** Remembers a station. */
    synchronized void learn(long address, P port, long now) {
        int set = set(address);
        int oldest = set;
        int oldestOwn = -1;
        for (int i = set; i < set + WAYS; i++) {
            if (ports[i] != null && addresses[i] == address) {
                ports[i] = port;
                heard[i] = now;
                return;
            }
            if (ports[i] == null || ports[oldest] != null && heard[i] - heard[oldest] < 0) {
                oldest = i;
            }
            if (ports[i] == port && (oldestOwn < 0 || heard[i] - heard[oldestOwn] < 0)) {
                oldestOwn = i;
            }
        }
        int slot = oldest;
        if (ports[oldest] != null || count(port) >= SHARE) {
            if (oldestOwn >= 0) {
                slot = oldestOwn;
            } else if (count(port) >= SHARE) {
                return;
            }
        }
        addresses[slot] = address;
        ports[slot] = port;
        heard[slot] = now;
    }

    private int count(P port) {
        int count = 0;
        for (Object other : ports) {
            if (other == port) {
                count++;
            }
        }
        return count;
    }

    /** {@return the port of a station, or null if it isn't known} */
    @SuppressWarnings("unchecked")
    synchronized @Nullable P find(long address, long now) {
        int set = set(address);
        for (int i = set; i < set + WAYS; i++) {
            if (ports[i] != null && addresses[i] == address) {
                if (now - heard[i] > AGING_NANOS) {
                    ports[i] = null;
                    return null;
                }
                return (P) ports[i];
            }
        }
        return null;
    }

    /** Forgets every station behind a port. */
    synchronized void forget(P port) {
        for (int i = 0; i < ports.length; i++) {
            if (ports[i] == port) {
                ports[i] = null;
            }
        }
    }

    synchronized int size() {
        return (int) Arrays.stream(ports).filter(p -> p != null).count();
    }
}
