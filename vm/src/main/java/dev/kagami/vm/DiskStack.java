package dev.kagami.vm;

import dev.kagami.block.BlockImage;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.Overlay;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A disk of a machine, on which a new layer can be put while the machine stands still: what was written before then belongs to
 * a snapshot, and the machine goes on writing above it.
 */
final class DiskStack implements BlockImage {
    private final Disk.Mode mode;
    private volatile BlockImage top;
    private @Nullable SharedDisk below;

    /**
     * Takes an image over.
     *
     * @param mode how it is used
     * @param top the image
     * @param below what it is based on, of which it has been a user; or null
     */
    DiskStack(Disk.Mode mode, BlockImage top, @Nullable SharedDisk below) {
        this.mode = mode;
        this.top = top;
        this.below = below;
    }

    /** Opens a disk above one of a snapshot; what is written to it is forgotten at the end. */
    static DiskStack above(SharedDisk disk) {
        return new DiskStack(Disk.Mode.TEMPORARY, Overlay.temporary(disk.acquire(), directory()), disk);
    }

    private static Path directory() {
        return Path.of(System.getProperty("java.io.tmpdir"));
    }

    /**
     * Keeps what is on the disk now for machines that go on from here. Nobody writes meanwhile. A disk that is written in
     * place is copied.
     *
     * @return what to base their disks on; null for a disk that never changes
     */
    @Nullable
    SharedDisk freeze() {
        return switch (mode) {
            case READ_ONLY -> null;
            case READ_WRITE, OVERLAY -> new SharedDisk(Overlay.copy(top, directory()), null);
            case TEMPORARY -> {
                SharedDisk frozen = new SharedDisk(top, below);
                top = Overlay.temporary(frozen.acquire(), directory());
                below = frozen;
                yield frozen;
            }
        };
    }

    /**
     * Writes what a temporary disk has over its image to a file that lasts. The file needs nothing that belongs to a snapshot.
     *
     * @param file where there is no file yet
     */
    void keep(Path file) {
        List<BlockImage> ours = new ArrayList<>();
        for (SharedDisk each = below; each != null; each = each.below()) {
            ours.add(each.image());
        }
        Overlay.keep(top, file, ours);
    }

    Disk.Mode mode() {
        return mode;
    }

    @Override
    public Path file() {
        return top.file();
    }

    @Override
    public ImageFormat format() {
        return top.format();
    }

    @Override
    public long size() {
        return top.size();
    }

    @Override
    public boolean readOnly() {
        return top.readOnly();
    }

    @Override
    public int clusterSize() {
        return top.clusterSize();
    }

    @Override
    public void read(long offset, MemorySegment target) {
        top.read(offset, target);
    }

    @Override
    public void write(long offset, MemorySegment source) {
        top.write(offset, source);
    }

    @Override
    public void writeZeroes(long offset, long length, boolean unmap) {
        top.writeZeroes(offset, length, unmap);
    }

    @Override
    public void discard(long offset, long length) {
        top.discard(offset, length);
    }

    @Override
    public void flush() {
        top.flush();
    }

    @Override
    public void resize(long newSize) {
        top.resize(newSize);
    }

    @Override
    public long extent(long offset) {
        return top.extent(offset);
    }

    @Override
    public void close() {
        top.close();
        if (below != null) {
            below.release();
            below = null;
        }
    }
}
