package dev.kagami.vm.snapshot;

import dev.kagami.memory.GuestMemory;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardOpenOption;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * An opened snapshot, wholly verified. Any number of machines may be made from it, also after it has been closed or its file
 * was replaced; but whoever writes into the file, or cuts it, pulls the memory away from under them. Thread-safe.
 */
public final class SnapshotFile implements AutoCloseable {
    private final FileChannel channel;
    private final Header header;
    private final Sections sections;
    private final MemoryMap map;
    private final boolean mappable;

    private SnapshotFile(FileChannel channel, boolean mappable, boolean trusted) throws IOException, SnapshotException {
        this.channel = channel;
        this.mappable = mappable;
        ByteBuffer page = ByteBuffer.allocate(Header.SIZE);
        read(page, 0);
        header = Header.decode(page.flip(), channel.size());
        ByteBuffer bytes = ByteBuffer.allocate(header.sectionsLength());
        read(bytes, Header.SIZE);
        if (Header.checksum(bytes.array()) != header.sectionsChecksum()) {
            throw SnapshotException.damaged("its sections are damaged");
        }
        sections = Sections.decode(bytes.array());
        map = sections.get(SnapshotWriter.memorySection(), MemoryMap.class);
        int chunks = MemoryMap.chunks(header.memorySize());
        long length = header.fileLength() - header.memoryStart();
        if (map.checksums().length != chunks
                || map.present().length != chunks * MemoryMap.CHUNK_PAGES / Long.SIZE
                || map.lengths().length != (map.compressed() ? chunks : 0)
                || length
                        != (map.compressed()
                                ? IntStream.of(map.lengths()).asLongStream().sum()
                                : header.memorySize())) {
            throw SnapshotException.damaged("its map of the memory contradicts itself");
        }
        if (!map.compressed() && !trusted) {
            verify();
        }
    }

