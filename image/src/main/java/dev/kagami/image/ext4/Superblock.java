package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.i32;
import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;
import static dev.kagami.image.disk.Bytes.u8;

import dev.kagami.image.ImageException;
import dev.kagami.image.disk.Bytes;
import java.util.ArrayList;
import java.util.List;

/** What a file system is and can do. All numbers were checked against each other and against the partition's size. */
final class Superblock {

    static final int OFFSET = 1024;
    static final int SIZE = 1024;
    static final int MAGIC_OFFSET = 0x38;
    static final int MAGIC = 0xEF53;

    private static final int CHECKSUM_OFFSET = 0x3FC;
    private static final int COMPAT_HAS_JOURNAL = 0x4;

    private static final int INCOMPAT_FILETYPE = 0x2;
    private static final int INCOMPAT_RECOVER = 0x4;
    private static final int INCOMPAT_META_BG = 0x10;
    private static final int INCOMPAT_EXTENTS = 0x40;
    private static final int INCOMPAT_64BIT = 0x80;
    private static final int INCOMPAT_MMP = 0x100;
    private static final int INCOMPAT_FLEX_BG = 0x200;
    private static final int INCOMPAT_EA_INODE = 0x400;
    private static final int INCOMPAT_CSUM_SEED = 0x2000;
    private static final int INCOMPAT_LARGEDIR = 0x4000;
    private static final int INCOMPAT_INLINE_DATA = 0x8000;
    private static final int INCOMPAT_ENCRYPT = 0x10000;
    private static final int INCOMPAT_CASEFOLD = 0x20000;

    /** Encrypted files and folded names are told apart inode by inode. */
    private static final int INCOMPAT_KNOWN = INCOMPAT_FILETYPE
            | INCOMPAT_RECOVER
            | INCOMPAT_META_BG
            | INCOMPAT_EXTENTS
            | INCOMPAT_64BIT
            | INCOMPAT_MMP
            | INCOMPAT_FLEX_BG
            | INCOMPAT_EA_INODE
            | INCOMPAT_CSUM_SEED
            | INCOMPAT_LARGEDIR
            | INCOMPAT_INLINE_DATA
            | INCOMPAT_ENCRYPT
            | INCOMPAT_CASEFOLD;

    /** Names of the features that aren't known here, by bit. */
    private static final String[] INCOMPAT_NAMES = {"compression", "", "", "a journal on another device"};

    private static final int RO_COMPAT_SPARSE_SUPER = 0x1;
    private static final int RO_COMPAT_METADATA_CSUM = 0x400;

    private static final int MIN_BLOCK_BITS = 10;
    private static final int MAX_BLOCK_BITS = 16;
    private static final int MIN_BLOCK_SIZE = 1 << MIN_BLOCK_BITS;
    private static final int OLD_INODE_SIZE = 128;
    private static final int MIN_DESCRIPTOR_SIZE = 32;
    private static final int MIN_DESCRIPTOR_SIZE_64BIT = 64;

    final int blockBits;
    final int blockSize;
    final long blocks;
    final long inodes;
    final long firstDataBlock;
    final long blocksPerGroup;
    final long inodesPerGroup;
    final long groups;
    final int inodeSize;
    final int descriptorSize;
    final long firstMetaGroup;
    final boolean metaGroups;
    final boolean fileTypes;
    final boolean checksums;
    final boolean needsRecovery;
    final long journalInode;
    final int checksumSeed;
    final String uuid;
    final String label;
    final String type;
    private final boolean sparseSuper;

