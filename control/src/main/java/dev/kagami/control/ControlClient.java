package dev.kagami.control;

import dev.kagami.control.http.HttpException;
import dev.kagami.control.http.HttpMessage;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.GuestTerminal;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Network;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A connection to a machine of another process.
 *
 * <p>All methods throw {@link KagamiException}: with what the machine answers, or with {@link ErrorCode#MACHINE_UNKNOWN} when
 * it has ended. Not thread-safe.
 */
public final class ControlClient implements AutoCloseable {
    private static final Pattern STATUS_LINE = Pattern.compile("HTTP/1\\.1 (\\d{3})( .*)?");
    private static final int MAX_RESPONSE = 96 << 20;
    private static final int OK = 200;
    private static final int SWITCHING_PROTOCOLS = 101;

    private final Path socket;
    private final SocketChannel channel;
    private final InputStream in;
    private final OutputStream out;

    private ControlClient(Path socket, SocketChannel channel) {
        this.socket = socket;
        this.channel = channel;
        in = new BufferedInputStream(Channels.newInputStream(channel));
        out = Channels.newOutputStream(channel);
    }

    static ControlClient connect(Path socket) throws IOException {
        return new ControlClient(socket, SocketChannel.open(UnixDomainSocketAddress.of(socket)));
    }

    /**
     * The serial console of a machine.
     *
     * @param output what the guest prints, beginning with what it has printed before; ends with the machine
     * @param input what is typed to the guest
     */
    public record Console(InputStream output, OutputStream input) {}

    /** {@return what the machine is and does} */
    public MachineStatus status() {
        return object("GET", "/v1/machine", null, Messages::toMachine);
    }

    /** Presses the machine's power button, which a guest takes for a request to shut down. */
    public void requestStop() {
        object("POST", "/v1/machine/stop", Map.of("force", false));
    }

    /** Pulls the plug. */
    public void stop() {
        object("POST", "/v1/machine/stop", Map.of("force", true));
    }

    /** Makes the machine stand still. */
    public void pause() {
        object("POST", "/v1/machine/pause", null);
    }

    /** Lets a machine go on that stands still. */
    public void resume() {
        object("POST", "/v1/machine/resume", null);
    }

    /** Presses the machine's reset button. */
    public void reset() {
        object("POST", "/v1/machine/reset", null);
    }

    /**
     * Saves the machine's state to a file, in place of the one that is there; the machine goes on.
     *
     * @param file where to
     * @param compressed whether to make it smaller, which takes longer
     */
    public void save(Path file, boolean compressed) {
        object("POST", "/v1/machine/save", Map.of("file", file.toAbsolutePath().toString(), "compressed", compressed));
    }

    /**
     * Runs a command in the guest, by its agent, and waits for its end.
     *
     * @param command a line for {@code /bin/sh}, run by root
     * @param input its standard input, 2 MiB at most
     * @param timeout how long it may take, with the guest's start; whole seconds, at least one
     * @return its exit status and what it printed, 32 MiB at most
     */
    public CommandResult exec(String command, byte[] input, Duration timeout) {
        return object(
                "POST",
                "/v1/exec",
                Map.of(
                        "command",
                        command,
                        "stdin",
                        Base64.getEncoder().encodeToString(input),
                        "timeoutSeconds",
                        Math.max(1, timeout.toSeconds())),
                Messages::toResult);
    }

    /**
     * Runs a command in the guest, by its agent, and passes on its input and output as they come. After this, nothing else can be
     * called but {@code close}.
     *
     * @param command a line for {@code /bin/sh}, run by root
     * @param input its standard input
     * @param output takes its standard output
     * @param error takes its standard error
     * @param timeout how long it may take; whole seconds, at least one
     * @return its exit status
     */
    public int exec(String command, InputStream input, OutputStream output, OutputStream error, Duration timeout) {
        return follow(
                Map.of("command", command, "timeoutSeconds", Math.max(1, timeout.toSeconds())),
                new Streams(input, output, error, null, () -> {}));
    }

    /**
     * Runs a command in the guest, by its agent, with a terminal. After this, nothing else can be called but {@code close}.
     *
     * @param command a line for {@code /bin/sh}, run by root
     * @param terminal the command's terminal; changes of its size are passed on
     * @param input what is typed on it
     * @param output takes what is to be seen on it
     * @param started called when the command has started, before anything is passed on
     * @param timeout how long it may take; whole seconds, at least one
     * @return its exit status
     */
    public int exec(
            String command,
            GuestTerminal terminal,
            InputStream input,
            OutputStream output,
            Runnable started,
            Duration timeout) {
        return follow(
                Map.of(
                        "command",
                        command,
                        "timeoutSeconds",
                        Math.max(1, timeout.toSeconds()),
                        "terminal",
                        Messages.ofTerminal(terminal)),
                new Streams(input, output, output, terminal, started));
    }

    private record Streams(
            InputStream input,
            OutputStream output,
            OutputStream error,
            @Nullable GuestTerminal terminal,
            Runnable started) {}

    private int follow(Map<String, Object> description, Streams streams) {
        byte[] body = Json.write(description);
        HttpMessage request = new HttpMessage(
                "POST /v1/exec HTTP/1.1",
                Map.of(
                        "Host",
                        "localhost",
                        "Connection",
                        "Upgrade",
                        "Upgrade",
                        ExecStream.PROTOCOL,
                        "Content-Type",
                        "application/json",
                        "Content-Length",
                        Integer.toString(body.length)),
                body);
        exchange(request, SWITCHING_PROTOCOLS);
        try {
            return ExecStream.follow(
                    in, out, streams.input(), streams.output(), streams.error(), streams.terminal(), streams.started());
        } catch (IOException e) {
            throw ended(e);
        } catch (IllegalArgumentException e) {
            throw foreign(e);
        }
    }

    /** {@return counters by name, since the machine was started} */
    public Map<String, Long> metrics() {
        Map<String, Long> metrics = new TreeMap<>();
        object("GET", "/v1/metrics", null).forEach((name, value) -> {
            if (value instanceof Number number) {
                metrics.put(name, number.longValue());
            }
        });
        return metrics;
    }

    /** {@return the ports that are forwarded to the guest} */
    public List<Network.Forward> forwards() {
        return object("GET", "/v1/forwards", null, Messages::toForwards);
    }

    /** {@return a forward that was added, with the actual port} */
    public Network.Forward addForward(Network.Forward forward) {
        return object("POST", "/v1/forwards", Messages.ofForward(forward), Messages::toForward);
    }

    /**
     * Stops forwarding a port.
     *
     * @param forward the forward; the guest's port doesn't matter
     */
    public void removeForward(Network.Forward forward) {
        Map<String, Object> parts = Messages.ofForward(forward);
        object(
                "DELETE",
                "/v1/forwards/%s/%s/%s"
                        .formatted(
                                parts.get("protocol"),
                                String.valueOf(parts.get("address")).replace("%", "%25"),
                                parts.get("hostPort")),
                null);
    }

    /** {@return the last of what the guest has printed} */
    public byte[] scrollback() {
        return call("GET", "/v1/console/scrollback", null).body();
    }

    /** {@return the machine's console; after this, nothing else can be called but {@code close}} */
    public Console console() {
        HttpMessage request = new HttpMessage(
                "GET /v1/console HTTP/1.1",
                Map.of("Host", "localhost", "Connection", "Upgrade", "Upgrade", Messages.UPGRADE),
                new byte[0]);
        exchange(request, SWITCHING_PROTOCOLS);
        return new Console(in, out);
    }

    private Map<String, Object> object(String method, String path, @Nullable Map<String, Object> body) {
        return object(method, path, body, Function.identity());
    }

    private <T> T object(
            String method, String path, @Nullable Map<String, Object> body, Function<Map<String, Object>, T> reader) {
        byte[] answer = call(method, path, body).body();
        try {
            return reader.apply(Json.read(answer));
        } catch (IllegalArgumentException e) {
            throw foreign(e);
        }
    }

    private HttpMessage call(String method, String path, @Nullable Map<String, Object> body) {
        byte[] content = body == null ? new byte[0] : Json.write(body);
        Map<String, String> headers = new TreeMap<>(Map.of("Host", "localhost"));
        if (body != null) {
            headers.put("Content-Type", "application/json");
            headers.put("Content-Length", Integer.toString(content.length));
        }
        return exchange(new HttpMessage("%s %s HTTP/1.1".formatted(method, path), headers, content), OK);
    }

    private HttpMessage exchange(HttpMessage request, int wanted) {
        try {
            request.write(out);
            HttpMessage response =
                    HttpMessage.read(in, MAX_RESPONSE).orElseThrow(() -> new IOException("it has ended"));
            Matcher line = STATUS_LINE.matcher(response.startLine());
            if (!line.matches()) {
                throw new HttpException(0, "it doesn't answer in HTTP");
            }
            if (Integer.parseInt(line.group(1)) == wanted) {
                return response;
            }
            throw Messages.toException(Json.read(response.body()));
        } catch (IOException e) {
            throw ended(e);
        } catch (HttpException | IllegalArgumentException e) {
            throw foreign(e);
        }
    }

    private KagamiException foreign(Exception e) {
        return new KagamiException(
                ErrorCode.CONTROL_FAILED,
                "what answers at %s is no machine, or one of another version: %s".formatted(socket, e.getMessage()),
                "use the version of kagami that the machine was started with",
                e);
    }

    private KagamiException ended(IOException e) {
        return new KagamiException(
                ErrorCode.MACHINE_UNKNOWN,
                "the machine at %s has ended".formatted(socket),
                "see why with: kagami logs NAME",
                e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // There is nothing left to be done about it.
        }
    }
}
