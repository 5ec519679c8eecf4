package dev.kagami.vm;

import dev.kagami.agent.AgentToken;
import dev.kagami.cpu.Engine;
import dev.kagami.memory.GuestMemory;
import dev.kagami.vm.snapshot.MachineDescription;
import dev.kagami.vm.snapshot.SavedConfig;
import dev.kagami.vm.snapshot.Sections;
import dev.kagami.vm.snapshot.SnapshotException;
import dev.kagami.vm.snapshot.SnapshotFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A machine at one moment, from which any number of machines can go on: {@link VirtualMachine#snapshot} takes one of a running
 * machine, {@link #open} reads one that {@link VirtualMachine#save} has written. Making a machine takes milliseconds; they
 * share memory until they write to it.
 *
 * <p>What belongs to the host can't be saved. Machines that go on find their network connections reset, vsock connections too.
 * A guest that has the agent (see {@link VirtualMachine#exec}) is told right away how late it is and has its random numbers begin
 * anew, before any other command; copies on a switch get addresses of their own.
 *
 * <p>Thread-safe. Machines that were made stay when the snapshot is closed; it makes no more then, which is an
 * {@link IllegalStateException}.
 */
public final class Snapshot implements AutoCloseable {
    private static final String MACHINE = "machine";
    private static final String AGENT = "agent";
    private static final String CONFIG = "config";

    private final SnapshotFile file;
    /** For messages. */
    private final String name;
    /** What the machine was made from; null when the snapshot comes from a file, which holds most of it. */
    private final @Nullable VirtualMachineConfig config;

    /** What the disks are based on, by number. */
    private final List<@Nullable SharedDisk> disks;

    private final Engines engines;
    private final AtomicBoolean closed = new AtomicBoolean();

    Snapshot(
            SnapshotFile file,
            String name,
            @Nullable VirtualMachineConfig config,
            List<@Nullable SharedDisk> disks,
            Engines engines) {
        this.file = file;
        this.name = name;
        this.config = config;
        this.disks = disks;
        this.engines = engines;
    }

    /**
     * Opens a file and verifies all of it.
     *
     * @param file what {@link VirtualMachine#save} has written; must not be written to or cut while machines from it live.
     *     Replacing it by another save is fine
     * @return the snapshot
     * @throws KagamiException when the file can't be read, is damaged, or was written by another version
     */
    public static Snapshot open(Path file) {
        return open(file, Engines.installed());
    }

    static Snapshot open(Path file, Engines engines) {
        try {
            SnapshotFile opened = SnapshotFile.open(file);
            try {
                return new Snapshot(
                        opened, file.toString(), null, SavedDiskFiles.open(file, opened.sections()), engines);
            } catch (Throwable e) {
                opened.close();
                throw e;
            }
        } catch (SnapshotException e) {
            throw refused(file.toString(), e);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE,
                    e instanceof NoSuchFileException
                            ? "there is no snapshot " + file
                            : "cannot read snapshot %s: %s".formatted(file, e),
                    "name a file that was written by save",
                    e);
        }
    }

    static KagamiException refused(String name, SnapshotException e) {
        return new KagamiException(
                ErrorCode.SNAPSHOT_UNUSABLE,
                "snapshot %s can't be used: %s".formatted(name, e.getMessage()),
                switch (e.kind()) {
                    case NOT_A_SNAPSHOT -> "name a file that was written by save";
                    case OTHER_VERSION -> "use the version of Kagami that wrote it, or save the machine anew";
                    case DAMAGED -> "fetch the file anew if it was copied; otherwise save the machine anew";
                },
                e);
    }

    /**
     * Describes the machine. What comes from a file names the files of disks and kernel as they were named then; the serial port
     * and ports that were connected to the program that saved it are connected to nothing, and nothing is captured or traced.
     *
     * @return the description; {@link VirtualMachineConfig#with} changes a copy of it
     * @throws KagamiException when the machine had a network card that was connected to the program that saved it
     */
    public VirtualMachineConfig config() {
        VirtualMachineConfig original = config;
        if (original != null) {
            return original;
        }
        try {
            return SavedConfigs.config(
                    file.sections().get(CONFIG, SavedConfig.class),
                    file.sections().get(MACHINE, MachineDescription.class),
                    name);
        } catch (SnapshotException e) {
            throw refused(name, e);
        }
    }

    /**
     * Makes the machine that goes on from here, paused, with the disks, networks and so on that it had: with its identity, so
     * there should be one at a time. Use {@link #branch()} for copies.
     *
     * @return the machine, {@link VirtualMachine.State#PAUSED}
     * @throws KagamiException when something of it can't be had any more, or the host has no room
     */
    public VirtualMachine restore() {
        return restore(config());
    }

    /**
     * Makes a machine that goes on from here, paused. The description says what the machine is connected to; its hardware must
     * be that of the saved machine.
     *
     * @param description fills the builder
     * @return the machine, {@link VirtualMachine.State#PAUSED}
     * @throws KagamiException when the description has problems or is that of another machine, or the host has no room
     */
    public VirtualMachine restore(Consumer<VirtualMachineConfig.Builder> description) {
        return restore(VirtualMachineConfig.of(description));
    }

    /**
     * Makes a machine that goes on from here, paused.
     *
     * @param description what the machine is connected to, and its hardware, which must be that of the saved machine. A kernel
     *     is needed when the guest resets the machine, and not before
     * @return the machine, {@link VirtualMachine.State#PAUSED}
     * @throws KagamiException when the description has problems or is that of another machine, or the host has no room
     */
    public VirtualMachine restore(VirtualMachineConfig description) {
        if (closed.get()) {
            throw new IllegalStateException(
                    "restore needs a snapshot that is open; snapshot %s is closed".formatted(name));
        }
        return VirtualMachine.from(this, description, engines);
    }

    /**
     * Makes a copy of the machine that goes on from here, paused. Its serial port is connected to nothing unless the changes
     * say otherwise, ports that are forwarded from the host get free numbers, and what it writes to its disks is forgotten
     * at its end, in whatever mode they are.
     *
     * @param changes changes the description of the original
     * @return the copy, {@link VirtualMachine.State#PAUSED}
     * @throws KagamiException when the changes make another machine of it, or the host has no room
     */
    public VirtualMachine branch(Consumer<VirtualMachineConfig.Builder> changes) {
        return restore(config().branch(changes));
    }

    /**
     * Makes a copy of the machine that goes on from here, paused, connected to nothing that isn't its own.
     *
     * @return the copy, {@link VirtualMachine.State#PAUSED}
     */
    public VirtualMachine branch() {
        return branch(c -> {});
    }

    // ---------------------------------------------------------------- for machines

    /** {@return what the disks are based on, by number} */
    List<@Nullable SharedDisk> disks() {
        return disks;
    }

    static void describe(Sections sections, VirtualMachineConfig config, Engine engine, Devices devices) {
        sections.put(MACHINE, description(config, engine, devices));
        sections.put(AGENT, devices.agentToken());
        sections.put(CONFIG, SavedConfigs.of(config, devices.cards()));
    }

    /** {@return what the agent in the guest asks for} */
    AgentToken agentToken() {
        try {
            return file.sections().get(AGENT, AgentToken.class);
        } catch (SnapshotException e) {
            throw refused(name, e);
        }
    }

    private static MachineDescription description(VirtualMachineConfig config, Engine engine, Devices devices) {
        return new MachineDescription(
                config.cpus(),
                config.cpuModel().of(engine).label(),
                String.join(" ", engine.features(config.cpuModel().of(engine))),
                config.memory().bytes(),
                String.join(
                        ",",
                        devices.all().stream()
                                .map(device -> device.type().name())
                                .toList()),
                config.debugExitPort().orElse(-1),
                config.testDevice());
    }

    /** {@return what the guest has to be told on a machine with these network cards} */
    GuestNews newsFor(List<NetworkCard> cards) {
        try {
            return GuestNews.of(file.sections().get(CONFIG, SavedConfig.class).networks(), cards);
        } catch (SnapshotException e) {
            throw refused(name, e);
        }
    }

    /** Compares the hardware of a machine with that of the saved one. */
    void check(VirtualMachineConfig wanted, Engine engine, Devices devices) {
        try {
            MachineDescription saved = file.sections().get(MACHINE, MachineDescription.class);
            MachineDescription now = description(wanted, engine, devices);
            List<String> differences = new ArrayList<>();
            compare(differences, "CPUs", saved.cpus(), now.cpus());
            compare(differences, "CPU model", saved.cpuModel(), now.cpuModel());
            compare(differences, "bytes of memory", saved.memory(), now.memory());
            compare(differences, "devices", saved.devices(), now.devices());
            compare(differences, "debug-exit port", saved.debugExitPort(), now.debugExitPort());
            compare(differences, "test device", saved.testDevice(), now.testDevice());
            if (!differences.isEmpty()) {
                throw new KagamiException(
                        ErrorCode.SNAPSHOT_MISMATCH,
                        "snapshot %s is of another machine: %s".formatted(name, String.join("; ", differences)),
                        "describe the machine as it was when it was saved");
            }
            checkFeatures(saved.cpuFeatures(), now.cpuFeatures());
        } catch (SnapshotException e) {
            throw refused(name, e);
        }
    }

    /** What a model has depends on the host and on the version of Kagami. More than before does a guest no harm. */
    private void checkFeatures(String saved, String now) {
        List<String> missing = new ArrayList<>(List.of(saved.split(" ")));
        missing.removeAll(List.of(now.split(" ")));
        if (!missing.isEmpty()) {
            throw new KagamiException(
                    ErrorCode.SNAPSHOT_MISMATCH,
                    "the guest of snapshot %s was shown CPU features that it can't have here: %s"
                            .formatted(name, String.join(" ", missing)),
                    "restore it on a host, or with an engine, that has them; see --engine");
        }
    }

    private static void compare(List<String> differences, String what, Object saved, Object now) {
        if (!Objects.equals(saved, now)) {
            differences.add("%s: %s in the snapshot, %s in the description".formatted(what, saved, now));
        }
    }

    /** Makes the memory of a machine. */
    GuestMemory memory() {
        try {
            return file.memory();
        } catch (SnapshotException e) {
            throw refused(name, e);
        } catch (IOException | UncheckedIOException | OutOfMemoryError e) {
            throw new KagamiException(
                    ErrorCode.HOST_OUT_OF_MEMORY,
                    "cannot make the memory of snapshot %s: %s"
                            .formatted(name, e.getCause() == null ? e : e.getCause()),
                    "check the limits of this process for memory and mappings; java.io.tmpdir must allow files of that size",
                    e);
        }
    }

    /** Sets the state of a machine. */
    void restore(MachineStates states) {
        try {
            states.restore(file.sections());
        } catch (SnapshotException e) {
            throw refused(name, e);
        }
    }

    @Override
    public void close() {
        if (closed.getAndSet(true)) {
            return;
        }
        for (SharedDisk disk : disks) {
            if (disk != null) {
                disk.release();
            }
        }
        try {
            file.close();
        } catch (IOException e) {
            System.getLogger(Snapshot.class.getName()).log(System.Logger.Level.WARNING, "closing " + name, e);
        }
    }
}
