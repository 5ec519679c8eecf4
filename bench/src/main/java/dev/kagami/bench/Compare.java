package dev.kagami.bench;

import dev.kagami.image.BootFiles;
import dev.kagami.image.ProgressListener;
import dev.kagami.image.TinyBoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * Boots the same kernel and initrd to power-off under Kagami, Bochs and QEMU's TCG, in alternation, and prints how their
 * wall times compare.
 */
@Command(
        name = "compare",
        description =
                "Boots one guest to power-off under Kagami, Bochs and QEMU (TCG) in alternation and compares wall times.",
        subcommands = {CompareWorkloads.class, CompareImage.class},
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

    @Option(
            names = "--kagami",
            scope = ScopeType.INHERIT,
            description = "The kagami command (default: ${DEFAULT-VALUE}).",
            paramLabel = "FILE")
    Path kagami = Path.of("kagami");

    @Option(names = "--engine", description = "Kagami's engine (default: ${DEFAULT-VALUE}).", paramLabel = "NAME")
    private String engine = "auto";

    @Option(
            names = "--qemu",
            scope = ScopeType.INHERIT,
            description = "The QEMU command; not run when it isn't there (default: ${DEFAULT-VALUE}).",
            paramLabel = "NAME")
    String qemu = "qemu-system-x86_64";

    @Option(
            names = "--bochs",
            description = "The Bochs command; not run when it, grub-mkrescue or xorriso isn't there"
                    + " (default: ${DEFAULT-VALUE}).",
            paramLabel = "NAME")
    private String bochs = "bochs";

    @Option(names = "--timeout", description = "Seconds for one run (default: ${DEFAULT-VALUE}).", paramLabel = "S")
    private int timeout = 300;

    private Compare() {}

    /**
     * Runs the benchmark.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        CommandLine line = new CommandLine(new Compare());
        line.setExecutionExceptionHandler((exception, command, parsed) -> {
            if (!(exception instanceof IOException)) {
                throw exception;
            }
            System.err.println("compare: " + exception.getMessage());
            return CommandLine.ExitCode.SOFTWARE;
        });
        System.exit(line.execute(arguments));
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
        Path directory = Files.createTempDirectory("kagami-compare");
        try {
            compare(contenders(directory, guestKernel, guestInitrd));
            return 0;
        } finally {
            Temporary.delete(directory);
        }
    }

    private List<Contender> contenders(Path directory, Path guestKernel, Path guestInitrd)
            throws IOException, InterruptedException {
        List<Contender> contenders = new ArrayList<>();
        contenders.add(new Contender("kagami " + engine, kagamiCommand(guestKernel, guestInitrd)));
        List<String> missing = Stream.concat(Stream.of(bochs), Bochs.MEDIUM_TOOLS.stream())
                .filter(command -> !Contender.onPath(command))
                .toList();
        if (missing.isEmpty()) {
            contenders.add(Bochs.prepare(bochs, directory, guestKernel, guestInitrd, append, memory));
        } else {
            System.err.println("compare: no " + String.join(", ", missing) + " on PATH; Bochs is left out");
        }
        // The last is what the others are compared with.
        if (Contender.onPath(qemu)) {
            contenders.add(new Contender("qemu tcg", qemuCommand(guestKernel, guestInitrd)));
        } else {
            System.err.println("compare: no " + qemu + " on PATH; QEMU is left out");
        }
        return contenders;
    }

    private void compare(List<Contender> contenders) throws IOException, InterruptedException {
        List<Sample> seconds = contenders.stream().map(_ -> new Sample()).toList();
        List<Long> instructions = new ArrayList<>(Collections.nCopies(contenders.size(), 0L));
        for (int run = 1; run <= runs; run++) {
            for (int i = 0; i < contenders.size(); i++) {
                Contender.Run done = contenders.get(i).run(timeout);
                System.err.printf(
                        Locale.ROOT,
                        "run %d: %-18s %7.2f s%n",
                        run,
                        contenders.get(i).name(),
                        done.seconds());
                seconds.get(i).add(done.seconds());
                instructions.set(i, instructions(done.output()));
            }
        }
        print(contenders, seconds, instructions);
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

    private static void print(List<Contender> contenders, List<Sample> seconds, List<Long> instructions) {
        System.out.printf("| %-18s | min s | median s | max s | x of last | M insn/s |%n", "");
        System.out.println("|---|---|---|---|---|---|");
        double reference = seconds.getLast().median();
        for (int i = 0; i < contenders.size(); i++) {
            Sample sample = seconds.get(i);
            String rate = instructions.get(i) == 0
                    ? ""
                    : String.format(Locale.ROOT, "%.0f", instructions.get(i) / sample.median() / 1e6);
            System.out.printf(
                    Locale.ROOT,
                    "| %-18s | %.2f | %.2f | %.2f | %.2f | %s |%n",
                    contenders.get(i).name(),
                    sample.minimum(),
                    sample.median(),
                    sample.maximum(),
                    sample.median() / reference,
                    rate);
        }
    }

    /** {@return how many instructions a guest ran, by the program's own account; 0 when it gives none} */
    private static long instructions(String output) {
        long instructions = 0;
        Matcher matcher = INSTRUCTIONS.matcher(output);
        while (matcher.find()) {
            instructions = Long.parseLong(matcher.group(1).replaceAll("\\D", ""));
        }
        return instructions;
    }
}
