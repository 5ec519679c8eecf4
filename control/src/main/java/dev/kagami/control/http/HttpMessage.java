package dev.kagami.control.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A request or a response (RFC 9112, 2.1).
 *
 * @param startLine the first line
 * @param headers fields by their names in lower case
 * @param body the body; empty if there is none
 */
public record HttpMessage(String startLine, Map<String, String> headers, byte[] body) {
    private static final int MAX_LINE = 8 << 10;
    private static final int MAX_FIELDS = 64;
    private static final int BAD_REQUEST = 400;
    private static final int CONTENT_TOO_LARGE = 413;
    private static final int FIELDS_TOO_LARGE = 431;
    private static final int NOT_IMPLEMENTED = 501;

    /**
     * Reads a message.
     *
     * @param in where from; only the message's bytes are read, so that what follows may be something else. Should be
     *     buffered
     * @param maxBody how long its body may be, in bytes
     * @return the message; empty at the end of the stream
     * @throws HttpException if it is malformed or too long
     * @throws IOException if the stream fails, or ends in the message
     */
    public static Optional<HttpMessage> read(InputStream in, int maxBody) throws IOException, HttpException {
        String start = line(in);
        if (start == null) {
            return Optional.empty();
        }
        Map<String, String> headers = new TreeMap<>();
        for (String field = line(in); field == null || !field.isEmpty(); field = line(in)) {
            if (field == null) {
                throw new IOException("the connection ended in a message's header");
            }
            int colon = field.indexOf(':');
            if (colon <= 0 || Character.isWhitespace(field.charAt(0)) || field.charAt(colon - 1) == ' ') {
                throw new HttpException(BAD_REQUEST, "a header field is malformed");
            }
            String name = field.substring(0, colon).toLowerCase(Locale.ROOT);
            if (headers.put(name, field.substring(colon + 1).strip()) != null && name.equals("content-length")) {
                throw new HttpException(BAD_REQUEST, "the header has several lengths");
            }
            if (headers.size() > MAX_FIELDS) {
                throw new HttpException(FIELDS_TOO_LARGE, "the header has too many fields");
            }
        }
        return Optional.of(new HttpMessage(start, headers, body(in, headers, maxBody)));
    }

    private static byte[] body(InputStream in, Map<String, String> headers, int maxBody)
            throws IOException, HttpException {
        if (headers.containsKey("transfer-encoding")) {
            throw new HttpException(NOT_IMPLEMENTED, "send a body with its length");
        }
        String length = headers.getOrDefault("content-length", "0");
        if (!length.matches("\\d{1,18}")) {
            throw new HttpException(BAD_REQUEST, "the length of the body is no number");
        }
        if (Long.parseLong(length) > maxBody) {
            throw new HttpException(CONTENT_TOO_LARGE, "the body is longer than %d bytes".formatted(maxBody));
        }
        int bytes = Integer.parseInt(length);
        byte[] body = in.readNBytes(bytes);
        if (body.length < bytes) {
            throw new IOException("the connection ended in a message's body");
        }
        return body;
    }

    private static @Nullable String line(InputStream in) throws IOException, HttpException {
        StringBuilder line = new StringBuilder();
        while (true) {
            int c = in.read();
            if (c < 0 && line.isEmpty()) {
                return null;
            }
            if (c < 0) {
                throw new IOException("the connection ended in a message's header");
            }
            if (c == '\n') {
                int end = line.length();
                return end > 0 && line.charAt(end - 1) == '\r' ? line.substring(0, end - 1) : line.toString();
            }
            if (line.length() == MAX_LINE) {
                throw new HttpException(FIELDS_TOO_LARGE, "a line of the header is too long");
            }
            if (c == 0) {
                throw new HttpException(BAD_REQUEST, "the header has a zero byte");
            }
            line.append((char) c);
        }
    }

    /** {@return a header field; empty if there is none} */
    public String header(String name) {
        return headers.getOrDefault(name, "");
    }

    /**
     * Writes the message with its length.
     *
     * @param out where to
     * @throws IOException if that fails
     */
    public void write(OutputStream out) throws IOException {
        StringBuilder head = new StringBuilder(startLine).append("\r\n");
        headers.forEach(
                (name, value) -> head.append(name).append(": ").append(value).append("\r\n"));
        byte[] bytes = head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
        byte[] all = new byte[bytes.length + body.length];
        System.arraycopy(bytes, 0, all, 0, bytes.length);
        System.arraycopy(body, 0, all, bytes.length, body.length);
        // In one piece, so that a reader never waits for the second half of a small message.
        out.write(all);
        out.flush();
    }
}
