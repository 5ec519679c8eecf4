package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;

import dev.kagami.image.disk.Bytes;

/** Reads inodes by their numbers. */
final class InodeTable {

    static final long ROOT = 2;

    private static final long MAX_DIRECTORY_BYTES = 256L << 20;

    private static final int DESCRIPTOR_CHECKSUM_OFFSET = 0x1E;
    private static final int TABLE_OFFSET = 0x8;
    private static final int TABLE_HIGH_OFFSET = 0x28;
    private static final int CHECKSUM_LOW_OFFSET = 0x7C;
    private static final int CHECKSUM_HIGH_OFFSET = 0x82;
    private static final int BASE_SIZE = 128;

    private final Superblock superblock;
    private final Blocks blocks;

    /** What is left of what may be read from directories: a hostile maze of links must have an end. */
    private long directoryBytesLeft = MAX_DIRECTORY_BYTES;

    InodeTable(Superblock superblock, Blocks blocks) {
        this.superblock = superblock;
        this.blocks = blocks;
    }

    /** Returns an inode. */
    Inode get(long number) {
        if (number < 1 || number > superblock.inodes) {
            throw Superblock.damaged("a directory points to inode " + number + " of " + superblock.inodes);
        }
        long group = (number - 1) / superblock.inodesPerGroup;
        if (group >= superblock.groups) {
            throw Superblock.damaged("inode " + number + " is in no block group");
        }
        long offset = (number - 1) % superblock.inodesPerGroup * superblock.inodeSize;
        byte[] block = blocks.read(table(group) + offset / superblock.blockSize);
        byte[] raw = new byte[superblock.inodeSize];
        System.arraycopy(block, (int) (offset % superblock.blockSize), raw, 0, raw.length);
        checkChecksum(number, raw);
        return new Inode(number, raw, superblock, blocks);
    }

    /** Returns a directory, to be gone through once. */
    Directory directory(Inode inode) {
        directoryBytesLeft -= Math.max(inode.size(), superblock.blockSize);
        if (directoryBytesLeft < 0) {
            throw Superblock.damaged("its directories and links lead round and round");
        }
        return new Directory(inode, superblock);
    }

    private long table(long group) {
        byte[] block = blocks.read(superblock.descriptorBlock(group));
        int at = superblock.descriptorOffset(group);
        if (superblock.checksums) {
            int crc = Crc32c.of(superblock.checksumSeed, group);
            crc = Crc32c.of(crc, block, at, DESCRIPTOR_CHECKSUM_OFFSET);
            crc = Crc32c.of(crc, new byte[Short.BYTES], 0, Short.BYTES);
            int rest = DESCRIPTOR_CHECKSUM_OFFSET + Short.BYTES;
            crc = Crc32c.of(crc, block, at + rest, superblock.descriptorSize - rest);
            if ((crc & 0xFFFF) != u16(block, at + DESCRIPTOR_CHECKSUM_OFFSET)) {
                throw Superblock.damaged("the descriptor of block group " + group + " has a wrong checksum");
            }
        }
        long high = superblock.descriptorSize > TABLE_HIGH_OFFSET ? u32(block, at + TABLE_HIGH_OFFSET) : 0;
        return u32(block, at + TABLE_OFFSET) | high << Integer.SIZE;
    }

    private void checkChecksum(long number, byte[] raw) {
        if (!superblock.checksums) {
            return;
        }
        boolean high = raw.length > BASE_SIZE && u16(raw, BASE_SIZE) >= CHECKSUM_HIGH_OFFSET + 2 - BASE_SIZE;
        int expected = u16(raw, CHECKSUM_LOW_OFFSET) | (high ? u16(raw, CHECKSUM_HIGH_OFFSET) << Short.SIZE : 0);
        byte[] zeroed = raw.clone();
        clear16(zeroed, CHECKSUM_LOW_OFFSET);
        if (high) {
            clear16(zeroed, CHECKSUM_HIGH_OFFSET);
        }
        int crc = Crc32c.of(Crc32c.of(superblock.checksumSeed, number), Bytes.u32(raw, 0x64));
        crc = Crc32c.of(crc, zeroed, 0, zeroed.length);
        if ((high ? crc : crc & 0xFFFF) != expected) {
            throw Superblock.damaged("inode " + number + " has a wrong checksum");
        }
    }

    private static void clear16(byte[] bytes, int at) {
        bytes[at] = 0;
        bytes[at + 1] = 0;
    }
}
