package dev.kagami.cpu.x86.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import javax.crypto.Cipher;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;

/** Runs whole ciphers from the instructions' functions, as software for AES-NI does. */
final class AesTest {
    private static final int ROUNDS = 10;
    private static final int[] ROUND_CONSTANTS = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36};

    private static long[] quadwords(byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        return new long[] {buffer.getLong(), buffer.getLong()};
    }

    private static byte[] bytes(long low, long high) {
        return ByteBuffer.allocate(16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(low)
                .putLong(high)
                .array();
    }

    /** Expands a key of 128 bits: the words of each round key are running sums of the previous one's words. */
    private static long[][] expand(byte[] key) {
        long[][] keys = new long[ROUNDS + 1][];
        keys[0] = quadwords(key);
        for (int round = 1; round <= ROUNDS; round++) {
            long low = keys[round - 1][0];
            long high = keys[round - 1][1];
            int assist = (int) (Aes.aeskeygenassist(high, ROUND_CONSTANTS[round - 1]) >>> 32);
            int word0 = (int) low ^ assist;
            int word1 = (int) (low >>> 32) ^ word0;
            int word2 = (int) high ^ word1;
            int word3 = (int) (high >>> 32) ^ word2;
            keys[round] = new long[] {Lanes.join(word0, word1), Lanes.join(word2, word3)};
        }
        return keys;
    }

    private static byte[] encrypt(byte[] key, byte[] block) {
        long[][] keys = expand(key);
        long[] state = quadwords(block);
        long low = state[0] ^ keys[0][0];
        long high = state[1] ^ keys[0][1];
        for (int round = 1; round < ROUNDS; round++) {
            long next = Aes.aesencLow(low, high) ^ keys[round][0];
            high = Aes.aesencHigh(low, high) ^ keys[round][1];
            low = next;
        }
        return bytes(Aes.aesenclastLow(low, high) ^ keys[ROUNDS][0], Aes.aesenclastHigh(low, high) ^ keys[ROUNDS][1]);
    }

    private static byte[] decrypt(byte[] key, byte[] block) {
        long[][] keys = expand(key);
        long[] state = quadwords(block);
        long low = state[0] ^ keys[ROUNDS][0];
        long high = state[1] ^ keys[ROUNDS][1];
        for (int round = ROUNDS - 1; round > 0; round--) {
            long next = Aes.aesdecLow(low, high) ^ Aes.aesimc(keys[round][0]);
            high = Aes.aesdecHigh(low, high) ^ Aes.aesimc(keys[round][1]);
            low = next;
        }
        return bytes(Aes.aesdeclastLow(low, high) ^ keys[0][0], Aes.aesdeclastHigh(low, high) ^ keys[0][1]);
    }

    @Test
    void encryptsAndDecryptsTheExampleOfFips197() {
        byte[] key = HexFormat.of().parseHex("000102030405060708090a0b0c0d0e0f");
        byte[] plain = HexFormat.of().parseHex("00112233445566778899aabbccddeeff");
        byte[] secret = HexFormat.of().parseHex("69c4e0d86a7b0430d8cdb78070b4c55a");
        assertThat(encrypt(key, plain)).isEqualTo(secret);
        assertThat(decrypt(key, secret)).isEqualTo(plain);
    }

    @Test
    void agreesWithTheClassLibrary() throws GeneralSecurityException {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(4);
        Cipher cipher = Cipher.getInstance("AES/ECB/NoPadding");
        for (int i = 0; i < 500; i++) {
            byte[] key = new byte[16];
            byte[] plain = new byte[16];
            random.nextBytes(key);
            random.nextBytes(plain);
            cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"));
            byte[] secret = cipher.doFinal(plain);
            assertThat(encrypt(key, plain)).isEqualTo(secret);
            assertThat(decrypt(key, secret)).isEqualTo(plain);
        }
    }

    @Test
    void substitutesBothOddWordsOfAKey() {
        // SubBytes(0x53) is 0xED (FIPS 197 5.1.1), SubBytes(0) is 0x63.
        assertThat(Aes.aeskeygenassist(0x5300_0000_1234_5678L, 0x36)).isEqualTo(0x63ED_6355_ED63_6363L);
    }
}
