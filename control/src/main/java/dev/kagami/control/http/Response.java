package dev.kagami.control.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A response.
 *
 * @param status the status code
 * @param headers more fields by their names
 * @param body the body
 * @param tunnel what the connection becomes after this response, or null
 */
public record Response(
        int status,
        Map<String, String> headers,
        byte[] body,
        @Nullable Tunnel tunnel) {
    private static final int SWITCHING_PROTOCOLS = 101;

    /** What a connection becomes when it is upgraded (RFC 9110, 7.8). */
    @FunctionalInterface
    public interface Tunnel {
        /**
         * Uses the connection, which is closed when this returns.
         *
         * @param in what the client sends
         * @param out what it receives
         * @throws IOException if the connection ends
         */
        void run(InputStream in, OutputStream out) throws IOException;
    }

    /** {@return a response with a body of a type} */
    public static Response of(int status, String type, byte[] body) {
        return new Response(status, Map.of("Content-Type", type), body, null);
    }

    /** {@return a response that upgrades the connection} */
    public static Response upgrade(String protocol, Tunnel tunnel) {
        return new Response(
                SWITCHING_PROTOCOLS, Map.of("Connection", "Upgrade", "Upgrade", protocol), new byte[0], tunnel);
    }

    /** {@return this with one more field} */
    public Response with(String name, String value) {
        Map<String, String> more = new TreeMap<>(headers);
        more.put(name, value);
        return new Response(status, more, body, tunnel);
    }

    void write(OutputStream out, boolean close) throws IOException {
        Map<String, String> all = new TreeMap<>(headers);
        if (tunnel == null) {
            all.put("Content-Length", Integer.toString(body.length));
            if (close) {
                all.put("Connection", "close");
            }
        }
        new HttpMessage("HTTP/1.1 %d %s".formatted(status, reason()), all, body).write(out);
    }

    /** Nobody needs it, but people who look at the wire. */
    private String reason() {
        return switch (status / 100) {
            case 1 -> "Switching Protocols";
            case 2 -> "OK";
            case 4 -> "Refused";
            default -> "Failed";
        };
    }
}
