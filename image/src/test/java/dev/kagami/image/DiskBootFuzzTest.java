package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.image.disk.TestDisks;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damages disks at random: looking for a kernel must end soon, in a result or an {@link ImageException}. */
class DiskBootFuzzTest {

    private static final int ROUNDS = 160;
    private static final int MAX_CHANGES = 40;
    private static final int BLOCK = 1024;
    private static final long MAX_NANOSECONDS = 10_000_000_000L;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @Timeout(120)
    @ValueSource(strings = {"ext4", "ext4-plain", "ext2-1k", "ext4-inline", "ext4-meta-bg", "ext4-journal"})
    void endsOnDamagedDisks(String name) throws IOException {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        Random random = new Random(seed);
        byte[] pristine = TestDisks.withPartitions("gpt", name);
        List<Integer> blocks = usedBlocks(pristine);
        int booted = 0;
        for (int round = 0; round < ROUNDS; round++) {
            byte[] disk = pristine.clone();
            damage(disk, blocks, random);
            long start = System.nanoTime();
            try {
                DiskBoot.locate(TestDisks.of(disk)).extract(directory);
                booted++;
            } catch (ImageException e) {
                assertThat(e.getMessage()).isNotBlank();
            } catch (RuntimeException | Error e) {
                throw new AssertionError("With -Dkagami.seed=" + seed + " in round " + round, e);
            }
            assertThat(System.nanoTime() - start)
                    .as("-Dkagami.seed=%d, round %d", seed, round)
                    .isLessThan(MAX_NANOSECONDS);
        }
        assertThat(booted).as("-Dkagami.seed=%d", seed).isBetween(1, ROUNDS - 1);
    }

    /** Changes a few bytes of metadata: what isn't zero and isn't the text that the files are made of. */
    private static void damage(byte[] disk, List<Integer> blocks, Random random) {
        int changes = 1 + random.nextInt(MAX_CHANGES);
        for (int i = 0; i < changes; i++) {
            int block = blocks.get(random.nextInt(blocks.size()));
            int at = block + random.nextInt(BLOCK);
            switch (random.nextInt(4)) {
                case 0 -> disk[at] = (byte) random.nextInt();
                case 1 -> disk[at] ^= (byte) (1 << random.nextInt(Byte.SIZE));
                case 2 -> disk[at] = (byte) (random.nextBoolean() ? 0xFF : 0);
                default -> {
                    int from = blocks.get(random.nextInt(blocks.size()));
                    int length = 1 + random.nextInt(64);
                    System.arraycopy(disk, from, disk, block, length);
                }
            }
        }
    }

    private static List<Integer> usedBlocks(byte[] disk) {
        List<Integer> used = new ArrayList<>();
        for (int block = 0; block < disk.length; block += BLOCK) {
            boolean zero = true;
            int text = 0;
            for (int i = block; i < block + BLOCK; i++) {
                zero &= disk[i] == 0;
                text += disk[i] >= ' ' && disk[i] <= '~' ? 1 : 0;
            }
            if (!zero && text < BLOCK * 3 / 4) {
                used.add(block);
            }
        }
        return used;
    }
}
