package dev.kagami.block;

import dev.kagami.block.qcow2.Compressor;
import dev.kagami.block.qcow2.Qcow2Image;
import dev.kagami.block.storage.FileStorage;
import dev.kagami.block.storage.Storage;
import dev.kagami.block.storage.UnforcedStorage;
import dev.kagami.block.storage.Zeros;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Copies the contents of an image to a new one, without its zeros. */
final class Converter {
    private static final int BUFFER_SIZE = 4 << 20;
    /** Zeros in smaller pieces than this are copied. */
    private static final int SPARSE_UNIT = 4096;

    private final BlockImage source;
    private final BlockImage target;
    private final @Nullable Compressor compressor;
    private final int unit;
    private final Progress progress;

    private Converter(BlockImage source, BlockImage target, ImageOptions options, Progress progress) {
        this.source = source;
        this.target = target;
        this.progress = progress;
        this.compressor = switch (options.compression()) {
            case NONE -> null;
            case ZLIB -> Compressor.zlib();
            case ZSTD -> Compressor.zstd();
        };
        this.unit = options.format() == ImageFormat.RAW ? SPARSE_UNIT : options.clusterSize();
    }

    static void convert(BlockImage source, Path file, ImageOptions options, Progress progress) {
        DiskImages.checkSize(file, source.size(), options);
        Storage storage = new UnforcedStorage(FileStorage.create(file));
        boolean done = false;
        try {
            try {
                DiskImages.initialize(storage, source.size(), options, null, null);
                try (BlockImage target = DiskImages.openNew(storage, options)) {
                    new Converter(source, target, options, progress).copy();
                }
            } finally {
                storage.close();
            }
            done = true;
        } finally {
            if (!done) {
                DiskImages.delete(file);
            }
        }
    }

    /** Copies all that isn't zeros. */
    static void copy(BlockImage source, BlockImage target) {
        new Converter(source, target, ImageOptions.qcow2(), (done, all) -> {}).copy();
    }

    /** Copies ranges, with their zeros. The function tells n bytes to copy from an offset on, or -n to skip. */
    static void copyRanges(BlockImage source, BlockImage target, LongUnaryOperator ranges) {
        MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_SIZE, Long.BYTES);
        long at = 0;
        while (at < source.size()) {
            long wanted = ranges.applyAsLong(at);
            long end = at + Math.abs(wanted);
            while (wanted > 0 && at < end) {
                MemorySegment piece = buffer.asSlice(0, Math.min(BUFFER_SIZE, end - at));
                source.read(at, piece);
                target.write(at, piece);
                at += piece.byteSize();
            }
            at = end;
        }
    }

    private void copy() {
        long size = source.size();
        MemorySegment buffer = Arena.ofAuto().allocate(BUFFER_SIZE, Long.BYTES);
        long at = 0;
        while (at < size) {
            long known = source.extent(at);
            if (known < 0) {
                // A unit that is zero only in part is looked at below.
                long end = at - known == size ? size : (at - known) / unit * unit;
                if (end > at) {
                    at = end;
                    progress.update(at, size);
                    continue;
                }
            }
            int count = (int) Math.min(BUFFER_SIZE, size - at);
            source.read(at, buffer.asSlice(0, count));
            if (compressor != null) {
                copyCompressed(compressor, (Qcow2Image) target, buffer, at, count);
            } else {
                copyPlain(buffer, at, count);
            }
            at += count;
            progress.update(at, size);
        }
        if (size == 0) {
            progress.update(0, 0);
        }
    }

    private void copyPlain(MemorySegment buffer, long at, int count) {
        int from = 0;
        while (from < count) {
            boolean zeros = isZero(buffer, from, count);
            int end = from;
            while (end < count && isZero(buffer, end, count) == zeros) {
                end = Math.min(count, end + unit);
            }
            if (!zeros) {
                target.write(at + from, buffer.asSlice(from, end - from));
            }
            from = end;
        }
    }

    private boolean isZero(MemorySegment buffer, int from, int count) {
        return Zeros.isZero(buffer, from, Math.min(unit, count - from));
    }

    private void copyCompressed(Compressor chosen, Qcow2Image qcow2, MemorySegment buffer, long at, int count) {
        int clusters = (count + unit - 1) / unit;
        // What is behind the end of the disk is zeros.
        buffer.asSlice(count).fill((byte) 0);
        ByteBuffer[] packed = new ByteBuffer[clusters];
        IntStream.range(0, clusters).parallel().forEach(i -> {
            if (!isZero(buffer, i * unit, count)) {
                packed[i] = chosen.compress(buffer.asSlice((long) i * unit, unit));
            }
        });
        for (int i = 0; i < clusters; i++) {
            if (packed[i] != null && packed[i].hasRemaining()) {
                qcow2.writeCompressed(at + (long) i * unit, packed[i]);
            } else if (packed[i] != null) {
                int length = Math.min(unit, count - i * unit);
                target.write(at + (long) i * unit, buffer.asSlice((long) i * unit, length));
            }
        }
    }
}
