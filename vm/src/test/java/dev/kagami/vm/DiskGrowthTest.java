package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class DiskGrowthTest {
    private static final long MEBIBYTE = 1 << 20;

    @TempDir
    private Path directory;

    private void run(Disk disk) throws Exception {
        Path kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.POWER_OFF);
        try (VirtualMachine machine = VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel))
                .memory(MemorySize.ofMebibytes(16))
                .disk(disk))) {
            machine.start();
            assertThat(machine.awaitShutdown()).isEqualTo(new Outcome.PoweredOff());
        }
    }

    private Path image(DiskImage.Format format) {
        Path file = directory.resolve("disk." + format);
        DiskImage.create(file, MEBIBYTE, DiskImage.Options.of(format));
        return file;
    }

    private static long size(Path file) {
        return DiskImage.info(file, null).size();
    }

    @Test
    void aDiskGrowsAtStartWithItsImage() throws Exception {
        for (DiskImage.Format format : DiskImage.Format.values()) {
            Path image = image(format);
            run(Disk.of(image).grownTo(3 * MEBIBYTE));
            assertThat(size(image)).isEqualTo(3 * MEBIBYTE);
            run(Disk.of(image).grownTo(3 * MEBIBYTE));
            assertThat(DiskImage.check(image, format, DiskImage.Repair.NOTHING).clean())
                    .isTrue();
        }
    }

    @Test
    void aTemporaryDiskGrowsWithoutItsImage() throws Exception {
        Path image = image(DiskImage.Format.QCOW2);
        run(Disk.temporary(image).grownTo(3 * MEBIBYTE));
        assertThat(size(image)).isEqualTo(MEBIBYTE);
    }

    @Test
    void aDiskThatWouldShrinkOrCanOnlyBeReadIsRefused() {
        Path image = image(DiskImage.Format.QCOW2);
        assertRefused(Disk.of(image).grownTo(MEBIBYTE / 2), ErrorCode.DISK_UNUSABLE, image);
        assertRefused(Disk.readOnly(image).grownTo(2 * MEBIBYTE), ErrorCode.INVALID_CONFIGURATION, image);
        assertThat(size(image)).isEqualTo(MEBIBYTE);
    }

    private void assertRefused(Disk disk, ErrorCode code, Path image) {
        Refusals.refused(code, () -> run(disk), image);
    }
}
