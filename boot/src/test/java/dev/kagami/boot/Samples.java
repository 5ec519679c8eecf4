package dev.kagami.boot;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** Data that is the same on every machine; the files in the resources were made from it. */
final class Samples {
    private static final int WORDS = 500;

    private Samples() {}

    /** Makes text that compresses about as well as code does. */
    static byte[] text(long seed, int length) {
        Random random = new Random(seed);
        byte[][] words = new byte[WORDS][];
        for (int i = 0; i < WORDS; i++) {
            byte[] word = new byte[2 + random.nextInt(10)];
            for (int j = 0; j < word.length; j++) {
                word[j] = (byte) ('a' + random.nextInt(26));
            }
            words[i] = word;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 64);
        while (out.size() < length) {
            // A few words are much more frequent than the others.
            int rank = random.nextInt(WORDS) * random.nextInt(WORDS) / WORDS;
            out.writeBytes(words[rank]);
            out.writeBytes((random.nextInt(8) == 0 ? " " + random.nextInt(1000) + "\n" : " ")
                    .getBytes(StandardCharsets.US_ASCII));
            if (random.nextInt(200) == 0) {
                out.writeBytes(new byte[random.nextInt(300)]);
            }
        }
        return java.util.Arrays.copyOf(out.toByteArray(), length);
    }

    static byte[] random(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
