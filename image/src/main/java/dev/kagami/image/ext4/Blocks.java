package dev.kagami.image.ext4;

import dev.kagami.image.disk.Disk;
import java.util.LinkedHashMap;
import java.util.Map;

/** Reads a file system's blocks by number: the copy in the journal where that is newer. */
final class Blocks {

    private static final int CACHED_BLOCKS = 64;

    private final Disk disk;
    private final int blockBits;
    private final long count;
    private final Map<Long, byte[]> cache = new LinkedHashMap<>(CACHED_BLOCKS, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, byte[]> eldest) {
            return size() > CACHED_BLOCKS;
        }
    };
    private final Map<Long, Journal.Copy> newer;

    /**
     * Reads blocks.
     *
     * @param disk where they lie
     * @param superblock how many there are, and how long
     * @param newer the blocks with a newer copy
     */
    Blocks(Disk disk, Superblock superblock, Map<Long, Journal.Copy> newer) {
        this.disk = disk;
        this.blockBits = superblock.blockBits;
        this.count = superblock.blocks;
        this.newer = newer;
    }

    int blockSize() {
        return 1 << blockBits;
    }

    /** Returns how many blocks there are. */
    long count() {
        return count;
    }

    /** Returns a block of metadata, which the caller must not change. */
    byte[] read(long block) {
        byte[] content = cache.get(block);
        if (content == null) {
            content = new byte[blockSize()];
            read(block, 0, content, 0, content.length);
            cache.put(block, content);
        }
        return content;
    }

    /**
     * Reads bytes from adjacent blocks.
     *
     * @param block the first block
     * @param offset first byte in it
     * @param target takes the bytes
     * @param from index of the first in the target
     * @param length how many
     */
    void read(long block, int offset, byte[] target, int from, int length) {
        if (block < 0 || block >= count || length > (count - block << blockBits) - offset) {
            throw Superblock.damaged("it points to block " + block + " of " + count);
        }
        disk.read((block << blockBits) + offset, target, from, length);
        if (!newer.isEmpty()) {
            patch(block, offset, target, from, length);
        }
    }

    private void patch(long block, int offset, byte[] target, int from, int length) {
        long start = (block << blockBits) + offset;
        for (long position = start; position < start + length; ) {
            long number = position >>> blockBits;
            int inBlock = (int) (position & blockSize() - 1);
            int count = (int) Math.min(blockSize() - inBlock, start + length - position);
            Journal.Copy copy = newer.get(number);
            if (copy != null) {
                byte[] content = disk.read(copy.block() << blockBits, blockSize());
                if (copy.escaped()) {
                    Journal.unescape(content);
                }
                System.arraycopy(content, inBlock, target, from + (int) (position - start), count);
            }
            position += count;
        }
    }
}
