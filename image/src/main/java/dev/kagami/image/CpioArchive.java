package dev.kagami.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes a cpio archive in the "newc" format, the one the Linux kernel unpacks as an initramfs.
 *
 * <p>Entries are written in the order in which they were added, after their parent directories, which are added as
 * needed with permissions 0755. Everything is owned by root and dated 1970-01-01, and inode numbers count from 1, so the
 * same entries always give the same bytes. Adding a path twice is an error.
 *
 * <p>Not thread-safe. Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
 */
public final class CpioArchive {

    private static final String MAGIC = "070701";
    private static final String TRAILER = "TRAILER!!!";

    /** The kernel reads headers, names and contents at multiples of this. */
    private static final int ALIGNMENT = 4;

    /** cpio writes whole blocks; the kernel skips the zeros at the end. */
    private static final int BLOCK = 512;

    /** The kernel's PATH_MAX, including the NUL: longer names are skipped by it without a word. */
    private static final int MAX_PATH = 4096;

    private static final int TYPE_DIRECTORY = 0040000;
    private static final int TYPE_FILE = 0100000;
    private static final int TYPE_LINK = 0120000;
    private static final int TYPE_CHARACTER_DEVICE = 0020000;
    private static final int PERMISSION_MASK = 07777;

    private record Entry(int mode, byte[] content, int deviceMajor, int deviceMinor) {}

    private static final byte[] NOTHING = new byte[0];

    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /** Creates an empty archive. */
    public CpioArchive() {}

    /**
     * Adds a directory.
     *
     * @param path the path from the root, such as {@code "dev"}; a leading slash is dropped
     * @param permissions the permission bits, such as 0755
     * @return this archive
     * @throws IllegalArgumentException if the path is empty, too long, has an empty, "." or ".." part, or is there already
     */
    public CpioArchive directory(String path, int permissions) {
        return add(path, new Entry(mode(TYPE_DIRECTORY, permissions), NOTHING, 0, 0));
    }

    /**
     * Adds a regular file.
     *
     * @param path the path from the root
     * @param permissions the permission bits
     * @param content the content, copied
     * @return this archive
     * @throws IllegalArgumentException as for {@link #directory}
     */
    public CpioArchive file(String path, int permissions, byte[] content) {
        return add(path, new Entry(mode(TYPE_FILE, permissions), content.clone(), 0, 0));
    }

    /**
     * Adds a regular file with text, encoded as UTF-8.
     *
     * @param path the path from the root
     * @param permissions the permission bits
     * @param content the content
     * @return this archive
     * @throws IllegalArgumentException as for {@link #directory}
     */
    public CpioArchive file(String path, int permissions, String content) {
        return add(path, new Entry(mode(TYPE_FILE, permissions), content.getBytes(StandardCharsets.UTF_8), 0, 0));
    }

    /**
     * Adds a symbolic link.
     *
     * @param path the path from the root
     * @param target what the link points to, taken as it is
     * @return this archive
     * @throws IllegalArgumentException as for {@link #directory}, or if the target is empty
     */
    public CpioArchive symbolicLink(String path, String target) {
        if (target.isEmpty()) {
            throw new IllegalArgumentException("The link " + path + " has an empty target");
        }
        return add(path, new Entry(mode(TYPE_LINK, 0777), target.getBytes(StandardCharsets.UTF_8), 0, 0));
    }

    /**
     * Adds a character device.
     *
     * @param path the path from the root, such as {@code "dev/console"}
     * @param permissions the permission bits
     * @param major the device's major number, 0 or more
     * @param minor the device's minor number, 0 or more
     * @return this archive
     * @throws IllegalArgumentException as for {@link #directory}, or if a number is negative
     */
    public CpioArchive characterDevice(String path, int permissions, int major, int minor) {
        if (major < 0 || minor < 0) {
            throw new IllegalArgumentException("The device " + path + " has a negative number");
        }
        return add(path, new Entry(mode(TYPE_CHARACTER_DEVICE, permissions), NOTHING, major, minor));
    }

