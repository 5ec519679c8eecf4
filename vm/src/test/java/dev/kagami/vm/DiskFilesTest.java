package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockImage;
import dev.kagami.block.BlockRequest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DiskFilesTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    private Path directory;

    private Path image = Path.of("image");

    @BeforeEach
    void makeImage() throws IOException {
        byte[] contents = new byte[SIZE];
        Arrays.fill(contents, (byte) 7);
        image = Files.write(directory.resolve("image"), contents);
    }

    private static byte read(BlockImage disk, long offset) {
        MemorySegment one = MemorySegment.ofArray(new byte[1]);
        disk.read(offset, one);
        return one.get(ValueLayout.JAVA_BYTE, 0);
    }

    private static void write(BlockImage disk, long offset) {
        disk.write(offset, MemorySegment.ofArray(new byte[] {1}));
    }

    @Test
    void anOverlayIsMadeOnceAndKeepsWhatIsWritten() throws IOException {
        Disk disk = Disk.overlay(image, directory.resolve("overlay"));
        try (BlockImage open = DiskFiles.open(disk, null)) {
            assertThat(read(open, 0)).isEqualTo((byte) 7);
            write(open, 0);
        }
        try (BlockImage open = DiskFiles.open(disk, null)) {
            assertThat(read(open, 0)).isEqualTo((byte) 1);
            assertThat(read(open, 512)).isEqualTo((byte) 7);
        }
        assertThat(Files.readAllBytes(image)).containsOnly(7);
    }

    @Test
    void anOverlayOfAnotherImageIsRefused() throws IOException {
        Path overlay = directory.resolve("overlay");
        DiskFiles.open(Disk.overlay(image, overlay), null).close();
        Path other = Files.copy(image, directory.resolve("other"));
        Refusals.refused(
                ErrorCode.DISK_UNUSABLE, () -> DiskFiles.open(Disk.overlay(other, overlay), null), overlay, other);
    }

    @Test
    void disksGrowInTheirOverlaysAndLeaveTheImageAlone() throws IOException {
        for (Disk disk : new Disk[] {Disk.temporary(image), Disk.overlay(image, directory.resolve("overlay"))}) {
            try (BlockImage open = DiskFiles.open(disk.grownTo(4 * SIZE), null)) {
                assertThat(open.size()).isEqualTo(4 * SIZE);
                assertThat(read(open, SIZE - 1)).isEqualTo((byte) 7);
                assertThat(read(open, SIZE)).isZero();
            }
        }
        assertThat(Files.size(image)).isEqualTo(SIZE);
        try (BlockImage open = DiskFiles.open(Disk.of(image).grownTo(2 * SIZE), null)) {
            assertThat(open.size()).isEqualTo(2 * SIZE);
        }
        assertThat(Files.size(image)).isEqualTo(2 * SIZE);
    }

    @Test
    void aDiskIsNotMadeSmallerAndIsFreeAfterwards() {
        Disk disk = Disk.of(image);
        Refusals.refused(ErrorCode.DISK_UNUSABLE, () -> DiskFiles.open(disk.grownTo(SIZE / 2), null), image, "smaller");
        DiskFiles.open(disk, null).close();
    }

    @Test
    void severalQueuesAreServedByThreadsOfTheDisk() throws InterruptedException {
        Disk disk = Disk.readOnly(image).withQueues(2);
        try (BlockDevice open = DiskFiles.serve(DiskFiles.open(disk, null), disk, "several-queues")) {
            assertThat(open.readOnly()).isTrue();
            String[] thread = new String[1];
            CountDownLatch done = new CountDownLatch(1);
            BlockRequest request = new BlockRequest((finished, status) -> {
                thread[0] = Thread.currentThread().getName();
                done.countDown();
            });
            open.submit(request.flush());
            done.await();
            assertThat(thread[0]).contains("several-queues");
        }
    }
}
