package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.i32;
import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;

/** Finds a file's blocks in its tree of extents. */
final class Extents implements Inode.BlockMap {

    private static final int MAGIC = 0xF30A;
    private static final int HEADER_SIZE = 12;
    private static final int ENTRY_SIZE = 12;
    private static final int MAX_DEPTH = 5;
    private static final long MAX_FILE_BLOCKS = 1L << Integer.SIZE;

    /** Longer extents are this much shorter, and not written yet: they read as zeros. */
    private static final int MAX_WRITTEN_LENGTH = 32768;

    private final byte[] root;
    private final Superblock superblock;
    private final Blocks blocks;
    private final int checksumStart;

    Extents(byte[] root, Superblock superblock, Blocks blocks, long inode, long generation) {
        this.root = root;
        this.superblock = superblock;
        this.blocks = blocks;
        this.checksumStart = Crc32c.of(Crc32c.of(superblock.checksumSeed, inode), generation);
    }

    @Override
    public Inode.Run find(long block) {
        byte[] node = root;
        int depth = checkHeader(node, -1);
        long end = MAX_FILE_BLOCKS;
        while (depth > 0) {
            int entry = lastEntryUpTo(node, block);
            int next = entry + ENTRY_SIZE;
            if (next < entriesEnd(node)) {
                end = Math.min(end, u32(node, next));
            }
            if (entry < HEADER_SIZE) {
                return Inode.Run.hole(Math.max(1, Math.min(end, u32(node, HEADER_SIZE)) - block));
            }
            long child = u32(node, entry + 4) | (long) u16(node, entry + 8) << Integer.SIZE;
            node = blocks.read(child);
            depth = checkHeader(node, depth - 1);
            checkChecksum(node);
        }
        return findInLeaf(node, block, end);
    }

    private static Inode.Run findInLeaf(byte[] node, long block, long end) {
        int entry = lastEntryUpTo(node, block);
        int next = entry + ENTRY_SIZE;
        long holeEnd = next < entriesEnd(node) ? Math.min(end, u32(node, next)) : end;
        if (entry >= HEADER_SIZE) {
            long first = u32(node, entry);
            int length = u16(node, entry + 4);
            boolean written = length <= MAX_WRITTEN_LENGTH;
            long left = first + (written ? length : length - MAX_WRITTEN_LENGTH) - block;
            if (left > 0) {
                long physical = u32(node, entry + 8) | (long) u16(node, entry + 6) << Integer.SIZE;
                return written ? new Inode.Run(physical + block - first, left) : Inode.Run.hole(left);
            }
        }
        return Inode.Run.hole(Math.max(1, holeEnd - block));
    }

    /** Returns where the last entry stands that begins at a block or before; before the first if there is none. */
    private static int lastEntryUpTo(byte[] node, long block) {
        int low = 0;
        int high = u16(node, 2);
        while (low < high) {
            int middle = low + high >>> 1;
            if (u32(node, HEADER_SIZE + middle * ENTRY_SIZE) <= block) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return HEADER_SIZE + (low - 1) * ENTRY_SIZE;
    }

    private static int entriesEnd(byte[] node) {
        return HEADER_SIZE + u16(node, 2) * ENTRY_SIZE;
    }

    private static int checkHeader(byte[] node, int expectedDepth) {
        int depth = u16(node, 6);
        if (u16(node, 0) != MAGIC
                || entriesEnd(node) > node.length
                || depth > MAX_DEPTH
                || (expectedDepth >= 0 && depth != expectedDepth)) {
            throw Superblock.damaged("a file's extents make no sense");
        }
        return depth;
    }

    /** The checksum stands behind the last entry for which there is room. */
    private void checkChecksum(byte[] node) {
        int at = HEADER_SIZE + u16(node, 4) * ENTRY_SIZE;
        if (superblock.checksums
                && (at + Integer.BYTES > node.length || Crc32c.of(checksumStart, node, 0, at) != i32(node, at))) {
            throw Superblock.damaged("a file's extents have a wrong checksum");
        }
    }
}