    /** Returns the whole archive, padded to a multiple of 512 bytes. */
    public byte[] toByteArray() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            writeTo(bytes);
        } catch (IOException e) {
            throw new AssertionError("A byte array doesn't fail", e);
        }
        return bytes.toByteArray();
    }

    /**
     * Writes the whole archive, padded to a multiple of 512 bytes, and leaves the stream open. More entries can be added
     * and the archive written again afterwards.
     *
     * @param out where to write
     * @throws IOException if writing fails
     */
    public void writeTo(OutputStream out) throws IOException {
        long written = 0;
        int inode = 1;
        for (Map.Entry<String, Entry> entry : entries.entrySet()) {
            written += write(out, entry.getKey(), entry.getValue(), inode);
            inode++;
        }
        written += write(out, TRAILER, new Entry(0, NOTHING, 0, 0), 0);
        out.write(new byte[padding(written, BLOCK)]);
    }

    private static long write(OutputStream out, String path, Entry entry, int inode) throws IOException {
        byte[] name = path.getBytes(StandardCharsets.UTF_8);
        int links = (entry.mode & TYPE_DIRECTORY) == TYPE_DIRECTORY ? 2 : 1;
        StringBuilder header = new StringBuilder(MAGIC);
        int[] fields = {
            inode,
            entry.mode,
            0, // user
            0, // group
            links,
            0, // modification time
            entry.content.length,
            0, // major number of the device the file is on
            0, // minor number of the same
            entry.deviceMajor,
            entry.deviceMinor,
            name.length + 1,
            0, // checksum, of the "crc" format only
        };
        for (int field : fields) {
            header.append(String.format("%08x", field));
        }
        int headerAndName = header.length() + name.length + 1;
        out.write(header.toString().getBytes(StandardCharsets.US_ASCII));
        out.write(name);
        out.write(0);
        out.write(new byte[padding(headerAndName, ALIGNMENT)]);
        out.write(entry.content);
        out.write(new byte[padding(entry.content.length, ALIGNMENT)]);
        return (long) headerAndName
                + padding(headerAndName, ALIGNMENT)
                + entry.content.length
                + padding(entry.content.length, ALIGNMENT);
    }

    private static int padding(long length, int multiple) {
        return (int) ((multiple - length % multiple) % multiple);
    }

    private static int mode(int type, int permissions) {
        if ((permissions & ~PERMISSION_MASK) != 0) {
            throw new IllegalArgumentException("Not permission bits: 0" + Integer.toOctalString(permissions));
        }
        return type | permissions;
    }

    private CpioArchive add(String path, Entry entry) {
        String name = checked(path);
        if (entries.containsKey(name)) {
            throw new IllegalArgumentException("Added twice: " + name);
        }
        addParents(name);
        entries.put(name, entry);
        return this;
    }

    private void addParents(String name) {
        for (int slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
            String parent = name.substring(0, slash);
            Entry there = entries.putIfAbsent(parent, new Entry(TYPE_DIRECTORY | 0755, NOTHING, 0, 0));
            if (there != null && (there.mode & ~PERMISSION_MASK) == TYPE_FILE) {
                throw new IllegalArgumentException(parent + " is a file, so there can't be a " + name);
            }
        }
    }

    private static String checked(String path) {
        String name = path.startsWith("/") ? path.substring(1) : path;
        if (name.indexOf('\0') >= 0 || name.getBytes(StandardCharsets.UTF_8).length >= MAX_PATH) {
            throw new IllegalArgumentException("Not a path: longer than " + MAX_PATH + " bytes, or with a NUL in it");
        }
        for (String part : name.split("/", -1)) {
            if (part.isEmpty() || part.equals(".") || part.equals("..")) {
                throw new IllegalArgumentException("Not a path from the root: " + path);
            }
        }
        if (name.equals(TRAILER)) {
            throw new IllegalArgumentException("The name " + TRAILER + " ends a cpio archive");
        }
        return name;
    }
}
