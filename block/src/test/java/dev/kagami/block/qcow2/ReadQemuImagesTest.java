package dev.kagami.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.CheckReport;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageInfo;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.QemuImg;
import dev.kagami.block.TestDisk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images made by QEMU read back identical, whatever the options. */
class ReadQemuImagesTest {
    private static final int SIZE = (5 << 20) + 512;

    @TempDir
    private Path directory;

    private final byte[] contents = TestDisk.contents(11, SIZE);

    @BeforeEach
    void requireQemu() {
        QemuImg.require();
    }

    private Path convert(boolean compress, String options) {
        Path raw = directory.resolve("source.raw");
        if (!Files.exists(raw)) {
            TestDisk.raw(raw, contents);
        }
        Path image = directory.resolve("image.qcow2");
        List<String> command =
                new ArrayList<>(List.of("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options));
        if (compress) {
            command.add("-c");
        }
        command.add(raw.toString());
        command.add(image.toString());
        QemuImg.must(command.toArray(String[]::new));
        return image;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "compat=0.10",
                "compat=0.10,cluster_size=512",
                "compat=0.10,cluster_size=2M",
                "compat=1.1",
                "cluster_size=512",
                "cluster_size=4k",
                "cluster_size=16k",
                "cluster_size=128k",
                "cluster_size=2M",
                "refcount_bits=1",
                "refcount_bits=2",
                "refcount_bits=4,cluster_size=512",
                "refcount_bits=8",
                "refcount_bits=32",
                "refcount_bits=64,cluster_size=4k",
                "lazy_refcounts=on",
                "preallocation=metadata",
                "preallocation=full,cluster_size=4k"
            })
    void uncompressed(String options) {
        Path image = convert(false, options);
        TestDisk.same(TestDisk.read(image), contents, options);
        assertClean(image);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "compat=0.10",
                "cluster_size=512",
                "cluster_size=4k",
                "cluster_size=2M",
                "refcount_bits=1",
                "compression_type=zstd",
                "compression_type=zstd,cluster_size=512",
                "compression_type=zstd,cluster_size=4k",
                "compression_type=zstd,cluster_size=2M"
            })
    void compressed(String options) {
        Path image = convert(true, options);
        TestDisk.same(TestDisk.read(image), contents, options);
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readOnly())) {
            // In pieces that don't respect clusters, from several threads.
            List<Thread> threads = new ArrayList<>();
            List<String> failures = java.util.Collections.synchronizedList(new ArrayList<>());
            for (int start : new int[] {0, 700}) {
                threads.add(Thread.ofPlatform().start(() -> {
                    byte[] piece = new byte[1777];
                    for (int at = start; at + piece.length <= 300_000; at += piece.length) {
                        opened.read(at, MemorySegment.ofArray(piece));
                        if (!Arrays.equals(piece, 0, piece.length, contents, at, at + piece.length)) {
                            failures.add("at " + at);
                        }
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(failures).isEmpty();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        assertClean(image);
    }

    private static void assertClean(Path image) {
        CheckReport report = DiskImages.check(image, null, CheckReport.Repair.NOTHING);
        assertThat(report.messages()).isEmpty();
        assertThat(report.clean()).isTrue();
    }

    @Test
    void chainsOfBackingFiles() throws IOException {
        Files.createDirectory(directory.resolve("sub"));
        TestDisk.raw(directory.resolve("base.raw"), Arrays.copyOf(contents, 3 << 20));
        // Each larger than what it stands on; one without a format; relative names.
        QemuImg.must(
                "qemu-img",
                "create",
                "-f",
                "qcow2",
                "-b",
                "../base.raw",
                "-F",
                "raw",
                directory.resolve("sub/one.qcow2").toString(),
                "4M");
        QemuImg.must(
                "qemu-io",
                "-c",
                "write -P 1 1M 100k",
                "-c",
                "write -P 2 3500k 10k",
                "-c",
                "write -z 0 64k",
                directory.resolve("sub/one.qcow2").toString());
        QemuImg.must(
                "qemu-img",
                "create",
                "-f",
                "qcow2",
                "-b",
                "sub/one.qcow2",
                "-F",
                "qcow2",
                "-o",
                "cluster_size=4k",
                directory.resolve("two.qcow2").toString(),
                "4M");
        QemuImg.must(
                "qemu-io",
                "-c",
                "write -P 3 1050k 5k",
                directory.resolve("two.qcow2").toString());
        QemuImg.must(
                "qemu-img",
                "create",
                "-f",
                "qcow2",
                "-b",
                directory.resolve("two.qcow2").toString(),
                "-F",
                "qcow2",
                "-o",
                "compat=0.10",
                directory.resolve("three.qcow2").toString(),
                "5M");
        QemuImg.must(
                "qemu-io",
                "-c",
                "write -P 4 0 1k",
                directory.resolve("three.qcow2").toString());

        byte[] wanted = Arrays.copyOf(Arrays.copyOf(contents, 3 << 20), 5 << 20);
        Arrays.fill(wanted, 1 << 20, (1 << 20) + (100 << 10), (byte) 1);
        Arrays.fill(wanted, 3500 << 10, 3510 << 10, (byte) 2);
        Arrays.fill(wanted, 0, 64 << 10, (byte) 0);
        Arrays.fill(wanted, 1050 << 10, 1055 << 10, (byte) 3);
        Arrays.fill(wanted, 0, 1 << 10, (byte) 4);
        TestDisk.same(TestDisk.read(directory.resolve("three.qcow2")), wanted, "chain");
    }

    @Test
    void refusesWhatItCannotRead() {
        Path image = directory.resolve("image.qcow2");
        QemuImg.must("qemu-img", "create", "-f", "qcow2", "-o", "extended_l2=on", image.toString(), "1M");
        assertRefused(image, "extended L2");
        QemuImg.must(
                "qemu-img",
                "create",
                "-f",
                "qcow2",
                "-o",
                "data_file=" + directory.resolve("data"),
                image.toString(),
                "1M");
        assertRefused(image, "external data file");
        QemuImg.must(
                "qemu-img",
                "create",
                "-f",
                "qcow2",
                "--object",
                "secret,id=s,data=abc",
                "-o",
                "encrypt.format=aes,encrypt.key-secret=s",
                image.toString(),
                "1M");
        assertRefused(image, "encryption");
    }

    private static void assertRefused(Path image, String what) {
        for (OpenOptions options : List.of(OpenOptions.readOnly(), OpenOptions.readWrite())) {
            assertThatThrownBy(() -> DiskImages.open(image, options).close())
                    .isInstanceOf(BlockException.class)
                    .hasMessageContaining(image.toString())
                    .hasMessageContaining(what)
                    .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.UNSUPPORTED));
        }
    }

    @Test
    void keepsInternalSnapshots() {
        Path image = convert(false, "cluster_size=4k");
        QemuImg.must("qemu-img", "snapshot", "-c", "first", image.toString());
        byte[] changed = contents.clone();
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readWrite())) {
            for (int at : new int[] {0, 10_000, 70_001, 4_000_000}) {
                byte[] piece = new byte[9000];
                Arrays.fill(piece, (byte) (at % 100 + 1));
                opened.write(at, MemorySegment.ofArray(piece));
                System.arraycopy(piece, 0, changed, at, piece.length);
            }
            opened.discard(1 << 20, 1 << 20);
            Arrays.fill(changed, 1 << 20, 2 << 20, (byte) 0);
            opened.writeZeroes(3 << 20, 123_456, false);
            Arrays.fill(changed, 3 << 20, (3 << 20) + 123_456, (byte) 0);
            opened.resize(7 << 20);
        }
        QemuImg.check(image, "after writing over a snapshot");
        TestDisk.same(TestDisk.read(image), Arrays.copyOf(changed, 7 << 20), "active");
        ImageInfo info = DiskImages.info(image, null);
        assertThat(info.qcow2().snapshots()).singleElement().satisfies(snapshot -> {
            assertThat(snapshot.name()).isEqualTo("first");
            assertThat(snapshot.diskSize()).isEqualTo(SIZE);
        });
        Path copy = directory.resolve("copy.raw");
        QemuImg.must("qemu-img", "convert", "-l", "first", "-O", "raw", image.toString(), copy.toString());
        TestDisk.same(Arrays.copyOf(TestDisk.read(copy), SIZE), contents, "snapshot");
        assertClean(image);
    }

    @Test
    void clearsTheBitOfBitmapsThatItDoesNotKeep() {
        Path image = convert(false, "cluster_size=4k");
        QemuImg.must("qemu-img", "bitmap", "--add", image.toString(), "backup");
        assertClean(image);
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readWrite())) {
            assertThat(((Qcow2Image) opened).header().autoclear()).isEqualTo(1);
        }
        assertClean(image);
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readWrite())) {
            opened.write(0, MemorySegment.ofArray(new byte[1]));
        }
        try (BlockImage opened = DiskImages.open(image, OpenOptions.readOnly())) {
            assertThat(((Qcow2Image) opened).header().autoclear()).isZero();
        }
        QemuImg.checkAllowingLeaks(image, "bitmap no longer valid");
        DiskImages.check(image, null, CheckReport.Repair.LEAKS);
        QemuImg.check(image, "bitmap's clusters freed");
    }
}
