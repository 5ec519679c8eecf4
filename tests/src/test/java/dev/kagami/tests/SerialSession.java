package dev.kagami.tests;

import dev.kagami.vm.Outcome;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import dev.kagami.vm.VirtualMachineStats;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/** A running machine with a person at its serial console: reads what the guest prints, types when it has said something. */
final class SerialSession implements AutoCloseable {
    /** The prompt of the default guest. */
    static final String PROMPT = "kagami:~# ";

    /** What runs the guests: what users get without asking, unless told otherwise. */
    static final String ENGINE = System.getProperty("kagami.tests.engine", "auto");

    private static final int TAIL = 3000;

    private final TypedInput input = new TypedInput();
    private final Screen screen = new Screen();
    private final VirtualMachine machine;
    private int seen;

    private SerialSession(
            Function<Consumer<VirtualMachineConfig.Builder>, VirtualMachine> maker,
            Consumer<VirtualMachineConfig.Builder> description) {
        machine = maker.apply(c -> {
            c.engine(ENGINE);
            description.accept(c);
            c.serial(s -> s.input(input).output(screen));
        });
    }

    /** Starts a machine, whose serial port this session takes. */
    static SerialSession start(Consumer<VirtualMachineConfig.Builder> description) {
        SerialSession session = new SerialSession(VirtualMachine::create, description);
        session.machine.start();
        return session;
    }

    /** Lets a machine go on from a snapshot; this session takes its serial port. */
    static SerialSession resume(Snapshot snapshot, Consumer<VirtualMachineConfig.Builder> description) {
        SerialSession session = new SerialSession(snapshot::restore, description);
        session.machine.resume();
        return session;
    }

    /** Lets a copy of a machine go on from a snapshot. */
    static SerialSession branch(Snapshot snapshot) {
        SerialSession session = new SerialSession(snapshot::branch, c -> {});
        session.machine.resume();
        return session;
    }

    /** {@return the machine} */
    VirtualMachine machine() {
        return machine;
    }

    /** Types a line. */
    void line(String text) {
        input.type(text + "\n");
    }

    /** Types keys. */
    void keys(String text) {
        input.type(text);
    }

    /**
     * Waits until the guest prints a text that this method hasn't returned before.
     *
     * @return what the guest has printed since the last call, up to and with the text
     * @throws AssertionError when the machine ends before, or the time runs out; with the end of what it printed
     */
    String await(String text, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (true) {
            boolean ended = machine.state() == VirtualMachine.State.STOPPED;
            String printed = screen.text();
            int found = printed.indexOf(text, seen);
            if (found >= 0) {
                String answer = printed.substring(seen, found + text.length());
                seen = found + text.length();
                return answer;
            }
            long left = deadline - System.nanoTime();
            if (ended || left <= 0) {
                throw new AssertionError("%s before the guest printed '%s'; it printed last:%n%s"
                        .formatted(ended ? "the machine ended with " + outcome() : "time was up", text, tail(printed)));
            }
            screen.awaitMore(printed.length(), Math.min(left, 200_000_000));
        }
    }

    /** Types a command to the default guest's shell and returns what it prints, up to the next prompt. */
    String run(String command) throws InterruptedException {
        line(command);
        String answer = await(PROMPT, Duration.ofSeconds(60));
        // First comes the echo of the command.
        return answer.substring(answer.indexOf('\n') + 1, answer.length() - PROMPT.length())
                .replace("\r", "");
    }

    /** Waits for the end of the machine. */
    Outcome awaitOutcome(Duration timeout) throws InterruptedException {
        Optional<Outcome> outcome = machine.awaitShutdown(timeout);
        return outcome.orElseThrow(() -> new AssertionError(
                "the machine was still running after %s; it printed last:%n%s".formatted(timeout, tail(output()))));
    }

    private Outcome outcome() {
        try {
            return awaitOutcome(Duration.ofSeconds(1));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Pulls the plug. */
    void stop() {
        machine.stop();
    }

    boolean isRunning() {
        return machine.state() == VirtualMachine.State.RUNNING;
    }

    /** {@return all that the guest has printed} */
    String output() {
        return screen.text();
    }

    VirtualMachineStats stats() {
        return machine.stats();
    }

    private static String tail(String text) {
        return text.substring(Math.max(0, text.length() - TAIL));
    }

    @Override
    public void close() {
        machine.close();
        input.close();
    }

    /** What the guest has printed. */
    private static final class Screen extends OutputStream {
        private final StringBuilder text = new StringBuilder();

        @Override
        public synchronized void write(int value) {
            text.append((char) (value & 0xFF));
            notifyAll();
        }

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) {
            text.append(new String(bytes, offset, length, StandardCharsets.ISO_8859_1));
            notifyAll();
        }

        synchronized String text() {
            return text.toString();
        }

        synchronized void awaitMore(int known, long nanos) throws InterruptedException {
            if (text.length() == known) {
                wait(Math.max(1, nanos / 1_000_000));
            }
        }
    }
}