    /**
     * Reads a superblock.
     *
     * @param raw its {@link #SIZE} bytes
     * @param partitionSize the size in bytes of where the file system lies
     */
    Superblock(byte[] raw, long partitionSize) {
        check(u16(raw, MAGIC_OFFSET) == MAGIC, "its superblock has no signature");
        long logBlockSize = u32(raw, 0x18);
        check(logBlockSize <= MAX_BLOCK_BITS - MIN_BLOCK_BITS, "its block size is out of range");
        blockBits = MIN_BLOCK_BITS + (int) logBlockSize;
        blockSize = 1 << blockBits;
        int compatible = i32(raw, 0x5C);
        int incompatible = i32(raw, 0x60);
        int readOnlyCompatible = i32(raw, 0x64);
        boolean dynamic = u32(raw, 0x4C) != 0;
        if (dynamic) {
            checkFeatures(incompatible);
        }
        boolean wide = dynamic && (incompatible & INCOMPAT_64BIT) != 0;
        blocks = u32(raw, 0x4) | (wide ? u32(raw, 0x150) << Integer.SIZE : 0);
        inodes = u32(raw, 0);
        firstDataBlock = u32(raw, 0x14);
        blocksPerGroup = u32(raw, 0x20);
        inodesPerGroup = u32(raw, 0x28);
        inodeSize = dynamic ? u16(raw, 0x58) : OLD_INODE_SIZE;
        descriptorSize = wide ? u16(raw, 0xFE) : MIN_DESCRIPTOR_SIZE;
        check(
                blocks > firstDataBlock && blocks <= partitionSize >>> blockBits,
                "it has " + blocks + " blocks of " + blockSize + " bytes, and lies on a partition of " + partitionSize
                        + " bytes");
        check(firstDataBlock <= 1, "its first block is out of range");
        check(blocksPerGroup > 0 && blocksPerGroup <= blockSize * 8L, "its block groups have an impossible size");
        check(inodesPerGroup > 0 && inodesPerGroup <= blockSize * 8L, "its inode tables have an impossible size");
        check(
                inodeSize >= OLD_INODE_SIZE && inodeSize <= blockSize && Integer.bitCount(inodeSize) == 1,
                "its inodes have an impossible size");
        check(
                descriptorSize >= (wide ? MIN_DESCRIPTOR_SIZE_64BIT : MIN_DESCRIPTOR_SIZE)
                        && descriptorSize <= MIN_BLOCK_SIZE
                        && Integer.bitCount(descriptorSize) == 1,
                "its group descriptors have an impossible size");
        groups = (blocks - firstDataBlock + blocksPerGroup - 1) / blocksPerGroup;
        metaGroups = (incompatible & INCOMPAT_META_BG) != 0;
        firstMetaGroup = u32(raw, 0x104);
        fileTypes = (incompatible & INCOMPAT_FILETYPE) != 0;
        checksums = dynamic && (readOnlyCompatible & RO_COMPAT_METADATA_CSUM) != 0;
        sparseSuper = (readOnlyCompatible & RO_COMPAT_SPARSE_SUPER) != 0;
        boolean hasJournal = (compatible & COMPAT_HAS_JOURNAL) != 0;
        needsRecovery = hasJournal && (incompatible & INCOMPAT_RECOVER) != 0;
        journalInode = u32(raw, 0xE0);
        uuid = Bytes.uuid(raw, 0x68);
        label = Bytes.text(raw, 0x78, 16);
        type = (incompatible & (INCOMPAT_EXTENTS | INCOMPAT_64BIT | INCOMPAT_FLEX_BG)) != 0
                ? "ext4"
                : hasJournal ? "ext3" : "ext2";
        checksumSeed =
                (incompatible & INCOMPAT_CSUM_SEED) != 0 ? i32(raw, 0x270) : Crc32c.of(Crc32c.START, raw, 0x68, 16);
        check(
                !checksums || Crc32c.of(Crc32c.START, raw, 0, CHECKSUM_OFFSET) == i32(raw, CHECKSUM_OFFSET),
                "its superblock has a wrong checksum");
        check(u8(raw, 0x175) <= 1, "its checksums are of an unknown kind");
    }

    private static void checkFeatures(int incompatible) {
        int unknown = incompatible & ~INCOMPAT_KNOWN;
        if (unknown == 0) {
            return;
        }
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < Integer.SIZE; bit++) {
            if ((unknown >>> bit & 1) != 0) {
                boolean named = bit < INCOMPAT_NAMES.length && !INCOMPAT_NAMES[bit].isEmpty();
                names.add(named ? INCOMPAT_NAMES[bit] : "0x%x".formatted(1L << bit));
            }
        }
        throw ImageException.unsupportedFileSystem(
                "An ext4 file system uses features that aren't supported: " + String.join(", ", names));
    }

    /** Returns where a block group's descriptor lies: its block. */
    long descriptorBlock(long group) {
        long perBlock = blockSize / descriptorSize;
        long index = group / perBlock;
        if (!metaGroups || index < firstMetaGroup) {
            return firstDataBlock + 1 + index;
        }
        // With meta_bg, the descriptors of as many groups as fit a block lie in the first of these groups.
        long first = index * perBlock;
        return firstDataBlock + first * blocksPerGroup + (hasSuperblock(first) ? 1 : 0);
    }

    /** Returns where a block group's descriptor lies in its block, in bytes. */
    int descriptorOffset(long group) {
        return (int) (group % (blockSize / descriptorSize)) * descriptorSize;
    }

    /** With sparse_super, backups of the superblock are in groups 0, 1 and the powers of 3, 5 and 7. */
    private boolean hasSuperblock(long group) {
        return !sparseSuper || group <= 1 || isPower(group, 3) || isPower(group, 5) || isPower(group, 7);
    }

    private static boolean isPower(long number, int base) {
        long power = base;
        while (power < number) {
            power *= base;
        }
        return power == number;
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw damaged(otherwise);
        }
    }

    /** Returns an exception about a damaged file system. */
    static ImageException damaged(String what) {
        return ImageException.invalidDisk("An ext4 file system is damaged: " + what);
    }
}
