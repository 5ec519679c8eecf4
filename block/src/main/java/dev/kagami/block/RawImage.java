package dev.kagami.block;

import dev.kagami.block.storage.FileStorage;
import dev.kagami.block.storage.Flushes;
import dev.kagami.block.storage.Pieces;
import dev.kagami.block.storage.Storage;
import dev.kagami.block.storage.Zeros;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A raw image: the bytes of the disk and nothing else. Sparse: what was never written takes no space where the host's file
 * system knows holes.
 *
 * <p>The JDK has no call that punches a hole into a file. So {@link #discard} leaves the contents alone, and
 * {@link #writeZeroes} writes zeros only where there is something else.
 */
public final class RawImage implements BlockImage {
    /** What the host's file systems use; smaller writes make them read. */
    private static final int HOST_BLOCK = 4096;

    private static final int ZERO_PIECE = 128 << 10;
    private static final ThreadLocal<ByteBuffer> SCRATCH =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(ZERO_PIECE));

    /** What qcow2 files start with: "QFI" and 0xFB. */
    static final int QCOW2_MAGIC = 0x514649FB;

    private final Storage storage;
    private final boolean probed;
    private final Flushes flushes;
    private final ReentrantLock resizing = new ReentrantLock();
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile long size;

    private RawImage(Storage storage, boolean probed) {
        this.storage = storage;
        this.probed = probed;
        this.flushes = new Flushes(storage::force, failure -> false);
        this.size = storage.length();
    }

    /**
     * Opens an image.
     *
     * @param file a regular file of any contents
     * @param writable whether it may be written
     * @throws BlockException when it isn't there, can't be opened, or is in use
     */
    public static RawImage open(Path file, boolean writable) {
        return open(FileStorage.open(file, writable), false);
    }

    /**
     * Opens an image.
     *
     * @param storage its bytes; closed with the image
     * @param probed whether it only counts as raw because it looks like nothing else. A guest must not turn it into
     *     something else then, because a qcow2 header can name any file of the host as backing file
     */
    static RawImage open(Storage storage, boolean probed) {
        return new RawImage(storage, probed);
    }

    /**
     * Creates an image that reads as zeros and takes no space.
     *
     * @param file where there is no file yet
     * @param size bytes
     * @throws BlockException when it can't be made
     */
    public static RawImage create(Path file, long size) {
        Storage storage = FileStorage.create(file);
        try {
            storage.setLength(size);
            return new RawImage(storage, false);
        } catch (RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    @Override
    public Path file() {
        return storage.path();
    }

    @Override
    public ImageFormat format() {
        return ImageFormat.RAW;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public boolean readOnly() {
        return storage.readOnly();
    }

    @Override
    public int clusterSize() {
        return HOST_BLOCK;
    }

    private void check(long offset, long length) {
        if (offset < 0 || length < 0 || length > size - offset) {
            throw BlockException.outOfRange(storage.path(), offset, length, size);
        }
    }

    private void checkWrite(long offset, long length) {
        check(offset, length);
        if (storage.readOnly()) {
            throw BlockException.readOnly(storage.path());
        }
    }

    @Override
    public void read(long offset, MemorySegment target) {
        check(offset, target.byteSize());
        Pieces.read(storage, offset, target);
    }

    @Override
    public void write(long offset, MemorySegment source) {
        checkWrite(offset, source.byteSize());
        if (probed && offset < Integer.BYTES && source.byteSize() > 0) {
            writeStart((int) offset, source);
        } else {
            Pieces.write(storage, offset, source);
        }
        flushes.dirty();
    }

    /** Writes the start of the disk from a copy that was looked at, because guest memory may change between looks. */
    private void writeStart(int offset, MemorySegment source) {
        int copied = (int) Math.min(source.byteSize(), HOST_BLOCK);
        ByteBuffer copy = ByteBuffer.allocate(Math.max(offset + copied, Integer.BYTES));
        storage.read(copy.limit(Integer.BYTES), 0);
        copy.limit(copy.capacity()).position(offset);
        copy.put(source.asSlice(0, copied).asByteBuffer());
        if (copy.getInt(0) == QCOW2_MAGIC) {
            throw new BlockException(
                    BlockException.Code.UNSUPPORTED,
                    "A write would make the raw image %s look like a qcow2 image".formatted(storage.path()),
                    "Say that the format is raw when opening the image, if that is what you want.");
        }
        storage.write(copy.limit(offset + copied).position(offset), offset);
        Pieces.write(storage, offset + copied, source.asSlice(copied));
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        checkWrite(offset, length);
        // Holes stay holes. Reading costs less than allocating what was never used.
        ByteBuffer old = SCRATCH.get();
        MemorySegment oldBytes = MemorySegment.ofBuffer(old.clear());
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long pieceEnd = Math.min(end, at + ZERO_PIECE - at % HOST_BLOCK);
            int count = (int) (pieceEnd - at);
            storage.read(old.clear().limit(count), at);
            int from = 0;
            while (from < count) {
                int blockEnd = (int) Math.min(count, (at + from) / HOST_BLOCK * HOST_BLOCK + HOST_BLOCK - at);
                if (!Zeros.isZero(oldBytes, from, blockEnd - from)) {
                    Zeros.write(storage, at + from, blockEnd - from);
                }
                from = blockEnd;
            }
            at = pieceEnd;
        }
        flushes.dirty();
    }

    /** Does nothing but check the range: a file's holes can't be made from Java. */
    @Override
    public void discard(long offset, long length) {
        checkWrite(offset, length);
    }

    @Override
    public void flush() {
        if (!storage.readOnly()) {
            flushes.flush();
        }
    }

    @Override
    public void resize(long newSize) {
        resizing.lock();
        try {
            checkWrite(0, 0);
            if (newSize < size) {
                throw shrink(storage.path(), size, newSize);
            }
            storage.setLength(newSize);
            storage.force();
            size = newSize;
        } finally {
            resizing.unlock();
        }
    }

    /** {@return the exception for making an image smaller} */
    static BlockException shrink(Path file, long size, long newSize) {
        return new BlockException(
                BlockException.Code.OUT_OF_RANGE,
                "%s has %d bytes and can't be shrunk to %d".formatted(file, size, newSize),
                "Shrink the file system inside, and copy the part in use to a new, smaller image.");
    }

    @Override
    public long extent(long offset) {
        check(offset, 1);
        return size - offset;
    }

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        try {
            flush();
        } finally {
            storage.close();
        }
    }
}
