package dev.kagami.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.kagami.block.BackingPolicy;
import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import dev.kagami.block.QemuImg;
import dev.kagami.block.TestDisk;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is in a file: an answer or a BlockException, soon. */
class HostileImageTest {
    private static final int ROUNDS = Integer.getInteger("kagami.test.mutations", 1500);
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    private Path directory;

    private List<byte[]> victims() throws IOException {
        Path raw = TestDisk.raw(directory.resolve("source.raw"), TestDisk.contents(3, 300_000));
        List<byte[]> victims = new ArrayList<>();
        for (ImageOptions options : List.of(
                ImageOptions.qcow2().withClusterSize(512),
                ImageOptions.qcow2().withVersion(2).withClusterSize(4096),
                ImageOptions.qcow2().withClusterSize(4096).withCompression(dev.kagami.block.Compression.ZLIB),
                ImageOptions.qcow2().withRefcountBits(1))) {
            Path file = directory.resolve("victim%d.qcow2".formatted(victims.size()));
            DiskImages.convert(raw, null, file, options, dev.kagami.block.Progress.NONE);
            victims.add(Files.readAllBytes(file));
        }
        return victims;
    }

    @Test
    void mutatedImagesAnswerOrFailCleanly() throws IOException {
        long seed = new Random().nextLong();
        System.out.println("seed " + seed);
        List<byte[]> victims = victims();
        if (snapshotVictim() != null) {
            victims.add(snapshotVictim());
        }
        int[] opened = new int[2];
        for (int round = 0; round < ROUNDS; round++) {
            Random random = new Random(seed + round);
            byte[] image = mutate(victims.get(random.nextInt(victims.size())), random);
            assertTimeoutPreemptively(
                    SOON, () -> use(image, random, opened), "seed %d round %d".formatted(seed, round));
        }
        // Otherwise this would test nothing but the header's checks.
        assertThat(opened[0]).isGreaterThan(ROUNDS / 10);
        assertThat(opened[1]).isGreaterThan(ROUNDS / 10);
    }

    private byte[] snapshotVictim() throws IOException {
        Path file = directory.resolve("victim0.qcow2");
        try {
            QemuImg.require();
        } catch (RuntimeException e) {
            return null;
        }
        QemuImg.must("qemu-img", "snapshot", "-c", "one", file.toString());
        return Files.readAllBytes(file);
    }

    private static byte[] mutate(byte[] victim, Random random) {
        ByteBuffer image = ByteBuffer.wrap(victim.clone());
        long[] tables = {
            0, image.getLong(40), image.getLong(48), image.getLong(64), l2(image, random), block(image, random)
        };
        int times = 1 + random.nextInt(3);
        for (int i = 0; i < times; i++) {
            int table = (int) tables[random.nextInt(tables.length)];
            int at = table == 0 ? random.nextInt(16) * 8 : table + 8 * random.nextInt(32);
            if (at < 0 || at > victim.length - 8) {
                continue;
            }
            long old = image.getLong(at);
            image.putLong(
                    at,
                    switch (random.nextInt(8)) {
                        case 0 -> random.nextLong();
                        case 1 -> old ^ 1L << random.nextInt(64);
                        case 2 -> 0;
                        case 3 -> -1;
                        case 4 -> old + random.nextInt(9) - 4;
                        case 5 ->
                            tables[random.nextInt(tables.length)] | (random.nextBoolean() ? Qcow2Format.COPIED : 0);
                        case 6 -> 1L << random.nextInt(64);
                        default -> old & 0xFFFF_FFFFL | (long) random.nextInt(100) << 32;
                    });
        }
        return random.nextInt(20) == 0
                ? java.util.Arrays.copyOf(image.array(), random.nextInt(victim.length))
                : image.array();
    }

    private static long l2(ByteBuffer image, Random random) {
        int l1 = (int) image.getLong(40);
        return image.getLong(l1 + 8 * random.nextInt(Math.max(1, image.getInt(36)))) & Qcow2Format.OFFSET_MASK;
    }

    private static long block(ByteBuffer image, Random random) {
        return image.getLong((int) image.getLong(48) + 8 * random.nextInt(2));
    }

    private static void use(byte[] bytes, Random random, int[] opened) {
        tolerate(() -> Qcow2Check.check(new CrashStorage(bytes), Qcow2Check.Repair.NOTHING));
        tolerate(() -> {
            try (BlockImage image = open(new CrashStorage(bytes))) {
                opened[0]++;
                work(image, random);
            }
        });
        CrashStorage repaired = new CrashStorage(bytes);
        tolerate(() -> Qcow2Check.check(repaired, Qcow2Check.Repair.ALL));
        tolerate(() -> {
            try (BlockImage image = open(repaired)) {
                opened[1]++;
                work(image, random);
            }
        });
    }

    private static BlockImage open(CrashStorage storage) {
        Qcow2Header header = Qcow2Header.read(storage);
        return Qcow2Image.open(storage, header, null);
    }

