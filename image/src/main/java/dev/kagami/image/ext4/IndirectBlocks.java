package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.u32;

/** Finds a file's blocks as ext2 and ext3 do: twelve direct ones, then tables of one, two and three levels. */
final class IndirectBlocks implements Inode.BlockMap {

    private static final int DIRECT = 12;
    private static final int LEVELS = 3;

    private final byte[] root;
    private final Blocks blocks;
    private final long perTable;

    IndirectBlocks(byte[] root, Blocks blocks) {
        this.root = root;
        this.blocks = blocks;
        this.perTable = blocks.blockSize() / Integer.BYTES;
    }

    @Override
    public Inode.Run find(long block) {
        if (block < DIRECT) {
            return run(root, (int) block, DIRECT);
        }
        long index = block - DIRECT;
        long span = perTable;
        for (int level = 1; level <= LEVELS; level++) {
            if (index < span) {
                return descend(u32(root, (DIRECT + level - 1) * Integer.BYTES), index, span);
            }
            index -= span;
            span *= perTable;
        }
        throw Superblock.damaged("a file is longer than its block map can say");
    }

    private Inode.Run descend(long table, long index, long span) {
        long current = table;
        long rest = index;
        long below = span / perTable;
        while (true) {
            if (current == 0) {
                return Inode.Run.hole(below * perTable - rest);
            }
            byte[] entries = blocks.read(current);
            if (below == 1) {
                return run(entries, (int) rest, (int) perTable);
            }
            current = u32(entries, (int) (rest / below) * Integer.BYTES);
            rest %= below;
            below /= perTable;
        }
    }

    /** Returns the entries that continue the one at an index. */
    private static Inode.Run run(byte[] entries, int index, int count) {
        long first = u32(entries, index * Integer.BYTES);
        int length = 1;
        while (index + length < count
                && u32(entries, (index + length) * Integer.BYTES) == (first == 0 ? 0 : first + length)) {
            length++;
        }
        return new Inode.Run(first, length);
    }
}
