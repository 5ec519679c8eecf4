package dev.kagami.vm;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A process on a host that has little to give: run with a small heap, few open files, and all of the user's directories in
 * one of the test. It prints what it was refused, one error a line: what was tried, code, message and hint.
 */
final class PoorHost {
    private static final Engines ENGINES = new Engines(List.of(FakeEngine.running((cpu, bus) -> cpu.spin())));
    private static final String TEMPORARY = "java.io.tmpdir";

    private final Path directory;
    private final Path kernel;

    private PoorHost(Path directory) throws IOException {
        this.directory = directory;
        this.kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
    }

    /**
     * Runs it.
     *
     * @param arguments the directory with those of the user: {@code tmp}, {@code cache} and {@code run}
     */
    public static void main(String[] arguments) throws IOException {
        new PoorHost(Path.of(arguments[0])).run();
    }

    private static void tell(String what, Runnable action) {
        String result;
        try {
            action.run();
            result = "done";
        } catch (KagamiException e) {
            result = String.join("\t", e.code().name(), e.getMessage(), e.hint());
        } catch (RuntimeException | Error e) {
            result = e.toString();
        }
        System.out.println(what + "\t" + result.replace('\n', ' '));
    }

    private VirtualMachine machine(Consumer<VirtualMachineConfig.Builder> more) {
        return VirtualMachine.create(
                VirtualMachineConfig.of(c -> {
                    c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(16));
                    more.accept(c);
                }),
                ENGINES);
    }

    private void start(Consumer<VirtualMachineConfig.Builder> more) {
        try (VirtualMachine machine = machine(more)) {
            machine.start();
        }
    }

    private void run() throws IOException {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        tell("digest", () -> CachedImage.get(image.toString(), "sha256:" + "0".repeat(64), (phase, fraction) -> {}));
        Path cache = directory.resolve("cache");
        Files.move(cache, directory.resolve("full"));
        Files.createFile(cache);
        tell("guest", () -> LinuxBoot.defaultGuest((phase, fraction) -> {}));
        Files.createFile(directory.resolve("run/kagami"));
        tell("switch", () -> start(c -> c.network(Network.onSwitch("lan"))));
        tell("large", () -> start(c -> c.memory(MemorySize.ofGibibytes(1024))));
        withoutTemporaryFiles(image);
        withoutFiles();
    }

    private void withoutTemporaryFiles(Path image) throws IOException {
        Path temporary = Path.of(System.getProperty(TEMPORARY));
        Path saved = directory.resolve("saved");
        try (VirtualMachine machine = machine(c -> c.disk(Disk.of(image)))) {
            machine.start();
            machine.save(saved, SaveOption.COMPRESS);
            // Java's own temporary files stay where they are, disks' go elsewhere.
            System.setProperty(TEMPORARY, directory.resolve("missing").toString());
            tell("snapshot-disk", () -> machine.snapshot().close());
            System.setProperty(TEMPORARY, temporary.toString());
            tell("snapshot-before", () -> machine.snapshot().close());
            Files.delete(temporary);
            tell("snapshot", () -> machine.snapshot().close());
            System.out.println("state\t" + machine.state());
        }
        tell("memory", () -> start(c -> {}));
        tell("temporary", () -> start(c -> c.disk(Disk.temporary(image))));
        try (Snapshot snapshot = Snapshot.open(saved, ENGINES)) {
            tell("restore", () -> snapshot.restore().close());
        }
    }

    private static void withoutFiles() throws IOException {
        tell("network-before", () -> VirtualSwitch.withNat().close());
        List<FileInputStream> open = new ArrayList<>();
        try {
            while (true) {
                open.add(new FileInputStream("/dev/null"));
            }
        } catch (IOException e) {
            tell("network", () -> VirtualSwitch.withNat().close());
        }
        for (FileInputStream file : open) {
            file.close();
        }
    }
}