    /**
     * Opens a file and verifies all of it.
     *
     * @param file the file
     * @return the snapshot
     * @throws IOException when the file can't be read
     * @throws SnapshotException when it is no snapshot that this version can use
     */
    public static SnapshotFile open(Path file) throws IOException, SnapshotException {
        try {
            // Java maps copy-on-write only what could be written.
            return of(FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE), true, false);
        } catch (AccessDeniedException | ReadOnlyFileSystemException e) {
            return of(FileChannel.open(file, StandardOpenOption.READ), false, false);
        }
    }

    /**
     * Takes an opened file and verifies all of it.
     *
     * @param channel the file, closed with the snapshot, and when this fails
     * @param mappable whether it is open for writing too; otherwise each machine's memory is read
     * @param trusted whether this process has just written it, so that its memory need not be verified
     * @return the snapshot
     * @throws IOException when the file can't be read
     * @throws SnapshotException when it is no snapshot that this version can use
     */
    public static SnapshotFile of(FileChannel channel, boolean mappable, boolean trusted)
            throws IOException, SnapshotException {
        try {
            return new SnapshotFile(channel, mappable, trusted);
        } catch (Throwable e) {
            channel.close();
            throw e;
        }
    }

    /** {@return everything but the memory} */
    public Sections sections() {
        return sections;
    }

    /** {@return bytes of RAM} */
    public long memorySize() {
        return header.memorySize();
    }

    /**
     * Makes a machine's RAM: a copy-on-write mapping of the file, or for compressed ones memory with what is in it.
     *
     * @return the memory, of which nobody else sees writes
     * @throws IOException when the host can't map or read it
     * @throws SnapshotException when compressed memory is damaged
     */
    public GuestMemory memory() throws IOException, SnapshotException {
        if (!map.compressed() && mappable) {
            return GuestMemory.map(channel, header.memoryStart(), header.memorySize());
        }
        GuestMemory memory = GuestMemory.allocate(header.memorySize());
        try {
            if (map.compressed()) {
                inflate(memory.segment());
            } else {
                copy(memory.segment());
            }
            return memory;
        } catch (Throwable e) {
            memory.close();
            throw e;
        }
    }

    private void verify() throws IOException, SnapshotException {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment ram =
                    channel.map(FileChannel.MapMode.READ_ONLY, header.memoryStart(), header.memorySize(), arena);
            int wrong = IntStream.range(0, map.checksums().length)
                    .parallel()
                    .filter(chunk -> checksum(ram, chunk) != map.checksums()[chunk])
                    .findAny()
                    .orElse(-1);
            if (wrong >= 0) {
                throw damagedMemory(wrong);
            }
        }
    }

    private static SnapshotException damagedMemory(int chunk) {
        return SnapshotException.damaged("the memory at %#x is damaged".formatted((long) chunk * MemoryMap.CHUNK));
    }

    private int checksum(MemorySegment ram, int chunk) {
        CRC32C checksum = new CRC32C();
        long first = (long) chunk * MemoryMap.CHUNK_PAGES;
        long last = Math.min(first + MemoryMap.CHUNK_PAGES, header.memorySize() / MemoryMap.PAGE);
        long page = first;
        while (page < last) {
            long run = page;
            while (page < last && map.isPresent(page)) {
                page++;
            }
            if (page > run) {
                checksum.update(ram.asSlice(run * MemoryMap.PAGE, (page - run) * MemoryMap.PAGE)
                        .asByteBuffer());
            }
            page++;
        }
        return (int) checksum.getValue();
    }

    private void copy(MemorySegment ram) throws IOException {
        for (long page = 0; page < header.memorySize() / MemoryMap.PAGE; page++) {
            if (map.isPresent(page)) {
                long at = page * MemoryMap.PAGE;
                read(ram.asSlice(at, MemoryMap.PAGE).asByteBuffer(), header.memoryStart() + at);
            }
        }
    }

    private void inflate(MemorySegment ram) throws IOException, SnapshotException {
        long position = header.memoryStart();
        ByteBuffer pages = ByteBuffer.allocateDirect(MemoryMap.CHUNK);
        try (Inflater inflater = new Inflater(true)) {
            for (int chunk = 0; chunk < map.checksums().length; chunk++) {
                int length = map.lengths()[chunk];
                if (length < 0 || length > header.fileLength() - position) {
                    throw damagedMemory(chunk);
                }
                ByteBuffer deflated = ByteBuffer.allocateDirect(length);
                read(deflated, position);
                position += length;
                pages.clear();
                if (length > 0) {
                    inflater.reset();
                    inflater.setInput(deflated.flip());
                    inflate(inflater, pages, chunk);
                }
                pages.flip();
                CRC32C checksum = new CRC32C();
                checksum.update(pages.duplicate());
                if ((int) checksum.getValue() != map.checksums()[chunk]) {
                    throw damagedMemory(chunk);
                }
                place(pages, ram, chunk);
            }
        }
    }

    private static void inflate(Inflater inflater, ByteBuffer pages, int chunk) throws SnapshotException {
        try {
            while (!inflater.finished()) {
                if (inflater.inflate(pages) == 0) {
                    throw damagedMemory(chunk);
                }
            }
        } catch (DataFormatException e) {
            throw damagedMemory(chunk);
        }
    }

    private void place(ByteBuffer pages, MemorySegment ram, int chunk) throws SnapshotException {
        MemorySegment source = MemorySegment.ofBuffer(pages);
        long from = 0;
        for (long page = (long) chunk * MemoryMap.CHUNK_PAGES;
                page < Math.min((chunk + 1L) * MemoryMap.CHUNK_PAGES, header.memorySize() / MemoryMap.PAGE);
                page++) {
            if (map.isPresent(page)) {
                if (from + MemoryMap.PAGE > source.byteSize()) {
                    throw damagedMemory(chunk);
                }
                MemorySegment.copy(source, from, ram, page * MemoryMap.PAGE, MemoryMap.PAGE);
                from += MemoryMap.PAGE;
            }
        }
    }

    private void read(ByteBuffer target, long position) throws IOException {
        long at = position;
        while (target.hasRemaining()) {
            int read = channel.read(target, at);
            if (read < 0) {
                return;
            }
            at += read;
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
