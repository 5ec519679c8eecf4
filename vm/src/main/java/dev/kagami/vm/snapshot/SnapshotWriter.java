package dev.kagami.vm.snapshot;

import dev.kagami.memory.GuestMemory;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import java.util.zip.CRC32C;
import java.util.zip.Deflater;

/** Writes snapshots. */
public final class SnapshotWriter {
    private static final String MEMORY = "memory";
    private static final MemorySegment ZEROS = MemorySegment.ofBuffer(ByteBuffer.allocateDirect(MemoryMap.PAGE));

    private final MemorySegment ram;
    private final boolean compress;
    private final long[] present;
    private final int[] checksums;
    private final int[] lengths;

    private SnapshotWriter(GuestMemory memory, boolean compress) {
        this.ram = memory.segment();
        this.compress = compress;
        int chunks = MemoryMap.chunks(ram.byteSize());
        present = new long[chunks * MemoryMap.CHUNK_PAGES / Long.SIZE];
        checksums = new int[chunks];
        lengths = new int[compress ? chunks : 0];
    }

    /** A new file beside the one that it shall replace. */
    public static final class Replacement implements AutoCloseable {
        private final Path target;
        private final Path beside;
        private final FileChannel channel;
        private boolean ours;

        private Replacement(Path file) throws IOException {
            target = file.toAbsolutePath();
            if (Files.isDirectory(target)) {
                throw new IOException("it is a directory");
            }
            // One name for all attempts: what a killed process has left is written over by the next.
            beside = directory().resolve("." + target.getFileName() + ".saving");
            channel = SnapshotWriter.open(beside);
        }

        private Path directory() {
            return Objects.requireNonNull(target.getParent(), "only a directory has none");
        }

        private void write(Sections sections, GuestMemory memory, boolean compress) throws IOException {
            if (!lock()) {
                throw new IOException("another machine is being saved to it");
            }
            ours = true;
            channel.truncate(0);
            SnapshotWriter.write(channel, sections, memory, compress);
        }

        private boolean lock() throws IOException {
            try {
                return channel.tryLock() != null;
            } catch (OverlappingFileLockException e) {
                // A machine of this process.
                return false;
            }
        }

        /**
         * Waits until the host's disk has the file, and puts it in place of the other one, if there is one.
         *
         * @throws IOException when the host can't; the other one is still there
         */
        public void commit() throws IOException {
            channel.force(true);
            Files.move(beside, target, StandardCopyOption.ATOMIC_MOVE);
            ours = false;
            try (FileChannel parent = FileChannel.open(directory(), StandardOpenOption.READ)) {
                parent.force(true);
            } catch (IOException e) {
                // Not every host can force a directory; the file itself is safe.
                System.getLogger(SnapshotWriter.class.getName())
                        .log(System.Logger.Level.DEBUG, "cannot force " + directory(), e);
            }
        }

        /** Forgets the new file unless it was put in place. */
        @Override
        public void close() throws IOException {
            if (ours) {
                Files.deleteIfExists(beside);
            }
            channel.close();
        }
    }

    /**
     * Writes a file beside the one that it shall replace.
     *
     * @param file the file to replace, which need not exist
     * @param sections all but the memory's
     * @param memory RAM; nobody writes it meanwhile
     * @param compress whether to deflate RAM
     * @return the written file
     * @throws IOException when the host can't: the disk is full, for example
     */
    public static Replacement prepare(Path file, Sections sections, GuestMemory memory, boolean compress)
            throws IOException {
        Replacement replacement = new Replacement(file);
        try {
            replacement.write(sections, memory, compress);
            return replacement;
        } catch (Throwable e) {
            replacement.close();
            throw e;
        }
    }

