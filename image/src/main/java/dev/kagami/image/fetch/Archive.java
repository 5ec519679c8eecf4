package dev.kagami.image.fetch;

import dev.kagami.image.ImageException;
import dev.kagami.image.ProgressListener;
import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * Takes the disk image out of what it was packed in for its way: gzip or xz, and perhaps a tar in it. Told by contents, not
 * by names. Nothing in an archive has a say about where anything is written.
 */
public final class Archive {

    /** Far beyond any disk image that somebody packs, so that a bomb ends. */
    private static final long MAX_IMAGE_SIZE = 2L << 40;

    /** What xz -9 needs for reading, twice. */
    private static final int MAX_XZ_MEMORY_KIB = 128 << 10;

    private static final int MAX_ENTRIES = 10_000;
    private static final int MAX_NAMES_SHOWN = 8;
    private static final int CHUNK = 64 << 10;
    private static final int TAR_BLOCK = 512;
    private static final int TAR_MAGIC_OFFSET = 257;
    private static final String TAR_MAGIC = "ustar";
    private static final Pattern IMAGE = Pattern.compile(".*\\.(raw|img|qcow2)", Pattern.CASE_INSENSITIVE);

    private final Path file;
    private final String displayName;
    private final Path target;
    private final ProgressListener progress;

    private Archive(Path file, String displayName, Path target, ProgressListener progress) {
        this.file = file;
        this.displayName = displayName;
        this.target = target;
        this.progress = progress;
    }

    /**
     * Unpacks a file, if it is packed.
     *
     * @param file the file
     * @param displayName what to call it in messages
     * @param target where to; there is no file yet, and none is left there when this fails
     * @param progress hears how far it is
     * @return whether it was packed
     * @throws ImageException if it is damaged, or doesn't hold one disk image
     * @throws IOException if the host fails to read or write
     */
    public static boolean unpack(Path file, String displayName, Path target, ProgressListener progress)
            throws IOException {
        Packing packing = Packing.of(Magic.start(file, Magic.LONGEST));
        if (packing == Packing.NONE) {
            return false;
        }
        try {
            new Archive(file, displayName, target, progress).unpack(packing);
        } catch (ImageException | IOException e) {
            Files.deleteIfExists(target);
            throw e;
        }
        return true;
    }

    private enum Packing {
        NONE,
        GZIP,
        XZ;

        static Packing of(byte[] start) {
            if (Magic.begins(start, 0x1F, 0x8B)) {
                return GZIP;
            }
            return Magic.begins(start, 0xFD, '7', 'z', 'X', 'Z', 0) ? XZ : NONE;
        }

        InputStream open(InputStream packed) throws IOException {
            return switch (this) {
                case NONE -> packed;
                case GZIP -> new GZIPInputStream(packed, CHUNK);
                case XZ -> new XZInputStream(packed, MAX_XZ_MEMORY_KIB);
            };
        }
    }

    private void unpack(Packing packing) throws IOException {
        Counter counter = new Counter(Files.newInputStream(file), Files.size(file));
        try (InputStream packed = new BufferedInputStream(counter, CHUNK)) {
            InputStream unpacked;
            try {
                unpacked = new BufferedInputStream(packing.open(packed), CHUNK);
            } catch (IOException e) {
                throw damaged(e);
            }
            if (isTar(unpacked)) {
                unpackTar(unpacked);
            } else {
                write(unpacked);
            }
        }
    }

    private boolean isTar(InputStream in) throws IOException {
        in.mark(TAR_BLOCK);
        byte[] block;
        try {
            block = in.readNBytes(TAR_BLOCK);
        } catch (IOException e) {
            throw damaged(e);
        }
        in.reset();
        return block.length == TAR_BLOCK
                && new String(block, TAR_MAGIC_OFFSET, TAR_MAGIC.length(), StandardCharsets.ISO_8859_1)
                        .equals(TAR_MAGIC);
    }

