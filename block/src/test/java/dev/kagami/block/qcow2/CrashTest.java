package dev.kagami.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.ImageOptions;
import dev.kagami.block.QemuImg;
import dev.kagami.block.RawImage;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The power goes, or the process is killed, at any moment: at worst clusters are leaked, and each sector is old or new. */
class CrashTest {
    private static final int SECTOR = 512;
    /** More of them for an hour of fuzzing: -Dkagami.test.crashes=10000. */
    private static final int CRASHES = Integer.getInteger("kagami.test.crashes", 30);

    @TempDir
    private Path directory;

    private Random random = new Random();
    /** For each sector of the disk, what it may hold after a crash; the last is what it holds now. */
    private final List<List<Long>> allowed = new ArrayList<>();

    private long stamp;
    private boolean resizing = true;

    @ParameterizedTest
    @CsvSource({
        "3, 512, 64, false, false",
        "3, 4096, 16, false, false",
        "3, 65536, 16, false, false",
        "2, 4096, 16, true, false",
        "3, 4096, 1, true, false",
        "3, 8192, 8, true, true",
        "3, 512, 16, true, true"
    })
    void losesAtWorstClusters(int version, int clusterSize, int refcountBits, boolean backed, boolean snapshot)
            throws IOException {
        QemuImg.require();
        long seed = new Random().nextLong();
        System.out.printf("seed %d clusters %d refcounts %d%n", seed, clusterSize, refcountBits);
        random = new Random(seed);
        Path file = directory.resolve("crash.qcow2");
        Path base = directory.resolve("base.raw");
        int size = 2 << 20;
        for (int i = 0; i < size / SECTOR; i++) {
            allowed.add(new ArrayList<>(List.of(0L)));
        }
        List<String> create = new ArrayList<>(List.of("qemu-img", "create", "-f", "qcow2", "-o"));
        create.add("compat=%s,cluster_size=%d,refcount_bits=%d"
                .formatted(version == 2 ? "0.10" : "1.1", clusterSize, refcountBits));
        if (backed) {
            MemorySegment contents = MemorySegment.ofArray(new byte[size]);
            for (int i = 0; i < size / SECTOR; i++) {
                fill(contents, i, --stamp);
                allowed.get(i).set(0, stamp);
            }
            Files.write(base, contents.toArray(ValueLayout.JAVA_BYTE));
            create.addAll(List.of("-b", base.toString(), "-F", "raw"));
            stamp = 0;
        }
        create.addAll(List.of(file.toString(), Integer.toString(size)));
        QemuImg.must(create.toArray(String[]::new));
        if (snapshot) {
            CrashStorage storage = new CrashStorage(Files.readAllBytes(file));
            try (BlockImage image = open(storage, backed ? base : null)) {
                for (int i = 0; i < 100; i++) {
                    operate(image);
                }
            }
            storage.force();
            Files.write(file, storage.crash(random));
            QemuImg.must("qemu-img", "snapshot", "-c", "kept", file.toString());
        }
        for (int crash = 0; crash < CRASHES; crash++) {
            String context = "seed %d crash %d".formatted(seed, crash);
            CrashStorage storage = new CrashStorage(Files.readAllBytes(file));
            storage.cutAfter(1 + random.nextInt(1 << random.nextInt(11)));
            try {
                BlockImage image = open(storage, backed ? base : null);
                for (int i = 0; i < 400; i++) {
                    operate(image);
                }
            } catch (CrashStorage.PowerCut e) {
                // Here it ends.
            }
            Files.write(file, storage.crash(random));
            QemuImg.checkAllowingLeaks(file, context);
            CrashStorage after = new CrashStorage(Files.readAllBytes(file));
            Qcow2Check.Result result = Qcow2Check.check(after, Qcow2Check.Repair.NOTHING);
            assertThat(result.messages()).as(context).isEmpty();
            try (BlockImage image = open(after, backed ? base : null)) {
                verify(image, context);
            }
            if (random.nextInt(5) == 0) {
                CrashStorage repaired = new CrashStorage(Files.readAllBytes(file));
                Qcow2Check.check(repaired, Qcow2Check.Repair.LEAKS);
                Files.write(file, repaired.crash(random));
                QemuImg.check(file, context + " repaired");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"512, 64", "4096, 16", "65536, 1"})
    void aFullDiskCostsNothing(int clusterSize, int refcountBits) throws IOException {
        QemuImg.require();
        long seed = new Random().nextLong();
        System.out.printf("seed %d clusters %d%n", seed, clusterSize);
        random = new Random(seed);
        Path file = directory.resolve("full.qcow2");
        int size = 2 << 20;
        DiskImages.create(
                file, size, ImageOptions.qcow2().withClusterSize(clusterSize).withRefcountBits(refcountBits));
        for (int i = 0; i < size / SECTOR; i++) {
            allowed.add(new ArrayList<>(List.of(0L)));
        }
        CrashStorage storage = new CrashStorage(Files.readAllBytes(file));
        int refused = 0;
        // A resize that fails closes the image for writing, for good.
        resizing = false;
        try (BlockImage image = open(storage, null)) {
            for (int i = 0; i < 3000; i++) {
                storage.fill(i % 100 < 50 && random.nextInt(4) == 0);
                try {
                    operate(image);
                } catch (BlockException e) {
                    assertThat(e.code()).isEqualTo(BlockException.Code.NO_SPACE);
                    refused++;
                    lookAgain(image);
                }
            }
            storage.fill(false);
            image.flush();
            verify(image, "seed " + seed);
        }
        assertThat(refused).isPositive();
        storage.force();
        Files.write(file, storage.crash(random));
        QemuImg.checkAllowingLeaks(file, "seed " + seed);
        try (BlockImage image = open(new CrashStorage(Files.readAllBytes(file)), null)) {
            verify(image, "seed " + seed + " read again");
        }
    }

    /** Notes what is on the disk now: a part of what failed may have been done. */
    private void lookAgain(BlockImage image) {
        MemorySegment all = MemorySegment.ofArray(new byte[(int) image.size()]);
        image.read(0, all);
        for (int i = 0; i < allowed.size(); i++) {
            long now = all.get(ValueLayout.JAVA_LONG_UNALIGNED, (long) i * SECTOR);
            assertThat(allowed.get(i)).contains(now);
            allowed.get(i).add(now);
        }
    }

    private static BlockImage open(CrashStorage storage, @Nullable Path base) {
        return Qcow2Image.open(storage, Qcow2Header.read(storage), base == null ? null : RawImage.open(base, false));
    }

    private static void fill(MemorySegment memory, int sector, long value) {
        for (int i = 0; i < SECTOR; i += Long.BYTES) {
            memory.set(ValueLayout.JAVA_LONG_UNALIGNED, (long) sector * SECTOR + i, value);
        }
    }

    private void operate(BlockImage image) {
        int sectors = allowed.size();
        int from = random.nextInt(sectors);
        int count = Math.min(sectors - from, 1 + random.nextInt(1 << random.nextInt(7)));
        switch (random.nextInt(12)) {
            case 0 -> {
                image.flush();
                allowed.forEach(each -> each.subList(0, each.size() - 1).clear());
            }
            case 1, 2 -> {
                allow(from, count, 0);
                image.writeZeroes((long) from * SECTOR, (long) count * SECTOR, random.nextBoolean());
            }
            case 3, 4 -> {
                allow(from, count, 0);
                image.discard((long) from * SECTOR, (long) count * SECTOR);
                MemorySegment now = MemorySegment.ofArray(new byte[count * SECTOR]);
                image.read((long) from * SECTOR, now);
                for (int i = 0; i < count; i++) {
                    allowed.get(from + i).add(now.get(ValueLayout.JAVA_LONG_UNALIGNED, (long) i * SECTOR));
                }
            }
            case 5 -> {
                if (resizing && random.nextInt(20) == 0) {
                    int more = 1 + random.nextInt(200);
                    for (int i = 0; i < more; i++) {
                        allowed.add(new ArrayList<>(List.of(0L)));
                    }
                    image.resize((long) (sectors + more) * SECTOR);
                    allowed.forEach(each -> each.subList(0, each.size() - 1).clear());
                }
            }
            default -> {
                MemorySegment data = MemorySegment.ofArray(new byte[count * SECTOR]);
                long value = ++stamp;
                for (int i = 0; i < count; i++) {
                    fill(data, i, value);
                }
                allow(from, count, value);
                image.write((long) from * SECTOR, data);
            }
        }
    }

    private void allow(int from, int count, long value) {
        for (int i = from; i < from + count; i++) {
            allowed.get(i).add(value);
        }
    }

    /** Looks at every sector, and goes on from what is there. */
    private void verify(BlockImage image, String context) {
        int sectors = (int) (image.size() / SECTOR);
        // A resize that didn't make it.
        assertThat(sectors).isLessThanOrEqualTo(allowed.size());
        allowed.subList(sectors, allowed.size()).clear();
        MemorySegment all = MemorySegment.ofArray(new byte[sectors * SECTOR]);
        image.read(0, all);
        for (int sector = 0; sector < sectors; sector++) {
            long value = all.get(ValueLayout.JAVA_LONG_UNALIGNED, (long) sector * SECTOR);
            for (int i = 0; i < SECTOR; i += Long.BYTES) {
                if (all.get(ValueLayout.JAVA_LONG_UNALIGNED, (long) sector * SECTOR + i) != value) {
                    throw new AssertionError("%s: sector %d is torn".formatted(context, sector));
                }
            }
            if (!allowed.get(sector).contains(value)) {
                throw new AssertionError(
                        "%s: sector %d holds %d, not one of %s".formatted(context, sector, value, allowed.get(sector)));
            }
            allowed.get(sector).clear();
            allowed.get(sector).add(value);
        }
    }
}
