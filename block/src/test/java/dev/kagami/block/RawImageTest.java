package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RawImageTest {
    private static final int MEBIBYTE = 1 << 20;

    @TempDir
    private Path directory;

    @Test
    void readsBackWhatWasWrittenAtAnyOffset() throws IOException {
        Path file = directory.resolve("disk.raw");
        byte[] model = new byte[MEBIBYTE + 100];
        long seed = 1;
        Random random = new Random(seed);
        try (RawImage image = RawImage.create(file, model.length)) {
            for (int i = 0; i < 300; i++) {
                int offset = random.nextInt(model.length);
                int length = random.nextInt(Math.min(model.length - offset, 20_000) + 1);
                if (random.nextInt(3) == 0) {
                    image.writeZeroes(offset, length, random.nextBoolean());
                    java.util.Arrays.fill(model, offset, offset + length, (byte) 0);
                } else {
                    byte[] data = new byte[length];
                    random.nextBytes(data);
                    image.write(offset, MemorySegment.ofArray(data));
                    System.arraycopy(data, 0, model, offset, length);
                }
            }
            byte[] back = new byte[model.length];
            image.read(0, MemorySegment.ofArray(back));
            assertThat(back).isEqualTo(model);
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(model);
    }

    @Test
    void transfersToAndFromMemoryOutsideOfTheHeap() {
        try (RawImage image = RawImage.create(directory.resolve("disk.raw"), MEBIBYTE);
                Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(8192);
            memory.asSlice(0, 4096).fill((byte) 7);
            image.write(512, memory.asSlice(0, 4096));
            image.read(512, memory.asSlice(4096, 4096));
            assertThat(memory.asSlice(4096).mismatch(memory.asSlice(0, 4096))).isEqualTo(-1);
        }
    }

    @Test
    void createsSparseAndKeepsHolesWhenZeroing() throws IOException {
        Path file = directory.resolve("sparse.raw");
        try (RawImage image = RawImage.create(file, 64L * MEBIBYTE)) {
            image.writeZeroes(0, 64L * MEBIBYTE, true);
            assertThat(image.size()).isEqualTo(64L * MEBIBYTE);
        }
        Object blocks = blocks(file);
        org.junit.jupiter.api.Assumptions.assumeTrue(blocks != null, "du is not there");
        assertThat((Long) blocks).isLessThan(1024);
    }

    /** Returns the kibibytes that a file takes, or null where nothing tells. */
    private static Object blocks(Path file) {
        QemuImg.Result result = QemuImg.run(List.of("du", "-k", file.toString()));
        return result.status() != 0
                ? null
                : (Object) Long.valueOf(result.output().split("\\s")[0]);
    }

    @Test
    void refusesRangesOutside() {
        try (RawImage image = RawImage.create(directory.resolve("disk.raw"), 1000)) {
            MemorySegment two = MemorySegment.ofArray(new byte[2]);
            assertThatThrownBy(() -> image.read(999, two)).satisfies(e -> code(e, BlockException.Code.OUT_OF_RANGE));
            assertThatThrownBy(() -> image.write(-1, two)).satisfies(e -> code(e, BlockException.Code.OUT_OF_RANGE));
            assertThatThrownBy(() -> image.writeZeroes(0, Long.MAX_VALUE, true))
                    .satisfies(e -> code(e, BlockException.Code.OUT_OF_RANGE));
            assertThatThrownBy(() -> image.discard(Long.MAX_VALUE, 1))
                    .satisfies(e -> code(e, BlockException.Code.OUT_OF_RANGE));
            assertThatThrownBy(() -> image.resize(999)).satisfies(e -> code(e, BlockException.Code.OUT_OF_RANGE));
        }
    }

    @Test
    void growsWithZeros() throws IOException {
        Path file = directory.resolve("disk.raw");
        Files.write(file, new byte[] {1, 2, 3});
        try (RawImage image = RawImage.open(file, true)) {
            image.resize(5);
            byte[] back = new byte[5];
            image.read(0, MemorySegment.ofArray(back));
            assertThat(back).containsExactly(1, 2, 3, 0, 0);
        }
        assertThat(file).hasBinaryContent(new byte[] {1, 2, 3, 0, 0});
    }

    @Test
    void neverWritesWhatWasOpenedReadOnly() throws IOException {
        Path file = directory.resolve("disk.raw");
        Files.write(file, new byte[512]);
        try (RawImage image = RawImage.open(file, false)) {
            MemorySegment data = MemorySegment.ofArray(new byte[] {1});
            assertThatThrownBy(() -> image.write(0, data)).satisfies(e -> code(e, BlockException.Code.READ_ONLY));
            assertThatThrownBy(() -> image.writeZeroes(0, 1, true))
                    .satisfies(e -> code(e, BlockException.Code.READ_ONLY));
            assertThatThrownBy(() -> image.discard(0, 1)).satisfies(e -> code(e, BlockException.Code.READ_ONLY));
            assertThatThrownBy(() -> image.resize(1000)).satisfies(e -> code(e, BlockException.Code.READ_ONLY));
            image.flush();
        }
        assertThat(file).hasBinaryContent(new byte[512]);
    }

    @Test
    void aProbedRawImageCannotBeTurnedIntoAQcow2Image() throws IOException {
        Path file = directory.resolve("disk.raw");
        Files.write(file, new byte[] {'Q', 'F', 0, 0, 0, 0, 0, 0});
        try (RawImage image = RawImage.open(dev.kagami.block.storage.FileStorage.open(file, true), true)) {
            MemorySegment rest = MemorySegment.ofArray(new byte[] {'I', (byte) 0xFB, 0, 1});
            assertThatThrownBy(() -> image.write(2, rest)).satisfies(e -> code(e, BlockException.Code.UNSUPPORTED));
            image.write(3, rest);
        }
        assertThat(file).hasBinaryContent(new byte[] {'Q', 'F', 0, 'I', (byte) 0xFB, 0, 1, 0});
    }

    @Test
    void namesTheFileAndWhatToDoWhenItCannotBeOpened() {
        Path missing = directory.resolve("missing.raw");
        assertThatThrownBy(() -> RawImage.open(missing, true))
                .isInstanceOf(BlockException.class)
                .hasMessageContaining(missing.toString())
                .satisfies(e -> code(e, BlockException.Code.NOT_FOUND));
        assertThatThrownBy(() -> RawImage.open(directory, false))
                .hasMessageContaining("not a regular file")
                .satisfies(e -> code(e, BlockException.Code.UNSUPPORTED));
        RawImage.create(missing, 1).close();
        assertThatThrownBy(() -> RawImage.create(missing, 1))
                .satisfies(e -> code(e, BlockException.Code.ALREADY_EXISTS));
    }

    @Test
    void failsAfterCloseAndClosesTwice() {
        RawImage image = RawImage.create(directory.resolve("disk.raw"), 512);
        image.close();
        image.close();
        assertThatThrownBy(() -> image.read(0, MemorySegment.ofArray(new byte[1])))
                .satisfies(e -> code(e, BlockException.Code.CLOSED));
    }

    private static void code(Throwable thrown, BlockException.Code code) {
        assertThat(((BlockException) thrown).code()).isEqualTo(code);
        assertThat(((BlockException) thrown).hint()).isNotBlank();
    }
}