    /** RAM holds the guest's secrets, so nobody else may read it. */
    private static FileChannel open(Path file) throws IOException {
        Set<StandardOpenOption> options =
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.SPARSE);
        return file.getFileSystem().supportedFileAttributeViews().contains("posix")
                ? FileChannel.open(
                        file,
                        options,
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))
                : FileChannel.open(file, options);
    }

    /**
     * Writes a snapshot to an empty file.
     *
     * @param channel the file
     * @param sections all but the memory's, which is added
     * @param memory RAM; nobody writes it meanwhile
     * @param compress whether to deflate RAM
     * @throws IOException when the host can't
     */
    public static void write(FileChannel channel, Sections sections, GuestMemory memory, boolean compress)
            throws IOException {
        new SnapshotWriter(memory, compress).write(channel, sections);
    }

    private void write(FileChannel channel, Sections sections) throws IOException {
        // The map's size doesn't depend on what is in it, so the place of RAM is known before it is written.
        int room = sectionsWithMap(sections, new MemoryMap(compress, present, checksums, lengths)).length;
        long start = Math.ceilDiv((long) Header.SIZE + room, Header.ALIGNMENT) * Header.ALIGNMENT;
        long end = compress ? writeCompressed(channel, start) : writeSparse(channel, start);
        byte[] all = sectionsWithMap(sections, new MemoryMap(compress, present, checksums, lengths));
        writeFully(channel, ByteBuffer.wrap(all), Header.SIZE);
        Header header = new Header(all.length, Header.checksum(all), start, ram.byteSize(), end);
        writeFully(channel, header.encode(), 0);
    }

    private static byte[] sectionsWithMap(Sections sections, MemoryMap map) {
        byte[] others = sections.encode();
        Sections own = new Sections();
        own.put(MEMORY, map);
        byte[] last = own.encode();
        byte[] all = Arrays.copyOf(others, others.length + last.length);
        System.arraycopy(last, 0, all, others.length, last.length);
        return all;
    }

    static String memorySection() {
        return MEMORY;
    }

    /** Writes present pages to their places. {@return the end of the file} */
    private long writeSparse(FileChannel channel, long start) throws IOException {
        for (int chunk = 0; chunk < checksums.length; chunk++) {
            long from = (long) chunk * MemoryMap.CHUNK;
            long to = Math.min(from + MemoryMap.CHUNK, ram.byteSize());
            CRC32C checksum = new CRC32C();
            long run = from;
            for (long at = from; at < to; at += MemoryMap.PAGE) {
                if (note(at)) {
                    continue;
                }
                writeRun(channel, start, run, at, checksum);
                run = at + MemoryMap.PAGE;
            }
            writeRun(channel, start, run, to, checksum);
            checksums[chunk] = (int) checksum.getValue();
        }
        long end = start + ram.byteSize();
        if (channel.size() < end) {
            writeFully(channel, ByteBuffer.allocate(1), end - 1);
        }
        return end;
    }

    /** {@return whether the page has anything in it} */
    private boolean note(long at) {
        boolean empty = ram.asSlice(at, MemoryMap.PAGE).mismatch(ZEROS) < 0;
        if (!empty) {
            long page = at / MemoryMap.PAGE;
            present[(int) (page >> 6)] |= 1L << page;
        }
        return !empty;
    }

    private void writeRun(FileChannel channel, long start, long from, long to, CRC32C checksum) throws IOException {
        if (from < to) {
            ByteBuffer pages = ram.asSlice(from, to - from).asByteBuffer();
            checksum.update(pages.duplicate());
            writeFully(channel, pages, start + from);
        }
    }

    /** Writes present pages deflated. {@return the end of the file} */
    private long writeCompressed(FileChannel channel, long start) throws IOException {
        long position = start;
        ByteBuffer pages = ByteBuffer.allocateDirect(MemoryMap.CHUNK);
        ByteBuffer deflated = ByteBuffer.allocateDirect(MemoryMap.CHUNK + MemoryMap.CHUNK / 8);
        try (Deflater deflater = new Deflater(Deflater.BEST_SPEED, true)) {
            for (int chunk = 0; chunk < checksums.length; chunk++) {
                long from = (long) chunk * MemoryMap.CHUNK;
                long to = Math.min(from + MemoryMap.CHUNK, ram.byteSize());
                pages.clear();
                for (long at = from; at < to; at += MemoryMap.PAGE) {
                    if (note(at)) {
                        pages.put(ram.asSlice(at, MemoryMap.PAGE).asByteBuffer());
                    }
                }
                pages.flip();
                CRC32C checksum = new CRC32C();
                checksum.update(pages.duplicate());
                checksums[chunk] = (int) checksum.getValue();
                deflated.clear();
                if (pages.hasRemaining()) {
                    deflater.reset();
                    deflater.setInput(pages);
                    deflater.finish();
                    while (!deflater.finished()) {
                        deflater.deflate(deflated);
                    }
                }
                deflated.flip();
                lengths[chunk] = deflated.remaining();
                writeFully(channel, deflated, position);
                position += lengths[chunk];
            }
        }
        if (channel.size() < position) {
            writeFully(channel, ByteBuffer.allocate(1), position - 1);
        }
        return position;
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes, long position) throws IOException {
        long at = position;
        while (bytes.hasRemaining()) {
            at += channel.write(bytes, at);
        }
    }
}
