package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.i32BigEndian;
import static dev.kagami.image.disk.Bytes.u16BigEndian;
import static dev.kagami.image.disk.Bytes.u32BigEndian;

import dev.kagami.image.ImageException;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Finds what a journal that was not replayed has newer than the file system, the way a mount would: all transactions that
 * were committed whole, without the blocks that a later one revoked. What a fast commit holds beyond the last whole
 * transaction is not found; these are changes of the last seconds before a crash.
 */
final class Journal {

    private static final int MAGIC = 0xC03B3998;
    private static final int HEADER_SIZE = 12;

    private static final int TYPE_DESCRIPTOR = 1;
    private static final int TYPE_COMMIT = 2;
    private static final int TYPE_SUPERBLOCK_1 = 3;
    private static final int TYPE_SUPERBLOCK_2 = 4;
    private static final int TYPE_REVOKE = 5;

    private static final int INCOMPAT_64BIT = 0x2;
    private static final int INCOMPAT_CHECKSUM_2 = 0x8;
    private static final int INCOMPAT_CHECKSUM_3 = 0x10;
    private static final int INCOMPAT_FAST_COMMIT = 0x20;
    private static final int INCOMPAT_KNOWN = 0x3F;

    private static final int FLAG_ESCAPED = 1;
    private static final int FLAG_SAME_UUID = 2;
    private static final int FLAG_LAST = 8;

    private static final int UUID_OFFSET = 0x30;
    private static final int UUID_SIZE = 16;
    private static final int COMMIT_CHECKSUM_OFFSET = 16;
    private static final int REVOKE_HEADER_SIZE = 16;
    private static final int TAIL_SIZE = 4;
    private static final int TAG_SIZE = 12;
    private static final int TAG_3_SIZE = 16;
    private static final int DEFAULT_FAST_COMMIT_BLOCKS = 256;

    /** A journal of 1 GiB with blocks of 1 KiB; Linux makes none bigger. */
    private static final long MAX_BLOCKS = 1 << 20;

    private final Inode inode;
    private final Blocks blocks;
    private final long first;
    private final long end;
    private final long start;
    private final long sequence;
    private final boolean wide;
    private final boolean checksums;
    private final boolean tags3;
    private final int tagSize;
    private final int checksumSeed;

    /**
     * A newer copy of a block.
     *
     * @param block where the copy lies in the file system
     * @param escaped whether its first bytes were replaced, because they look like the journal's own
     */
    record Copy(long block, boolean escaped) {}

    /** Takes what a transaction holds. */
    private interface Visitor {
        void copy(long block, Copy copy, long sequence);

        void revoke(long block, long sequence);
    }

    Journal(Inode inode, Superblock superblock, Blocks blocks) {
        this.inode = inode;
        this.blocks = blocks;
        byte[] header = block(0);
        int type = i32BigEndian(header, 4);
        if (i32BigEndian(header, 0) != MAGIC || (type != TYPE_SUPERBLOCK_1 && type != TYPE_SUPERBLOCK_2)) {
            throw Superblock.damaged("its journal has no superblock");
        }
        int incompatible = type == TYPE_SUPERBLOCK_2 ? i32BigEndian(header, 0x28) : 0;
        if ((incompatible & ~INCOMPAT_KNOWN) != 0) {
            throw ImageException.unsupportedFileSystem(
                    "An ext4 file system was not unmounted, and its journal has features that aren't supported: 0x%x"
                            .formatted(incompatible & ~INCOMPAT_KNOWN));
        }
        long length = u32BigEndian(header, 0x10);
        long fastCommitBlocks = u32BigEndian(header, 0x54);
        if ((incompatible & INCOMPAT_FAST_COMMIT) != 0) {
            length -= fastCommitBlocks == 0 ? DEFAULT_FAST_COMMIT_BLOCKS : fastCommitBlocks;
        }
        first = u32BigEndian(header, 0x14);
        end = length;
        sequence = u32BigEndian(header, 0x18);
        start = u32BigEndian(header, 0x1C);
        if (u32BigEndian(header, 0xC) != superblock.blockSize
                || first < 1
                || end <= first
                || end > MAX_BLOCKS
                || (start != 0 && (start < first || start >= end))) {
            throw Superblock.damaged("its journal's superblock makes no sense");
        }
        wide = (incompatible & INCOMPAT_64BIT) != 0;
        tags3 = (incompatible & INCOMPAT_CHECKSUM_3) != 0;
        boolean checksums2 = (incompatible & INCOMPAT_CHECKSUM_2) != 0;
        checksums = tags3 || checksums2;
        tagSize = tags3 ? TAG_3_SIZE : TAG_SIZE + (checksums2 ? Short.BYTES : 0) - (wide ? 0 : Integer.BYTES);
        checksumSeed = Crc32c.of(Crc32c.START, header, UUID_OFFSET, UUID_SIZE);
    }

