package dev.kagami.image.fetch;

import dev.kagami.image.ImageException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the bytes of a download must hash to.
 *
 * @param algorithm which digest
 * @param hexadecimal its value, in lower case
 */
public record Digest(Algorithm algorithm, String hexadecimal) {

    private static final Pattern LITERAL = Pattern.compile("(sha256|sha512):([0-9a-fA-F]+)");

    /** As sha256sum(1) prints it, for text and for binary files. */
    private static final Pattern GNU_LINE = Pattern.compile("([0-9a-fA-F]{64}|[0-9a-fA-F]{128}) [ *](.+)");

    /** As BSD's sha256(1), and sha256sum with --tag, print it. */
    private static final Pattern BSD_LINE =
            Pattern.compile("SHA(256|512) \\((.+)\\) = ([0-9a-fA-F]{64}|[0-9a-fA-F]{128})");

    /** Digests that are in use for disk images. */
    public enum Algorithm {
        /** SHA-256. */
        SHA256("sha256", "SHA-256", 64),
        /** SHA-512. */
        SHA512("sha512", "SHA-512", 128);

        private final String prefix;
        private final String javaName;
        private final int digits;

        Algorithm(String prefix, String javaName, int digits) {
            this.prefix = prefix;
            this.javaName = javaName;
            this.digits = digits;
        }

        /** Returns its name for {@link java.security.MessageDigest}. */
        public String javaName() {
            return javaName;
        }

        private static Algorithm ofDigits(int digits) {
            return digits == SHA256.digits ? SHA256 : SHA512;
        }
    }

    /**
     * Returns the digest in a text such as {@code sha256:0123...}.
     *
     * @return the digest; empty if the text has another form, and may name a file with digests
     * @throws ImageException if it has this form, but not so many digits
     */
    public static Optional<Digest> parse(String text) {
        Matcher matcher = LITERAL.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        Algorithm algorithm = Algorithm.valueOf(matcher.group(1).toUpperCase(Locale.ROOT));
        String digits = matcher.group(2).toLowerCase(Locale.ROOT);
        if (digits.length() != algorithm.digits) {
            throw new ImageException(
                    ImageException.Code.DIGEST_MISMATCH,
                    "A digest with %s has %d hexadecimal digits, and \"%s\" has %d"
                            .formatted(algorithm.prefix, algorithm.digits, text, digits.length()),
                    "Copy the whole digest.",
                    null);
        }
        return Optional.of(new Digest(algorithm, digits));
    }

    /**
     * Finds a file's digest in a file such as {@code SHA256SUMS}.
     *
     * @param sums the text of that file
     * @param name the file's name without directories
     * @param where the text comes from, for messages
     * @return the digest
     * @throws ImageException if the text doesn't have it, or has different ones
     */
    public static Digest find(String sums, String name, URI where) {
        List<Digest> found = new ArrayList<>();
        for (String line : sums.lines().toList()) {
            Matcher gnu = GNU_LINE.matcher(line);
            Matcher bsd = BSD_LINE.matcher(line);
            String file = "";
            String digits = "";
            if (gnu.matches()) {
                file = gnu.group(2);
                digits = gnu.group(1);
            } else if (bsd.matches()) {
                file = bsd.group(2);
                digits = bsd.group(3);
            }
            if (file.substring(file.lastIndexOf('/') + 1).equals(name)) {
                found.add(new Digest(Algorithm.ofDigits(digits.length()), digits.toLowerCase(Locale.ROOT)));
            }
        }
        if (found.stream().distinct().count() != 1) {
            throw new ImageException(
                    ImageException.Code.DIGEST_MISMATCH,
                    "%s has %s for %s".formatted(where, found.isEmpty() ? "no digest" : "several digests", name),
                    "Name the right file with digests, or the digest itself, such as sha256:0123...",
                    null);
        }
        return found.getFirst();
    }

    @Override
    public String toString() {
        return algorithm.prefix + ":" + hexadecimal;
    }
}
