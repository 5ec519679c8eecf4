package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.i32;
import static dev.kagami.image.disk.Bytes.u16;
import static dev.kagami.image.disk.Bytes.u32;
import static dev.kagami.image.disk.Bytes.u8;

import dev.kagami.image.ImageException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A file, directory or symbolic link: its attributes and its content. */
final class Inode {

    /** Where the map of the content's blocks stands, or a short content itself. */
    static final int MAP_OFFSET = 0x28;

    static final int MAP_SIZE = 60;

    private static final int TYPE_MASK = 0xF000;
    private static final int TYPE_DIRECTORY = 0x4000;
    private static final int TYPE_REGULAR = 0x8000;
    private static final int TYPE_SYMBOLIC_LINK = 0xA000;

    private static final int FLAG_COMPRESSED = 0x4;
    private static final int FLAG_ENCRYPTED = 0x800;
    private static final int FLAG_EXTENTS = 0x80000;
    private static final int FLAG_INLINE_DATA = 0x10000000;

    private static final int BASE_SIZE = 128;
    private static final int XATTR_MAGIC = 0xEA020000;
    private static final int XATTR_ENTRY_SIZE = 16;
    private static final int XATTR_INDEX_SYSTEM = 7;
    private static final String XATTR_DATA = "data";

    final long number;
    private final int mode;
    private final int flags;
    private final long size;
    private final Blocks blocks;
    private final @Nullable BlockMap map;
    /** The content, where it stands in the inode itself. */
    private final byte @Nullable [] inline;

    /** Says where a file's blocks lie. */
    interface BlockMap {
        /** Finds the block in the file; see {@link Run}. */
        Run find(long block);
    }

    /**
     * Some of a file's blocks that lie one after the other, or are a hole.
     *
     * @param physical the first block in the file system; 0 for a hole
     * @param length how many, at least 1
     */
    record Run(long physical, long length) {
        static Run hole(long length) {
            return new Run(0, length);
        }
    }

    Inode(long number, byte[] raw, Superblock superblock, Blocks blocks) {
        this.number = number;
        this.blocks = blocks;
        mode = u16(raw, 0);
        flags = i32(raw, 0x20);
        size = u32(raw, 4) | u32(raw, 0x6C) << Integer.SIZE;
        if (size < 0) {
            throw Superblock.damaged("inode " + number + " has an impossible size");
        }
        if ((flags & FLAG_INLINE_DATA) != 0) {
            inline = inlineData(raw);
            map = null;
        } else if (isSymbolicLink() && size < MAP_SIZE && (flags & FLAG_EXTENTS) == 0) {
            inline = Arrays.copyOfRange(raw, MAP_OFFSET, MAP_OFFSET + MAP_SIZE);
            map = null;
        } else {
            inline = null;
            byte[] root = Arrays.copyOfRange(raw, MAP_OFFSET, MAP_OFFSET + MAP_SIZE);
            map = (flags & FLAG_EXTENTS) != 0
                    ? new Extents(root, superblock, blocks, number, u32(raw, 0x64))
                    : new IndirectBlocks(root, blocks);
        }
    }

    boolean isDirectory() {
        return (mode & TYPE_MASK) == TYPE_DIRECTORY;
    }

    boolean isRegular() {
        return (mode & TYPE_MASK) == TYPE_REGULAR;
    }

    boolean isSymbolicLink() {
        return (mode & TYPE_MASK) == TYPE_SYMBOLIC_LINK;
    }

    /** Returns whether the content is in the inode itself, where directories look different. */
    boolean hasInlineData() {
        return (flags & FLAG_INLINE_DATA) != 0;
    }

    long size() {
        return size;
    }

    /** Refuses content that can't be understood without more than the disk. */
    void checkReadable(String path) {
        if ((flags & FLAG_ENCRYPTED) != 0) {
            throw ImageException.unsupportedFileSystem(path + " is encrypted");
        }
        if ((flags & FLAG_COMPRESSED) != 0) {
            throw ImageException.unsupportedFileSystem(path + " is compressed in a way that isn't supported");
        }
    }

    /** Returns the physical block of a block of the file; 0 for a hole. */
    long physicalBlock(long block) {
        return map == null ? 0 : map.find(block).physical();
    }

    /** Reads bytes; those behind the end are the caller's mistake. */
    void read(long position, byte[] target, int from, int length) {
        if (position < 0 || length < 0 || position > size - length) {
            throw new IndexOutOfBoundsException("Bytes " + position + " to " + (position + length) + " of " + size);
        }
        if (inline != null) {
            readInline(inline, (int) Math.min(position, inline.length), target, from, length);
            return;
        }
        int done = 0;
        while (done < length) {
            long at = position + done;
            int inBlock = (int) (at % blocks.blockSize());
            Run run = map.find(at / blocks.blockSize());
            int count = (int) Math.min(length - done, run.length() * blocks.blockSize() - inBlock);
            if (run.physical() == 0) {
                Arrays.fill(target, from + done, from + done + count, (byte) 0);
            } else {
                blocks.read(run.physical(), inBlock, target, from + done, count);
            }
            done += count;
        }
    }

    private static void readInline(byte[] content, int position, byte[] target, int from, int length) {
        int there = Math.min(length, content.length - position);
        System.arraycopy(content, position, target, from, there);
        Arrays.fill(target, from + there, from + length, (byte) 0);
    }

    /** Inline data is in place of the block map, and what doesn't fit there is the attribute "system.data". */
    private byte[] inlineData(byte[] raw) {
        byte[] head = Arrays.copyOfRange(raw, MAP_OFFSET, MAP_OFFSET + MAP_SIZE);
        int attributes = raw.length > BASE_SIZE ? BASE_SIZE + u16(raw, BASE_SIZE) : raw.length;
        if (attributes + Integer.BYTES > raw.length || i32(raw, attributes) != XATTR_MAGIC) {
            return head;
        }
        int first = attributes + Integer.BYTES;
        int entry = first;
        while (entry + XATTR_ENTRY_SIZE <= raw.length && i32(raw, entry) != 0) {
            int nameLength = u8(raw, entry);
            int offset = u16(raw, entry + 2);
            long length = u32(raw, entry + 8);
            if (u8(raw, entry + 1) == XATTR_INDEX_SYSTEM
                    && nameLength == XATTR_DATA.length()
                    && dev.kagami.image.disk.Bytes.startsWith(raw, entry + XATTR_ENTRY_SIZE, XATTR_DATA)) {
                if (u32(raw, entry + 4) != 0 || length > raw.length - first - offset) {
                    throw Superblock.damaged("inode " + number + " has impossible inline data");
                }
                byte[] all = Arrays.copyOf(head, MAP_SIZE + (int) length);
                System.arraycopy(raw, first + offset, all, MAP_SIZE, (int) length);
                return all;
            }
            // Entries are padded to four bytes.
            entry += XATTR_ENTRY_SIZE + (nameLength + 3 & ~3);
        }
        return head;
    }
}
