package dev.kagami.vm;

import static dev.kagami.vm.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.platform.device.IoApicState;
import dev.kagami.vm.VirtualMachine.State;
import dev.kagami.vm.snapshot.MachineDescription;
import dev.kagami.vm.snapshot.RecordCodec;
import dev.kagami.vm.snapshot.SavedConfig;
import dev.kagami.vm.snapshot.SnapshotException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
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
            KagamiException refused =
                    refused(ErrorCode.SNAPSHOT_UNSUPPORTED, () -> machine.save(file), "sources: " + shared);
            assertThat(refused.hint()).contains("copyTo");
            assertThat(machine.state()).isEqualTo(State.RUNNING);
            refused(ErrorCode.SNAPSHOT_UNSUPPORTED, machine::snapshot, "sources: " + shared);
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
        refused(ErrorCode.SNAPSHOT_MISMATCH, () -> VirtualMachine.restore(file), file, "network card 0", "program");
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
            refusesBytes(bad, "seed %d, byte %d".formatted(seed, at));
        }
        for (int length : new int[] {0, 1, 4095, 4096, 5000, memoryStart, good.length - 1}) {
            refusesBytes(java.util.Arrays.copyOf(good, length), "length " + length);
        }
    }

    private void refusesBytes(byte[] bytes, String what) throws IOException {
        Path bad = Files.write(directory.resolve("bad"), bytes);
        KagamiException refused = catchThrowableOfType(
                KagamiException.class, () -> VirtualMachine.restore(bad, description(new ByteArrayOutputStream())));
        assertThat(refused).as(what).isNotNull().hasMessageContaining(bad.toString());
        assertThat(refused.code()).as(what).isEqualTo(ErrorCode.SNAPSHOT_UNUSABLE);
        assertThat(refused.hint()).as(what).isNotBlank();
    }

    @Test
    void aFileOfALaterVersionIsRefusedAsThat() throws Exception {
        saveOne();
        byte[] later = Files.readAllBytes(file);
        later[8] = 2;
        SnapshotEditor.seal(later);
        Path bad = Files.write(directory.resolve("later"), later);
        KagamiException refused = refused(ErrorCode.SNAPSHOT_UNUSABLE, () -> Snapshot.open(bad), bad, "version 2");
        assertThat(refused.hint()).contains("the version of Kagami that wrote it");
    }

    @Test
    void aFileThatKnowsLessOrOtherThingsIsOfAnotherVersion() throws Exception {
        saveOne();
        byte[] good = Files.readAllBytes(file);
        SnapshotEditor.edit(file, sections -> sections.remove("cpu0"));
        KagamiException less =
                refused(ErrorCode.SNAPSHOT_UNUSABLE, () -> VirtualMachine.restore(file), file, "nothing about cpu0");
        assertThat(less.hint()).contains("the version of Kagami that wrote it");
        Files.write(file, good);
        SnapshotEditor.edit(
                file,
                sections -> sections.computeIfPresent(
                        "cpu0", (name, section) -> new SnapshotEditor.Section(section.schema() + 1, section.bytes())));
        KagamiException other =
                refused(ErrorCode.SNAPSHOT_UNUSABLE, () -> VirtualMachine.restore(file), file, "knows cpu0 otherwise");
        assertThat(other.hint()).contains("the version of Kagami that wrote it");
    }

    @Test
    void aFileThatSomebodyHasMadeUpIsRefusedWhateverItsChecksums() throws Exception {
        saveOne();
        byte[] good = Files.readAllBytes(file);
        madeUp(SavedConfig.class, "config", SaveTest::withoutResetPolicy, "its description makes no sense");
        Files.write(file, good);
        madeUp(
                IoApicState.class,
                "IoApic",
                state -> new IoApicState(new long[3], state.id(), state.selected()),
                "IoApic can't be restored",
                "3");
    }

    private <R extends Record> void madeUp(Class<R> type, String section, UnaryOperator<R> change, String... named)
            throws IOException {
        RecordCodec<R> codec = RecordCodec.of(type);
        SnapshotEditor.edit(
                file,
                sections -> sections.computeIfPresent(
                        section,
                        (name, old) -> new SnapshotEditor.Section(
                                old.schema(), codec.write(change.apply(codec.read(old.bytes()))))));
        KagamiException refused =
                refused(ErrorCode.SNAPSHOT_UNUSABLE, () -> VirtualMachine.restore(file), (Object[]) named);
        assertThat(refused).hasMessageContaining(file.toString()).hasCauseInstanceOf(SnapshotException.class);
        assertThat(refused.hint()).contains("save the machine anew");
    }

    private static SavedConfig withoutResetPolicy(SavedConfig c) {
        return new SavedConfig(
                c.kernel(),
                c.initrd(),
                c.commandLine(),
                c.modules(),
                c.diskCommandLine(),
                c.agentChannel(),
                "",
                c.disks(),
                c.seed(),
                c.networks(),
                c.vsock(),
                c.ports(),
                c.balloon());
    }

    @Test
    void aFileThatIsNoSnapshotOrIsNotThereIsRefused() {
        refused(ErrorCode.SNAPSHOT_UNUSABLE, () -> Snapshot.open(kernel), kernel, "no snapshot");
        Path missing = directory.resolve("nothing");
        refused(ErrorCode.FILE_UNREADABLE, () -> Snapshot.open(missing), missing);
        refused(ErrorCode.FILE_UNREADABLE, () -> Snapshot.open(directory), directory);
    }

    @Test
    void aSnapshotThatIsClosedMakesNoMoreMachines() throws Exception {
        saveOne();
        Snapshot snapshot = Snapshot.open(file);
        snapshot.close();
        snapshot.close();
        for (ThrowingCallable use : List.<ThrowingCallable>of(snapshot::restore, snapshot::branch)) {
            assertThatThrownBy(use)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("open", "closed", file.toString());
        }
    }

    @Test
    void otherHardwareIsRefusedWithTheDifferences() throws Exception {
        saveOne();
        refused(
                ErrorCode.SNAPSHOT_MISMATCH,
                () -> VirtualMachine.restore(
                        file, c -> c.linux(l -> l.kernel(kernel)).cpus(2).memory(MemorySize.ofMebibytes(32))),
                file,
                "CPUs: 1",
                "2 in the description");
    }

    @Test
    void aCpuWithoutAFeatureThatTheGuestWasShownIsRefusedByItsNameAndOneWithMoreIsNot() throws Exception {
        saveOne();
        byte[] good = Files.readAllBytes(file);
        renameFeature("avx2", "amx9");
        KagamiException refused = refused(
                ErrorCode.SNAPSHOT_MISMATCH,
                () -> VirtualMachine.restore(file).close(),
                file,
                "CPU features",
                ": amx9");
        assertThat(refused).hasMessageNotContaining("avx");
        Files.write(file, good);
        renameFeature("avx2 ", "");
        VirtualMachine.restore(file).close();
    }

    private void renameFeature(String name, String other) throws IOException {
        RecordCodec<MachineDescription> codec = RecordCodec.of(MachineDescription.class);
        SnapshotEditor.edit(
                file,
                sections -> sections.computeIfPresent("machine", (section, old) -> {
                    MachineDescription saved = codec.read(old.bytes());
                    assertThat(saved.cpuFeatures()).contains(name);
                    return new SnapshotEditor.Section(
                            old.schema(),
                            codec.write(new MachineDescription(
                                    saved.cpus(),
                                    saved.cpuModel(),
                                    saved.cpuFeatures().replace(name, other),
                                    saved.memory(),
                                    saved.devices(),
                                    saved.debugExitPort(),
                                    saved.testDevice())));
                }));
    }

    @Test
    void aDirectoryThatCannotBeWrittenIsAnErrorAndTheMachineGoesOn() throws Exception {
        try (VirtualMachine machine = running()) {
            for (Path target : List.of(directory.resolve("missing/machine.snapshot"), directory, Path.of("/"))) {
                refused(ErrorCode.SNAPSHOT_UNWRITABLE, () -> machine.save(target), target);
                assertThat(machine.state()).isEqualTo(State.RUNNING);
            }
        }
    }

    @Test
    void aFileThatAnotherMachineIsSavedToIsLeftToThat() throws Exception {
        Path beside = directory.resolve(".machine.snapshot.saving");
        try (VirtualMachine machine = running();
                FileChannel other = FileChannel.open(beside, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            assertThat(other.tryLock()).isNotNull();
            refused(ErrorCode.SNAPSHOT_UNWRITABLE, () -> machine.save(file), file, "another machine");
            assertThat(machine.state()).isEqualTo(State.RUNNING);
            assertThat(beside).exists();
        }
    }

    @Test
    void aTemporaryDiskThatCannotBeKeptIsAnErrorThatLeavesNothing() throws Exception {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        Path missing = directory.resolve("missing/machine.snapshot");
        try (VirtualMachine machine = VirtualMachine.create(
                description(new ByteArrayOutputStream()).andThen(c -> c.disk(Disk.temporary(image))))) {
            machine.start();
            refused(ErrorCode.SNAPSHOT_UNWRITABLE, () -> machine.save(missing), missing);
            assertThat(machine.state()).isEqualTo(State.RUNNING);
        }
        assertThat(missing.getParent()).doesNotExist();
    }

    @Test
    void disksThatAreGoneOrDamagedAreNamed() throws Exception {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        Path base = Files.write(directory.resolve("base.raw"), new byte[1 << 20]);
        try (VirtualMachine machine = VirtualMachine.create(description(new ByteArrayOutputStream())
                .andThen(c -> c.disk(Disk.of(image)).disk(Disk.temporary(base))))) {
            machine.start();
            machine.save(file);
        }
        Path kept;
        try (Stream<Path> files = Files.list(directory)) {
            kept = files.filter(each -> each.toString().endsWith(".disk2"))
                    .findFirst()
                    .orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(kept);
        Files.writeString(kept, "This is a letter.");
        refused(ErrorCode.DISK_UNUSABLE, () -> Snapshot.open(file), kept);
        Files.delete(kept);
        refused(ErrorCode.DISK_UNUSABLE, () -> Snapshot.open(file), kept);
        Files.write(kept, bytes);
        Files.move(image, directory.resolve("elsewhere"));
        refused(ErrorCode.DISK_UNUSABLE, () -> Snapshot.open(file), image, file);
        Files.write(image, new byte[2 << 20]);
        refused(ErrorCode.SNAPSHOT_MISMATCH, () -> Snapshot.open(file), image, file);
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
            refused(ErrorCode.SNAPSHOT_UNWRITABLE, () -> machine.save(file), file, "space");
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
