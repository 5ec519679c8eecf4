package dev.kagami.image.fetch;

import dev.kagami.image.ImageException;
import dev.kagami.image.ProgressListener;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * One file's way from an HTTP server to here. What has come is kept when the connection is cut, and the next attempt, in
 * this process or a later one, asks for the rest; the server's validator (RFC 9110, 8.8) makes sure that it is the rest of
 * the same.
 */
public final class Download {

    /** Attempts in a row that bring nothing, until it is given up. */
    private static final int MAX_ATTEMPTS = 4;

    private static final int CHUNK = 256 << 10;
    private static final int OK = 200;
    private static final int PARTIAL_CONTENT = 206;
    private static final int NOT_MODIFIED = 304;
    private static final int RANGE_NOT_SATISFIABLE = 416;

    /** What may be better in a moment: request timeout, too many requests, and servers behind the server. */
    private static final Set<Integer> PASSING = Set.of(408, 429, 500, 502, 503, 504);

    private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-(\\d{1,18})/(\\d{1,18}|\\*)");

    private final URI source;
    private final Path file;
    private final Path notes;
    private final Patience patience;
    private final ProgressListener progress;

    /**
     * How long to wait for a server.
     *
     * @param connect for a connection
     * @param silence for the next byte
     * @param pause before another attempt; doubles from one to the next
     */
    public record Patience(Duration connect, Duration silence, Duration pause) {
        /** Returns the usual. */
        public static Patience usual() {
            return new Patience(Duration.ofSeconds(30), Duration.ofSeconds(60), Duration.ofSeconds(1));
        }
    }

    /**
     * How a download went.
     *
     * @param modified whether there is a file now; false if what the caller had is still current
     * @param resumed whether a part of it came from an earlier attempt
     * @param validator what tells this state of the file from others
     */
    public record Result(boolean modified, boolean resumed, Validator validator) {}

    /**
     * Creates a download.
     *
     * @param source an http or https address
     * @param file where to; what is there already is taken for the first part
     * @param notes a file beside it, for what must be known to go on
     * @param patience how long to wait
     * @param progress hears how far it is
     */
    public Download(URI source, Path file, Path notes, Patience patience, ProgressListener progress) {
        this.source = source;
        this.file = file;
        this.notes = notes;
        this.patience = patience;
        this.progress = progress;
    }

