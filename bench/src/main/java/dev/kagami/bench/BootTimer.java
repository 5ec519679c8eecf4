package dev.kagami.bench;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** Starts a guest, notes when it prints certain things, and ends it when it has printed the last of them. */
final class BootTimer {
    /**
     * Something that a guest prints.
     *
     * @param name what tables call it
     * @param pattern what it looks like
     */
    record Mark(String name, Pattern pattern) {}

    private static final int TAIL = 3000;

    /** Text comes in small pieces; what was searched isn't searched again, but for the beginning of a mark. */
    private static final int LONGEST_MARK = 200;

    private final List<Mark> marks;
    private final List<Sample> wall = new ArrayList<>();
    private final List<Sample> cpu = new ArrayList<>();
    private String last = "";

    BootTimer(List<Mark> marks) {
        this.marks = marks;
        for (int i = 0; i < marks.size(); i++) {
            wall.add(new Sample());
            cpu.add(new Sample());
        }
    }

    /** {@return seconds from the start of the process to a mark; empty if no run had printed it when it ended} */
    Sample wall(int mark) {
        return wall.get(mark);
    }

    /** {@return the process's processor seconds up to a mark, of all its threads, in user and system mode} */
    Sample cpu(int mark) {
        return cpu.get(mark);
    }

    /** {@return what the last run was, in a few words} */
    String last() {
        return last;
    }

    /**
     * Runs a guest up to the last mark.
     *
     * @param contender the guest
     * @param timeout seconds after which it is ended
     * @throws IOException when it can't be run, or ends or is ended before the last mark
     */
    void run(Contender contender, int timeout) throws IOException {
        long start = System.nanoTime();
        Process process = new ProcessBuilder(contender.command())
                .redirectErrorStream(true)
                .start();
        StringBuilder text = new StringBuilder();
        boolean[] seen = new boolean[marks.size()];
        int end = marks.size() - 1;
        StringBuilder summary = new StringBuilder();
        try (ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
                InputStream output = process.getInputStream()) {
            clock.schedule(process::destroyForcibly, timeout, TimeUnit.SECONDS);
            byte[] piece = new byte[1 << 16];
            int length;
            while (!seen[end] && (length = output.read(piece)) >= 0) {
                int from = Math.max(0, text.length() - LONGEST_MARK);
                text.append(new String(piece, 0, length, StandardCharsets.ISO_8859_1));
                for (int i = 0; i < seen.length; i++) {
                    if (!seen[i] && marks.get(i).pattern().matcher(text).find(from)) {
                        seen[i] = true;
                        note(i, process, start, summary);
                    }
                }
            }
            process.destroyForcibly();
            clock.shutdownNow();
        }
        last = summary.toString();
        if (!seen[end]) {
            System.err.println(text.substring(Math.max(0, text.length() - TAIL)));
            throw new IOException("%s ended, or was ended after %d s, before \"%s\""
                    .formatted(contender.name(), timeout, marks.get(end).name()));
        }
    }

    private void note(int mark, Process process, long start, StringBuilder summary) {
        double seconds = (System.nanoTime() - start) / 1e9;
        double used = process.info().totalCpuDuration().orElse(Duration.ZERO).toNanos() / 1e9;
        wall.get(mark).add(seconds);
        cpu.get(mark).add(used);
        summary.append(String.format(
                Locale.ROOT, " %s %.1f s (CPU %.1f s)", marks.get(mark).name(), seconds, used));
    }
}
