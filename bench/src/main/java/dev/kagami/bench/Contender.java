package dev.kagami.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * One of the programs compared.
 *
 * @param name what tables call it
 * @param command the command that runs it once
 */
record Contender(String name, List<String> command) {
    /**
     * What a run was.
     *
     * @param seconds wall time from the start of the process to its exit
     * @param output what it printed, standard error too
     */
    record Run(double seconds, String output) {}

    Contender {
        command = List.copyOf(command);
    }

    /**
     * Runs the command without input.
     *
     * @param timeout seconds after which it is ended
     * @return what came of it
     * @throws IOException when it can't be run, fails, or does not end in time; its output is on standard error then
     * @throws InterruptedException when the calling thread is interrupted
     */
    Run run(int timeout) throws IOException, InterruptedException {
        Path output = Files.createTempFile("kagami-bench", ".log");
        try {
            long start = System.nanoTime();
            Process process = new ProcessBuilder(command)
                    .redirectInput(
                            ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            boolean ended = process.waitFor(timeout, TimeUnit.SECONDS);
            double elapsed = (System.nanoTime() - start) / 1e9;
            if (!ended) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly().waitFor();
            }
            // A guest's console is not always UTF-8.
            String text = Files.readString(output, StandardCharsets.ISO_8859_1);
            if (!ended || process.exitValue() != 0) {
                System.err.print(text);
                throw new IOException("%s (%s) %s"
                        .formatted(
                                name,
                                command.getFirst(),
                                ended
                                        ? "ended with status " + process.exitValue()
                                        : "did not end within " + timeout + " s"));
            }
            return new Run(elapsed, text);
        } finally {
            Files.deleteIfExists(output);
        }
    }

    /**
     * Tells whether a program is there.
     *
     * @param command its name
     * @return whether it is on the PATH
     */
    static boolean onPath(String command) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory).resolve(command)));
    }
}
