package dev.kagami.bench;

import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import dev.kagami.image.DiskBoot;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.TypeConversionException;

/**
 * Runs the same workloads in the same guest, a disk image with Debian, under Kagami and under QEMU's TCG, and on the host
 * itself, in alternation.
 *
 * <p>A guest boots the disk's own kernel and initrd; its first process is a script on its second disk, and not systemd: so
 * a run is the workloads and a few seconds more. Nothing is written to the disk image.
 */
@Command(
        name = "workloads",
        description = "Runs workloads inside a guest under Kagami and QEMU (TCG), and on the host, and compares them.",
        sortOptions = false,
        mixinStandardHelpOptions = true)
final class CompareWorkloads implements Callable<Integer> {
    private static final String RESULT = "@result ";
    private static final String DONE = "@done";
    private static final int SCRIPT_DISK_BYTES = 64 << 10;
    private static final int MEMCACHED_PORT = 11211;
    private static final String QEMU_NETWORK = "user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:%d-:%d";

    @ParentCommand
    private @Nullable Compare programs;

    @Option(names = "--disk", required = true, description = "Disk image with Debian, only read.", paramLabel = "FILE")
    private Path disk = Path.of("");

    @Option(
            names = "--workload",
            split = ",",
            converter = WorkloadConverter.class,
            description = "Workloads to run, with commas (default: all).",
            paramLabel = "NAME")
    private List<Workload> workloads = Arrays.asList(Workload.values());

    @Option(
            names = "--engine",
            split = ",",
            description = "Kagami's engines, with commas (default: ${DEFAULT-VALUE}).",
            defaultValue = "auto",
            paramLabel = "NAME")
    private List<String> engines = List.of();

    @Option(names = "--runs", description = "Runs of each (default: ${DEFAULT-VALUE}).", paramLabel = "N")
    private int runs = 3;

    @Option(
            names = "--seconds",
            description = "Seconds for each workload (default: ${DEFAULT-VALUE}).",
            paramLabel = "S")
    private int seconds = 3;

    @Option(names = "--cpus", description = "CPUs of the guests (default: ${DEFAULT-VALUE}).", paramLabel = "N")
    private int cpus = 1;

    @Option(names = "--memory", description = "MiB of guest memory (default: ${DEFAULT-VALUE}).", paramLabel = "MIB")
    private int memory = 1024;

    @Option(names = "--no-host", description = "Don't run the workloads on the host.")
    private boolean noHost;

    @Option(names = "--timeout", description = "Seconds for one run (default: ${DEFAULT-VALUE}).", paramLabel = "S")
    private int timeout = 600;

    @Option(
            names = "--write",
            description = "Also put the table into performance.md and the plot into workloads.svg of this directory.",
            paramLabel = "DIRECTORY")
    private @Nullable Path write;

    private int iperfPort;
    private int loadPort;
    private int memcachedPort;

    private CompareWorkloads() {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("kagami-workloads");
        try (IperfServer server = workloads.stream().anyMatch(Workload::needsIperf) ? IperfServer.start() : null;
                MemcachedLoad load = MemcachedLoad.start(seconds)) {
            iperfPort = server == null ? 0 : server.port();
            loadPort = load.controlPort();
            memcachedPort = load.forwardedPort();
            List<Contender> contenders = contenders(directory);
            Results results = new Results(contenders, workloads);
            for (int run = 1; run <= runs; run++) {
                for (Contender contender : contenders) {
                    System.err.printf(Locale.ROOT, "run %d: %-20s", run, contender.name());
                    Contender.Run done = contender.run(timeout);
                    System.err.printf(Locale.ROOT, " %7.1f s%n", done.seconds());
                    collect(contender, done.output(), results);
                }
            }
            System.out.print(results.table());
            if (write != null) {
                results.write(write);
            }
            return 0;
        } finally {
            Temporary.delete(directory);
        }
    }

    private Compare programs() {
        return Objects.requireNonNull(programs);
    }

    private List<Contender> contenders(Path directory) throws IOException {
        DiskBoot.Extracted boot;
        try (BlockImage image = DiskImages.open(disk, OpenOptions.readOnly())) {
            boot = DiskBoot.locate(image).extract(directory);
        }
        Path guestScript = directory.resolve("script.raw");
        Files.writeString(guestScript, padded(script(true)));
        // Only the last console= is the first process's.
        String commandLine = boot.commandLine() + " console=ttyS0 rw quiet init=/bin/sh -- /dev/vdb";
        List<Contender> contenders = new ArrayList<>();
        for (String engine : engines) {
            contenders.add(new Contender("kagami " + engine, kagamiCommand(engine, boot, commandLine, guestScript)));
        }
        if (Contender.onPath(programs().qemu)) {
            contenders.add(new Contender(Results.REFERENCE, qemuCommand(boot, commandLine, guestScript)));
        } else {
            System.err.println("compare: no " + programs().qemu + " on PATH; Kagami runs without it");
        }
        if (!noHost) {
            Path hostScript = directory.resolve("script.sh");
            Files.writeString(hostScript, script(false));
            contenders.add(new Contender(Results.HOST, List.of("sh", hostScript.toString())));
        }
        return contenders;
    }

