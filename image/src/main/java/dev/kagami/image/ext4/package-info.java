/**
 * Reads ext2, ext3 and ext4 file systems without mounting them.
 *
 * <p>Written from the kernel's description of the format (Documentation/filesystems/ext4) and of its journal (jbd2, in the
 * same place). A journal that was not replayed is replayed in memory: {@link dev.kagami.image.ext4.Journal} says which
 * blocks have a newer copy in the journal, and {@link dev.kagami.image.ext4.Blocks} reads those in place of the old ones.
 * The disk is never written.
 *
 * <pre>
 *   Ext4FileSystem    paths, symbolic links
 *     Directory       names in a directory
 *     InodeTable      inodes, with their checksums
 *       Inode         a file's attributes and content
 *         Extents, IndirectBlocks   where the content lies
 *     Blocks          numbered blocks, newest copy
 *       Journal
 *     Superblock      what the file system is and can do
 * </pre>
 *
 * <p>Everything read is hostile: no loop and no buffer depends on a number from the disk that was not checked before.
 */
package dev.kagami.image.ext4;
