package dev.kagami.image;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A server that serves files over HTTP/1.1 as badly as a test wants it to. */
final class FileServer implements AutoCloseable {

    /** A request that came: its path and headers, with names in lower case. */
    record Request(String path, Map<String, String> headers) {}

    private final ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final Map<String, byte[]> files = new ConcurrentHashMap<>();
    private final List<Request> requests = new CopyOnWriteArrayList<>();

    /** The {@code ETag} of every file; empty for none. */
    volatile String entityTag = "\"1\"";

    /** Whether {@code Range} is heeded. */
    volatile boolean ranges = true;

    /** Whether {@code If-Range} is heeded. */
    volatile boolean ifRange = true;

    /** After how many bytes of a body the connection is cut, for this many times. */
    volatile long cutAfter = Long.MAX_VALUE;

    volatile int cuts;

    /** What happens just before a connection is cut. */
    volatile Runnable onCut = () -> {};

    /** Whether the connection is left silent instead of being cut. */
    volatile boolean stall;

    /** The status of so many answers to come. */
    volatile int status;

    volatile int failures;

    FileServer() throws IOException {
        Thread.ofVirtual().start(this::accept);
    }

    URI put(String path, byte[] content) {
        files.put(path, content);
        return URI.create("http://127.0.0.1:%d%s".formatted(socket.getLocalPort(), path));
    }

    List<Request> requests() {
        return List.copyOf(requests);
    }

    private void accept() {
        try {
            while (true) {
                Socket client = socket.accept();
                Thread.ofVirtual().start(() -> serve(client));
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private void serve(Socket client) {
        try (client) {
            BufferedReader in =
                    new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.ISO_8859_1));
            String line = in.readLine();
            if (line == null) {
                return;
            }
            Map<String, String> headers = new TreeMap<>();
            for (String field = in.readLine(); !field.isEmpty(); field = in.readLine()) {
                int colon = field.indexOf(':');
                headers.put(
                        field.substring(0, colon).toLowerCase(Locale.ROOT),
                        field.substring(colon + 1).strip());
            }
            Request request = new Request(line.split(" ")[1], headers);
            requests.add(request);
            answer(request, client.getOutputStream());
        } catch (IOException e) {
            // The client's business.
        } catch (InterruptedException e) {
            throw new UncheckedIOException(new IOException(e));
        }
    }

    private void answer(Request request, OutputStream out) throws IOException, InterruptedException {
        byte[] file = files.get(request.path());
        if (failures > 0) {
            failures--;
            head(out, status + " No", "Content-Length: 0");
            return;
        }
        if (file == null) {
            head(out, "404 Not Found", "Content-Length: 0");
            return;
        }
        String tag = entityTag.isEmpty() ? "X-No: tag" : "ETag: " + entityTag;
        if (!entityTag.isEmpty() && entityTag.equals(request.headers().get("if-none-match"))) {
            head(out, "304 Not Modified", tag);
            return;
        }
        String range = request.headers().get("range");
        String condition = request.headers().get("if-range");
        int start = 0;
        if (range != null && ranges && (!ifRange || condition == null || condition.equals(entityTag))) {
            start = Integer.parseInt(range.substring("bytes=".length(), range.length() - 1));
            if (start >= file.length) {
                head(out, "416 Range Not Satisfiable", "Content-Length: 0");
                return;
            }
            head(
                    out,
                    "206 Partial Content",
                    "Content-Length: " + (file.length - start),
                    "Content-Range: bytes %d-%d/%d".formatted(start, file.length - 1, file.length),
                    tag);
        } else {
            head(out, "200 OK", "Content-Length: " + file.length, tag);
        }
        int length = file.length - start;
        if (cuts > 0 && cutAfter < length) {
            cuts--;
            out.write(file, start, (int) cutAfter);
            out.flush();
            onCut.run();
            if (stall) {
                Thread.sleep(60_000);
            }
            return;
        }
        out.write(file, start, length);
    }

    private static void head(OutputStream out, String status, String... fields) throws IOException {
        String head = "HTTP/1.1 " + status + "\r\n" + String.join("\r\n", fields) + "\r\nConnection: close\r\n\r\n";
        out.write(head.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
