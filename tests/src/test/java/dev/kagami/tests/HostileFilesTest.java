package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.ResetPolicy;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are no good: the error names the file and what to do, or the guest finds out by itself. */
@Timeout(180)
final class HostileFilesTest {
    @TempDir
    private Path directory;

    private static KagamiException refusal(LinuxBoot boot, MemorySize memory) {
        try (SerialSession guest = SerialSession.start(c -> c.linux(boot).memory(memory))) {
            throw new AssertionError("it started: " + guest.output());
        } catch (KagamiException e) {
            assertThat(e.hint()).isNotBlank();
            return e;
        }
    }

    private static KagamiException refusal(Path kernel) {
        return refusal(new LinuxBoot(kernel, null, "console=ttyS0"), MemorySize.ofMebibytes(256));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 100, 0x1F1, 0x202, 0x240, 0x268, 512, 1024, 4096, 65536, 4_000_000})
    void aTruncatedKernelIsRefused(int length) throws Exception {
        byte[] image = Files.readAllBytes(Guests.cloud().kernel());
        Path kernel = Files.write(directory.resolve("short-vmlinuz"), Arrays.copyOf(image, length));
        KagamiException refused = refusal(kernel);
        assertThat(refused.code()).isEqualTo(ErrorCode.KERNEL_UNUSABLE);
        assertThat(refused).hasMessageContaining("short-vmlinuz");
    }

    @Test
    void whatIsNoKernelIsRefused() throws Exception {
        Path text = Files.writeString(directory.resolve("notes.txt"), "not a kernel\n".repeat(1000));
        assertThat(refusal(text)).hasMessageContaining("notes.txt");
        assertThat(refusal(directory).code()).isEqualTo(ErrorCode.FILE_UNREADABLE);
        assertThat(refusal(directory.resolve("none"))).hasMessageContaining("no such file");
        Path zeros = directory.resolve("zeros");
        try (RandomAccessFile file = new RandomAccessFile(zeros.toFile(), "rw")) {
            file.setLength(3L << 30);
        }
        assertThat(refusal(zeros).code()).isEqualTo(ErrorCode.KERNEL_UNUSABLE);
    }

    @Test
    void aFileWithoutPermissionIsRefused() throws Exception {
        Path kernel = Files.writeString(directory.resolve("secret"), "x");
        Files.setPosixFilePermissions(kernel, PosixFilePermissions.fromString("---------"));
        assumeFalse(Files.isReadable(kernel), "root may read everything");
        assertThat(refusal(kernel)).hasMessageContaining("secret").hasMessageContaining("permission");
    }

    @Test
    void aHugeCommandLineIsRefused() {
        LinuxBoot cloud = Guests.cloud();
        for (int length : new int[] {2048, 100_000, 50_000_000}) {
            LinuxBoot boot = new LinuxBoot(cloud.kernel(), cloud.initrd(), "x".repeat(length));
            KagamiException refused = refusal(boot, MemorySize.ofMebibytes(256));
            assertThat(refused).hasMessageContaining("command line");
            assertThat(refused.getMessage().length()).isLessThan(1000);
        }
    }

    @Test
    void whatDoesNotFitIsRefused() throws Exception {
        LinuxBoot cloud = Guests.cloud();
        for (int mebibytes : new int[] {2, 4, 16, 32}) {
            assertThat(refusal(cloud, MemorySize.ofMebibytes(mebibytes)).code()).isEqualTo(ErrorCode.KERNEL_UNUSABLE);
        }
        Path initrd = directory.resolve("initrd");
        try (RandomAccessFile file = new RandomAccessFile(initrd.toFile(), "rw")) {
            file.setLength(5L << 30);
        }
        LinuxBoot large = new LinuxBoot(cloud.kernel(), initrd, "console=ttyS0");
        assertThat(refusal(large, MemorySize.ofMebibytes(256))).hasMessageContaining("initrd");
    }

    @ParameterizedTest
    @ValueSource(strings = {"random", "truncated", "flipped"})
    void aCorruptInitrdIsTheGuestsToComplainOf(String kind) throws Exception {
        LinuxBoot cloud = Guests.cloud();
        byte[] initrd = Files.readAllBytes(cloud.initrd());
        byte[] corrupt = initrd.clone();
        SplittableRandom random = new SplittableRandom(7);
        switch (kind) {
            case "random" -> random.nextBytes(corrupt);
            case "truncated" -> corrupt = Arrays.copyOf(initrd, initrd.length / 3);
            default -> {
                for (int i = 0; i < 10_000; i++) {
                    corrupt[random.nextInt(corrupt.length)] = (byte) random.nextInt();
                }
            }
        }
        Path file = Files.write(directory.resolve("initrd"), corrupt);
        LinuxBoot boot = new LinuxBoot(cloud.kernel(), file, "console=ttyS0 cryptomgr.notests panic=-1");
        try (SerialSession guest = SerialSession.start(
                c -> c.linux(boot).memory(MemorySize.ofMebibytes(256)).onReset(ResetPolicy.STOP))) {
            assertThat(guest.awaitOutcome(Duration.ofSeconds(120))).isEqualTo(new Outcome.Reset());
            assertThat(guest.output()).contains("Kernel panic");
        }
    }
}
