package dev.kagami.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockImage;
import dev.kagami.block.CheckReport;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageFormat;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import dev.kagami.block.QemuImg;
import dev.kagami.block.TestDisk;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** QEMU finds nothing wrong with what is written here, and reads the same. */
class WriteForQemuTest {
    private static final int OPERATIONS = 10_000;

    @TempDir
    private Path directory;

    @BeforeEach
    void requireQemu() {
        QemuImg.require();
    }

    @ParameterizedTest
    @CsvSource({
        "2, 65536, 16",
        "2, 512, 16",
        "3, 512, 16",
        "3, 512, 64",
        "3, 4096, 1",
        "3, 4096, 2",
        "3, 4096, 4",
        "3, 65536, 8",
        "3, 65536, 32",
        "3, 2097152, 16"
    })
    void newImagesAreEmptyAndClean(int version, int clusterSize, int refcountBits) {
        for (long size : new long[] {0, 1, 512, 100 << 20, 40L << 30}) {
            if (size > 100 << 20 && clusterSize < 4096) {
                continue;
            }
            Path image = directory.resolve("image" + size + ".qcow2");
            DiskImages.create(
                    image,
                    size,
                    ImageOptions.qcow2()
                            .withVersion(version)
                            .withClusterSize(clusterSize)
                            .withRefcountBits(refcountBits));
            QemuImg.check(image, "new");
            assertThat(QemuImg.must("qemu-img", "info", image.toString()))
                    .contains("(%d bytes)".formatted(size + 511 & -512));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "3, 65536, 16, false",
        "2, 65536, 16, false",
        "3, 512, 64, false",
        "3, 4096, 1, false",
        "3, 65536, 16, true",
        "2, 4096, 16, true",
        "3, 2097152, 8, true"
    })
    void tenThousandRandomOperations(int version, int clusterSize, int refcountBits, boolean backed) {
        long seed = new Random().nextLong();
        System.out.printf(
                "seed %d version %d clusters %d refcounts %d backed %s%n",
                seed, version, clusterSize, refcountBits, backed);
        Path file = directory.resolve("image.qcow2");
        byte[] base = new byte[0];
        int size = 3_000_320;
        ImageOptions options = ImageOptions.qcow2()
                .withVersion(version)
                .withClusterSize(clusterSize)
                .withRefcountBits(refcountBits);
        if (backed) {
            base = TestDisk.contents(seed, 4_000_000);
            TestDisk.raw(directory.resolve("base.raw"), base);
            QemuImg.must(
                    "qemu-img",
                    "create",
                    "-f",
                    "qcow2",
                    "-b",
                    "base.raw",
                    "-F",
                    "raw",
                    "-o",
                    "cluster_size=%d,refcount_bits=%d,compat=%s"
                            .formatted(clusterSize, refcountBits, version == 2 ? "0.10" : "1.1"),
                    file.toString(),
                    Integer.toString(size));
        } else {
            DiskImages.create(file, size, options);
        }
        Model model = new Model(seed, Arrays.copyOf(base, size));
        for (int part = 0; part < 10; part++) {
            try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
                for (int i = 0; i < OPERATIONS / 10; i++) {
                    model.operate(image);
                }
                TestDisk.same(TestDisk.read(image), model.bytes(), "before closing, seed " + seed);
            }
            QemuImg.check(file, "seed " + seed + " part " + part);
        }
        TestDisk.same(TestDisk.read(file), model.bytes(), "seed " + seed);
        Path raw = TestDisk.raw(directory.resolve("model.raw"), model.bytes());
        QemuImg.compare(file, "qcow2", raw, "raw");
        assertThat(DiskImages.check(file, null, CheckReport.Repair.NOTHING).clean())
                .isTrue();
    }

    /** Does the same to an image and to an array. */
    static final class Model {
        private static final int MAX_SIZE = 9_000_000;

        private final Random random;
        private byte[] bytes;

        Model(long seed, byte[] bytes) {
            this.random = new Random(seed);
            this.bytes = bytes;
        }

        byte[] bytes() {
            return bytes;
        }

        void operate(BlockImage image) {
            int kind = random.nextInt(1000);
            if (kind < 2) {
                if (bytes.length < MAX_SIZE) {
                    bytes = Arrays.copyOf(bytes, bytes.length + 512 * (1 + random.nextInt(200)));
                    image.resize(bytes.length);
                }
                return;
            }
            int offset = random.nextInt(bytes.length);
            int length = Math.min(bytes.length - offset, 1 + random.nextInt(1 << random.nextInt(18)));
            if (random.nextBoolean()) {
                offset &= -4096;
                length = Math.min(bytes.length - offset, length + 4095 & -4096);
            }
            if (kind < 600) {
                byte[] data = new byte[length];
                random.nextBytes(data);
                image.write(offset, MemorySegment.ofArray(data));
                System.arraycopy(data, 0, bytes, offset, length);
            } else if (kind < 750) {
                image.writeZeroes(offset, length, random.nextBoolean());
                Arrays.fill(bytes, offset, offset + length, (byte) 0);
            } else if (kind < 850) {
                image.discard(offset, length);
                byte[] after = new byte[length];
                image.read(offset, MemorySegment.ofArray(after));
                for (int i = 0; i < length; i++) {
                    assertThat(after[i] == 0 || after[i] == bytes[offset + i]).isTrue();
                }
                System.arraycopy(after, 0, bytes, offset, length);
            } else if (kind < 990) {
                byte[] back = new byte[length];
                image.read(offset, MemorySegment.ofArray(back));
                assertThat(Arrays.equals(back, 0, length, bytes, offset, offset + length))
                        .isTrue();
            } else {
                image.flush();
            }
        }
    }

    @Test
    void growsTablesOfEveryKind() {
        // With the smallest clusters and the widest refcounts a block counts for 32 KiB, so all tables move often.
        Path file = directory.resolve("image.qcow2");
        DiskImages.create(
                file, 1 << 20, ImageOptions.qcow2().withClusterSize(512).withRefcountBits(64));
        byte[] contents = TestDisk.contents(5, 24 << 20);
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            image.resize(contents.length);
            image.write(0, MemorySegment.ofArray(contents));
            image.resize(100 << 20);
            image.resize(1L << 30);
        }
        QemuImg.check(file, "large tables");
        try (BlockImage image = DiskImages.open(file, OpenOptions.readOnly())) {
            byte[] back = new byte[contents.length];
            image.read(0, MemorySegment.ofArray(back));
            TestDisk.same(back, contents, "large tables");
            assertThat(image.size()).isEqualTo(1L << 30);
            assertThat(image.extent(contents.length)).isEqualTo(contents.length - (1L << 30));
        }
    }

    @Test
    void overlaysReadInQemu() {
        byte[] contents = TestDisk.contents(6, 1 << 20);
        Path base = TestDisk.raw(directory.resolve("base.raw"), contents);
        Path overlay = directory.resolve("overlay.qcow2");
        Overlay.create(overlay, base, ImageFormat.RAW, 2L << 20);
        byte[] changed = Arrays.copyOf(contents, 2 << 20);
        try (BlockImage image = DiskImages.open(overlay, OpenOptions.readWrite())) {
            Arrays.fill(changed, 1000, 2000, (byte) 9);
            image.write(1000, MemorySegment.ofArray(changed).asSlice(1000, 1000));
        }
        QemuImg.check(overlay, "overlay");
        QemuImg.compare(overlay, "qcow2", TestDisk.raw(directory.resolve("wanted.raw"), changed), "raw");
        assertThat(base).hasBinaryContent(contents);
        assertThat(QemuImg.must("qemu-img", "info", overlay.toString())).contains("backing file: base.raw");
    }
}
