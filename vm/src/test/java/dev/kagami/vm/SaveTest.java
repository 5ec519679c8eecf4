package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.vm.VirtualMachine.State;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Snapshot files, good ones and damaged ones, of a guest that counts in memory and prints every hundred thousandth number. */
@Timeout(120)
final class SaveTest {
    /**
     * Counts at 2 MiB; each time that the count's low 16 bits are 0, prints the next letter of the alphabet, which it keeps
     * at 2 MiB + 4.
     */
    private static final String COUNT = """
            bb00002000 c703 00000000 c7430441000000
            baf8030000
            ff03 668b03 6685c0 75f6
            8b4304 ee ff4304 837b045b 75e9 c7430441000000 ebe0""";

    @TempDir
    private Path directory;

    private Path kernel = Path.of("kernel");
    private Path file = Path.of("file");

    @BeforeEach
    void writeKernel() throws IOException {
        kernel = TestKernel.write(directory.resolve("kernel"), COUNT.replaceAll("\\s", ""));
        file = directory.resolve("machine.snapshot");
    }

    private Consumer<VirtualMachineConfig.Builder> description(ByteArrayOutputStream printed) {
        return c -> c.linux(l -> l.kernel(kernel))
                .engine("interpreter")
                .memory(MemorySize.ofMebibytes(16))
                .serial(s -> s.output(printed));
    }

    private static String await(ByteArrayOutputStream printed, int letters) throws InterruptedException {
        long deadline = System.nanoTime() + 60_000_000_000L;
        while (printed.size() < letters) {
            assertThat(System.nanoTime()).as("the guest has printed " + printed).isLessThan(deadline);
            Thread.sleep(1);
        }
        return printed.toString(StandardCharsets.US_ASCII);
    }

    /** Whatever the first letter is, the alphabet goes on from there. */
    private static void assertAlphabet(String letters) {
        for (int i = 1; i < letters.length(); i++) {
            char expected = letters.charAt(i - 1) == 'Z' ? 'A' : (char) (letters.charAt(i - 1) + 1);
            assertThat(letters.charAt(i)).as(letters).isEqualTo(expected);
        }
    }

    private VirtualMachine running() throws InterruptedException {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        VirtualMachine machine = VirtualMachine.create(description(printed));
        machine.start();
        assertAlphabet(await(printed, 5));
        return machine;
    }

    private void saveOne(SaveOption... options) throws InterruptedException {
        try (VirtualMachine machine = running()) {
            machine.save(file, options);
            assertThat(machine.state()).isEqualTo(State.RUNNING);
        }
    }

    @Test
    void aRestoredMachineIsPausedAndGoesOnWhereTheSavedOneWas() throws Exception {
        for (List<SaveOption> options : List.of(List.<SaveOption>of(), List.of(SaveOption.COMPRESS))) {
            saveOne(options.toArray(new SaveOption[0]));
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            try (VirtualMachine machine = VirtualMachine.restore(file, description(printed))) {
                assertThat(machine.state()).isEqualTo(State.PAUSED);
                assertThat(printed.size()).isZero();
                machine.resume();
                assertAlphabet(await(printed, 30));
            }
        }
    }

    @Test
    void aFileDescribesItsMachineWhichNeedsNoKernelToGoOn() throws Exception {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        VirtualMachineConfig config = VirtualMachineConfig.of(description(new ByteArrayOutputStream())
                .andThen(c -> c.disk(Disk.temporary(image).withSerial("first").grownTo(2 << 20))
                        .disk(Disk.overlay(image, directory.resolve("overlay.qcow2")))
                        .disk(Disk.readOnly(image).withQueues(2))
                        .cloudInit(i -> i.hostname("saved"))
                        .network(Network.nat().forward(0, 80).withMac("52:54:00:00:00:07"))
                        .network(Network.onSwitch(
                                "test-" + ProcessHandle.current().pid()))
                        .vsock(v -> v.guestCid(77))
                        .port(Port.named("log").toFile(directory.resolve("log")))
                        .port(Port.console("console"))
                        .balloon(Balloon.firm())
                        .debugExit(0xF4)
                        .testDevice(true)
                        .onReset(ResetPolicy.STOP)));
        int port;
        try (VirtualMachine machine = VirtualMachine.create(config)) {
            machine.start();
            machine.save(file);
            port = machine.forwards().getFirst().local().getPort();
        }
        Files.delete(kernel);
        try (Snapshot snapshot = Snapshot.open(file)) {
            VirtualMachineConfig saved = snapshot.config();
            assertThat(saved.linux()).isEqualTo(config.linux());
            assertThat(saved.disks()).isEqualTo(config.disks());
            assertThat(saved.cloudInit().files())
                    .containsOnlyKeys(config.cloudInit().files().keySet());
            assertThat(saved.networks().getFirst())
                    .isEqualTo(Network.nat().forward(port, 80).withMac("52:54:00:00:00:07"));
            assertThat(saved.networks().getLast().link())
                    .isEqualTo(config.networks().getLast().link());
            assertThat(saved)
                    .usingRecursiveComparison()
                    .comparingOnlyFields("cpus", "memory", "vsock", "ports", "balloon", "debugExitPort", "onReset")
                    .isEqualTo(config);
            try (VirtualMachine machine = snapshot.restore()) {
                assertThat(machine.state()).isEqualTo(State.PAUSED);
                assertThat(machine.network(0).mac()).isEqualTo("52:54:00:00:00:07");
            }
            // A copy writes to no file of the original.
            try (VirtualMachine copy = snapshot.branch(c -> c.engine("interpreter"))) {
                assertThat(copy.network(0).mac()).isEqualTo("52:54:00:00:00:07");
                assertThat(copy.network(1).mac())
                        .isNotEqualTo(saved.networks().getLast().mac());
                assertThat(copy.forwards().getFirst().local().getPort()).isNotEqualTo(port);
                copy.resume();
                copy.console().awaitText("XYZABC", Duration.ofMinutes(1));
            }
        }
    }

