package dev.kagami.cpu.x86.interpreter;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;

/** Runs files of recorded vectors and counts what passes, by form. */
final class VectorFileRunner {
    private static final int EXAMPLES = 2;

    /** Counts of one form. */
    private static final class Count {
        int passed;
        int failed;
        final List<String> examples = new ArrayList<>();
    }

    private final SnippetMachine machine;
    private final MachineState scratch = new MachineState();
    private final RecordedVector vector = new RecordedVector();
    private final Map<String, Count> counts = new TreeMap<>();
    private final boolean blocks;

    /**
     * Creates a runner.
     *
     * @param machine what to run vectors on
     * @param blocks whether to run them through blocks rather than one instruction at a time
     */
    VectorFileRunner(SnippetMachine machine, boolean blocks) {
        this.machine = machine;
        this.blocks = blocks;
    }

    /** Runs every line of a compressed file. */
    void run(InputStream compressed) throws IOException {
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(new GZIPInputStream(compressed), StandardCharsets.US_ASCII))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (!line.isEmpty() && line.charAt(0) != '#') {
                    run(line);
                }
            }
        }
    }

    private void run(String line) {
        vector.parse(line);
        String difference = vector.check(machine, scratch, blocks);
        Count count = counts.computeIfAbsent(vector.form, form -> new Count());
        if (difference.isEmpty()) {
            count.passed++;
        } else {
            count.failed++;
            if (count.examples.size() < EXAMPLES) {
                count.examples.add(line + "\n      got " + difference);
            }
        }
    }

    int passed() {
        return counts.values().stream().mapToInt(count -> count.passed).sum();
    }

    int failed() {
        return counts.values().stream().mapToInt(count -> count.failed).sum();
    }

    /** {@return a line for each form that has failures, with examples} */
    String failures() {
        StringBuilder text = new StringBuilder();
        counts.forEach((form, count) -> {
            if (count.failed > 0) {
                text.append("%s: %d of %d failed%n".formatted(form, count.failed, count.failed + count.passed));
                count.examples.forEach(
                        example -> text.append("    ").append(example).append('\n'));
            }
        });
        return text.toString();
    }

    /**
     * Runs all vector files of a directory, or only those that are named, and prints a report.
     *
     * @param arguments directory, then names without {@code .txt.gz}
     */
    public static void main(String[] arguments) throws IOException {
        List<Path> files = new ArrayList<>();
        List<String> names = List.of(arguments).subList(1, arguments.length);
        try (DirectoryStream<Path> found = Files.newDirectoryStream(Path.of(arguments[0]), "*.txt.gz")) {
            for (Path file : found) {
                String name = file.getFileName().toString().replace(".txt.gz", "");
                if (names.isEmpty() || names.contains(name)) {
                    files.add(file);
                }
            }
        }
        Collections.sort(files);
        StringBuilder summary = new StringBuilder();
        try (SnippetMachine machine = new SnippetMachine()) {
            for (Path file : files) {
                VectorFileRunner runner = new VectorFileRunner(machine, false);
                long start = System.nanoTime();
                try (InputStream in = Files.newInputStream(file)) {
                    runner.run(in);
                }
                System.out.print(runner.failures());
                summary.append("%-18s %6d passed %6d failed, %d ms%n"
                        .formatted(
                                file.getFileName(),
                                runner.passed(),
                                runner.failed(),
                                (System.nanoTime() - start) / 1_000_000));
            }
        }
        System.out.print(summary);
    }
}
