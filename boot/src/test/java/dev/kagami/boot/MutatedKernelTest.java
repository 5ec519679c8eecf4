package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.memory.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hostile kernels: each is loaded inside of the rules or refused with a {@link BootException}. */
class MutatedKernelTest {
    private static final int MUTANTS = 600;
    private static final int MEMORY = 8 << 20;
    private static final int HEADER_AREA = 0x1200;
    /** Values that break arithmetic. */
    private static final long[] EVIL = {
        0, 1, -1, 0x7FFF_FFFF, 0x8000_0000L, 0xFFFF_FFFFL, Long.MAX_VALUE, Long.MIN_VALUE, 0xA_0000, 0x1000, MEMORY - 1
    };

    @TempDir
    Path folder;

    @Test
    @Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void mutatedKernelsLoadOrAreRefused() {
        long seed = Long.getLong("kagami.seed", new Random().nextLong());
        System.out.println("MutatedKernelTest: -Dkagami.seed=" + seed);
        List<byte[]> originals = originals();
        int loaded = 0;
        try (Machine machine = new Machine(folder, MEMORY)) {
            Path initrd = machine.file("initrd", Samples.random(1, 10_000));
            for (int i = 0; i < MUTANTS; i++) {
                Random random = new Random(seed + i);
                byte[] mutant = mutate(originals.get(i % originals.size()), random);
                BootProtocol protocol = BootProtocol.values()[random.nextInt(8) == 0 ? random.nextInt(4) : 0];
                BootSource source = machine.kernel(mutant)
                        .withInitrd(random.nextBoolean() ? initrd : null)
                        .withProtocol(protocol)
                        .withUnpackOnHost(random.nextInt(4) != 0);
                String reproduce = "seed " + seed + ", mutant " + i;
                machine.memory.segment().fill((byte) 0);
                try {
                    assertInsideTheRules(machine, machine.load(source), reproduce);
                    loaded++;
                } catch (BootException e) {
                    assertThat(e.getMessage()).as(reproduce).isNotEmpty();
                    assertThat(e.hint()).as(reproduce).isNotEmpty();
                } catch (RuntimeException e) {
                    throw new AssertionError(reproduce, e);
                }
                assertUsableMemoryOnly(machine, reproduce);
            }
        }
        assertThat(loaded).as("mutants that still boot, or this tests nothing").isBetween(MUTANTS / 50, MUTANTS);
    }

    private static List<byte[]> originals() {
        List<byte[]> originals = new ArrayList<>();
        for (PayloadFormat format : PayloadFormat.values()) {
            originals.add(TestKernels.bzImage(TestKernels.compress(format, TestKernels.elf64(true))));
        }
        originals.add(TestKernels.elf64(true));
        originals.add(TestKernels.elf64(false));
        originals.add(TestKernels.multibootElf32());
        originals.add(TestKernels.multibootFlat());
        return originals;
    }

    private static byte[] mutate(byte[] original, Random random) {
        return switch (random.nextInt(7)) {
            case 0 -> Arrays.copyOf(original, random.nextInt(original.length + 1));
            case 1 -> Arrays.copyOf(original, random.nextInt(HEADER_AREA));
            case 2 -> {
                byte[] bytes = new byte[random.nextInt(0x8000)];
                random.nextBytes(bytes);
                // Random behind a valid start.
                int keep = random.nextInt(Math.min(bytes.length, 0x300) + 1);
                System.arraycopy(original, 0, bytes, 0, Math.min(keep, original.length));
                yield bytes;
            }
            case 3, 4 -> {
                byte[] bytes = original.clone();
                for (int flips = 1 + random.nextInt(6); flips > 0; flips--) {
                    bytes[headerByte(bytes, random)] ^= (byte) (1 << random.nextInt(8));
                }
                yield bytes;
            }
            case 5 -> {
                byte[] bytes = original.clone();
                for (int changes = 1 + random.nextInt(2); changes > 0; changes--) {
                    int at = Math.min(headerByte(bytes, random), bytes.length - 8);
                    long value = EVIL[random.nextInt(EVIL.length)];
                    if (random.nextBoolean()) {
                        LittleEndian.putLong(bytes, at, value);
                    } else {
                        LittleEndian.putInt(bytes, at, (int) value);
                    }
                }
                yield bytes;
            }
            default -> {
                byte[] bytes = original.clone();
                for (int flips = 1 + random.nextInt(20); flips > 0; flips--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
                }
                yield bytes;
            }
        };
    }

    /** Picks a byte of the headers: ELF headers, multiboot header or setup header. */
    private static int headerByte(byte[] bytes, Random random) {
        int[] starts = {0, 0x40, 0x1F1, 0x230, 0x1000, 0x1200, TestKernels.CODE_OFFSET + TestKernels.PAYLOAD_OFFSET};
        return Math.min(starts[random.nextInt(starts.length)] + random.nextInt(0x60), bytes.length - 1);
    }

    private static void assertInsideTheRules(Machine machine, LoadedKernel kernel, String reproduce) {
        List<Placement> placements = new ArrayList<>(kernel.placements());
        placements.sort(Comparator.comparingLong(Placement::start));
        long end = 0;
        MemorySegment ram = machine.memory.segment();
        for (Placement placement : placements) {
            assertThat(placement.start()).as(reproduce + ": " + placements).isGreaterThanOrEqualTo(end);
            assertZero(ram, end, placement.start(), reproduce);
            end = placement.end();
            assertThat(machine.map)
                    .as(reproduce + ": " + placement)
                    .anyMatch(region -> region.type() == MemoryRegion.Type.USABLE
                            && region.start() <= placement.start()
                            && placement.end() <= region.end());
        }
        assertZero(ram, end, MEMORY, reproduce);
        long entry = kernel.entryPoint();
        assertThat(placements).as(reproduce).anyMatch(p -> p.start() <= entry && entry < p.end());
        kernel.initialState(Machine.reset());
    }

    /** Whether it loaded or not, nothing was written to what isn't usable. */
    private static void assertUsableMemoryOnly(Machine machine, String reproduce) {
        MemorySegment ram = machine.memory.segment();
        assertZero(ram, 0, 0x1000, reproduce);
        assertZero(ram, 0x9_FC00, 0x10_0000, reproduce);
        assertZero(ram, MEMORY - Machine.RESERVED_TOP, MEMORY, reproduce);
    }

    private static void assertZero(MemorySegment ram, long from, long to, String reproduce) {
        MemorySegment zeros = MemorySegment.ofArray(ZEROS);
        long difference = ram.asSlice(from, to - from).mismatch(zeros.asSlice(0, to - from));
        assertThat(difference)
                .as(reproduce + ": first byte written behind 0x%x", from)
                .isEqualTo(-1);
    }

    private static final byte[] ZEROS = new byte[MEMORY];
}
