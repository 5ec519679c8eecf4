package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BlockDeviceTest {
    private static final int SIZE = 4 << 20;

    @TempDir
    private Path directory;

    private final BlockingQueue<BlockStatus> completed = new ArrayBlockingQueue<>(1000);
    private final BlockCompletion completion = (request, status) -> completed.add(status);

    private List<BlockDevice> devices() {
        return List.of(
                BlockDevice.synchronous(RawImage.create(directory.resolve("a.raw"), SIZE)),
                BlockDevice.threaded(RawImage.create(directory.resolve("b.raw"), SIZE), "test-disk", 2));
    }

    private BlockStatus submit(BlockDevice device, BlockRequest request) throws InterruptedException {
        device.submit(request);
        BlockStatus status = completed.poll(10, TimeUnit.SECONDS);
        assertThat(status).isNotNull();
        return status;
    }

    @Test
    void scattersAndGathersPiecesOfEverySize() throws InterruptedException {
        long[][] shapes = {
            {512}, {4096, 4096}, {1, 511, 3}, {100_000, 24}, {24, 100_000, 24, 24, 200_000}, {0, 512}, new long[600]
        };
        java.util.Arrays.fill(shapes[6], 4000);
        for (BlockDevice device : devices()) {
            try (device;
                    Arena arena = Arena.ofShared()) {
                MemorySegment memory = arena.allocate(2L * SIZE);
                BlockRequest request = new BlockRequest(completion).tag(5);
                for (long[] shape : shapes) {
                    for (long i = 0; i < SIZE; i++) {
                        memory.set(java.lang.foreign.ValueLayout.JAVA_BYTE, i, (byte) (i * i >> 8));
                    }
                    memory.asSlice(SIZE).fill((byte) 0);
                    long total = 0;
                    request.write(1024);
                    for (long piece : shape) {
                        request.add(memory, total + total / 7, piece);
                        total += piece;
                    }
                    assertThat(submit(device, request)).isEqualTo(BlockStatus.OK);
                    request.read(1024);
                    total = 0;
                    for (long piece : shape) {
                        request.add(memory, SIZE + total + total / 7, piece);
                        total += piece;
                    }
                    assertThat(request.length()).isEqualTo(total);
                    assertThat(submit(device, request)).isEqualTo(BlockStatus.OK);
                    total = 0;
                    for (long piece : shape) {
                        long at = total + total / 7;
                        assertThat(memory.asSlice(at, piece).mismatch(memory.asSlice(SIZE + at, piece)))
                                .isEqualTo(-1);
                        total += piece;
                    }
                }
            }
        }
    }

    @Test
    void joinsPiecesThatGoOn() {
        MemorySegment memory = Arena.ofAuto().allocate(100);
        BlockRequest request = new BlockRequest(completion)
                .read(0)
                .add(memory, 0, 10)
                .add(memory, 10, 20)
                .add(memory, 40, 5);
        assertThat(request.pieces()).isEqualTo(2);
        assertThat(request.pieceLength(0)).isEqualTo(30);
        assertThatThrownBy(() -> request.add(memory, 99, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void tellsWhatWentWrong() throws InterruptedException {
        for (BlockDevice device : devices()) {
            BlockRequest request = new BlockRequest(completion);
            try (device) {
                request.read(SIZE - 1).add(MemorySegment.ofArray(new byte[2]), 0, 2);
                assertThat(submit(device, request)).isEqualTo(BlockStatus.OUT_OF_RANGE);
                assertThat(submit(device, request.discard(-1, 10))).isEqualTo(BlockStatus.OUT_OF_RANGE);
                assertThat(submit(device, request.writeZeroes(0, 512, true))).isEqualTo(BlockStatus.OK);
                assertThat(submit(device, request.flush())).isEqualTo(BlockStatus.OK);
            }
            assertThat(submit(device, request.flush())).isEqualTo(BlockStatus.IO_ERROR);
        }
    }

    @Test
    void aFlushWaitsForTheWritesBeforeItOnly() throws InterruptedException {
        GatedImage image = new GatedImage(directory.resolve("gated.raw"));
        List<Long> order = new ArrayList<>();
        BlockCompletion note = (request, status) -> {
            synchronized (order) {
                order.add(request.tag());
            }
            completed.add(status);
        };
        try (BlockDevice device = BlockDevice.threaded(image, "test-disk", 3)) {
            BlockRequest before = new BlockRequest(note).tag(1).write(GatedImage.GATE);
            before.add(MemorySegment.ofArray(new byte[] {1}), 0, 1);
            device.submit(before);
            device.submit(new BlockRequest(note).tag(2).flush());
            device.submit(new BlockRequest(note).tag(3).flush());
            BlockRequest after = new BlockRequest(note).tag(4).write(100);
            after.add(MemorySegment.ofArray(new byte[] {1}), 0, 1);
            device.submit(after);
            assertThat(completed.poll(10, TimeUnit.SECONDS)).isEqualTo(BlockStatus.OK);
            assertThat(order).containsExactly(4L);
            assertThatThrownBy(() -> device.submit(before)).isInstanceOf(IllegalStateException.class);
            image.gate.countDown();
            for (int i = 0; i < 3; i++) {
                assertThat(completed.poll(10, TimeUnit.SECONDS)).isEqualTo(BlockStatus.OK);
            }
            assertThat(order).startsWith(4L, 1L).contains(2L, 3L);
        }
    }

    @Test
    void manyThreadsSubmitAndClosingWaits() throws InterruptedException {
        BlockDevice device = BlockDevice.threaded(RawImage.create(directory.resolve("busy.raw"), SIZE), "test-disk", 2);
        int each = 500;
        Runnable submitter = () -> {
            for (int i = 0; i < each; i++) {
                BlockRequest request = new BlockRequest(completion);
                if (i % 10 == 0) {
                    request.flush();
                } else {
                    request.write(i * 512L).add(MemorySegment.ofArray(new byte[512]), 0, 512);
                }
                device.submit(request);
            }
        };
        Thread other = new Thread(submitter);
        other.start();
        submitter.run();
        other.join();
        device.close();
        assertThat(completed).hasSize(2 * each).containsOnly(BlockStatus.OK);
    }

    /** Holds writes to one place back. */
    private static final class GatedImage implements BlockImage {
        static final long GATE = 4096;

        private final CountDownLatch gate = new CountDownLatch(1);
        private final RawImage image;

        GatedImage(Path file) {
            image = RawImage.create(file, SIZE);
        }

        @Override
        public Path file() {
            return image.file();
        }

        @Override
        public ImageFormat format() {
            return image.format();
        }

        @Override
        public long size() {
            return image.size();
        }

        @Override
        public boolean readOnly() {
            return false;
        }

        @Override
        public int clusterSize() {
            return image.clusterSize();
        }

        @Override
        public void read(long offset, MemorySegment target) {
            image.read(offset, target);
        }

        @Override
        public void write(long offset, MemorySegment source) {
            if (offset == GATE) {
                try {
                    gate.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            image.write(offset, source);
        }

        @Override
        public void writeZeroes(long offset, long length, boolean unmap) {
            image.writeZeroes(offset, length, unmap);
        }

        @Override
        public void discard(long offset, long length) {
            image.discard(offset, length);
        }

        @Override
        public void flush() {
            image.flush();
        }

        @Override
        public void resize(long newSize) {
            image.resize(newSize);
        }

        @Override
        public long extent(long offset) {
            return image.extent(offset);
        }

        @Override
        public void close() {
            image.close();
        }
    }
}
