package dev.kagami.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockImage;
import dev.kagami.block.CheckReport;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.TestDisk;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads that use one image at the same time don't get into each other's way. */
class ConcurrencyTest {
    private static final int THREADS = 4;
    private static final int STRIPE = 1024;
    private static final int STRIPES = 4096;
    private static final int OPERATIONS = 1500;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 65536})
    void eachSeesItsOwnWrites(int clusterSize) throws InterruptedException {
        Path file = directory.resolve("image.qcow2");
        DiskImages.create(file, (long) STRIPE * STRIPES, ImageOptions.qcow2().withClusterSize(clusterSize));
        byte[] model = new byte[STRIPE * STRIPES];
        ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int number = i;
                Thread thread = new Thread(() -> work(image, model, number));
                thread.setUncaughtExceptionHandler((failed, e) -> failures.add(e));
                thread.start();
                threads.add(thread);
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).isEmpty();
        }
        TestDisk.same(TestDisk.read(file), model, "clusters of " + clusterSize);
        assertThat(DiskImages.check(file, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();
    }

    /** Every fourth stripe is one thread's, so that all clusters but the smallest are everybody's. */
    private static void work(BlockImage image, byte[] model, int number) {
        Random random = new Random(number);
        byte[] data = new byte[STRIPE];
        for (int i = 0; i < OPERATIONS; i++) {
            int at = (random.nextInt(STRIPES / THREADS) * THREADS + number) * STRIPE;
            switch (random.nextInt(8)) {
                case 0 -> {
                    image.writeZeroes(at, STRIPE, random.nextBoolean());
                    Arrays.fill(model, at, at + STRIPE, (byte) 0);
                }
                case 1 -> {
                    image.discard(at, STRIPE);
                    image.read(at, MemorySegment.ofArray(model).asSlice(at, STRIPE));
                }
                case 2 -> {
                    if (random.nextInt(10) == 0) {
                        image.flush();
                    }
                }
                case 3, 4 -> {
                    image.read(at, MemorySegment.ofArray(data));
                    if (!Arrays.equals(data, 0, STRIPE, model, at, at + STRIPE)) {
                        throw new AssertionError("stripe at " + at);
                    }
                }
                default -> {
                    random.nextBytes(data);
                    image.write(at, MemorySegment.ofArray(data));
                    System.arraycopy(data, 0, model, at, STRIPE);
                }
            }
        }
    }
}
