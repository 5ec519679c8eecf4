package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.zstd.WindowTooLargeException;
import dev.kagami.zstd.ZstdDecoder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DecoderTest {
    private static final long PLENTY = 1 << 26;

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = DecoderTest.class.getResourceAsStream("zstd/" + name)) {
            return in.readAllBytes();
        }
    }

    private static byte[] zstd(byte[] frame, int size) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ZstdDecoder.decode(new ByteArrayInputStream(frame), size, PLENTY, out::write);
        return out.toByteArray();
    }

    private static byte[] lz4(byte[] frame, int size) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Lz4LegacyDecoder.decode(new ByteArrayInputStream(frame), size, out::write);
        return out.toByteArray();
    }

    private static byte[] repeated(byte[] text, int times) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < times; i++) {
            out.writeBytes(text);
        }
        return out.toByteArray();
    }

    @ParameterizedTest
    @CsvSource({"tiny.zst, 4, 700, 1", "fast.zst, 1, 150000, 1", "best.zst, 2, 200000, 1", "window.zst, 2, 200000, 15"})
    void zstdFramesDecodeToTheirText(String name, long seed, int length, int times) throws IOException {
        byte[] text = repeated(Samples.text(seed, length), times);
        assertThat(zstd(resource(name), text.length)).isEqualTo(text);
    }

    @Test
    void zstdFramesMayFollowEachOtherAndSkippableOnes() throws IOException {
        byte[] text = Samples.text(4, 700);
        byte[] skippable = {0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3};
        ByteArrayOutputStream frames = new ByteArrayOutputStream();
        frames.writeBytes(resource("tiny.zst"));
        frames.writeBytes(skippable);
        frames.writeBytes(resource("tiny.zst"));
        assertThat(zstd(frames.toByteArray(), 1400)).isEqualTo(repeated(text, 2));
    }

    @Test
    void zstdRunLengthBlockRepeatsItsByte() throws IOException {
        byte[] frame = {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD, 0x20, 100, 0x23, 3, 0, 7};
        byte[] out = zstd(frame, 100);
        assertThat(out).hasSize(100).containsOnly(7);
    }

    @Test
    void zstdWindowBeyondTheLimitIsRefusedBeforeAnyOutput() throws IOException {
        byte[] frame = resource("best.zst");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        assertThatThrownBy(() -> ZstdDecoder.decode(new ByteArrayInputStream(frame), 200_000, 200_000, out::write))
                .isInstanceOf(WindowTooLargeException.class);
        assertThat(out.size()).isZero();
    }

    @Test
    void wrongSizesAreErrors() throws IOException {
        byte[] frame = resource("tiny.zst");
        assertThatIOException().isThrownBy(() -> zstd(frame, 699));
        assertThatIOException().isThrownBy(() -> zstd(frame, 701));
        ByteArrayOutputStream lz4 = new ByteArrayOutputStream();
        TestKernels.lz4(Samples.text(1, 5000), lz4);
        assertThatIOException().isThrownBy(() -> lz4(lz4.toByteArray(), 4999));
        assertThatIOException().isThrownBy(() -> lz4(lz4.toByteArray(), 5001));
    }

    @Test
    void lz4BlocksDecodeToTheirText() throws IOException {
        byte[] text = Samples.text(7, 300_000);
        ByteArrayOutputStream frame = new ByteArrayOutputStream();
        TestKernels.lz4(text, frame);
        assertThat(frame.size()).isLessThan(text.length * 3 / 4);
        assertThat(lz4(frame.toByteArray(), text.length)).isEqualTo(text);
        TestKernels.lz4(text, frame);
        assertThat(lz4(frame.toByteArray(), 2 * text.length)).isEqualTo(repeated(text, 2));
    }

    /** Damage ends in an IOException or in other output of the right size, never in anything else. */
    @Test
    void damagedDataNeverEscapesTheDecoders() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        byte[] text = Samples.text(7, 20_000);
        ByteArrayOutputStream lz4 = new ByteArrayOutputStream();
        TestKernels.lz4(text, lz4);
        byte[] fast = resource("fast.zst");
        byte[] tiny = resource("tiny.zst");
        for (int i = 0; i < 3000; i++) {
            String reproduce = "seed " + seed + ", round " + i;
            byte[] bytes;
            int size;
            boolean zstd = i % 3 != 0;
            if (zstd) {
                bytes = (i % 30 == 1 ? fast : tiny).clone();
                size = i % 30 == 1 ? 150_000 : 700;
            } else {
                bytes = lz4.toByteArray();
                size = text.length;
            }
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                // Half of the damage is at the start, where tables and headers are.
                int at = random.nextInt(random.nextBoolean() ? Math.min(200, bytes.length) : bytes.length);
                bytes[at] = (byte) random.nextInt();
            }
            try {
                byte[] out = zstd ? zstd(bytes, size) : lz4(bytes, size);
                assertThat(out).as(reproduce).hasSize(size);
            } catch (IOException e) {
                assertThat(e).as(reproduce).isNotNull();
            } catch (RuntimeException e) {
                throw new AssertionError(reproduce, e);
            }
        }
    }
}
