package dev.kagami.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What every contender made of every workload. */
final class Results {
    /** The contender that others are compared with. */
    static final String REFERENCE = "qemu tcg";

    /** The contender that is no guest. */
    static final String HOST = "host";

    private static final String BEGIN = "<!-- bench/compare workloads: begin -->";
    private static final String END = "<!-- bench/compare workloads: end -->";
    private static final String PLOT = "workloads.svg";

    private final List<Contender> contenders;
    private final List<Workload> workloads;
    private final Map<String, Map<Workload, Sample>> samples = new TreeMap<>();

    Results(List<Contender> contenders, List<Workload> workloads) {
        this.contenders = contenders;
        this.workloads = workloads;
    }

    void add(Contender contender, Workload workload, double value) {
        samples.computeIfAbsent(contender.name(), _ -> new EnumMap<>(Workload.class))
                .computeIfAbsent(workload, _ -> new Sample())
                .add(value);
    }

    /** {@return the values of a contender, if there are any} */
    Optional<Sample> of(String contender, Workload workload) {
        return Optional.ofNullable(samples.getOrDefault(contender, Map.of()).get(workload));
    }

    /** {@return how many times as much as another one a contender does, by the medians; empty without either} */
    Optional<Double> ratio(String contender, String other, Workload workload) {
        return of(contender, workload)
                .flatMap(mine -> of(other, workload).map(theirs -> mine.median() / theirs.median()));
    }

    /** {@return the contenders but the reference and the host} */
    List<String> compared() {
        return contenders.stream()
                .map(Contender::name)
                .filter(name -> !name.equals(REFERENCE) && !name.equals(HOST))
                .toList();
    }

    List<Workload> workloads() {
        return workloads;
    }

    /** {@return a Markdown table: medians with their spread, and the ratios to QEMU and to the host} */
    String table() {
        StringBuilder table = new StringBuilder("| workload | unit |");
        contenders.forEach(c -> table.append(' ').append(c.name()).append(" |"));
        compared().forEach(name -> table.append(" %s / %s | %s / %s |".formatted(name, REFERENCE, name, HOST)));
        int columns = 2 + contenders.size() + 2 * compared().size();
        table.append('\n').append("|---".repeat(columns)).append("|\n");
        for (Workload workload : workloads) {
            table.append("| %s | %s |".formatted(workload.title(), workload.unit()));
            for (Contender contender : contenders) {
                table.append(' ')
                        .append(of(contender.name(), workload)
                                .map(Results::spread)
                                .orElse(""))
                        .append(" |");
            }
            for (String name : compared()) {
                table.append(
                        " %s | %s |".formatted(ratioText(name, REFERENCE, workload), ratioText(name, HOST, workload)));
            }
            table.append('\n');
        }
        return table.toString();
    }

    private String ratioText(String contender, String other, Workload workload) {
        return ratio(contender, other, workload)
                .map(r -> String.format(Locale.ROOT, "%.2f", r))
                .orElse("");
    }

    private static String spread(Sample sample) {
        return "%s (%s-%s)".formatted(number(sample.median()), number(sample.minimum()), number(sample.maximum()));
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    }

    /**
     * Puts the table between its marks in {@code performance.md}, and the plot beside it.
     *
     * @param directory where they are
     * @throws IOException when they can't be written, or there are no marks
     */
    void write(Path directory) throws IOException {
        Path page = directory.resolve("performance.md");
        String text = Files.readString(page);
        int begin = text.indexOf(BEGIN);
        int end = text.indexOf(END);
        if (begin < 0 || end < begin) {
            throw new IOException(page + " has no lines " + BEGIN + " and " + END);
        }
        Files.writeString(directory.resolve(PLOT), RatioPlot.draw(this));
        Files.writeString(page, text.substring(0, begin + BEGIN.length()) + "\n" + table() + text.substring(end));
    }
}
