package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import dev.kagami.block.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** A file in memory that can lose power: of what wasn't forced, any sectors may be missing. Not thread-safe. */
final class CrashStorage implements Storage {
    private static final int SECTOR = 512;
    private static final int MAX_LENGTH = 64 << 20;

    /** The power went. */
    static final class PowerCut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private record Write(int position, byte[] bytes) {}

    private byte[] visible;
    private int length;
    private byte[] stable;
    private int stableLength;
    private final List<Write> pending = new ArrayList<>();
    private long operationsLeft = Long.MAX_VALUE;
    private boolean full;

    CrashStorage(byte[] contents) {
        visible = contents.clone();
        stable = contents.clone();
        length = contents.length;
        stableLength = length;
    }

    /** Cuts the power after so many writes and forces. */
    void cutAfter(long operations) {
        operationsLeft = operations;
    }

    /** Lets writes fail from now on, or no longer. */
    void fill(boolean nowFull) {
        full = nowFull;
    }

    /** Returns what is on the disk afterwards. */
    byte[] crash(Random random) {
        double kept = new double[] {0, 0.1, 0.5, 0.9, 1}[random.nextInt(5)];
        byte[] disk = Arrays.copyOf(stable, Math.max(stable.length, visible.length));
        int end = stableLength;
        for (Write write : pending) {
            int at = 0;
            while (at < write.bytes.length) {
                int count = Math.min(write.bytes.length - at, SECTOR - (write.position + at) % SECTOR);
                if (random.nextDouble() < kept) {
                    System.arraycopy(write.bytes, at, disk, write.position + at, count);
                    end = Math.max(end, write.position + at + count);
                }
                at += count;
            }
        }
        return Arrays.copyOf(disk, end);
    }

    private void step() {
        if (operationsLeft-- <= 0) {
            operationsLeft = 0;
            throw new PowerCut();
        }
    }

    @Override
    public Path path() {
        return Path.of("crash.qcow2");
    }

    @Override
    public @Nullable Object identity() {
        return null;
    }

    @Override
    public boolean readOnly() {
        return false;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public void read(ByteBuffer target, long position) {
        int available = Math.clamp(length - position, 0, target.remaining());
        if (available > 0) {
            target.put(visible, (int) position, available);
        }
        while (target.hasRemaining()) {
            target.put((byte) 0);
        }
    }

    @Override
    public void write(ByteBuffer source, long position) {
        step();
        if (full || position > MAX_LENGTH - source.remaining()) {
            throw new BlockException(BlockException.Code.NO_SPACE, "full", "make room");
        }
        byte[] bytes = new byte[source.remaining()];
        source.get(bytes);
        int end = (int) position + bytes.length;
        if (end > visible.length) {
            visible = Arrays.copyOf(visible, Math.max(end, 2 * visible.length));
        }
        length = Math.max(length, end);
        System.arraycopy(bytes, 0, visible, (int) position, bytes.length);
        pending.add(new Write((int) position, bytes));
    }

    @Override
    public void setLength(long newLength) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void force() {
        step();
        stable = Arrays.copyOf(stable, visible.length);
        for (Write write : pending) {
            System.arraycopy(write.bytes, 0, stable, write.position, write.bytes.length);
        }
        stableLength = length;
        pending.clear();
    }

    @Override
    public void close() {
        // What was written stays to be looked at.
    }
}
