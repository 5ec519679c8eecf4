package dev.kagami.image;

import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.ar.ArArchiveEntry;
import org.apache.commons.compress.archivers.ar.ArArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.tukaani.xz.XZInputStream;

/**
 * Reads a Debian binary package (deb(5)): an ar archive with a format version, control files and a tar archive of the
 * package's files.
 *
 * <p>Nothing in the package is trusted. Nothing is ever written by a name that stands in it; names that point outside of
 * the package's tree are errors; no buffer is sized by a number that stands in it; and decompression stops at a limit.
 */
final class DebPackage {

    private static final String FORMAT_MEMBER = "debian-binary";
    private static final String DATA_MEMBER = "data.tar";

    /** deb(5): a reader accepts any minor version of format 2. */
    private static final String FORMAT_PREFIX = "2.";

    private static final int MAX_FORMAT_BYTES = 16;

    /** The largest kernel package unpacks to some 500 MB (the debug ones, which we don't read, to 5 GB). */
    private static final long MAX_DATA_BYTES = 2L << 30;

    /** The dictionary of {@code xz -9} needs 65 MiB; more is a trap. */
    private static final int MAX_XZ_MEMORY_KIBIBYTES = 128 << 10;

    private static final int MAX_MEMBERS = 16;
    private static final int MAX_FILES = 200_000;

    private final Path file;
    private final long maxDataBytes;

    /** Takes the files of a package. */
    @FunctionalInterface
    interface Visitor {
        /**
         * Takes one regular file.
         *
         * @param path where it goes, without a leading slash or dot, such as {@code "bin/busybox"}
         * @param content its content, which may end early if the package lies about its size
         * @return whether to go on
         * @throws IOException if it can't be read or kept
         */
        boolean visit(String path, InputStream content) throws IOException;
    }

    /** Reads a package from a file. */
    DebPackage(Path file) {
        this(file, MAX_DATA_BYTES);
    }

    DebPackage(Path file, long maxDataBytes) {
        this.file = file;
        this.maxDataBytes = maxDataBytes;
    }

    /**
     * Shows the package's regular files to a visitor, in order, until it has enough.
     *
     * @param visitor takes the files
     * @throws ImageException if the package is damaged or hostile
     */
    void visit(Visitor visitor) {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file));
                ArArchiveInputStream members = new ArArchiveInputStream(in)) {
            visitData(members, visitor);
        } catch (IOException | IllegalArgumentException | ArithmeticException | IndexOutOfBoundsException e) {
            // Unchecked ones are how parsers of the libraries fail on some malformed numbers.
            throw ImageException.invalidPackage("Can't read the package " + file + ": " + e.getMessage(), e);
        }
    }

    private void visitData(ArArchiveInputStream members, Visitor visitor) throws IOException {
        boolean formatSeen = false;
        for (int i = 0; i < MAX_MEMBERS; i++) {
            ArArchiveEntry member = members.getNextEntry();
            if (member == null) {
                break;
            }
            if (!formatSeen) {
                checkFormat(member, members);
                formatSeen = true;
            } else if (member.getName().startsWith(DATA_MEMBER)) {
                String suffix = member.getName().substring(DATA_MEMBER.length());
                try (InputStream data = decompressed(suffix, members)) {
                    visitFiles(new TarArchiveInputStream(new Limited(data, maxDataBytes)), visitor);
                }
                return;
            }
        }
        throw new IOException("it has no " + DATA_MEMBER);
    }

    private static void checkFormat(ArArchiveEntry member, InputStream content) throws IOException {
        String format = new String(content.readNBytes(MAX_FORMAT_BYTES), StandardCharsets.US_ASCII);
        if (!member.getName().equals(FORMAT_MEMBER) || !format.startsWith(FORMAT_PREFIX)) {
            throw new IOException("it isn't a Debian package of format 2");
        }
    }

    private InputStream decompressed(String suffix, InputStream in) throws IOException {
        return switch (suffix) {
            case "" -> in;
            case ".gz" -> new GZIPInputStream(in);
            case ".xz" -> new XZInputStream(in, MAX_XZ_MEMORY_KIBIBYTES);
            // Ubuntu's packages. The hosts that have them have dpkg too, and the JDK has no zstd.
            case ".zst" -> new DpkgDebStream(file);
            default -> throw new IOException("its files are compressed in a way that isn't supported: " + suffix);
        };
    }

    private static void visitFiles(TarArchiveInputStream tar, Visitor visitor) throws IOException {
        for (int i = 0; i < MAX_FILES; i++) {
            TarArchiveEntry entry = tar.getNextEntry();
            if (entry == null) {
                return;
            }
            String path = confined(entry.getName());
            byte type = entry.getLinkFlag();
            boolean plain = (type == TarConstants.LF_NORMAL || type == TarConstants.LF_OLDNORM)
                    && !entry.isDirectory()
                    && !entry.isSparse();
            if (plain && !visitor.visit(path, tar)) {
                return;
            }
        }
        throw new IOException("it has more than " + MAX_FILES + " files");
    }

    private static String confined(String name) throws IOException {
        String path = name.startsWith("./") ? name.substring(2) : name;
        if (path.startsWith("/") || path.indexOf('\0') >= 0) {
            throw new IOException("it has a file outside of its tree: " + name);
        }
        for (String part : path.split("/")) {
            if (part.equals("..")) {
                throw new IOException("it has a file outside of its tree: " + name);
            }
        }
        return path;
    }

    /**
     * Reads a whole stream.
     *
     * @param in the stream
     * @param limit the most bytes it may have
     * @return its bytes
     * @throws IOException if it has more
     */
    static byte[] readAll(InputStream in, int limit) throws IOException {
        byte[] bytes = in.readNBytes(limit);
        if (in.read() >= 0) {
            throw new IOException("it has a file larger than " + limit + " bytes");
        }
        return bytes;
    }

    /** Fails once more bytes were read than allowed: a few kilobytes can decompress to petabytes. */
    private static final class Limited extends FilterInputStream {
        private long left;

        Limited(InputStream in, long limit) {
            super(in);
            this.left = limit;
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            if (value >= 0) {
                count(1);
            }
            return value;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int read = super.read(buffer, offset, length);
            if (read > 0) {
                count(read);
            }
            return read;
        }

        @Override
        public long skip(long count) throws IOException {
            long skipped = super.skip(count);
            count(skipped);
            return skipped;
        }

        private void count(long bytes) throws IOException {
            left -= bytes;
            if (left < 0) {
                throw new IOException("it decompresses to more than is sensible");
            }
        }
    }
}
