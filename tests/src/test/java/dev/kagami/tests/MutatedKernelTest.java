package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.boot.BootException;
import dev.kagami.boot.BootSource;
import dev.kagami.boot.LoadedKernel;
import dev.kagami.boot.Placement;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import dev.kagami.vm.LinuxBoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged stock kernels, run as machines: each is refused with an error of the loader, or runs into whatever it runs into
 * and can be stopped. In no case does the engine fail. (That the loader itself keeps to its rules is the boot module's
 * MutatedKernelTest.)
 */
@Timeout(400)
final class MutatedKernelTest {
    private static final int DAMAGED_FILES = 60;
    private static final int DAMAGED_IN_MEMORY = 150;
    private static final long MEMORY = 192L << 20;
    private static final Duration TIME = Duration.ofMillis(150);
    private static final int HEADERS = 0x400;

    @TempDir
    private Path directory;

    /** What the loader put into memory. */
    private record Piece(long address, byte[] bytes) {}

    @Test
    void aDamagedFileIsRefusedOrRuns() throws IOException {
        LinuxBoot cloud = Guests.cloud();
        byte[] original = Files.readAllBytes(cloud.kernel());
        SplittableRandom seeds = Seeds.seeds();
        int[] ran = new int[1];
        for (int i = 0; i < DAMAGED_FILES; i++) {
            Seeds.run("damaged file", seeds.nextLong(), random -> {
                Path kernel = Files.write(directory.resolve("vmlinuz"), damage(original, random));
                try (BareMachine machine = new BareMachine(MEMORY)) {
                    // A kernel that unpacks itself is far enough to go wrong, and is started at once.
                    machine.load(BootSource.of(kernel)
                            .withInitrd(cloud.initrd())
                            .withCommandLine("console=ttyS0")
                            .withUnpackOnHost(random.nextInt(4) == 0));
                    checkEnd(machine.run(TIME));
                    ran[0]++;
                } catch (BootException e) {
                    assertThat(e.getMessage()).contains("vmlinuz");
                    assertThat(e.hint()).isNotBlank();
                }
            });
        }
        assertThat(ran[0]).as("files that ran").isGreaterThan(DAMAGED_FILES / 10);
    }

    private static byte[] damage(byte[] original, SplittableRandom random) {
        byte[] image = original.clone();
        switch (random.nextInt(4)) {
            case 0 -> image = Arrays.copyOf(image, random.nextInt(image.length));
            case 1 -> {
                for (int flips = random.nextInt(1, 8); flips > 0; flips--) {
                    image[0x1F0 + random.nextInt(HEADERS)] = (byte) random.nextInt();
                }
            }
            case 2 -> {
                // The code that unpacks is at the end, the entry at the beginning of the protected-mode part.
                int end = image.length;
                for (int flips = random.nextInt(1, 4000); flips > 0; flips--) {
                    image[end - 1 - random.nextInt(200_000)] ^= (byte) (1 << random.nextInt(8));
                }
            }
            default -> {
                for (int flips = random.nextInt(1, 200); flips > 0; flips--) {
                    image[random.nextInt(HEADERS, image.length)] = (byte) random.nextInt();
                }
            }
        }
        return image;
    }

    @Test
    void aKernelDamagedInMemoryRuns() {
        LinuxBoot cloud = Guests.cloud();
        List<Piece> pieces = new ArrayList<>();
        LoadedKernel kernel;
        try (BareMachine machine = new BareMachine(MEMORY)) {
            kernel = machine.load(BootSource.of(cloud.kernel()).withCommandLine("console=ttyS0 panic=-1"));
            for (Placement placement : kernel.placements()) {
                byte[] bytes = new byte[(int) placement.size()];
                machine.memory().read(placement.start(), bytes, 0, bytes.length);
                pieces.add(new Piece(placement.start(), bytes));
            }
        }
        SplittableRandom seeds = Seeds.seeds();
        for (int i = 0; i < DAMAGED_IN_MEMORY; i++) {
            Seeds.run("damaged in memory", seeds.nextLong(), random -> {
                try (BareMachine machine = new BareMachine(MEMORY)) {
                    GuestMemory memory = machine.memory();
                    for (Piece piece : pieces) {
                        memory.write(piece.address, piece.bytes);
                    }
                    for (int flips = 1 << random.nextInt(18); flips > 0; flips--) {
                        Piece piece = pieces.get(random.nextInt(pieces.size()));
                        long at = piece.address + random.nextInt(piece.bytes.length);
                        memory.writeByte(at, random.nextInt());
                    }
                    X86State start = kernel.initialState(machine.state());
                    machine.setState(start);
                    checkEnd(machine.run(TIME));
                }
            });
        }
    }

    private static void checkEnd(BareMachine.End end) {
        assertThat(end.exit()).as(end.detail()).isNotEqualTo(ExitReason.INTERNAL_ERROR);
    }
}