    private void unpackTar(InputStream in) throws IOException {
        TarArchiveInputStream tar = new TarArchiveInputStream(in);
        List<String> names = new ArrayList<>();
        Optional<String> image = Optional.empty();
        for (Optional<TarArchiveEntry> entry = next(tar); entry.isPresent(); entry = next(tar)) {
            String name = entry.get().getName();
            if (names.size() == MAX_ENTRIES) {
                throw invalid("has too many files in it");
            }
            names.add(name);
            if (!isPlain(entry.get()) || !IMAGE.matcher(name).matches()) {
                continue;
            }
            if (image.isPresent()) {
                throw invalid(
                        "holds several disk images: %s and %s".formatted(printable(image.get()), printable(name)));
            }
            image = Optional.of(name);
            write(tar);
        }
        if (image.isEmpty()) {
            throw invalid("holds no file *.qcow2, *.img or *.raw, but "
                    + (names.isEmpty()
                            ? "nothing"
                            : String.join(
                                    ", ",
                                    names.stream()
                                            .limit(MAX_NAMES_SHOWN)
                                            .map(Archive::printable)
                                            .toList())));
        }
    }

    /** The library's own isFile is true of links. */
    private static boolean isPlain(TarArchiveEntry entry) {
        return entry.isFile()
                && !entry.isSymbolicLink()
                && !entry.isLink()
                && !entry.isBlockDevice()
                && !entry.isCharacterDevice()
                && !entry.isFIFO();
    }

    private Optional<TarArchiveEntry> next(TarArchiveInputStream tar) throws IOException {
        try {
            return Optional.ofNullable(tar.getNextEntry());
        } catch (IOException | IllegalArgumentException e) {
            throw damaged(e);
        }
    }

    /** Writes a file that has holes where there are zeros. */
    private void write(InputStream in) throws IOException {
        byte[] chunk = new byte[CHUNK];
        long at = 0;
        try (FileChannel out = FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            while (true) {
                int count;
                try {
                    count = in.readNBytes(chunk, 0, CHUNK);
                } catch (IOException | IllegalArgumentException e) {
                    throw damaged(e);
                }
                boolean last = count < CHUNK;
                if (count > 0 && (last || !isZero(chunk))) {
                    ByteBuffer buffer = ByteBuffer.wrap(chunk, 0, count);
                    while (buffer.hasRemaining()) {
                        out.write(buffer, at + buffer.position());
                    }
                }
                at += count;
                if (at > MAX_IMAGE_SIZE) {
                    throw invalid("holds more than 2 TiB");
                }
                if (last) {
                    break;
                }
            }
            if (out.size() < at) {
                // The last byte, if there was a hole at the end.
                out.write(ByteBuffer.allocate(1), at - 1);
            }
        }
    }

    private static boolean isZero(byte[] chunk) {
        for (byte b : chunk) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    private ImageException damaged(Exception e) {
        return new ImageException(
                ImageException.Code.ARCHIVE_INVALID,
                "%s is a damaged archive: %s".formatted(displayName, e.getMessage()),
                "Check where it comes from; with a digest, a damaged file would be noticed before it is unpacked.",
                e);
    }

    private ImageException invalid(String what) {
        return new ImageException(
                ImageException.Code.ARCHIVE_INVALID,
                "%s %s".formatted(displayName, what),
                "Unpack it by hand, and name the file that is the disk image.",
                null);
    }

    private static String printable(String name) {
        return name.replaceAll("[^\\x20-\\x7E]", "?");
    }

    /** Tells how much of the archive has been read. */
    private final class Counter extends FilterInputStream {
        private final Throttle throttle = Throttle.of(progress, "Unpacking " + displayName);
        private final long size;
        private long done;

        Counter(InputStream in, long size) {
            super(in);
            this.size = size;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int count = super.read(target, offset, length);
            done += Math.max(0, count);
            throttle.progress(done, size);
            return count;
        }
    }
}
