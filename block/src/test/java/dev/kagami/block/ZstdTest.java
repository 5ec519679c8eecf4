package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.zstd.Zstd;
import dev.kagami.zstd.ZstdEncoder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.ZipException;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ZstdTest {
    @TempDir
    private Path directory;

    /** Contents of many kinds and sizes. */
    private static List<byte[]> samples() {
        List<byte[]> samples = new ArrayList<>();
        Random random = new Random(7);
        for (int size : new int[] {1, 2, 3, 31, 32, 33, 255, 256, 257, 1000, 4096, 65536, 131_072, 131_073, 500_000}) {
            samples.add(new byte[size]);
            samples.add(TestDisk.contents(size, size));
            byte[] noise = new byte[size];
            random.nextBytes(noise);
            samples.add(noise);
            byte[] skewed = new byte[size];
            byte[] text = new byte[size];
            byte[] records = new byte[size];
            byte[] few = new byte[size];
            for (int i = 0; i < size; i++) {
                skewed[i] = (byte) Math.abs(random.nextGaussian() * 20);
                text[i] = (byte) "the quick brown fox jumps ".charAt(random.nextInt(26));
                records[i] = (byte) (i % 24 == 0 ? random.nextInt() : i % 24 * (i / 480));
                few[i] = (byte) (random.nextInt(1000) == 0 ? 200 : 100);
            }
            samples.addAll(List.of(skewed, text, records, few));
        }
        return samples;
    }

    private static byte[] decompress(byte[] packed, int size) throws ZipException {
        byte[] back = new byte[size];
        Zstd.decompress(Arrays.copyOf(packed, packed.length + Zstd.PADDING), packed.length, back);
        return back;
    }

    @Test
    void whatWasPackedUnpacks() throws ZipException {
        for (byte[] sample : samples()) {
            byte[] packed = ZstdEncoder.compress(sample);
            assertThat(packed.length).isLessThanOrEqualTo(sample.length + 9 + 3 * (1 + sample.length / (128 << 10)));
            TestDisk.same(decompress(packed, sample.length), sample, "size " + sample.length);
        }
    }

    @Test
    void theReferenceProgramUnpacksIt() throws IOException {
        Assumptions.assumeTrue(
                Files.isExecutable(Path.of("/usr/bin/zstd")),
                "/usr/bin/zstd is not installed (Debian and Ubuntu: apt install zstd)");
        // All of them one after another are one file of frames.
        Path packed = directory.resolve("samples.zst");
        Path wanted = directory.resolve("wanted");
        Path unpacked = directory.resolve("samples");
        try (var frames = Files.newOutputStream(packed);
                var plain = Files.newOutputStream(wanted)) {
            for (byte[] sample : samples()) {
                frames.write(ZstdEncoder.compress(sample));
                plain.write(sample);
            }
        }
        QemuImg.must("/usr/bin/zstd", "-q", "-d", "-f", packed.toString(), "-o", unpacked.toString());
        assertThat(Files.mismatch(wanted, unpacked)).isEqualTo(-1);
    }

    @Test
    void itIsWorthIt() {
        byte[] text = new byte[65536];
        Random random = new Random(1);
        String[] words = "kernel module device driver memory page table virtual machine guest host".split(" ");
        int at = 0;
        while (at < text.length) {
            for (byte b : (words[random.nextInt(words.length)] + " ").getBytes()) {
                if (at < text.length) {
                    text[at++] = b;
                }
            }
        }
        assertThat(ZstdEncoder.compress(text).length).isLessThan(text.length / 4);
    }

    @Test
    void damagedFramesFailCleanly() {
        byte[] sample = TestDisk.contents(99, 20_000);
        byte[] packed = ZstdEncoder.compress(sample);
        Random random = new Random(5);
        for (int i = 0; i < 5000; i++) {
            byte[] damaged = packed.clone();
            damaged[random.nextInt(i % 2 == 0 ? damaged.length : 40)] = (byte) random.nextInt();
            try {
                decompress(damaged, sample.length);
            } catch (ZipException e) {
                assertThat(e.getMessage()).startsWith("zstd");
            }
        }
        assertThatThrownBy(() -> decompress(Arrays.copyOf(packed, packed.length / 2), sample.length))
                .isInstanceOf(ZipException.class);
    }
}
