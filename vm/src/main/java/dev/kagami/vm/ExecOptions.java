package dev.kagami.vm;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Says how a command is run in the guest. Filled by a lambda; not thread-safe. */
public final class ExecOptions {
    static final Duration FOR_EVER = Duration.ofSeconds(Long.MAX_VALUE);

    final Map<String, String> environment = new LinkedHashMap<>();

    @Nullable
    String directory;

    @Nullable
    String user;

    InputStream input = InputStream.nullInputStream();

    @Nullable
    OutputStream output;

    @Nullable
    OutputStream error;

    @Nullable
    GuestTerminal terminal;

    Duration timeout = FOR_EVER;

    ExecOptions() {}

    /**
     * Sets an environment variable.
     *
     * @param name letters, digits and underscores
     * @param value anything without zero characters
     * @return this
     */
    public ExecOptions environment(String name, String value) {
        environment.put(name, value);
        return this;
    }

    /**
     * Sets the working directory; where the agent runs by default, {@code /} usually.
     *
     * @param path a directory of the guest; when it isn't there the exit status is 126
     * @return this
     */
    public ExecOptions directory(String path) {
        directory = path;
        return this;
    }

    /**
     * Sets who runs the command; root by default.
     *
     * @param name a user of the guest
     * @return this
     */
    public ExecOptions user(String name) {
        user = name;
        return this;
    }

    /**
     * Sets the standard input; empty by default.
     *
     * @param text what the command reads, as UTF-8
     * @return this
     */
    public ExecOptions stdin(String text) {
        return stdin(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Sets the standard input; empty by default. Not for {@link VirtualMachine#spawn}, whose caller writes to the process.
     *
     * @param input read to its end by the calling thread, as fast as the command does
     * @return this
     */
    public ExecOptions stdin(InputStream input) {
        this.input = input;
        return this;
    }

    /**
     * Sets where the standard output goes, while the command runs; by default the result has it.
     *
     * @param output written on a thread of the machine, and not closed
     * @return this
     */
    public ExecOptions stdout(OutputStream output) {
        this.output = output;
        return this;
    }

    /**
     * Sets where the standard error goes, while the command runs; by default the result has it.
     *
     * @param output written on a thread of the machine, and not closed
     * @return this
     */
    public ExecOptions stderr(OutputStream output) {
        error = output;
        return this;
    }

    /**
     * Gives the command a terminal in place of three pipes, and a {@code TERM} to match.
     *
     * @param terminal its type and size, which can be changed while the command runs
     * @return this
     */
    public ExecOptions terminal(GuestTerminal terminal) {
        this.terminal = terminal;
        return environment("TERM", terminal.type());
    }

    /**
     * Sets how long it may take, from the call to the end of the command; for ever by default, but for the ten minutes that
     * a guest has to boot.
     *
     * @param timeout the limit; a command that takes longer is killed, with everything in its process group
     * @return this
     */
    public ExecOptions timeout(Duration timeout) {
        this.timeout = timeout;
        return this;
    }
}