    private static void work(BlockImage image, Random random) {
        byte[] piece = new byte[20_000];
        for (int i = 0; i < 20; i++) {
            long offset = random.nextLong(Math.max(1, image.size()));
            if (random.nextInt(4) > 0) {
                offset %= 300_000;
            }
            long start = offset;
            MemorySegment memory =
                    MemorySegment.ofArray(piece).asSlice(0, Math.max(0, Math.min(piece.length, image.size() - start)));
            switch (random.nextInt(8)) {
                case 0, 1, 2 -> tolerate(() -> image.read(start, memory));
                case 3, 4 -> tolerate(() -> image.write(start, memory));
                case 5 -> tolerate(() -> image.writeZeroes(start, memory.byteSize(), random.nextBoolean()));
                case 6 -> tolerate(() -> image.discard(start, memory.byteSize()));
                default -> tolerate(image::flush);
            }
        }
        tolerate(() -> image.resize(image.size() + 1_000_000));
    }

    private static void tolerate(Runnable action) {
        try {
            action.run();
        } catch (BlockException e) {
            assertThat(e.getMessage()).contains("crash.qcow2");
            assertThat(e.hint()).isNotBlank();
        }
    }

    private Path image(Consumer<ByteBuffer> change) throws IOException {
        Path file = directory.resolve("hostile.qcow2");
        Files.deleteIfExists(file);
        DiskImages.create(file, 1 << 20, ImageOptions.qcow2().withClusterSize(4096));
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        change.accept(bytes);
        return Files.write(file, bytes.array());
    }

