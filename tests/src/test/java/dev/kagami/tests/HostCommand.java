package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Programs of the host that talk to guests, or look at what guests have left behind. */
final class HostCommand {
    /**
     * How a program ended.
     *
     * @param status its exit status
     * @param output what it printed, errors too
     */
    record Result(int status, String output) {
        /** {@return the output, which is what the program was started for} */
        String orFail() {
            assertThat(status).as(output).isZero();
            return output;
        }
    }

    private static final Duration LAST_OUTPUT = Duration.ofSeconds(10);

    private HostCommand() {}

    /** Skips the test on a host that lacks programs. */
    static void require(String debianPackages, String... programs) {
        for (String program : programs) {
            boolean found = false;
            for (String directory : (System.getenv("PATH") + ":/usr/sbin:/sbin").split(File.pathSeparator)) {
                found |= Files.isExecutable(Path.of(directory, program));
            }
            Assumptions.assumeTrue(found, program + " is missing (Debian and Ubuntu: " + debianPackages + ")");
        }
    }

    /** Runs a program to its end, without input. */
    static Result run(Duration timeout, String... command) throws IOException, InterruptedException {
        return run(timeout, List.of(command));
    }

    /** Runs a program to its end, without input. */
    static Result run(Duration timeout, List<String> command) throws IOException, InterruptedException {
        Process process = start(command);
        StringBuilder output = new StringBuilder();
        Thread reader = Thread.ofVirtual().start(() -> {
            try (var text = process.inputReader(StandardCharsets.UTF_8)) {
                text.transferTo(new Appender(output));
            } catch (IOException e) {
                // It was ended, and somebody is told so.
            }
        });
        try {
            if (process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                // What it started may still hold the other end of its output.
                reader.join(LAST_OUTPUT);
            } else {
                throw new AssertionError(
                        "%s was still running after %s; it printed:%n%s".formatted(command, timeout, output));
            }
        } finally {
            process.destroyForcibly();
        }
        synchronized (output) {
            return new Result(process.exitValue(), output.toString());
        }
    }

    /** Starts a program whose input has ended and whose output has its errors too. */
    static Process start(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().merge("PATH", ":/usr/sbin:/sbin", String::concat);
        Process process = builder.start();
        process.getOutputStream().close();
        return process;
    }

    private static final class Appender extends java.io.Writer {
        private final StringBuilder text;

        Appender(StringBuilder text) {
            this.text = text;
        }

        @Override
        public void write(char[] characters, int offset, int length) {
            synchronized (text) {
                text.append(characters, offset, length);
            }
        }

        @Override
        public void flush() {
            // Nothing is kept back.
        }

        @Override
        public void close() {
            // Nothing is open.
        }
    }
}
