package dev.kagami.tests;

import dev.kagami.vm.Disk;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.SaveOption;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachine.State;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.zip.CRC32C;

/** A process with a machine that it saves, to be killed meanwhile, or to find the disk full. */
final class SavingProcess {
    /**
     * Fills 24 MiB from 4 MiB on, then counts at 2 MiB; each time that the count's low 16 bits are 0, prints the next letter of
     * the alphabet, which it keeps at 2 MiB + 4.
     */
    private static final String FILL_AND_COUNT = """
            bf00004000 b900006000 b85a5a5a5a f3ab
            bb00002000 c703 00000000 c7430441000000
            baf8030000
            ff03 668b03 6685c0 75f6
            8b4304 ee ff4304 837b045b 75e9 c7430441000000 ebe0""";

    private SavingProcess() {}

    static Path kernel(Path directory) throws IOException {
        return MultibootImage.write(directory.resolve("kernel"), FILL_AND_COUNT.replaceAll("\\s", ""));
    }

    /** Describes a machine with the counting guest and a disk that isn't written in place. */
    static Consumer<VirtualMachineConfig.Builder> description(Path kernel, Path disk, OutputStream printed) {
        return c -> c.linux(new LinuxBoot(kernel, null, ""))
                .engine("interpreter")
                .memory(MemorySize.ofMebibytes(32))
                .disk(Disk.temporary(disk))
                .serial(s -> s.output(printed));
    }

    static long checksum(Path file) throws IOException {
        CRC32C checksum = new CRC32C();
        checksum.update(Files.readAllBytes(file));
        return checksum.getValue();
    }

    /** Arguments: kernel, disk, the file to save to, and whether the disk becomes full. */
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2]);
        try (VirtualMachine machine = VirtualMachine.create(
                description(Path.of(arguments[0]), Path.of(arguments[1]), OutputStream.nullOutputStream()))) {
            machine.start();
            machine.console().awaitText("E", Duration.ofMinutes(1));
            if (Boolean.parseBoolean(arguments[3])) {
                fillTheDisk(machine, file);
                return;
            }
            for (int i = 0; ; i++) {
                machine.save(file, options(i % 3 == 2));
                System.out.println("saved " + checksum(file));
            }
        }
    }

    private static SaveOption[] options(boolean compress) {
        return compress ? new SaveOption[] {SaveOption.COMPRESS} : new SaveOption[0];
    }

    /** Saves where there is room for a small file and not for another that is as large as the memory. */
    private static void fillTheDisk(VirtualMachine machine, Path file) throws Exception {
        machine.save(file, SaveOption.COMPRESS);
        long old = checksum(file);
        try {
            machine.save(file);
            System.out.println("there was room");
        } catch (KagamiException e) {
            System.out.println("refused " + e.code() + ": " + e.getMessage() + ": " + e.hint());
        }
        System.out.println("old file " + (checksum(file) == old ? "kept" : "lost"));
        System.out.println("machine " + machine.state());
        machine.console().awaitText("ABC", Duration.ofMinutes(1));
        machine.save(file, SaveOption.COMPRESS);
        Snapshot.open(file).close();
        System.out.println("went on " + (machine.state() == State.RUNNING));
    }
}
