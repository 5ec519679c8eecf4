package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;

/** What the parts of an open image share. */
final class ImageState {
    final Storage storage;
    final int version;
    final int clusterBits;
    final int clusterSize;
    /** Clusters that hold tables and that nothing else may be written to. Guarded by the image's lock. */
    final ClusterSet metadata = new ClusterSet();
    /** Behind the last byte ever written: from here on the file reads as zeros. */
    private final AtomicLong end;

    ImageState(Storage storage, int version, int clusterBits) {
        this.storage = storage;
        this.version = version;
        this.clusterBits = clusterBits;
        this.clusterSize = 1 << clusterBits;
        this.end = new AtomicLong(storage.length());
    }

    /** {@return the position from which on the file reads as zeros} */
    long end() {
        return end.get();
    }

    /** Says that bytes up to a position were, or are about to be, written. */
    void extendTo(long position) {
        if (end.get() < position) {
            end.accumulateAndGet(position, Math::max);
        }
    }

    /** Says that the file was cut off. */
    void cutTo(long position) {
        end.set(position);
    }

    /** {@return whether clusters lie within the file; the last one may be cut short} */
    boolean inFile(long offset, long bytes) {
        long clusters = end.get() + clusterSize - 1 >>> clusterBits;
        return offset >= clusterSize && offset <= (clusters << clusterBits) - bytes;
    }

    boolean aligned(long offset) {
        return (offset & clusterSize - 1) == 0;
    }

    /** Reads a cluster of tables. */
    byte[] readTable(String name, long offset) {
        if (!aligned(offset) || !inFile(offset, clusterSize)) {
            throw BlockException.corrupt(storage.path(), "%s at %s".formatted(name, Long.toUnsignedString(offset)));
        }
        byte[] bytes = new byte[clusterSize];
        storage.read(ByteBuffer.wrap(bytes), offset);
        return bytes;
    }
}