    private void assertRefused(Path file, BlockException.Code code, String reason, boolean writable) {
        OpenOptions options = writable ? OpenOptions.readWrite() : OpenOptions.readOnly();
        assertThatThrownBy(() -> DiskImages.open(file, options).close())
                .isInstanceOf(BlockException.class)
                .hasMessageContaining(file.getFileName().toString())
                .hasMessageContaining(reason)
                .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(code));
    }

    @Test
    void headersThatMakeNoSenseAreRefusedWithTheReason() throws IOException {
        BlockException.Code invalid = BlockException.Code.INVALID_IMAGE;
        BlockException.Code unsupported = BlockException.Code.UNSUPPORTED;
        assertRefused(image(b -> b.putInt(4, 4)), unsupported, "version 4", false);
        assertRefused(image(b -> b.putInt(20, 31)), invalid, "clusters of 2^31", false);
        assertRefused(image(b -> b.putInt(20, 8)), invalid, "clusters of 2^8", false);
        assertRefused(image(b -> b.putInt(36, Integer.MAX_VALUE)), invalid, "L1 table", false);
        assertRefused(image(b -> b.putInt(36, 0)), invalid, "L1 table", false);
        assertRefused(image(b -> b.putLong(40, 1L << 60)), invalid, "L1 table", false);
        assertRefused(image(b -> b.putLong(40, 4097)), invalid, "L1 table", false);
        assertRefused(image(b -> b.putLong(24, Long.MAX_VALUE)), invalid, "a disk of", false);
        assertRefused(image(b -> b.putLong(24, -1)), invalid, "a disk of", false);
        assertRefused(image(b -> b.putInt(56, Integer.MAX_VALUE)), invalid, "refcount table", false);
        assertRefused(image(b -> b.putInt(96, 7)), invalid, "refcounts of 2^7", false);
        assertRefused(image(b -> b.putInt(100, 105)), invalid, "header of 105", false);
        assertRefused(image(b -> b.putInt(60, -1)), invalid, "snapshots", false);
        assertRefused(image(b -> b.putInt(112, 0x12345678).putInt(116, -8)), invalid, "header extension", false);
        assertRefused(image(b -> b.putLong(8, 4090).putInt(16, 100)), invalid, "backing file name", false);
        assertRefused(image(b -> b.putLong(72, 1L << 40)), unsupported, "feature 40", false);
        assertRefused(image(b -> b.put(104, (byte) 1)), invalid, "compression type", false);
        assertRefused(image(b -> b.put(104, (byte) 9).putLong(72, 8)), unsupported, "compression type 9", false);
    }

    @Test
    void damagedImagesAreReadButNotWritten() throws IOException {
        BlockException.Code corrupt = BlockException.Code.CORRUPT;
        Path marked = image(b -> b.putLong(72, Qcow2Format.INCOMPATIBLE_CORRUPT));
        assertRefused(marked, corrupt, "marked as damaged", true);
        DiskImages.open(marked, OpenOptions.readOnly()).close();
        // The L1 table is where the refcount table is.
        Path overlapping = image(b -> b.putLong(40, b.getLong(48)));
        assertRefused(overlapping, corrupt, "overlaps", true);
        DiskImages.open(overlapping, OpenOptions.readOnly()).close();
    }

    @Test
    void anEntryThatPointsToATableIsNeverWrittenThrough() throws IOException {
        Path file = image(b -> {});
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            image.write(0, MemorySegment.ofArray(new byte[] {1}));
        }
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        int l2 = (int) (bytes.getLong((int) bytes.getLong(40)) & Qcow2Format.OFFSET_MASK);
        for (long target : new long[] {0x1000, 1L << 50, l2}) {
            bytes.putLong(l2, target | Qcow2Format.COPIED);
            Files.write(file, bytes.array());
            byte[] before = bytes.array().clone();
            try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
                assertThatThrownBy(() -> image.write(0, MemorySegment.ofArray(new byte[] {1})))
                        .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.CORRUPT));
                assertThatThrownBy(() -> image.write(8192, MemorySegment.ofArray(new byte[] {1})))
                        .hasMessageContaining("earlier");
            }
            // Only the mark that it is damaged was added.
            byte[] after = Files.readAllBytes(file);
            assertThat(after[79]).isEqualTo((byte) Qcow2Format.INCOMPATIBLE_CORRUPT);
            after[79] = before[79];
            assertThat(after).isEqualTo(before);
        }
    }

    @Test
    void chainsThatNeverEndAreRefused() throws IOException {
        Path one = directory.resolve("one.qcow2");
        Path two = directory.resolve("two.qcow2");
        DiskImages.create(two, 1 << 20, ImageOptions.qcow2());
        Overlay.create(one, two, null, null);
        Files.delete(two);
        Path three = directory.resolve("three.qcow2");
        DiskImages.create(three, 1 << 20, ImageOptions.qcow2());
        Files.move(three, two);
        Files.delete(two);
        // Its backing file is the other's overlay now.
        Files.copy(one, directory.resolve("copy"));
        byte[] bytes = Files.readAllBytes(one);
        Files.write(
                two,
                new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1)
                        .replace("two.qcow2", "one.qcow2")
                        .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
        assertRefused(one, BlockException.Code.BACKING_FILE, "its own backing file", false);
        assertRefused(one, BlockException.Code.BACKING_FILE, "its own backing file", true);
        Files.delete(two);
        assertRefused(one, BlockException.Code.BACKING_FILE, "two.qcow2", false);

        Path previous = directory.resolve("chain0.qcow2");
        DiskImages.create(previous, 1 << 20, ImageOptions.qcow2());
        for (int i = 1; i <= 63; i++) {
            Path next = directory.resolve("chain%d.qcow2".formatted(i));
            Overlay.create(next, previous, null, null);
            previous = next;
        }
        Path longest = previous;
        DiskImages.open(longest, OpenOptions.readOnly()).close();
        Path tooLong = directory.resolve("chain64.qcow2");
        Files.write(
                tooLong,
                new String(Files.readAllBytes(longest), java.nio.charset.StandardCharsets.ISO_8859_1)
                        .replace("chain62.qcow2", "chain63.qcow2")
                        .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
        assertRefused(tooLong, BlockException.Code.BACKING_FILE, "more than 64", false);
    }

    @Test
    void backingFilesElsewhereCanBeRefused() throws IOException {
        Path secret = TestDisk.raw(directory.resolve("secret"), new byte[512]);
        Path file = directory.resolve("overlay.qcow2");
        Overlay.create(file, secret, null, null);
        assertThatThrownBy(() -> DiskImages.open(file, OpenOptions.readOnly().withBacking(BackingPolicy.REFUSE)))
                .hasMessageContaining("secret")
                .satisfies(e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.BACKING_FILE));
        for (String name : List.of("json:{\"file\":1}", "nbd://host/", "a\0b")) {
            Path odd = image(b -> b.putLong(8, 2000).putInt(16, name.length()).put(2000, name.getBytes()));
            assertThatThrownBy(() -> DiskImages.open(odd, OpenOptions.readOnly()))
                    .isInstanceOf(BlockException.class);
        }
    }

    @Test
    void aDirtyImageIsRepairedBeforeItIsWritten() throws IOException {
        Path file = image(b -> {});
        byte[] contents = TestDisk.contents(8, 1 << 20);
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            image.write(0, MemorySegment.ofArray(contents));
        }
        // As a program with lazy refcounts leaves it when it is killed: no refcounts for what was written.
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file));
        int block = (int) bytes.getLong((int) bytes.getLong(48));
        for (int i = 5; i < 100; i++) {
            bytes.putShort(block + 2 * i, (short) 0);
        }
        bytes.putShort(block + 2 * 600, (short) 1);
        bytes.putLong(72, Qcow2Format.INCOMPATIBLE_DIRTY).putLong(80, Qcow2Format.COMPATIBLE_LAZY_REFCOUNTS);
        Files.write(file, bytes.array());
        TestDisk.same(TestDisk.read(file), contents, "read-only");
        assertThat(file).hasBinaryContent(bytes.array());
        try (BlockImage image = DiskImages.open(file, OpenOptions.readWrite())) {
            image.write(0, MemorySegment.ofArray(new byte[10_000]));
            java.util.Arrays.fill(contents, 0, 10_000, (byte) 0);
            TestDisk.same(TestDisk.read(image), contents, "repaired");
        }
        assertThat(DiskImages.info(file, null).qcow2().dirty()).isFalse();
        QemuImg.require();
        QemuImg.check(file, "repaired");
    }
}
