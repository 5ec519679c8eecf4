package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Computes whole digests from the instructions' functions, as software for the SHA extensions does. */
final class ShaTest {
    /** FIPS 180-4 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
    private static final int[] SHA256_CONSTANTS = constants();

    private static int[] constants() {
        int[] constants = new int[64];
        int prime = 2;
        for (int i = 0; i < constants.length; prime++) {
            int candidate = prime;
            if (IntStream.range(2, candidate).noneMatch(d -> candidate % d == 0)) {
                // floor(cube root of prime * 2^96) is exact in integers; its low 32 bits are the fraction.
                constants[i++] =
                        cubeRoot(BigInteger.valueOf(prime).shiftLeft(96)).intValue();
            }
        }
        return constants;
    }

    private static BigInteger cubeRoot(BigInteger number) {
        BigInteger root = BigInteger.ZERO;
        for (int bit = number.bitLength() / 3; bit >= 0; bit--) {
            BigInteger larger = root.setBit(bit);
            root = larger.pow(3).compareTo(number) <= 0 ? larger : root;
        }
        return root;
    }

    private static int[] padded(byte[] message) {
        int length = (message.length + 9 + 63) / 64 * 64;
        ByteBuffer buffer = ByteBuffer.allocate(length).put(message).put((byte) 0x80);
        buffer.putLong(length - 8, message.length * 8L);
        int[] words = new int[length / 4];
        buffer.rewind().asIntBuffer().get(words);
        return words;
    }

    private static byte[] sha256(byte[] message) {
        int[] words = padded(message);
        int[] state = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
        for (int block = 0; block < words.length; block += 16) {
            long[] schedule = new long[32];
            for (int i = 0; i < 8; i++) {
                schedule[i] = Lanes.join(words[block + i * 2], words[block + i * 2 + 1]);
            }
            for (int i = 8; i < 32; i += 2) {
                // W[t-16..t-13] + sigma0, + W[t-7..t-4], + sigma1: SHA256MSG1, PALIGNR and PADDD, SHA256MSG2.
                long low = PackedAdd.paddd(
                        Sha.sha256msg1(schedule[i - 8], schedule[i - 7]),
                        PackedShift.palignr(schedule[i - 4], schedule[i - 3], 4));
                long high = PackedAdd.paddd(
                        Sha.sha256msg1(schedule[i - 7], schedule[i - 6]),
                        PackedShift.palignr(schedule[i - 3], schedule[i - 2], 4));
                Sha.sha256msg2(schedule, i, low, high, schedule[i - 1]);
            }
            long[] abef = {Lanes.join(state[5], state[4]), Lanes.join(state[1], state[0])};
            long[] cdgh = {Lanes.join(state[7], state[6]), Lanes.join(state[3], state[2])};
            for (int i = 0; i < 32; i++) {
                long constants = Lanes.join(SHA256_CONSTANTS[i * 2], SHA256_CONSTANTS[i * 2 + 1]);
                Sha.sha256rnds2(cdgh, 0, cdgh[0], cdgh[1], abef[0], abef[1], PackedAdd.paddd(schedule[i], constants));
                long[] swapped = abef;
                abef = cdgh;
                cdgh = swapped;
            }
            long[] rows = {abef[1], cdgh[1], abef[0], cdgh[0]};
            for (int i = 0; i < 8; i++) {
                state[i] += (int) (rows[i / 2] >>> ((i & 1) == 0 ? 32 : 0));
            }
        }
        ByteBuffer digest = ByteBuffer.allocate(32);
        digest.asIntBuffer().put(state);
        return digest.array();
    }

    private static byte[] sha1(byte[] message) {
        int[] words = padded(message);
        long[] state = {Lanes.join(0x10325476, 0x98BADCFE), Lanes.join(0xEFCDAB89, 0x67452301)};
        int e = 0xC3D2E1F0;
        for (int block = 0; block < words.length; block += 16) {
            // Groups of four words, the first in the highest doubleword: [0] low, [1] high quadword.
            long[][] schedule = new long[20][2];
            for (int i = 0; i < 4; i++) {
                schedule[i][0] = Lanes.join(words[block + i * 4 + 3], words[block + i * 4 + 2]);
                schedule[i][1] = Lanes.join(words[block + i * 4 + 1], words[block + i * 4]);
            }
            for (int i = 4; i < 20; i++) {
                long[] oldest = schedule[i - 4];
                long low = Sha.sha1msg1(oldest[0], schedule[i - 3][1]) ^ schedule[i - 2][0];
                long high = Sha.sha1msg1(oldest[1], oldest[0]) ^ schedule[i - 2][1];
                Sha.sha1msg2(schedule[i], 0, low, high, schedule[i - 1][0], schedule[i - 1][1]);
            }
            long[] running = state.clone();
            long previousHigh = 0;
            for (int i = 0; i < 20; i++) {
                long high = i == 0 ? schedule[0][1] + ((long) e << 32) : Sha.sha1nexte(previousHigh, schedule[i][1]);
                previousHigh = running[1];
                Sha.sha1rnds4(running, 0, running[0], running[1], schedule[i][0], high, i / 5);
            }
            e = (int) (Sha.sha1nexte(previousHigh, (long) e << 32) >>> 32);
            state[0] = PackedAdd.paddd(state[0], running[0]);
            state[1] = PackedAdd.paddd(state[1], running[1]);
        }
        return ByteBuffer.allocate(20)
                .putLong(state[1])
                .putLong(state[0])
                .putInt(e)
                .array();
    }

    @Test
    void digestsTheExamplesOfFips180() {
        byte[] message = "abc".getBytes(StandardCharsets.US_ASCII);
        assertThat(HexFormat.of().formatHex(sha1(message))).isEqualTo("a9993e364706816aba3e25717850c26c9cd0d89d");
        assertThat(HexFormat.of().formatHex(sha256(message)))
                .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    @Test
    void agreesWithTheClassLibrary() throws NoSuchAlgorithmException {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(5);
        for (int i = 0; i < 300; i++) {
            byte[] message = new byte[random.nextInt(300)];
            random.nextBytes(message);
            assertThat(sha1(message))
                    .isEqualTo(MessageDigest.getInstance("SHA-1").digest(message));
            assertThat(sha256(message))
                    .isEqualTo(MessageDigest.getInstance("SHA-256").digest(message));
        }
    }
}