    /** Returns the newest copies of all blocks that have one in the journal. */
    Map<Long, Copy> newerBlocks() {
        Map<Long, Long> revoked = new HashMap<>();
        Map<Long, Copy> copies = new HashMap<>();
        if (start == 0) {
            return copies;
        }
        long transactions = walk(Long.MAX_VALUE, new Visitor() {
            @Override
            public void copy(long block, Copy copy, long at) {
                // Which copies count is known only when all revocations are.
            }

            @Override
            public void revoke(long block, long at) {
                // Nothing counts before its transaction is known to be whole.
            }
        });
        walk(transactions, new Visitor() {
            @Override
            public void copy(long block, Copy copy, long at) {
                // See above.
            }

            @Override
            public void revoke(long block, long at) {
                revoked.merge(block, at, Math::max);
            }
        });
        walk(transactions, new Visitor() {
            @Override
            public void copy(long block, Copy copy, long at) {
                if (revoked.getOrDefault(block, -1L) < at) {
                    copies.put(block, copy);
                }
            }

            @Override
            public void revoke(long block, long at) {
                // Done in the walk before.
            }
        });
        return copies;
    }

    /**
     * Shows transactions to a visitor.
     *
     * @param max how many, or less if there aren't as many whole ones
     * @return how many whole ones there were
     */
    private long walk(long max, Visitor visitor) {
        long at = start;
        long transaction = 0;
        long walked = 0;
        // Each block of the log once at most, whatever the blocks say.
        while (transaction < max && walked < end - first) {
            long physical = physical(at);
            byte[] block = blocks.read(physical);
            long expected = sequence + transaction & 0xFFFF_FFFFL;
            if (i32BigEndian(block, 0) != MAGIC || u32BigEndian(block, 8) != expected) {
                return transaction;
            }
            long used = 1;
            switch (i32BigEndian(block, 4)) {
                case TYPE_DESCRIPTOR -> used += tags(block, at, transaction, visitor);
                case TYPE_REVOKE -> revocations(block, transaction, visitor);
                case TYPE_COMMIT -> {
                    if (!commitIsWhole(block)) {
                        return transaction;
                    }
                    transaction++;
                }
                default -> {
                    return transaction;
                }
            }
            walked += used;
            at = wrap(at + used);
        }
        return transaction;
    }

    /** Goes through a descriptor block and returns how many blocks follow it. */
    private long tags(byte[] descriptor, long at, long transaction, Visitor visitor) {
        int limit = descriptor.length - (checksums ? TAIL_SIZE : 0);
        int tag = HEADER_SIZE;
        long count = 0;
        while (tag + tagSize <= limit) {
            count++;
            int flags = tags3 ? i32BigEndian(descriptor, tag + 4) : u16BigEndian(descriptor, tag + 6);
            long block = u32BigEndian(descriptor, tag);
            if (wide) {
                block |= u32BigEndian(descriptor, tag + 8) << Integer.SIZE;
            }
            if (count >= end - first) {
                break;
            }
            OptionalLong copy = physicalOrNone(wrap(at + count));
            if (copy.isPresent() && block >= 0 && block < blocks.count()) {
                visitor.copy(block, new Copy(copy.getAsLong(), (flags & FLAG_ESCAPED) != 0), transaction);
            }
            tag += tagSize + ((flags & FLAG_SAME_UUID) != 0 ? 0 : UUID_SIZE);
            if ((flags & FLAG_LAST) != 0) {
                break;
            }
        }
        return count;
    }

    private void revocations(byte[] block, long transaction, Visitor visitor) {
        long used = Math.min(u32BigEndian(block, HEADER_SIZE), block.length - (checksums ? TAIL_SIZE : 0));
        int size = wide ? Long.BYTES : Integer.BYTES;
        for (int record = REVOKE_HEADER_SIZE; record + size <= used; record += size) {
            long number = wide
                    ? u32BigEndian(block, record) << Integer.SIZE | u32BigEndian(block, record + 4)
                    : u32BigEndian(block, record);
            visitor.revoke(number, transaction);
        }
    }

    private boolean commitIsWhole(byte[] block) {
        if (!checksums) {
            return true;
        }
        byte[] zeroed = block.clone();
        for (int i = 0; i < Integer.BYTES; i++) {
            zeroed[COMMIT_CHECKSUM_OFFSET + i] = 0;
        }
        return Crc32c.of(checksumSeed, zeroed, 0, zeroed.length) == i32BigEndian(block, COMMIT_CHECKSUM_OFFSET);
    }

    private long wrap(long at) {
        return at < end ? at : at - (end - first);
    }

    private byte[] block(long at) {
        return blocks.read(physical(at));
    }

    private long physical(long at) {
        return physicalOrNone(at).orElseThrow(() -> Superblock.damaged("its journal has a hole"));
    }

    private OptionalLong physicalOrNone(long at) {
        long physical = inode.physicalBlock(at);
        return physical > 0 && physical < blocks.count() ? OptionalLong.of(physical) : OptionalLong.empty();
    }

    /** Gives a copied block its first bytes back. */
    static void unescape(byte[] content) {
        for (int i = 0; i < Integer.BYTES; i++) {
            content[i] = (byte) (MAGIC >>> (Integer.BYTES - 1 - i) * Byte.SIZE);
        }
    }
}