    private boolean needsNetwork() {
        return workloads.stream().anyMatch(Workload::needsNetwork);
    }

    private String script(boolean inGuest) throws IOException {
        String header = "WORKLOADS='%s'%nSECONDS_EACH=%d%nIN_GUEST=%d%nIPERF_PORT=%d%nLOAD_PORT=%d%n"
                .formatted(
                        workloads.stream().map(Workload::id).collect(Collectors.joining(" ")),
                        seconds,
                        inGuest ? 1 : 0,
                        iperfPort,
                        loadPort);
        try (InputStream in = CompareWorkloads.class.getResourceAsStream("workloads.sh")) {
            if (in == null) {
                throw new IOException("workloads.sh is not in the jar");
            }
            return header + new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Fills up a disk with what a shell that reads it skips. */
    private static String padded(String script) {
        return script + "\n".repeat(SCRIPT_DISK_BYTES - script.length());
    }

    private List<String> kagamiCommand(String engine, DiskBoot.Extracted boot, String commandLine, Path script) {
        List<String> command = new ArrayList<>(List.of(
                programs().kagami.toAbsolutePath().toString(),
                "run",
                "--kernel",
                boot.kernel().toString()));
        boot.initrd().ifPresent(initrd -> command.addAll(List.of("--initrd", initrd.toString())));
        command.addAll(List.of("--append", commandLine, "--engine", engine, "--cpus", Integer.toString(cpus)));
        command.addAll(List.of("--memory", memory + "M", "--temporary"));
        command.addAll(
                needsNetwork()
                        ? List.of("--network", "nat", "--forward", memcachedPort + ":" + MEMCACHED_PORT)
                        : List.of("--network", "none"));
        command.addAll(List.of("--disk", disk.toString(), "--disk", script.toString()));
        return command;
    }

    private List<String> qemuCommand(DiskBoot.Extracted boot, String commandLine, Path script) {
        List<String> command = new ArrayList<>(List.of(programs().qemu, "-accel", "tcg,thread=multi", "-cpu", "max"));
        command.addAll(List.of("-smp", Integer.toString(cpus), "-m", Integer.toString(memory)));
        command.addAll(List.of("-kernel", boot.kernel().toString(), "-append", commandLine));
        boot.initrd().ifPresent(initrd -> command.addAll(List.of("-initrd", initrd.toString())));
        command.addAll(List.of("-display", "none", "-serial", "stdio", "-no-reboot", "-snapshot"));
        command.addAll(
                List.of("-nic", needsNetwork() ? QEMU_NETWORK.formatted(memcachedPort, MEMCACHED_PORT) : "none"));
        command.addAll(List.of("-drive", "if=virtio,file=" + disk));
        command.addAll(List.of("-drive", "if=virtio,format=raw,file=" + script));
        return command;
    }

    private void collect(Contender contender, String output, Results results) throws IOException {
        if (!output.contains(DONE)) {
            System.err.print(output);
            throw new IOException(contender.name() + " ended before all workloads had run");
        }
        for (String line : output.lines().map(String::strip).toList()) {
            if (!line.startsWith(RESULT)) {
                continue;
            }
            String[] words = line.substring(RESULT.length()).split(" ");
            Workload workload = Workload.of(words[0]).orElseThrow(() -> new IOException("unexpected: " + line));
            if (words.length < 2 && contender.name().equals(Results.HOST) && workload.needsNetwork()) {
                continue;
            }
            if (words.length < 2) {
                System.err.println("compare: " + contender.name() + " has no result for " + words[0]
                        + ": is its program installed there?");
                continue;
            }
            results.add(contender, workload, Double.parseDouble(words[1]));
        }
    }

    private static final class WorkloadConverter implements picocli.CommandLine.ITypeConverter<Workload> {
        @Override
        public Workload convert(String value) {
            return Workload.of(value)
                    .orElseThrow(() -> new TypeConversionException("'%s' is no workload; there are %s"
                            .formatted(
                                    value,
                                    Arrays.stream(Workload.values())
                                            .map(Workload::id)
                                            .collect(Collectors.joining(", ")))));
        }
    }
}
