package dev.kagami.vm;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * What the guest has printed on its first serial port, and a keyboard to it; beside the streams that
 * {@link VirtualMachineConfig.Builder#serial} connects. It remembers the last {@value #LIMIT} bytes, over all resets.
 *
 * <p>Thread-safe.
 */
public final class GuestConsole {
    /** How many bytes are remembered. */
    public static final int LIMIT = 4 << 20;

    private static final int FIRST_SIZE = 16 << 10;
    private static final int LAST_LINES = 15;

    private final Consumer<byte[]> keyboard;
    private final TerminalScreen screen;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private byte[] bytes = new byte[FIRST_SIZE];
    /** How many of the bytes there are, and how many came before them and are forgotten. */
    private int count;

    private long forgotten;
    /** How far {@link #awaitText} and the screen have come, counted from the very first byte. */
    private long cursor;

    private long shown;
    /** How the machine has ended, in words; empty while it hasn't. */
    private String end = "";

    GuestConsole(Consumer<byte[]> keyboard) {
        this.keyboard = keyboard;
        this.screen = new TerminalScreen(80, 25);
    }

    /**
     * Types a text.
     *
     * @param text what to type; {@code "\n"} is the Enter key
     * @return this
     * @throws MachineStateException when the machine does not run
     */
    public GuestConsole type(String text) {
        // The key sends a carriage return; the guest's terminal makes the newline of it.
        keyboard.accept(text.replace('\n', '\r').getBytes(StandardCharsets.UTF_8));
        return this;
    }

    /**
     * Waits until the guest prints a text. Each call looks behind what the last one found, so that a prompt that comes again
     * and again is waited for each time.
     *
     * @param text what to wait for; may be there already, unless a call before has found it
     * @param timeout how long at most
     * @return what was printed from where the last call ended to the end of the text
     * @throws KagamiException with code {@code CONSOLE_TIMED_OUT} when it isn't there in time, or the machine has ended
     *     without it; the message has the console's last lines
     * @throws InterruptedException when the calling thread is interrupted
     */
    public String awaitText(String text, Duration timeout) throws InterruptedException {
        byte[] wanted = text.getBytes(StandardCharsets.UTF_8);
        lock.lock();
        try {
            long left = timeout.toNanos();
            long from = cursor;
            while (true) {
                long found = find(wanted, from);
                if (found >= 0) {
                    int start = (int) Math.max(0, cursor - forgotten);
                    cursor = found + wanted.length;
                    return new String(bytes, start, (int) (cursor - forgotten) - start, StandardCharsets.UTF_8);
                }
                // What was looked at needs no second look, but for a text that is half there.
                from = Math.max(from, forgotten + count - wanted.length + 1);
                if (!end.isEmpty() || left <= 0) {
                    throw new KagamiException(
                            ErrorCode.CONSOLE_TIMED_OUT,
                            "the console did not show '%s' %s; its last lines:%n%s"
                                    .formatted(
                                            text,
                                            end.isEmpty() ? "within " + timeout : "before the machine ended: " + end,
                                            lastLines()),
                            end.isEmpty() ? "wait longer, or for what is there" : "see why it ended");
                }
                left = changed.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    private long find(byte[] wanted, long from) {
        for (int i = (int) Math.max(0, from - forgotten); i <= count - wanted.length; i++) {
            if (Arrays.equals(bytes, i, i + wanted.length, wanted, 0, wanted.length)) {
                return forgotten + i;
            }
        }
        return -1;
    }

    private String lastLines() {
        String[] lines = transcript().stripTrailing().split("\r?\n");
        return String.join("\n", Arrays.copyOfRange(lines, Math.max(0, lines.length - LAST_LINES), lines.length));
    }

    /** {@return the last line that has a text in it, from there on; empty when there is none} */
    String lastLineWith(String text) {
        return transcript()
                .lines()
                .filter(line -> line.contains(text))
                .reduce("", (before, line) -> line.substring(line.indexOf(text)));
    }

    /** {@return all that was printed, but for what came before the last {@value #LIMIT} bytes} */
    public String transcript() {
        lock.lock();
        try {
            return new String(bytes, 0, count, StandardCharsets.UTF_8);
        } finally {
            lock.unlock();
        }
    }

    /**
     * {@return what a terminal of 80 columns and 25 rows would show now: lines without trailing spaces, and without the
     * empty ones at the end}
     */
    public String screen() {
        lock.lock();
        try {
            show();
            return screen.text();
        } finally {
            lock.unlock();
        }
    }

    private void show() {
        int start = (int) (shown - forgotten);
        screen.write(bytes, start, count - start);
        shown = forgotten + count;
    }

    /** Says that nothing more will be printed, and why. */
    void ended(String how) {
        lock.lock();
        try {
            end = how;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void add(byte[] source, int offset, int length) {
        lock.lock();
        try {
            if (count + length > LIMIT) {
                show();
                int kept = Math.min(count, LIMIT / 2);
                System.arraycopy(bytes, count - kept, bytes, 0, kept);
                forgotten += count - kept;
                count = kept;
            }
            if (count + length > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.max(count + length, Math.min(LIMIT, 2 * bytes.length)));
            }
            System.arraycopy(source, offset, bytes, count, length);
            count += length;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** {@return a stream that remembers what goes to another one} */
    OutputStream recording(OutputStream target) {
        return new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                write(new byte[] {(byte) value}, 0, 1);
            }

            @Override
            public void write(byte[] source, int offset, int length) throws IOException {
                add(source, offset, length);
                target.write(source, offset, length);
            }

            @Override
            public void flush() throws IOException {
                target.flush();
            }
        };
    }
}
