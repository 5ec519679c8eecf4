package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;
import static dev.kagami.image.disk.Bytes.u8;

import java.nio.charset.StandardCharsets;

/**
 * Goes through the names in a directory, one after the other. The index that big directories have needs no look: its
 * blocks pass as empty ones for this purpose.
 */
final class Directory {

    private static final int HEADER_SIZE = 8;
    private static final int INLINE_PARENT_SIZE = 4;

    /** Some 100,000 names; the directories that a boot loader reads have a dozen. */
    private static final long MAX_SIZE = 4 << 20;

    private static final int LENGTH_64K = 0xFFFF;

    private final Inode inode;
    private final Superblock superblock;

    /** Takes names. */
    interface Visitor {
        /** Takes a name and says whether to go on. */
        boolean visit(String name, long inode);
    }

    Directory(Inode inode, Superblock superblock) {
        this.inode = inode;
        this.superblock = superblock;
    }

    /** Shows all names to a visitor until it has enough. */
    void visit(Visitor visitor) {
        if (inode.size() > MAX_SIZE) {
            throw Superblock.damaged("a directory has " + inode.size() + " bytes, more than any this reads");
        }
        if (inode.hasInlineData()) {
            byte[] content = new byte[(int) Math.min(inode.size(), superblock.blockSize)];
            inode.read(0, content, 0, content.length);
            // The parent's number, names up to the end of the block map, more names in the attribute.
            int split = Math.min(Inode.MAP_SIZE, content.length);
            if (visit(content, Math.min(INLINE_PARENT_SIZE, split), split, visitor)) {
                visit(content, split, content.length, visitor);
            }
            return;
        }
        byte[] block = new byte[superblock.blockSize];
        for (long position = 0; position + block.length <= inode.size(); position += block.length) {
            inode.read(position, block, 0, block.length);
            if (!visit(block, 0, block.length, visitor)) {
                return;
            }
        }
    }

    private boolean visit(byte[] bytes, int from, int end, Visitor visitor) {
        int at = from;
        while (at + HEADER_SIZE <= end) {
            long number = u32(bytes, at);
            int length = u16(bytes, at + 4);
            if (length == LENGTH_64K || length == 0) {
                length = end - at;
            }
            int nameLength = superblock.fileTypes ? u8(bytes, at + 6) : u16(bytes, at + 6);
            if (length < HEADER_SIZE || length > end - at) {
                throw Superblock.damaged("directory " + inode.number + " has an impossible entry");
            }
            if (number != 0) {
                if (nameLength > length - HEADER_SIZE) {
                    throw Superblock.damaged("directory " + inode.number + " has an impossible name");
                }
                String name = new String(bytes, at + HEADER_SIZE, nameLength, StandardCharsets.UTF_8);
                if (!visitor.visit(name, number)) {
                    return false;
                }
            }
            at += length;
        }
        return true;
    }
}
