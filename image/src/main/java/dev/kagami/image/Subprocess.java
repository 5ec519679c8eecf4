package dev.kagami.image;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Runs a program and hears its output line by line, with limits on how long it may run, how long it may be silent and
 * how much of its output is kept. The program and its children are dead when {@link #run} returns or throws.
 */
final class Subprocess {

    /** Longer lines are cut: garbage without line ends must not fill the memory. */
    private static final int MAX_LINE = 8192;

    /** How many of the last lines are kept for an error message. */
    private static final int MAX_KEPT_LINES = 40;

    private static final int MAX_QUEUED_LINES = 1000;

    /** How long the output may stay open after the program's end, by a child it left behind. */
    private static final Duration GRACE = Duration.ofSeconds(1);

    private static final long POLL_MILLISECONDS = 20;

    /**
     * Limits how long a program may take.
     *
     * @param total how long it may run
     * @param silence how long it may write nothing
     */
    record Limits(Duration total, Duration silence) {}

    /**
     * How a program ended.
     *
     * @param exitStatus its exit status, 0 for success; meaningless if it was stopped
     * @param stopped why it was stopped, if it was
     * @param output the last lines of what it wrote, without those that the listener took
     */
    record Outcome(int exitStatus, Optional<String> stopped, String output) {
        boolean succeeded() {
            return stopped.isEmpty() && exitStatus == 0;
        }
    }

    /** Takes the lines that aren't worth keeping for an error message, by returning true. */
    interface LineListener {
        boolean take(String line);
    }

    private Subprocess() {}

    /**
     * Runs a program to its end.
     *
     * @param command the program and its arguments
     * @param directory its working directory
     * @param limits how long it may take
     * @param listener hears each line, on this thread
     * @return how it ended
     * @throws IOException if it can't be started
     * @throws InterruptedException if this thread is interrupted
     */
    static Outcome run(List<String> command, Path directory, Limits limits, LineListener listener)
            throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile());
        builder.redirectErrorStream(true).redirectInput(ProcessBuilder.Redirect.PIPE);
        // The lines are for parsing: no translations, no questions.
        builder.environment().put("LC_ALL", "C.UTF-8");
        builder.environment().remove("LANGUAGE");
        builder.environment().put("DEBIAN_FRONTEND", "noninteractive");
        Process process = builder.start();
        BlockingQueue<String> lines = new ArrayBlockingQueue<>(MAX_QUEUED_LINES);
        Thread reader = Thread.ofPlatform()
                .daemon()
                .name("kagami-subprocess-output")
                .start(() -> readLines(process.getInputStream(), lines));
        try {
            process.getOutputStream().close();
            return follow(process, reader, lines, limits, listener);
        } finally {
            kill(process);
            reader.interrupt();
        }
    }

    private static Outcome follow(
            Process process, Thread reader, BlockingQueue<String> lines, Limits limits, LineListener listener)
            throws InterruptedException {
        Deque<String> kept = new ArrayDeque<>();
        long start = System.nanoTime();
        long lastLine = start;
        while (true) {
            String line = lines.poll(POLL_MILLISECONDS, TimeUnit.MILLISECONDS);
            long now = System.nanoTime();
            if (line != null) {
                lastLine = now;
                if (!listener.take(line)) {
                    kept.add(line);
                    if (kept.size() > MAX_KEPT_LINES) {
                        kept.remove();
                    }
                }
            } else if (!process.isAlive() && (!reader.isAlive() || now - lastLine > GRACE.toNanos())) {
                // The reader may have queued its last lines between the poll and here.
                lines.forEach(last -> keepUnlessTaken(last, listener, kept::add));
                return new Outcome(process.exitValue(), Optional.empty(), String.join("\n", kept));
            }
            if (now - start > limits.total.toNanos()) {
                return stopped("it ran for more than " + limits.total.toSeconds() + " s", kept);
            }
            if (now - lastLine > limits.silence.toNanos()) {
                return stopped("it wrote nothing for " + limits.silence.toSeconds() + " s", kept);
            }
        }
    }

    private static void keepUnlessTaken(String line, LineListener listener, Consumer<String> keep) {
        if (!listener.take(line)) {
            keep.accept(line);
        }
    }

    private static Outcome stopped(String why, Deque<String> kept) {
        return new Outcome(-1, Optional.of(why), String.join("\n", kept));
    }

    private static void kill(Process process) {
        if (process.isAlive()) {
            // The children first: once their parent is gone they can't be found from it.
            process.descendants().toList().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    private static void readLines(InputStream in, BlockingQueue<String> lines) {
        byte[] line = new byte[MAX_LINE];
        byte[] chunk = new byte[MAX_LINE];
        int length = 0;
        try (in) {
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                for (int i = 0; i < count; i++) {
                    if (chunk[i] == '\n' || chunk[i] == '\r') {
                        if (length > 0) {
                            lines.put(new String(line, 0, length, StandardCharsets.UTF_8));
                        }
                        length = 0;
                    } else if (length < MAX_LINE) {
                        line[length++] = chunk[i];
                    }
                }
            }
            if (length > 0) {
                lines.put(new String(line, 0, length, StandardCharsets.UTF_8));
            }
        } catch (IOException | InterruptedException e) {
            // The program was stopped: there is nobody left to hear the rest.
        }
    }
}
