package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DiskImagesTest {
    private static final int SIZE = 4_500_480;

    @TempDir
    private Path directory;

    private final byte[] contents = TestDisk.contents(21, SIZE);

    @ParameterizedTest
    @CsvSource({
        "NONE, 65536, 3",
        "NONE, 512, 2",
        "ZLIB, 65536, 3",
        "ZLIB, 4096, 2",
        "ZLIB, 2097152, 3",
        "ZSTD, 65536, 3",
        "ZSTD, 512, 3",
        "ZSTD, 4096, 3",
        "ZSTD, 2097152, 3"
    })
    void convertsThereAndBack(Compression compression, int clusterSize, int version) throws IOException {
        Path raw = TestDisk.raw(directory.resolve("source.raw"), contents);
        Path image = directory.resolve("image.qcow2");
        List<Long> progress = new ArrayList<>();
        ImageOptions options = ImageOptions.qcow2()
                .withCompression(compression)
                .withClusterSize(clusterSize)
                .withVersion(version);
        DiskImages.convert(raw, ImageFormat.RAW, image, options, (done, total) -> {
            assertThat(total).isEqualTo(SIZE);
            progress.add(done);
        });
        assertThat(progress).isSorted().endsWith((long) SIZE);
        TestDisk.same(TestDisk.read(image), contents, "qcow2");
        assertThat(DiskImages.check(image, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();
        if (compression != Compression.NONE && clusterSize <= 65536) {
            assertThat(Files.size(image)).isLessThan(SIZE / 2);
        }
        Path back = directory.resolve("back.raw");
        DiskImages.convert(image, null, back, ImageOptions.raw(), Progress.NONE);
        TestDisk.same(Files.readAllBytes(back), contents, "raw");
        if (compression != Compression.NONE) {
            overwriteCompressed(image);
        }
        QemuImg.require();
        QemuImg.check(image, "converted");
        QemuImg.compare(image, "qcow2", TestDisk.raw(raw, contents), "raw");
    }

    private void overwriteCompressed(Path image) {
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readWrite())) {
            for (int at = 100_000; at < SIZE - 10_000; at += 377_777) {
                byte[] piece = new byte[5000];
                Arrays.fill(piece, (byte) at);
                opened.write(at, MemorySegment.ofArray(piece));
                System.arraycopy(piece, 0, contents, at, piece.length);
            }
        }
        TestDisk.same(TestDisk.read(image), contents, "written over");
        assertThat(DiskImages.check(image, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();
    }

    @Test
    void convertingFlattensChainsAndKeepsHoles() throws IOException {
        Path base = TestDisk.raw(directory.resolve("base.raw"), Arrays.copyOf(contents, 1 << 20));
        Path overlay = directory.resolve("overlay.qcow2");
        Overlay.create(overlay, base, null, 1L << 40);
        try (BlockImage image = DiskImages.open(overlay, OpenOptions.readWrite())) {
            image.write((1L << 40) - 512, MemorySegment.ofArray(new byte[] {7}));
        }
        Path flat = directory.resolve("flat.qcow2");
        DiskImages.convert(overlay, null, flat, ImageOptions.qcow2(), Progress.NONE);
        assertThat(DiskImages.info(flat, null).qcow2().backingFile()).isNull();
        assertThat(Files.size(flat)).isLessThan(4 << 20);
        Path raw = directory.resolve("flat.raw");
        DiskImages.convert(flat, null, raw, ImageOptions.raw(), Progress.NONE);
        assertThat(Files.size(raw)).isEqualTo(1L << 40);
        try (BlockImage image = DiskImages.open(raw, OpenOptions.readOnly())) {
            byte[] piece = new byte[1 << 20];
            image.read(0, MemorySegment.ofArray(piece));
            TestDisk.same(piece, Arrays.copyOf(contents, 1 << 20), "start");
            image.read((1L << 40) - 512, MemorySegment.ofArray(piece).asSlice(0, 1));
            assertThat(piece[0]).isEqualTo((byte) 7);
        }
    }

    @Test
    void aConversionThatFailsLeavesNothing() {
        Path raw = TestDisk.raw(directory.resolve("source.raw"), contents);
        Path target = directory.resolve("image.qcow2");
        IllegalStateException stop = new IllegalStateException("enough");
        assertThatThrownBy(() -> DiskImages.convert(raw, null, target, ImageOptions.qcow2(), (done, total) -> {
                    throw stop;
                }))
                .isSameAs(stop);
        assertThat(target).doesNotExist();
        assertThatThrownBy(() -> DiskImages.convert(raw, null, raw, ImageOptions.qcow2(), Progress.NONE))
                .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.ALREADY_EXISTS));
        assertThat(raw).hasBinaryContent(contents);
    }

    @Test
    void tellsWhatAnImageIs() throws IOException {
        Path base = TestDisk.raw(directory.resolve("base \"1\".raw"), new byte[5000]);
        Path overlay = directory.resolve("overlay.qcow2");
        Overlay.create(overlay, base, null, null);
        byte[] before = Files.readAllBytes(overlay);
        ImageInfo info = DiskImages.info(overlay, null);
        assertThat(info.format()).isEqualTo(ImageFormat.QCOW2);
        assertThat(info.size()).isEqualTo(5120);
        assertThat(info.qcow2().backingFile()).isEqualTo("base \"1\".raw");
        assertThat(info.qcow2().backingFormat()).isEqualTo("raw");
        assertThat(info.text()).contains("format: qcow2", "disk size: 5 KiB (5120 bytes)", "backing file: base \"1\"");
        assertThat(info.json())
                .contains("\"format\":\"qcow2\",\"size\":5120,", "\"backingFile\":\"base \\\"1\\\".raw\"")
                .endsWith("\"snapshots\":[]}");
        ImageInfo rawInfo = DiskImages.info(base, null);
        assertThat(rawInfo.qcow2()).isNull();
        assertThat(rawInfo.json()).endsWith("\"format\":\"raw\",\"size\":5000,\"fileSize\":5000}");
        assertThat(overlay).hasBinaryContent(before);
    }

    @Test
    void readingNeverChangesAFile() throws IOException {
        Path file = directory.resolve("image.qcow2");
        DiskImages.create(file, 1 << 20, ImageOptions.qcow2());
        byte[] before = Files.readAllBytes(file);
        try (BlockImage image = DiskImages.open(file, OpenOptions.readOnly())) {
            TestDisk.read(image);
            assertThatThrownBy(() -> image.write(0, MemorySegment.ofArray(new byte[1])))
                    .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.READ_ONLY));
            assertThatThrownBy(() -> image.discard(0, 1)).isInstanceOf(BlockException.class);
            assertThatThrownBy(() -> image.resize(2 << 20)).isInstanceOf(BlockException.class);
            image.flush();
        }
        assertThat(file).hasBinaryContent(before);
        // Opened for writing, but not written.
        DiskImages.open(file, OpenOptions.readWrite()).close();
        assertThat(file).hasBinaryContent(before);
    }

    @Test
    void resizesBothFormatsAndRefusesToShrink() {
        for (ImageOptions options : List.of(ImageOptions.raw(), ImageOptions.qcow2())) {
            Path file = directory.resolve("image." + options.format());
            DiskImages.create(file, 1 << 20, options);
            DiskImages.resize(file, null, 3 << 20);
            assertThat(DiskImages.info(file, null).size()).isEqualTo(3 << 20);
            assertThatThrownBy(() -> DiskImages.resize(file, null, 2 << 20))
                    .hasMessageContaining("can't be shrunk")
                    .satisfies(
                            e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.OUT_OF_RANGE));
            assertThat(DiskImages.info(file, null).size()).isEqualTo(3 << 20);
        }
    }

    @Test
    void aLargerBaseNeverShowsInAnOverlayThatGrows() {
        Path base = TestDisk.raw(directory.resolve("base.raw"), contents);
        Path overlay = directory.resolve("overlay.qcow2");
        Overlay.create(overlay, base, null, null);
        Path small = directory.resolve("small.qcow2");
        DiskImages.create(small, 100 * 512, ImageOptions.qcow2(), "base.raw", ImageFormat.RAW);
        DiskImages.resize(small, null, SIZE + 51_200);
        byte[] wanted = Arrays.copyOf(Arrays.copyOf(contents, 51_200), SIZE + 51_200);
        TestDisk.same(TestDisk.read(small), wanted, "grown");
    }

    @Test
    void findsLeaksAndErrorsAndRepairsThem() throws IOException {
        Path file = directory.resolve("image.qcow2");
        DiskImages.create(file, 4 << 20, ImageOptions.qcow2().withClusterSize(4096));
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            image.write(0, MemorySegment.ofArray(contents).asSlice(0, 4 << 20));
        }
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        int block = (int) bytes.getLong((int) bytes.getLong(48));
        bytes.putShort(block + 2 * 2000, (short) 3);
        bytes.putShort(block + 2 * 2001, (short) 1);
        Files.write(file, bytes.array());
        CheckReport leaks = DiskImages.check(file, null, CheckReport.Repair.NOTHING);
        assertThat(leaks.leaks()).isEqualTo(2);
        assertThat(leaks.errors()).isZero();
        assertThat(leaks.clean()).isFalse();
        assertThat(DiskImages.check(file, null, CheckReport.Repair.LEAKS).repairedLeaks())
                .isEqualTo(2);
        assertThat(DiskImages.check(file, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();

        bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        bytes.putShort(block + 2 * 20, (short) 0);
        // Whatever there is in the file from 8 MiB on, no block counts for it.
        bytes.putLong((int) bytes.getLong(48), 0);
        Files.write(file, bytes.array());
        CheckReport errors = DiskImages.check(file, null, CheckReport.Repair.NOTHING);
        assertThat(errors.errors()).isPositive();
        assertThat(errors.messages()).isNotEmpty();
        CheckReport repaired = DiskImages.check(file, null, CheckReport.Repair.ALL);
        assertThat(repaired.errors()).isZero();
        assertThat(repaired.repairedErrors()).isPositive();
        assertThat(DiskImages.check(file, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();
        TestDisk.same(TestDisk.read(file), Arrays.copyOf(contents, 4 << 20), "repaired");
        QemuImg.require();
        QemuImg.check(file, "repaired");
    }

    @Test
    void manyTemporaryOverlaysShareABase() throws IOException {
        Path base = TestDisk.raw(directory.resolve("base.raw"), contents);
        Path space = Files.createDirectory(directory.resolve("space"));
        BlockImage shared = DiskImages.open(base, OpenOptions.readOnly());
        List<BlockImage> overlays = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            overlays.add(
                    i % 2 == 0
                            ? Overlay.temporary(base, OpenOptions.readWrite(), space)
                            : Overlay.temporary(Overlay.shared(shared), space));
        }
        for (int i = 0; i < overlays.size(); i++) {
            byte[] piece = new byte[1000];
            Arrays.fill(piece, (byte) (i + 1));
            overlays.get(i).write(12_345L * i, MemorySegment.ofArray(piece));
            overlays.get(i).flush();
        }
        for (int i = 0; i < overlays.size(); i++) {
            byte[] wanted = Arrays.copyOf(contents, SIZE);
            Arrays.fill(wanted, 12_345 * i, 12_345 * i + 1000, (byte) (i + 1));
            TestDisk.same(TestDisk.read(overlays.get(i)), wanted, "overlay " + i);
            overlays.get(i).close();
        }
        shared.close();
        assertThat(base).hasBinaryContent(contents);
        try (Stream<Path> left = Files.list(space)) {
            assertThat(left).isEmpty();
        }
        // Nobody holds a lock any more.
        DiskImages.open(base, OpenOptions.readWrite()).close();
        try (BlockImage writable = DiskImages.open(base, OpenOptions.readWrite())) {
            assertThatThrownBy(() -> Overlay.temporary(writable, space)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Overlay.temporary(base, OpenOptions.readOnly(), space))
                    .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.LOCKED));
        }
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        assertThatThrownBy(() -> ImageOptions.qcow2().withClusterSize(1000)).hasMessageContaining("1000");
        assertThatThrownBy(() -> ImageOptions.qcow2().withRefcountBits(3)).isInstanceOf(BlockException.class);
        assertThatThrownBy(() -> ImageOptions.qcow2().withVersion(4)).isInstanceOf(BlockException.class);
        assertThatThrownBy(() -> ImageOptions.raw().withCompression(Compression.ZLIB))
                .isInstanceOf(BlockException.class);
        assertThatThrownBy(() -> DiskImages.create(
                        directory.resolve("huge"),
                        1L << 60,
                        ImageOptions.qcow2().withClusterSize(512)))
                .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.OUT_OF_RANGE));
    }
}
