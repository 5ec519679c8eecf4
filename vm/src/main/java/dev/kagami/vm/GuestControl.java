package dev.kagami.vm;

import dev.kagami.agent.AgentClient;
import dev.kagami.agent.AgentException;
import dev.kagami.agent.AgentToken;
import dev.kagami.agent.AgentTransport;
import dev.kagami.agent.GuestCommand;
import dev.kagami.agent.GuestFiles;
import dev.kagami.agent.GuestProcess;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Runs commands in one guest. Thread-safe. */
final class GuestControl {
    /** How long a guest may take to boot: minutes, for a cloud image's first boot on a busy host. */
    private static final Duration BOOT = Duration.ofMinutes(10);

    private static final int LAST_WORDS = 500;
    private static final System.Logger LOG = System.getLogger(GuestControl.class.getName());

    /** How long to try to tell a guest the news before the time in it is too old. */
    private static final Duration NEWS = Duration.ofSeconds(2);

    /** How long commands wait for the guest to have been told. */
    private static final Duration NEWS_FIRST = Duration.ofSeconds(5);

    private final AgentTransport transport;
    /** Asked each time, as a machine that is restored has another one's. */
    private final Supplier<AgentToken> token;

    GuestControl(AgentTransport transport, Supplier<AgentToken> token) {
        this.transport = transport;
        this.token = token;
    }

    /**
     * Tells a guest what it can't know, as soon as its agent is there; what is run meanwhile waits for it. Returns when the guest
     * was told, or the machine has ended.
     *
     * @param latest the news
     * @param told completed when this returns
     * @param over tells whether the machine has ended
     */
    void tell(GuestNews latest, CompletableFuture<?> told, BooleanSupplier over) {
        try {
            while (!over.getAsBoolean()) {
                try {
                    ExecResult result = exec(latest.script(), o -> o.timeout(NEWS));
                    if (result.exitStatus() != 0 || !result.stderr().isEmpty()) {
                        LOG.log(System.Logger.Level.DEBUG, "the guest made nothing of the news: {0}", result.stderr());
                    }
                    return;
                } catch (KagamiException e) {
                    if (e.code() != ErrorCode.COMMAND_TIMED_OUT && e.code() != ErrorCode.GUEST_AGENT_UNAVAILABLE) {
                        throw e;
                    }
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            told.complete(null);
        }
    }

    /** Waits until the guest was told the news, but not for ever. */
    static void awaitNews(CompletableFuture<?> told) throws InterruptedException {
        try {
            told.get(NEWS_FIRST.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            LOG.log(System.Logger.Level.DEBUG, "the guest has not taken the news yet");
        } catch (ExecutionException e) {
            throw new AssertionError("nobody completes it with an exception", e);
        }
    }

    private AgentClient client() {
        return new AgentClient(transport, token.get());
    }

    ExecResult exec(String command, Consumer<ExecOptions> description) throws InterruptedException {
        long start = System.nanoTime();
        ExecOptions options = options(description);
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        OutputStream outputTarget = options.output == null ? output : options.output;
        OutputStream errorTarget = options.error == null ? error : options.error;
        GuestProcess process = start(command, options, outputTarget, errorTarget);
        try {
            // A command that is stuck must not keep the calling thread in a write.
            Thread feeder = Thread.ofVirtual().name("kagami-agent-input").start(() -> feed(process, options));
            Duration left = options.timeout.minusNanos(System.nanoTime() - start);
            long nanos = TimeUnit.NANOSECONDS.convert(left);
            if (!process.waitFor(nanos, TimeUnit.NANOSECONDS)) {
                process.destroyForcibly();
                process.waitFor();
                throw new KagamiException(
                        ErrorCode.COMMAND_TIMED_OUT,
                        "the command did not end within %s: %s%s"
                                .formatted(options.timeout, command, lastWords(output, error)),
                        "give it more time: o.timeout(...)");
            }
            feeder.interrupt();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw e;
        }
        if (process.loss().isPresent()) {
            throw new KagamiException(
                    ErrorCode.GUEST_AGENT_UNAVAILABLE,
                    "the guest ended, or its agent, while it ran: " + command,
                    "see the console's transcript for the reason",
                    process.loss().get());
        }
        return new ExecResult(process.exitValue(), output.toByteArray(), error.toByteArray());
    }

    private static void feed(GuestProcess process, ExecOptions options) {
        try (OutputStream input = process.getOutputStream()) {
            options.input.transferTo(input);
        } catch (IOException e) {
            // Commands may end before they have read everything; head(1) lives of it.
            System.getLogger(GuestControl.class.getName())
                    .log(System.Logger.Level.DEBUG, "standard input was not taken to its end", e);
        }
    }

    private static String lastWords(ByteArrayOutputStream output, ByteArrayOutputStream error) {
        String all = output.toString() + error;
        if (all.isBlank()) {
            return "";
        }
        return "; it had printed: "
                + all.substring(Math.max(0, all.length() - LAST_WORDS)).strip();
    }

    Process spawn(String command, Consumer<ExecOptions> description) throws InterruptedException {
        ExecOptions options = options(description);
        return start(command, options, options.output, options.error);
    }

    private static ExecOptions options(Consumer<ExecOptions> description) {
        ExecOptions options = new ExecOptions();
        description.accept(options);
        return options;
    }

    private GuestProcess start(
            String command, ExecOptions options, @Nullable OutputStream output, @Nullable OutputStream error)
            throws InterruptedException {
        Duration patience = options.timeout.equals(ExecOptions.FOR_EVER) ? BOOT : options.timeout;
        GuestTerminal terminal = options.terminal;
        try {
            GuestProcess process = client().start(
                            new GuestCommand(
                                    command,
                                    options.environment,
                                    options.directory,
                                    options.user,
                                    output,
                                    error,
                                    terminal == null ? null : window(terminal)),
                            patience);
            if (terminal != null) {
                terminal.onResize(() -> process.resize(window(terminal)));
            }
            return process;
        } catch (AgentException e) {
            throw unavailable(e);
        }
    }

    private static GuestCommand.Window window(GuestTerminal terminal) {
        GuestTerminal.Size size = terminal.size();
        return new GuestCommand.Window(size.columns(), size.rows());
    }

    void copyTo(Path source, String target) throws InterruptedException {
        try {
            GuestFiles.copyTo(client(), BOOT, source, target);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.COPY_FAILED,
                    "cannot copy %s to %s in the guest: %s".formatted(source, target, e.getMessage()),
                    "check both paths, and the room in the guest",
                    e);
        } catch (AgentException e) {
            throw unavailable(e);
        }
    }

    void copyFrom(String source, Path target) throws InterruptedException {
        try {
            GuestFiles.copyFrom(client(), BOOT, source, target);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.COPY_FAILED,
                    "cannot copy %s of the guest to %s: %s".formatted(source, target, e.getMessage()),
                    "check both paths, and the room on the host",
                    e);
        } catch (AgentException e) {
            throw unavailable(e);
        }
    }

    private static KagamiException unavailable(AgentException e) {
        String hint = switch (e.reason()) {
            case UNREACHABLE ->
                "see the console's transcript for how far the guest has come; images need cloud-init to get an agent";
            case REFUSED, VERSION -> "something else listens on the agent's port in the guest";
            case TOO_LONG -> "copy a script into the guest and run that";
        };
        return new KagamiException(ErrorCode.GUEST_AGENT_UNAVAILABLE, String.valueOf(e.getMessage()), hint, e);
    }
}