    @Test
    void sharedDirectoriesAreNamedBeforeAnythingIsWritten() throws Exception {
        Path shared = Files.createDirectory(directory.resolve("shared"));
        try (VirtualMachine machine = VirtualMachine.create(
                description(new ByteArrayOutputStream()).andThen(c -> c.share(Share.readOnly(shared, "sources"))))) {
            machine.start();
            KagamiException refused = catchThrowableOfType(KagamiException.class, () -> machine.save(file));
            assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_UNSUPPORTED);
            assertThat(refused).hasMessageContaining("sources: " + shared);
            assertThat(refused.hint()).contains("copyTo");
            assertThat(machine.state()).isEqualTo(State.RUNNING);
            assertThatThrownBy(machine::snapshot).isInstanceOf(KagamiException.class);
        }
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).containsExactlyInAnyOrder(kernel, shared);
        }
    }

    @Test
    void whatWasConnectedToTheProgramHasToBeDescribed() throws Exception {
        try (VirtualSwitch ethernet = VirtualSwitch.create();
                VirtualMachine machine = VirtualMachine.create(
                        description(new ByteArrayOutputStream()).andThen(c -> c.network(Network.on(ethernet))))) {
            machine.start();
            machine.save(file);
        }
        KagamiException refused = catchThrowableOfType(KagamiException.class, () -> VirtualMachine.restore(file));
        assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_MISMATCH);
        assertThat(refused).hasMessageContaining("network card 0").hasMessageContaining("program");
    }

    @Test
    void onlyTheUserCanReadTheFileAndNothingIsLeftBesideIt() throws Exception {
        saveOne();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).containsExactlyInAnyOrder(kernel, file);
        }
    }

    @Test
    void manyBranchesOfARunningMachineGoOnEachOnItsOwn() throws Exception {
        try (VirtualMachine machine = running();
                Snapshot snapshot = machine.snapshot()) {
            assertThat(machine.state()).isEqualTo(State.RUNNING);
            for (int i = 0; i < 10; i++) {
                ByteArrayOutputStream printed = new ByteArrayOutputStream();
                try (VirtualMachine branch = snapshot.branch(c -> c.serial(s -> s.output(printed)))) {
                    branch.resume();
                    assertAlphabet(await(printed, 5));
                }
            }
        }
    }

    @Test
    void aPausedMachineStaysPausedWhenItIsSaved() throws Exception {
        try (VirtualMachine machine = running()) {
            machine.pause();
            machine.save(file);
            assertThat(machine.state()).isEqualTo(State.PAUSED);
        }
    }

    @Test
    void everyDamagedByteAndEveryMissingEndIsRefusedWithAHint() throws Exception {
        saveOne();
        byte[] good = Files.readAllBytes(file);
        int memoryStart =
                (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong(24);
        int sections = ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getInt(16);
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 150; i++) {
            byte[] bad = good.clone();
            // Header, sections, and the pages that have something in them.
            int at = i % 3 == 0
                    ? random.nextInt(64)
                    : i % 3 == 1 ? 4096 + random.nextInt(sections) : memoryStart + 0x10_0000 + random.nextInt(32);
            bad[at] ^= (byte) (1 << random.nextInt(8));
            if (i % 3 == 0 && at >= 48) {
                // Padding that nothing reads but the header's checksum.
                at = 12;
            }
            refused(bad, "seed %d, byte %d".formatted(seed, at));
        }
        for (int length : new int[] {0, 1, 4095, 4096, 5000, memoryStart, good.length - 1}) {
            refused(java.util.Arrays.copyOf(good, length), "length " + length);
        }
    }

    private void refused(byte[] bytes, String what) throws IOException {
        Path bad = Files.write(directory.resolve("bad"), bytes);
        KagamiException refused = catchThrowableOfType(
                KagamiException.class, () -> VirtualMachine.restore(bad, description(new ByteArrayOutputStream())));
        assertThat(refused).as(what).isNotNull();
        assertThat(refused.code()).as(what).isEqualTo(ErrorCode.SNAPSHOT_UNUSABLE);
        assertThat(refused.hint()).isNotBlank();
        assertThat(refused).hasMessageContaining(bad.toString());
    }

    @Test
    void aFileOfALaterVersionIsRefusedAsThat() throws Exception {
        saveOne();
        byte[] later = Files.readAllBytes(file);
        ByteBuffer header = ByteBuffer.wrap(later).order(ByteOrder.LITTLE_ENDIAN);
        header.putInt(8, 2).putInt(12, 0);
        CRC32C checksum = new CRC32C();
        checksum.update(later, 0, 4096);
        header.putInt(12, (int) checksum.getValue());
        Path bad = Files.write(directory.resolve("later"), later);
        assertThatThrownBy(() -> Snapshot.open(bad)).hasMessageContaining("version 2");
    }

    @Test
    void aFileThatIsNoSnapshotOrIsNotThereIsRefused() throws Exception {
        assertThatThrownBy(() -> Snapshot.open(kernel)).hasMessageContaining("no snapshot");
        KagamiException missing =
                catchThrowableOfType(KagamiException.class, () -> Snapshot.open(directory.resolve("nothing")));
        assertThat(missing.code()).isEqualTo(ErrorCode.FILE_UNREADABLE);
    }

    @Test
    void otherHardwareIsRefusedWithTheDifferences() throws Exception {
        saveOne();
        KagamiException refused = catchThrowableOfType(
                KagamiException.class,
                () -> VirtualMachine.restore(
                        file, c -> c.linux(l -> l.kernel(kernel)).cpus(2).memory(MemorySize.ofMebibytes(32))));
        assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_MISMATCH);
        assertThat(refused).hasMessageContaining("CPUs: 1").hasMessageContaining("2 in the description");
    }

    @Test
    void aDirectoryThatCannotBeWrittenIsAnErrorAndTheMachineGoesOn() throws Exception {
        try (VirtualMachine machine = running()) {
            KagamiException refused = catchThrowableOfType(
                    KagamiException.class, () -> machine.save(directory.resolve("missing/machine.snapshot")));
            assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_UNWRITABLE);
            assertThat(refused.hint()).isNotBlank();
            assertThat(machine.state()).isEqualTo(State.RUNNING);
        }
    }

    @Test
    void aFullDiskIsAnErrorThatLeavesTheOldFileAndARunningMachine() throws Exception {
        // A device that is always full, where the host has one.
        Path full = Path.of("/dev/full");
        Assumptions.assumeTrue(Files.exists(full), "this host has no /dev/full");
        saveOne();
        byte[] old = Files.readAllBytes(file);
        Path beside = directory.resolve(".machine.snapshot.saving");
        Files.createSymbolicLink(beside, full);
        try (VirtualMachine machine = running()) {
            KagamiException refused = catchThrowableOfType(KagamiException.class, () -> machine.save(file));
            assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_UNWRITABLE);
            assertThat(machine.state()).isEqualTo(State.RUNNING);
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(old);
    }

    @ParameterizedTest
    @EnumSource(SaveOption.class)
    void whatAKilledProcessHasLeftIsWrittenOver(SaveOption option) throws Exception {
        Files.write(directory.resolve(".machine.snapshot.saving"), new byte[10_000_000]);
        saveOne(option);
        try (Snapshot snapshot = Snapshot.open(file)) {
            assertThat(snapshot).isNotNull();
        }
        assertThat(directory.resolve(".machine.snapshot.saving")).doesNotExist();
    }

    @Test
    void aSnapshotOutlivesItsFileAndMachinesOutliveTheSnapshot() throws Exception {
        saveOne();
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        VirtualMachine machine;
        try (Snapshot snapshot = Snapshot.open(file)) {
            Files.move(file, directory.resolve("elsewhere"), StandardCopyOption.ATOMIC_MOVE);
            machine = snapshot.restore(description(printed));
        }
        try (machine) {
            machine.resume();
            assertAlphabet(await(printed, 5));
            assertThat(machine.awaitShutdown(Duration.ofMillis(1))).isEmpty();
        }
    }
}
