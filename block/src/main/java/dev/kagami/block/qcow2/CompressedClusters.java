package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.zstd.Zstd;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/** Reads compressed clusters, and keeps the last few unpacked: guests read them in pieces. Thread-safe. */
final class CompressedClusters {
    private static final int CACHE_BYTES = 2 << 20;
    private static final int MIN_CACHED = 4;
    private static final int MAX_CACHED = 32;

    private final ImageState state;
    private final int type;
    /** Bits of an entry that hold the position; the length is above. */
    private final int offsetBits;

    private final int capacity;
    /** Unpacked clusters by entry, the one used last at the end. Guarded by itself. */
    private final Map<Long, byte[]> cache = new LinkedHashMap<>(16, 0.75f, true);

    CompressedClusters(ImageState state, int type) {
        this.state = state;
        this.type = type;
        this.offsetBits = 62 - (state.clusterBits - 8);
        this.capacity = Math.clamp(CACHE_BYTES >> state.clusterBits, MIN_CACHED, MAX_CACHED);
    }

    /** {@return the position of compressed data} */
    long offset(long entry) {
        return entry & (1L << offsetBits) - 1 & (1L << 56) - 1;
    }

    /** {@return how many bytes from there may belong to it} */
    int length(long entry) {
        int sectors = (int) ((entry & ~(Qcow2Format.COPIED | Qcow2Format.COMPRESSED)) >>> offsetBits);
        return (sectors + 1) * Qcow2Format.COMPRESSED_SECTOR
                - (int) (offset(entry) & Qcow2Format.COMPRESSED_SECTOR - 1);
    }

    /**
     * Makes an entry.
     *
     * @throws BlockException {@code NO_SPACE} when the position is more than an entry can hold
     */
    long entry(long offset, int length) {
        if (offset + length > 1L << Math.min(offsetBits, 56)) {
            throw new BlockException(
                    BlockException.Code.NO_SPACE,
                    "%s is as large as a file with compressed clusters can get".formatted(state.storage.path()),
                    "Use smaller clusters, or don't compress.");
        }
        long sectors = (offset + length - 1) / Qcow2Format.COMPRESSED_SECTOR - offset / Qcow2Format.COMPRESSED_SECTOR;
        return Qcow2Format.COMPRESSED | sectors << offsetBits | offset;
    }

    /** {@return the contents of a cluster; not to be changed} */
    byte[] read(long entry) {
        synchronized (cache) {
            byte[] found = cache.get(entry);
            if (found != null) {
                return found;
            }
        }
        byte[] unpacked = unpack(entry);
        synchronized (cache) {
            cache.put(entry, unpacked);
            if (cache.size() > capacity) {
                cache.remove(cache.keySet().iterator().next());
            }
        }
        return unpacked;
    }

    /** Forgets what was unpacked, because its place in the file may be used for something else. */
    void forget() {
        synchronized (cache) {
            cache.clear();
        }
    }

    private byte[] unpack(long entry) {
        long offset = offset(entry);
        int length = length(entry);
        if (!state.inFile(offset, 1)) {
            throw BlockException.corrupt(state.storage.path(), "compressed data at %d".formatted(offset));
        }
        byte[] packed = new byte[length + Zstd.PADDING];
        state.storage.read(ByteBuffer.wrap(packed, 0, length), offset);
        byte[] unpacked = new byte[state.clusterSize];
        String problem = type == Qcow2Format.COMPRESSION_ZSTD
                ? unzstd(packed, length, unpacked)
                : inflate(packed, length, unpacked);
        if (problem != null) {
            throw BlockException.corrupt(state.storage.path(), "compressed data at %d: %s".formatted(offset, problem));
        }
        return unpacked;
    }

    private static @Nullable String unzstd(byte[] packed, int length, byte[] unpacked) {
        try {
            Zstd.decompress(packed, length, unpacked);
            return null;
        } catch (ZipException e) {
            return e.getMessage();
        }
    }

    private static @Nullable String inflate(byte[] packed, int length, byte[] unpacked) {
        // RFC 1951 without a zlib header.
        try (Inflater inflater = new Inflater(true)) {
            inflater.setInput(packed, 0, length);
            int done = 0;
            while (done < unpacked.length) {
                int count = inflater.inflate(unpacked, done, unpacked.length - done);
                if (count == 0) {
                    return "only %d bytes come out".formatted(done);
                }
                done += count;
            }
            return null;
        } catch (DataFormatException e) {
            return e.getMessage() == null ? "damaged" : e.getMessage();
        }
    }
}
