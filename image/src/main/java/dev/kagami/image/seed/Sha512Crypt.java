package dev.kagami.image.seed;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/**
 * Hashes passwords for {@code /etc/shadow}: method 6 of crypt(5), as in "Unix crypt using SHA-256 and SHA-512" (Drepper,
 * 2007, version 0.4).
 */
public final class Sha512Crypt {

    private static final String PREFIX = "$6$";
    private static final String ROUNDS_PREFIX = "rounds=";
    private static final String ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static final int DEFAULT_ROUNDS = 5000;
    private static final int MIN_ROUNDS = 1000;
    private static final int MAX_SALT = 16;
    private static final int DIGEST_SIZE = 64;

    private Sha512Crypt() {}

    /**
     * Returns the hash of a password. Its salt is made of the password and a context, so that the same call has the same
     * result; guessing the password from the salt costs as much as from the hash.
     *
     * @param password the password
     * @param context what tells one use of a password from another
     * @return the hash, beginning with {@code $6$}
     */
    public static String hash(String password, String context) {
        return hash(password.getBytes(StandardCharsets.UTF_8), salt(password, context), DEFAULT_ROUNDS, "");
    }

    private static String salt(String password, String context) {
        try {
            byte[] contextBytes = ("kagami " + context).getBytes(StandardCharsets.UTF_8);
            PBEKeySpec spec =
                    new PBEKeySpec(password.toCharArray(), contextBytes, DEFAULT_ROUNDS, MAX_SALT * Byte.SIZE);
            byte[] derived = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA512")
                    .generateSecret(spec)
                    .getEncoded();
            StringBuilder salt = new StringBuilder();
            for (byte b : derived) {
                salt.append(ALPHABET.charAt(b & ALPHABET.length() - 1));
            }
            return salt.toString();
        } catch (GeneralSecurityException e) {
            throw new AssertionError("The Java platform has PBKDF2 with SHA-512", e);
        }
    }

    /**
     * Returns the hash of a password with given settings.
     *
     * @param password the password
     * @param settings {@code $6$salt} or {@code $6$rounds=5000$salt}
     */
    static String crypt(String password, String settings) {
        String rest = settings.substring(PREFIX.length());
        int rounds = DEFAULT_ROUNDS;
        String roundsText = "";
        if (rest.startsWith(ROUNDS_PREFIX)) {
            int end = rest.indexOf('$');
            rounds = Math.max(MIN_ROUNDS, Integer.parseInt(rest.substring(ROUNDS_PREFIX.length(), end)));
            roundsText = ROUNDS_PREFIX + rounds + "$";
            rest = rest.substring(end + 1);
        }
        int end = rest.indexOf('$');
        String salt = end < 0 ? rest : rest.substring(0, end);
        salt = salt.substring(0, Math.min(MAX_SALT, salt.length()));
        return hash(password.getBytes(StandardCharsets.UTF_8), salt, rounds, roundsText);
    }

    /** The numbers in comments are the steps of the specification. */
    private static String hash(byte[] password, String saltText, int rounds, String roundsText) {
        byte[] salt = saltText.getBytes(StandardCharsets.UTF_8);
        MessageDigest digest = sha512();
        // 4-8
        digest.update(password);
        digest.update(salt);
        digest.update(password);
        byte[] b = digest.digest();
        // 1-3
        digest.update(password);
        digest.update(salt);
        // 9, 10
        digest.update(repeat(b, password.length));
        // 11
        for (int length = password.length; length > 0; length >>>= 1) {
            digest.update((length & 1) != 0 ? b : password);
        }
        // 12
        byte[] a = digest.digest();
        // 13-16
        for (int i = 0; i < password.length; i++) {
            digest.update(password);
        }
        byte[] p = repeat(digest.digest(), password.length);
        // 17-20
        for (int i = 0; i < 16 + (a[0] & 0xFF); i++) {
            digest.update(salt);
        }
        byte[] s = repeat(digest.digest(), salt.length);
        // 21
        byte[] c = a;
        for (int round = 0; round < rounds; round++) {
            digest.update((round & 1) != 0 ? p : c);
            if (round % 3 != 0) {
                digest.update(s);
            }
            if (round % 7 != 0) {
                digest.update(p);
            }
            digest.update((round & 1) != 0 ? c : p);
            c = digest.digest();
        }
        // 22
        return PREFIX + roundsText + saltText + "$" + encode(c);
    }

    private static byte[] repeat(byte[] digest, int length) {
        byte[] repeated = new byte[length];
        for (int i = 0; i < length; i += DIGEST_SIZE) {
            System.arraycopy(digest, 0, repeated, i, Math.min(DIGEST_SIZE, length - i));
        }
        return repeated;
    }

    /** Encodes three bytes at a time, which lie 21 apart and change places from group to group. */
    private static String encode(byte[] digest) {
        StringBuilder text = new StringBuilder();
        int[] at = {0, 21, 42};
        for (int group = 0; group < 21; group++) {
            append(text, (digest[at[0]] & 0xFF) << 16 | (digest[at[1]] & 0xFF) << 8 | digest[at[2]] & 0xFF, 4);
            at = new int[] {at[1] + 1, at[2] + 1, at[0] + 1};
        }
        append(text, digest[DIGEST_SIZE - 1] & 0xFF, 2);
        return text.toString();
    }

    private static void append(StringBuilder text, int bits, int characters) {
        int rest = bits;
        for (int i = 0; i < characters; i++) {
            text.append(ALPHABET.charAt(rest & ALPHABET.length() - 1));
            rest >>>= 6;
        }
    }

    private static MessageDigest sha512() {
        try {
            return MessageDigest.getInstance("SHA-512");
        } catch (GeneralSecurityException e) {
            throw new AssertionError("The Java platform has SHA-512", e);
        }
    }
}
