package dev.kagami.bench;

import dev.kagami.image.BootFiles;
import dev.kagami.image.ProgressListener;
import dev.kagami.image.TinyBoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Boots the same kernel and initrd to power-off under Kagami and under QEMU's TCG, in alternation, and prints how their
 * wall times compare.
 */
@Command(
        name = "compare",
        description =
                "Boots one guest to power-off under Kagami and QEMU (TCG) in alternation and compares wall times.",
        mixinStandardHelpOptions = true)
public final class Compare implements Callable<Integer> {
    private static final Pattern INSTRUCTIONS = Pattern.compile("guest instructions\\D*([\\d,._']+)");

    @Option(names = "--runs", description = "Runs of each (default: ${DEFAULT-VALUE}).", paramLabel = "N")
    private int runs = 5;

    @Option(names = "--kernel", description = "Kernel to boot (default: Debian's cloud kernel).", paramLabel = "FILE")
    private @Nullable Path kernel;

    @Option(
            names = "--initrd",
            description = "Initial RAM disk that powers off by itself (default: busybox that does).",
            paramLabel = "FILE")
    private @Nullable Path initrd;

    @Option(names = "--append", description = "Kernel command line (default: ${DEFAULT-VALUE}).", paramLabel = "TEXT")
    private String append = "console=ttyS0";

    @Option(names = "--memory", description = "MiB of guest memory (default: ${DEFAULT-VALUE}).", paramLabel = "MIB")
    private int memory = 512;

    @Option(names = "--kagami", description = "The kagami command (default: ${DEFAULT-VALUE}).", paramLabel = "FILE")
    private Path kagami = Path.of("kagami");

    @Option(names = "--engine", description = "Kagami's engine (default: ${DEFAULT-VALUE}).", paramLabel = "NAME")
    private String engine = "auto";

    @Option(
            names = "--qemu",
            description = "The QEMU command; not run when it isn't there (default: ${DEFAULT-VALUE}).",
            paramLabel = "NAME")
    private String qemu = "qemu-system-x86_64";

    @Option(names = "--timeout", description = "Seconds for one run (default: ${DEFAULT-VALUE}).", paramLabel = "S")
    private int timeout = 300;

    private Compare() {}

    /**
     * Runs the benchmark.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Compare()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path guestKernel = kernel;
        Path guestInitrd = initrd;
        if (guestKernel == null || guestInitrd == null) {
            ProgressListener silent = (phase, fraction) -> {};
            BootFiles tiny = TinyBoot.prepare(silent);
            guestKernel = guestKernel == null ? tiny.kernel() : guestKernel;
            guestInitrd = guestInitrd == null ? tiny.initrd() : guestInitrd;
        }
        List<Contender> contenders = new ArrayList<>();
        contenders.add(new Contender("kagami " + engine, kagamiCommand(guestKernel, guestInitrd)));
        if (onPath(qemu)) {
            contenders.add(new Contender("qemu tcg", qemuCommand(guestKernel, guestInitrd)));
        } else {
            System.err.println("compare: no " + qemu + " on PATH; Kagami runs alone");
        }
        for (int run = 1; run <= runs; run++) {
            for (Contender contender : contenders) {
                double seconds = contender.run(timeout);
                System.err.printf(Locale.ROOT, "run %d: %-18s %7.2f s%n", run, contender.name, seconds);
            }
        }
        print(contenders);
        return 0;
    }

    private List<String> kagamiCommand(Path guestKernel, Path guestInitrd) {
        return List.of(
                kagami.toAbsolutePath().toString(),
                "run",
                "--kernel",
                guestKernel.toString(),
                "--initrd",
                guestInitrd.toString(),
                "--append",
                append,
                "--memory",
                memory + "M",
                "--engine",
                engine,
                "--stats");
    }

    private List<String> qemuCommand(Path guestKernel, Path guestInitrd) {
        return List.of(
                qemu,
                "-accel",
                "tcg",
                "-cpu",
                "max",
                "-m",
                Integer.toString(memory),
                "-kernel",
                guestKernel.toString(),
                "-initrd",
                guestInitrd.toString(),
                "-append",
                append,
                "-display",
                "none",
                "-serial",
                "stdio",
                "-no-reboot");
    }

    private static boolean onPath(String command) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory).resolve(command)));
    }

    private static void print(List<Contender> contenders) {
        System.out.printf("| %-18s | min s | median s | max s | x of last | M insn/s |%n", "");
        System.out.println("|---|---|---|---|---|---|");
        double reference = contenders.getLast().median();
        for (Contender contender : contenders) {
            double[] sorted = contender.sorted();
            String rate = contender.instructions == 0
                    ? ""
                    : String.format(Locale.ROOT, "%.0f", contender.instructions / contender.median() / 1e6);
            System.out.printf(
                    Locale.ROOT,
                    "| %-18s | %.2f | %.2f | %.2f | %.2f | %s |%n",
                    contender.name,
                    sorted[0],
                    contender.median(),
                    sorted[sorted.length - 1],
                    contender.median() / reference,
                    rate);
        }
    }

    /** One of the programs compared. */
    private static final class Contender {
        private final String name;
        private final List<String> command;
        private final List<Double> seconds = new ArrayList<>();
        private long instructions;

        Contender(String name, List<String> command) {
            this.name = name;
            this.command = command;
        }

        double run(int timeout) throws IOException, InterruptedException {
            Path output = Files.createTempFile("kagami-bench", ".log");
            try {
                long start = System.nanoTime();
                Process process = new ProcessBuilder(command)
                        .redirectInput(ProcessBuilder.Redirect.from(
                                Path.of("/dev/null").toFile()))
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
                boolean ended = process.waitFor(timeout, TimeUnit.SECONDS);
                double elapsed = (System.nanoTime() - start) / 1e9;
                if (!ended) {
                    process.destroyForcibly();
                }
                if (!ended || process.exitValue() != 0) {
                    System.err.print(Files.readString(output));
                    throw new IOException("%s %s"
                            .formatted(
                                    name, ended ? "ended with status " + process.exitValue() : "did not end in time"));
                }
                Matcher matcher = INSTRUCTIONS.matcher(Files.readString(output));
                while (matcher.find()) {
                    instructions = Long.parseLong(matcher.group(1).replaceAll("\\D", ""));
                }
                seconds.add(elapsed);
                return elapsed;
            } finally {
                Files.deleteIfExists(output);
            }
        }

        double[] sorted() {
            return seconds.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        }

        double median() {
            double[] sorted = sorted();
            int middle = sorted.length / 2;
            return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }
}
