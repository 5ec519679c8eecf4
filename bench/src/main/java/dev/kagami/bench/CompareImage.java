package dev.kagami.bench;

import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import dev.kagami.image.CloudInitSeed;
import dev.kagami.image.DiskBoot;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;

/**
 * Times the first boot of a cloud image with a NoCloud seed under Kagami and under QEMU's TCG, in alternation: to the login
 * prompt, and to the end of cloud-init. Each guest gets the disk's own kernel, a disk whose changes are forgotten, the seed
 * as a second disk, and a network behind NAT.
 */
@Command(
        name = "image",
        description =
                "Times the first boot of a cloud image under Kagami and QEMU (TCG): login prompt, end of cloud-init.",
        sortOptions = false,
        mixinStandardHelpOptions = true)
final class CompareImage implements Callable<Integer> {
    private static final List<BootTimer.Mark> MARKS = List.of(
            new BootTimer.Mark("login prompt", Pattern.compile("login: ")),
            new BootTimer.Mark("cloud-init done", Pattern.compile("Cloud-init v\\. \\S+ finished at")));

    @ParentCommand
    private @Nullable Compare programs;

    @Option(
            names = "--disk",
            required = true,
            description = "Cloud image that has not been booted, only read.",
            paramLabel = "FILE")
    private Path disk = Path.of("");

    @Option(
            names = "--engine",
            split = ",",
            description = "Kagami's engines, with commas (default: ${DEFAULT-VALUE}).",
            defaultValue = "auto",
            paramLabel = "NAME")
    private List<String> engines = List.of();

    @Option(names = "--runs", description = "Runs of each (default: ${DEFAULT-VALUE}).", paramLabel = "N")
    private int runs = 1;

    @Option(names = "--cpus", description = "CPUs of the guests (default: ${DEFAULT-VALUE}).", paramLabel = "N")
    private int cpus = 1;

    @Option(names = "--memory", description = "MiB of guest memory (default: ${DEFAULT-VALUE}).", paramLabel = "MIB")
    private int memory = 1024;

    @Option(names = "--timeout", description = "Seconds for one run (default: ${DEFAULT-VALUE}).", paramLabel = "S")
    private int timeout = 1200;

    private CompareImage() {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("kagami-image");
        try {
            List<Contender> contenders = contenders(directory);
            Map<String, BootTimer> timers = new LinkedHashMap<>();
            for (int run = 1; run <= runs; run++) {
                for (Contender contender : contenders) {
                    BootTimer timer = timers.computeIfAbsent(contender.name(), _ -> new BootTimer(MARKS));
                    System.err.printf("run %d: %-20s", run, contender.name());
                    timer.run(contender, timeout);
                    System.err.println(timer.last());
                }
            }
            print(timers);
            return 0;
        } finally {
            Temporary.delete(directory);
        }
    }

    private List<Contender> contenders(Path directory) throws IOException {
        DiskBoot.Extracted boot;
        try (BlockImage image = DiskImages.open(disk, OpenOptions.readOnly())) {
            boot = DiskBoot.locate(image).extract(directory);
        }
        Path seed = directory.resolve("seed.iso");
        CloudInitSeed.create(
                        settings -> settings.hostname("bench").user("debian").password("bench"))
                .write(seed);
        String qemu = Objects.requireNonNull(programs).qemu;
        List<Contender> contenders = new ArrayList<>();
        for (String engine : engines) {
            contenders.add(new Contender("kagami " + engine, kagamiCommand(engine, boot, seed)));
        }
        if (Contender.onPath(qemu)) {
            contenders.add(new Contender(Results.REFERENCE, qemuCommand(qemu, boot, seed)));
        } else {
            System.err.println("compare: no " + qemu + " on PATH; Kagami runs without it");
        }
        return contenders;
    }

    private List<String> kagamiCommand(String engine, DiskBoot.Extracted boot, Path seed) {
        List<String> command = new ArrayList<>(List.of(
                Objects.requireNonNull(programs).kagami.toAbsolutePath().toString(),
                "run",
                "--kernel",
                boot.kernel().toString(),
                "--append",
                boot.commandLine()));
        boot.initrd().ifPresent(initrd -> command.addAll(List.of("--initrd", initrd.toString())));
        command.addAll(List.of("--engine", engine, "--cpus", Integer.toString(cpus), "--memory", memory + "M"));
        command.addAll(
                List.of("--network", "nat", "--temporary", "--disk", disk.toString(), "--disk", seed.toString()));
        return command;
    }

    private List<String> qemuCommand(String qemu, DiskBoot.Extracted boot, Path seed) {
        List<String> command = new ArrayList<>(List.of(qemu, "-accel", "tcg,thread=multi", "-cpu", "max"));
        command.addAll(List.of("-smp", Integer.toString(cpus), "-m", Integer.toString(memory)));
        command.addAll(List.of("-kernel", boot.kernel().toString(), "-append", boot.commandLine()));
        boot.initrd().ifPresent(initrd -> command.addAll(List.of("-initrd", initrd.toString())));
        command.addAll(List.of("-display", "none", "-serial", "stdio", "-nic", "user,model=virtio-net-pci"));
        command.addAll(List.of("-snapshot", "-drive", "if=virtio,file=" + disk));
        command.addAll(List.of("-drive", "if=virtio,format=raw,file=" + seed));
        return command;
    }

    private static void print(Map<String, BootTimer> timers) {
        BootTimer reference = timers.get(Results.REFERENCE);
        StringBuilder header = new StringBuilder("| |");
        for (BootTimer.Mark mark : MARKS) {
            header.append(" %s, s | CPU s |%s".formatted(mark.name(), reference == null ? "" : " x of QEMU's | CPU |"));
        }
        System.out.println(header);
        System.out.println("|---"
                        .repeat((int) header.chars().filter(c -> c == '|').count() - 1) + "|");
        timers.forEach((name, timer) -> {
            StringBuilder row = new StringBuilder("| " + name + " |");
            for (int mark = 0; mark < MARKS.size(); mark++) {
                row.append(cell(" %.1f |", timer.wall(mark), null)).append(cell(" %.1f |", timer.cpu(mark), null));
                if (reference != null) {
                    row.append(cell(" %.2f |", timer.wall(mark), reference.wall(mark)));
                    row.append(cell(" %.2f |", timer.cpu(mark), reference.cpu(mark)));
                }
            }
            System.out.println(row);
        });
    }

    /** {@return a cell with a median, or its ratio to another; a dash where a guest was too slow to print the mark} */
    private static String cell(String format, Sample sample, @Nullable Sample reference) {
        if (sample.isEmpty() || reference != null && reference.isEmpty()) {
            return " - |";
        }
        return String.format(Locale.ROOT, format, sample.median() / (reference == null ? 1 : reference.median()));
    }
}
