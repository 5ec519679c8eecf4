package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import java.io.File;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Processes that are killed while they save a machine ({@code -Dkagami.tests.kills=100} for more), and disks that are full. */
@Timeout(value = 1800, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class SaveCrashTest {
    private static final int KILLS = Integer.getInteger("kagami.tests.kills", 5);
    private static final Duration SOON = Duration.ofMinutes(1);
    private static final int LONGEST_MILLIS = 400;

    @TempDir
    private Path directory;

    private Path kernel = Path.of("kernel");
    private Path disk = Path.of("disk");

    @BeforeEach
    void prepare() throws Exception {
        kernel = SavingProcess.kernel(directory);
        disk = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
    }

    private List<String> command(Path file, boolean full) {
        return List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--class-path",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                SavingProcess.class.getName(),
                kernel.toString(),
                disk.toString(),
                file.toString(),
                Boolean.toString(full));
    }

    @Test
    void aProcessKilledAtAnyMomentOfASaveLeavesTheOldFileOrTheNewOne() throws Exception {
        Path file = directory.resolve("machine.snapshot");
        Seeds.run("kills", Seeds.seeds().nextLong(), random -> {
            int replaced = 0;
            for (int kill = 0; kill < KILLS; kill++) {
                List<String> lines = killedAfter(random.nextInt(LONGEST_MILLIS), file);
                String last = lines.getLast();
                long now = SavingProcess.checksum(file);
                // What isn't the last one that the process told of is the one after it, and must be as good.
                replaced += last.equals("saved " + now) ? 0 : 1;
                goesOn(file);
            }
            System.out.printf("%d kills; %d new files that nobody was told of%n", KILLS, replaced);
        });
        try (VirtualMachine machine = VirtualMachine.restore(
                file, SavingProcess.description(kernel, disk, OutputStream.nullOutputStream()))) {
            machine.save(file);
        }
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.map(each -> each.getFileName().toString().replaceAll("\\.[0-9a-f]{16}\\.", ".X.")))
                    .as("what killed processes have left is gone")
                    .containsExactlyInAnyOrder("kernel", "disk.raw", "machine.snapshot", "machine.snapshot.X.disk1");
        }
    }

    private List<String> killedAfter(int millis, Path file) throws Exception {
        Process process = HostCommand.start(command(file, false));
        List<String> lines = new ArrayList<>();
        try (var output = process.inputReader()) {
            lines.add(String.valueOf(output.readLine()));
            assertThat(lines.getFirst()).startsWith("saved ");
            Thread.sleep(millis);
            // Not the process itself: that would close its output.
            process.toHandle().destroyForcibly();
            output.lines().filter(line -> line.matches("saved \\d+")).forEach(lines::add);
        } finally {
            process.destroyForcibly().waitFor();
        }
        return lines;
    }

    private void goesOn(Path file) throws Exception {
        try (Snapshot snapshot = Snapshot.open(file);
                VirtualMachine machine =
                        snapshot.restore(SavingProcess.description(kernel, disk, OutputStream.nullOutputStream()))) {
            machine.resume();
            machine.console().awaitText("XYZABC", SOON);
        }
    }

    @Test
    void aFullDiskIsAnErrorThatLeavesTheOldFileAndARunningMachine() throws Exception {
        // A small disk without root: a file system in memory, in a namespace of our own.
        List<String> alone = List.of("unshare", "--user", "--map-root-user", "--mount");
        Assumptions.assumeTrue(
                Stream.of(System.getenv("PATH").split(File.pathSeparator))
                                .anyMatch(each -> Files.isExecutable(Path.of(each, "unshare")))
                        && HostCommand.run(
                                                SOON,
                                                Stream.concat(alone.stream(), Stream.of("true"))
                                                        .toList())
                                        .status()
                                == 0,
                "this host lets nobody but root mount a small file system (unshare --user --mount)");
        Path small = Files.createDirectory(directory.resolve("small"));
        List<String> command = new ArrayList<>(alone);
        command.addAll(List.of("sh", "-c", "mount -t tmpfs -o size=20m none \"$0\" && exec \"$@\"", small.toString()));
        command.addAll(command(small.resolve("machine.snapshot"), true));
        String output = HostCommand.run(SOON, command).orFail();
        assertThat(output)
                .contains(
                        "refused SNAPSHOT_UNWRITABLE: ", "No space left on device", "with room for the guest's memory")
                .contains("old file kept", "machine RUNNING", "went on true");
    }
}
