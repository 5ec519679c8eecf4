package dev.kagami.memory;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Whether the host takes pages of a private mapping back.
 *
 * <p>{@link MemorySegment#unload} promises nothing. On Linux it is {@code madvise(MADV_DONTNEED)}, which drops a page of a
 * private mapping that was written, so that it reads as the file does: as zeros, where the file is empty. Elsewhere it may
 * leave the contents, and on hosts with pages of more than 4 KiB it would take their neighbours along. So it is tried.
 */
final class PageRelease {
    /** Whether {@link MemorySegment#unload} drops the pages that it is asked to, and no others. */
    static final boolean AVAILABLE = works();

    /** Of 64 KiB, the largest page that Linux has. */
    private static final int SAMPLE = 4 << 16;

    private PageRelease() {}

    private static boolean works() {
        try (Arena arena = Arena.ofConfined()) {
            Path file = Files.createTempFile("kagami-probe", null);
            try (FileChannel channel = FileChannel.open(
                    file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
                channel.write(ByteBuffer.allocate(1), SAMPLE - 1L);
                MemorySegment sample = channel.map(FileChannel.MapMode.PRIVATE, 0, SAMPLE, arena);
                sample.fill((byte) 1);
                long start = SAMPLE / 2 + GuestMemory.PAGE_SIZE;
                long end = start + GuestMemory.PAGE_SIZE;
                sample.asSlice(start, end - start).unload();
                for (long i = 0; i < SAMPLE; i++) {
                    boolean dropped = i >= start && i < end;
                    if (sample.get(ValueLayout.JAVA_BYTE, i) != (dropped ? 0 : 1)) {
                        return false;
                    }
                }
                return true;
            }
        } catch (IOException | RuntimeException e) {
            // Whatever the reason, nothing is given back.
            System.getLogger(PageRelease.class.getName())
                    .log(System.Logger.Level.DEBUG, "pages can't be given back to the host", e);
            return false;
        }
    }
}
