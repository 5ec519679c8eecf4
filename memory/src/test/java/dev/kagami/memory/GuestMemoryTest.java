package dev.kagami.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

final class GuestMemoryTest {
    private static final long SIZE = 64L << 20;
    private static final Path STATUS = Path.of("/proc/self/smaps_rollup");

    @Test
    void releasedPagesReadAsZerosAndTheirNeighboursAsBefore() {
        assumeTrue(PageRelease.AVAILABLE, "this host takes no pages back");
        try (GuestMemory memory = GuestMemory.allocate(SIZE)) {
            memory.segment().fill((byte) 7);
            assertThat(memory.release(0x10_0000, 0x3000)).isTrue();
            assertThat(memory.readLong(0x0F_FFF8)).isEqualTo(0x0707_0707_0707_0707L);
            for (long address = 0x10_0000; address < 0x10_3000; address += 8) {
                assertThat(memory.readLong(address)).isZero();
            }
            assertThat(memory.readLong(0x10_3000)).isEqualTo(0x0707_0707_0707_0707L);
            memory.writeInt(0x10_1000, 42);
            assertThat(memory.readInt(0x10_1000)).isEqualTo(42);
        }
    }

    @Test
    void linuxGetsReleasedPagesBack() throws IOException {
        assumeTrue(Files.isReadable(STATUS), "needs Linux's account of memory");
        assertThat(PageRelease.AVAILABLE).isTrue();
        try (GuestMemory memory = GuestMemory.allocate(SIZE)) {
            memory.segment().fill((byte) 7);
            long before = anonymousKibibytes();
            memory.release(0, SIZE);
            // The heap of the tests may grow meanwhile, by far less.
            assertThat(before - anonymousKibibytes()).isGreaterThan((SIZE >> 10) / 2);
        }
    }

    private static long anonymousKibibytes() throws IOException {
        return Files.readAllLines(STATUS).stream()
                .filter(line -> line.startsWith("Anonymous:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void listenersHearThatCodeWasReleased() {
        assumeTrue(PageRelease.AVAILABLE, "this host takes no pages back");
        try (GuestMemory memory = GuestMemory.allocate(SIZE)) {
            int[] heard = {-1};
            memory.addCodeWriteListener(page -> heard[0] = page);
            memory.watch(5);
            memory.release(5 * 4096, 4096);
            assertThat(heard[0]).isEqualTo(5);
        }
    }
}
