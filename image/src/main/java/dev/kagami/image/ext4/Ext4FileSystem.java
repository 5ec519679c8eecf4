package dev.kagami.image.ext4;

import static dev.kagami.image.disk.Bytes.u16;

import dev.kagami.image.disk.Disk;
import dev.kagami.image.disk.FileSystem;
import dev.kagami.image.disk.GuestFile;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** An ext2, ext3 or ext4 file system. */
public final class Ext4FileSystem implements FileSystem {

    /** As Linux: path_resolution(7). */
    private static final int MAX_LINKS = 40;

    private static final int MAX_LINK_SIZE = 4096;
    private static final int MAX_NAMES_IN_PATH = 4096;
    private static final int MAX_LISTED = 10_000;

    private final Superblock superblock;
    private final InodeTable inodes;

    private record FoundFile(String path, Inode inode) implements GuestFile {
        @Override
        public long size() {
            return inode.size();
        }

        @Override
        public void read(long position, byte[] target, int from, int count) {
            inode.read(position, target, from, count);
        }
    }

    /** Returns whether a disk seems to have such a file system. */
    public static boolean isOn(Disk disk) {
        return disk.size() >= Superblock.OFFSET + Superblock.SIZE
                && u16(disk.read(Superblock.OFFSET + Superblock.MAGIC_OFFSET, Short.BYTES), 0) == Superblock.MAGIC;
    }

    /**
     * Opens a file system.
     *
     * @param disk where it lies
     * @throws dev.kagami.image.ImageException if it is damaged, or uses features that aren't supported
     */
    public Ext4FileSystem(Disk disk) {
        Superblock onDisk = new Superblock(disk.read(Superblock.OFFSET, Superblock.SIZE), disk.size());
        Blocks blocks = new Blocks(disk, onDisk, Map.of());
        if (!onDisk.needsRecovery) {
            superblock = onDisk;
            inodes = new InodeTable(onDisk, blocks);
            return;
        }
        Inode journal = new InodeTable(onDisk, blocks).get(onDisk.journalInode);
        if (!journal.isRegular()) {
            throw Superblock.damaged("its journal isn't a file");
        }
        Map<Long, Journal.Copy> copies = new Journal(journal, onDisk, blocks).newerBlocks();
        Blocks newest = new Blocks(disk, onDisk, copies);
        // The superblock can have a newer copy too: the file system may have grown.
        byte[] raw = new byte[Superblock.SIZE];
        newest.read(Superblock.OFFSET / onDisk.blockSize, Superblock.OFFSET % onDisk.blockSize, raw, 0, raw.length);
        superblock = new Superblock(raw, disk.size());
        inodes = new InodeTable(superblock, new Blocks(disk, superblock, copies));
    }

    @Override
    public String type() {
        return superblock.type;
    }

    @Override
    public String label() {
        return superblock.label;
    }

    @Override
    public String uuid() {
        return superblock.uuid;
    }

    @Override
    public Optional<GuestFile> open(String path) {
        return resolve(path).filter(Inode::isRegular).map(inode -> {
            inode.checkReadable(path);
            return new FoundFile(path, inode);
        });
    }

    @Override
    public List<String> list(String path) {
        List<String> names = new ArrayList<>();
        resolve(path).filter(Inode::isDirectory).ifPresent(inode -> {
            inode.checkReadable(path);
            inodes.directory(inode).visit((name, number) -> {
                if (!name.equals(".") && !name.equals("..")) {
                    names.add(name);
                }
                return names.size() < MAX_LISTED;
            });
        });
        return names;
    }

    /** Walks a path. The way back up is remembered and not read from "..", which inline directories don't have. */
    private Optional<Inode> resolve(String path) {
        Deque<String> rest = new ArrayDeque<>(split(path));
        Deque<Inode> way = new ArrayDeque<>();
        way.push(inodes.get(InodeTable.ROOT));
        int links = 0;
        while (!rest.isEmpty()) {
            String name = rest.pop();
            Inode directory = way.peek();
            if (name.equals("..")) {
                if (way.size() > 1) {
                    way.pop();
                }
                continue;
            }
            if (!directory.isDirectory()) {
                return Optional.empty();
            }
            Optional<Inode> child = child(directory, name);
            if (child.isEmpty()) {
                return Optional.empty();
            }
            if (!child.get().isSymbolicLink()) {
                way.push(child.get());
                continue;
            }
            links++;
            String target = target(child.get());
            List<String> names = split(target);
            if (links > MAX_LINKS || target.isEmpty() || rest.size() + names.size() > MAX_NAMES_IN_PATH) {
                return Optional.empty();
            }
            names.reversed().forEach(rest::push);
            if (target.startsWith("/")) {
                while (way.size() > 1) {
                    way.pop();
                }
            }
        }
        return Optional.of(way.peek());
    }

    private Optional<Inode> child(Inode directory, String name) {
        directory.checkReadable("A directory");
        long[] found = {0};
        inodes.directory(directory).visit((entry, number) -> {
            if (entry.equals(name)) {
                found[0] = number;
            }
            return found[0] == 0;
        });
        return found[0] == 0 ? Optional.empty() : Optional.of(inodes.get(found[0]));
    }

    private static String target(Inode link) {
        if (link.size() > MAX_LINK_SIZE) {
            return "";
        }
        byte[] target = new byte[(int) link.size()];
        link.read(0, target, 0, target.length);
        return new String(target, StandardCharsets.UTF_8);
    }

    private static List<String> split(String path) {
        return Arrays.stream(path.split("/"))
                .filter(name -> !name.isEmpty() && !name.equals("."))
                .toList();
    }
}