    /**
     * Downloads the file unless it is what the caller has.
     *
     * @param known what the caller has; {@link Validator#NONE} for nothing
     * @return how it went
     * @throws ImageException if the server or the network fails for good
     * @throws IOException if the file can't be written
     */
    public Result run(Validator known) throws IOException {
        try (HttpClient client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .proxy(new EnvironmentProxy(System.getenv()))
                .connectTimeout(patience.connect())
                .build()) {
            boolean resumed = false;
            Duration pause = patience.pause();
            int attempt = 0;
            while (true) {
                long before = size();
                Validator validator = before == 0 ? Validator.NONE : Validator.read(notes);
                if (before > 0 && validator.isComplete(before)) {
                    return new Result(true, true, validator);
                }
                try {
                    Attempt result = attempt(client, before, validator, known);
                    if (result == Attempt.NOT_MODIFIED) {
                        return new Result(false, false, known);
                    }
                    if (result != Attempt.ANEW) {
                        return new Result(true, resumed || result == Attempt.CONTINUED, Validator.read(notes));
                    }
                    attempt++;
                } catch (PassingException e) {
                    boolean gained = size() > before;
                    resumed |= gained;
                    attempt = gained ? 1 : attempt + 1;
                    pause = gained ? patience.pause() : pause.multipliedBy(2);
                    if (attempt >= MAX_ATTEMPTS) {
                        throw failed(e.getMessage(), e);
                    }
                    Thread.sleep(pause);
                }
                if (attempt >= MAX_ATTEMPTS) {
                    throw failed("the server gives a different file each time", null);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ImageException(
                    ImageException.Code.INTERRUPTED,
                    "Interrupted while fetching " + source,
                    "Run it again; what has come so far is kept.",
                    e);
        }
    }

    private enum Attempt {
        WHOLE,
        CONTINUED,
        NOT_MODIFIED,
        ANEW
    }

    /** Something that may be better in a moment. */
    private static final class PassingException extends Exception {
        private static final long serialVersionUID = 1L;

        PassingException(String message, @Nullable Throwable cause) {
            super(message, cause);
        }
    }

    private Attempt attempt(HttpClient client, long have, Validator validator, Validator known)
            throws IOException, InterruptedException, PassingException {
        boolean resume = have > 0 && validator.isStrong();
        HttpRequest.Builder request = HttpRequest.newBuilder(source)
                .timeout(patience.silence())
                .header("User-Agent", "kagami")
                // A server must not pack what is packed already: a range would be one of what it made of it.
                .header("Accept-Encoding", "identity");
        if (resume) {
            request.header("Range", "bytes=" + have + "-").header("If-Range", validator.strong());
        } else if (have == 0) {
            known.addConditions(request);
        }
        HttpResponse<InputStream> response = send(client, request.build());
        try (InputStream body = response.body()) {
            int status = response.statusCode();
            Validator now = Validator.of(response);
            if (status == PARTIAL_CONTENT && resume) {
                if (!continues(response, have) || !now.agreesWith(validator)) {
                    Files.delete(file);
                    return Attempt.ANEW;
                }
                receive(body, have, validator.length());
                return Attempt.CONTINUED;
            }
            if (status == OK) {
                // Without a range: the file has changed, or the server knows no ranges.
                Files.deleteIfExists(file);
                now.write(notes);
                receive(body, 0, now.length());
                return Attempt.WHOLE;
            }
            if (status == RANGE_NOT_SATISFIABLE && resume) {
                Files.delete(file);
                return Attempt.ANEW;
            }
            if (status == NOT_MODIFIED && have == 0) {
                return Attempt.NOT_MODIFIED;
            }
            if (PASSING.contains(status)) {
                throw new PassingException("the server answers with status " + status, null);
            }
            throw failed("the server answers with status " + status, null);
        }
    }

    private HttpResponse<InputStream> send(HttpClient client, HttpRequest request)
            throws InterruptedException, PassingException {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofInputStream());
        } catch (SSLException e) {
            throw failed("no secure connection: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new PassingException(
                    e.getMessage() == null ? "no connection to " + source.getAuthority() : e.getMessage(), e);
        }
    }

    private static boolean continues(HttpResponse<?> response, long have) {
        Matcher range = CONTENT_RANGE.matcher(
                response.headers().firstValue("Content-Range").orElse(""));
        return range.matches() && Long.parseLong(range.group(1)) == have;
    }

    private void receive(InputStream body, long start, OptionalLong length) throws IOException, PassingException {
        Throttle throttle = Throttle.of(progress, "Fetching " + name(source));
        byte[] chunk = new byte[CHUNK];
        long at = start;
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                StallGuard guard = StallGuard.start(body, patience.silence())) {
            while (true) {
                throttle.progress(at, length.orElse(0));
                int count;
                try {
                    count = body.read(chunk);
                } catch (IOException e) {
                    throw new PassingException(
                            guard.stalled()
                                    ? "nothing has come for "
                                            + patience.silence().toSeconds() + " seconds"
                                    : "the connection was cut (" + e.getMessage() + ")",
                            e);
                }
                if (count < 0) {
                    break;
                }
                guard.progressed();
                ByteBuffer buffer = ByteBuffer.wrap(chunk, 0, count);
                while (buffer.hasRemaining()) {
                    at += out.write(buffer, at);
                }
            }
        }
        if (length.isPresent() && at != length.getAsLong()) {
            throw new PassingException("the server sent %d of %d bytes".formatted(at, length.getAsLong()), null);
        }
    }

    private long size() throws IOException {
        return Files.exists(file) ? Files.size(file) : 0;
    }

    /** Returns the last part of an address's path. */
    public static String name(URI source) {
        String path = source.getPath() == null ? "" : source.getPath();
        String name = path.substring(path.lastIndexOf('/') + 1);
        return name.isEmpty() ? source.toString() : name;
    }

    private ImageException failed(String why, @Nullable Throwable cause) {
        return new ImageException(
                ImageException.Code.DOWNLOAD_FAILED,
                "Can't fetch " + source + ": " + why,
                "Check the address, the network, and the environment's https_proxy if you need a proxy, and try again; what"
                        + " has come so far is kept.",
                cause);
    }
}
