package dev.kagami.bench;

import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How soon restored machines answer, and what branches of one snapshot take of memory. */
@Command(name = "snapshots", mixinStandardHelpOptions = true, sortOptions = false)
final class Snapshots implements Callable<Integer> {
    private static final Pattern PROPORTIONAL = Pattern.compile("(?m)^Pss:\\s+(\\d+) kB");
    private static final Duration SETTLED = Duration.ofSeconds(5);
    private static final int FEW = 5;
    private static final int MANY = 50;

    @Option(names = "--runs", paramLabel = "N", description = "Restores of each kind. Default: ${DEFAULT-VALUE}.")
    private int runs = 10;

    @Option(names = "--engine", paramLabel = "NAME", description = "The engine. Default: the one that is chosen.")
    private String engine = "auto";

    @Option(
            names = "--memory",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Whether to measure memory. Default: ${DEFAULT-VALUE}.")
    private boolean memory;

    @Option(
            names = "--restore",
            hidden = true,
            paramLabel = "FILE",
            description = "Restores once and tells when it answers.")
    private Path restore = Path.of("");

    @Option(
            names = "--branches",
            hidden = true,
            paramLabel = "N",
            description = "Makes branches and tells their memory.")
    private int branches;

    private Snapshots() {}

    /**
     * Runs the benchmark.
     *
     * @param arguments the command line
     */
    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Snapshots()).execute(arguments));
    }

    @Override
    public Integer call() throws Exception {
        if (branches > 0) {
            System.out.println("pss " + memoryOfBranches());
        } else if (!restore.toString().isEmpty()) {
            answer(restore);
            System.out.println("answered");
        } else {
            measure();
        }
        return 0;
    }

    private void measure() throws Exception {
        Path directory = Files.createTempDirectory("kagami-snapshots");
        try {
            Path file = directory.resolve("booted.snapshot");
            save(file);
            Sample warm = new Sample();
            for (int i = 0; i < 2 * runs; i++) {
                long start = System.nanoTime();
                answer(file);
                if (i >= runs) {
                    warm.add((System.nanoTime() - start) / 1e6);
                }
            }
            print("restore to first answer, warm JVM, ms", warm);
            Path cache = directory.resolve("aot");
            child(List.of("-XX:AOTCacheOutput=" + cache), "--restore", file.toString());
            Sample cold = new Sample();
            for (int i = 0; i < runs; i++) {
                cold.add(child(List.of("-XX:AOTCache=" + cache), "--restore", file.toString()));
            }
            print("process start to first answer, ms", cold);
            if (memory) {
                double few = memoryOf(FEW, file);
                double many = memoryOf(MANY, file);
                System.out.printf(
                        "memory of %d and %d branches, MiB: %.0f, %.0f; ratio %.2f%n",
                        FEW, MANY, few / 1024, many / 1024, many / few);
            }
        } finally {
            Temporary.delete(directory);
        }
    }

    private static void print(String what, Sample sample) {
        System.out.printf(
                "%s (min, median, max): %.0f, %.0f, %.0f%n", what, sample.minimum(), sample.median(), sample.maximum());
    }

    /** Boots the default guest with 512 MiB and saves it. */
    private void save(Path file) throws InterruptedException {
        try (VirtualMachine machine = VirtualMachine.create(
                c -> c.defaultGuest().memory(MemorySize.ofMebibytes(512)).engine(engine))) {
            machine.start();
            machine.exec("true");
            Thread.sleep(SETTLED);
            machine.pause();
            machine.save(file);
        }
    }

    private void answer(Path file) throws InterruptedException {
        try (Snapshot snapshot = Snapshot.open(file);
                VirtualMachine machine = snapshot.restore(snapshot.config().with(c -> c.engine(engine)))) {
            machine.resume();
            if (machine.exec("true").exitStatus() != 0) {
                throw new IllegalStateException("true is false");
            }
        }
    }

    private double memoryOf(int count, Path file, String... options) throws IOException, InterruptedException {
        List<String> arguments =
                new ArrayList<>(List.of("--branches", Integer.toString(count), "--restore", file.toString()));
        arguments.addAll(List.of(options));
        return child(List.of(), arguments.toArray(new String[0]));
    }

    private long memoryOfBranches() throws IOException, InterruptedException {
        List<VirtualMachine> machines = new ArrayList<>();
        try (Snapshot snapshot = Snapshot.open(restore)) {
            for (int i = 0; i < branches; i++) {
                VirtualMachine machine = snapshot.branch(c -> c.engine(engine));
                machines.add(machine);
                machine.resume();
                machine.exec("true");
                machine.exec("ls /proc | wc -l");
            }
            Thread.sleep(SETTLED);
            System.gc();
            Matcher size = PROPORTIONAL.matcher(Files.readString(Path.of("/proc/self/smaps_rollup")));
            return size.find() ? Long.parseLong(size.group(1)) : 0;
        } finally {
            machines.forEach(VirtualMachine::close);
        }
    }

    /**
     * Runs this class in a process of its own, with the launcher's options.
     *
     * @return the number that it prints; when it tells that it has an answer, the milliseconds until then
     */
    private double child(List<String> options, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-Xmx1g",
                "-XX:MaxNewSize=16m",
                "-XX:MinHeapFreeRatio=5",
                "-XX:MaxHeapFreeRatio=15",
                "-XX:-ShrinkHeapInSteps",
                "-XX:-UsePerfData",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=dev.kagami.cpu.x86.nativecode"));
        command.addAll(options);
        command.addAll(List.of(
                "--module-path",
                System.getProperty("jdk.module.path"),
                "--module",
                "dev.kagami.bench/" + Snapshots.class.getName(),
                "--engine",
                engine));
        command.addAll(List.of(arguments));
        // Not by the start time that the kernel tells: that is off by up to a second.
        long start = System.nanoTime();
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        process.getOutputStream().close();
        double result = 0;
        try (var lines = process.inputReader()) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.equals("answered")) {
                    result = (System.nanoTime() - start) / 1e6;
                } else if (line.matches("pss \\d+")) {
                    result = Double.parseDouble(line.substring(line.indexOf(' ') + 1));
                }
            }
        }
        if (process.waitFor() != 0 || result == 0) {
            throw new IOException("it failed: " + command);
        }
        return result;
    }
}
