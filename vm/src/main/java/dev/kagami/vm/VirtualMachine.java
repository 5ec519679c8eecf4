package dev.kagami.vm;

import dev.kagami.agent.AgentException;
import dev.kagami.block.BlockException;
import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.balloon.BalloonDevice;
import dev.kagami.virtio.console.ConsoleDevice;
import dev.kagami.virtio.socket.SocketDevice;
import dev.kagami.vm.snapshot.Sections;
import dev.kagami.vm.snapshot.SnapshotException;
import dev.kagami.vm.snapshot.SnapshotFile;
import dev.kagami.vm.snapshot.SnapshotWriter;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine, from its making to its end; it runs once.
 *
 * <table>
 * <caption>States, and what may be called in them</caption>
 * <tr><th>method</th><th>in state</th><th>leads to</th></tr>
 * <tr><td>{@link #start}</td><td>CREATED</td><td>RUNNING</td></tr>
 * <tr><td>{@link #pause}</td><td>RUNNING</td><td>PAUSED</td></tr>
 * <tr><td>{@link #resume}</td><td>PAUSED</td><td>RUNNING</td></tr>
 * <tr><td>{@link #requestStop}</td><td>RUNNING</td><td>RUNNING, until the guest has shut down</td></tr>
 * <tr><td>{@link #reset}</td><td>RUNNING, PAUSED</td><td>RUNNING</td></tr>
 * <tr><td>{@link #save}, {@link #snapshot}</td><td>RUNNING, PAUSED</td><td>the same, after PAUSED</td></tr>
 * <tr><td>{@link #stop}</td><td>RUNNING, PAUSED, STOPPED</td><td>STOPPED</td></tr>
 * <tr><td>{@link #close}</td><td>any</td><td>STOPPED</td></tr>
 * </table>
 *
 * Anything else is a {@link MachineStateException}, which names the state and those that were needed. A guest may end its
 * machine in any moment, so also an operation that {@link #canPause} and its like allowed may be refused.
 *
 * <p>Thread-safety: every method may be called from any thread. A machine runs on threads of its own; they end before
 * {@link #awaitShutdown} returns, except a daemon that may be blocked reading the serial input.
 */
public final class VirtualMachine implements AutoCloseable {
    /** How far a machine has come. */
    public enum State {
        /** Made, never started. */
        CREATED,
        /** Running guest code. */
        RUNNING,
        /** Standing still: no guest code runs, no device works, and time stands still for the guest. */
        PAUSED,
        /** Ended; the {@link Outcome} says how. */
        STOPPED
    }

    /** What Linux begins its last words with. */
    private static final String PANIC = "Kernel panic";

    private final VirtualMachineConfig config;
    private final Engines engines;
    private final Engines.Choice engine;
    private final Devices devices;
    private final SerialInput input;
    private final GuestConsole console;
    private final GuestControl guest;
    private final MachineEvents recorder = new MachineEvents(this);
    /** Completed when the guest knows that it goes on from a snapshot. */
    private final CompletableFuture<@Nullable Void> newsTold = new CompletableFuture<>();

    private @Nullable GuestNews news;
    /** Held for whole operations that lead from one state to another; taken before {@link #lock}. */
    private final ReentrantLock operations = new ReentrantLock();

    /** Held while the memory of a life is read, and while it is freed; taken after {@link #operations}. */
    private final ReentrantLock memoryUse = new ReentrantLock();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private State state = State.CREATED;
    private boolean stopRequested;
    private boolean resetRequested;
    private @Nullable Machine machine;
    private @Nullable Outcome outcome;
    private VirtualMachineStats earlier = VirtualMachineStats.NONE;
    private int resets;
    private long startNanos;
    private long endNanos;
    private final SubmissionPublisher<VirtualMachineEvent> events = new SubmissionPublisher<>(
            task -> Thread.ofVirtual().name("kagami-events").start(task), Flow.defaultBufferSize());

    private VirtualMachine(VirtualMachineConfig config, Engines engines, boolean boots) {
        List<Problem> problems = Validation.of(config, engines, boots);
        if (!problems.isEmpty()) {
            throw KagamiException.of(problems);
        }
        this.config = config;
        this.engines = engines;
        this.engine = engines.choose(config.engine());
        this.input = new SerialInput(config.serial().input());
        this.console = new GuestConsole(this::type);
        this.devices = new Devices(config, console);
        this.guest = new GuestControl(this::connectAgent, devices::agentToken);
    }

    /**
     * Makes a machine.
     *
     * @param description fills the builder
     * @return the machine, not started
     * @throws KagamiException when the description has problems, or no engine can run it here
     */
    public static VirtualMachine create(Consumer<VirtualMachineConfig.Builder> description) {
        return create(VirtualMachineConfig.of(description));
    }

    /**
     * Makes a machine.
     *
     * @param config what it is
     * @return the machine, not started
     * @throws KagamiException when the description has problems, or no engine can run it here
     */
    public static VirtualMachine create(VirtualMachineConfig config) {
        return create(config, Engines.installed());
    }

    /**
     * Makes a machine that goes on where a saved one was, paused, with the disks, networks and so on that it had;
     * {@link Snapshot} has more.
     *
     * @param file what {@link #save} has written
     * @return the machine, {@link State#PAUSED}
     * @throws KagamiException when the file can't be used, something that the machine was connected to can't be had any more, or
     *     the host has no room
     */
    public static VirtualMachine restore(Path file) {
        try (Snapshot snapshot = Snapshot.open(file)) {
            return snapshot.restore();
        }
    }

    /**
     * Makes a machine that goes on where a saved one was, paused, connected otherwise; {@link Snapshot} has more.
     *
     * @param file what {@link #save} has written
     * @param description describes the machine as it was described when it was saved
     * @return the machine, {@link State#PAUSED}
     * @throws KagamiException when the file can't be used, the description has problems or is that of another machine, or the
     *     host has no room
     */
    public static VirtualMachine restore(Path file, Consumer<VirtualMachineConfig.Builder> description) {
        try (Snapshot snapshot = Snapshot.open(file)) {
            return snapshot.restore(description);
        }
    }

    static VirtualMachine create(VirtualMachineConfig config, Engines engines) {
        return new VirtualMachine(config, engines, true);
    }

    /** Makes a machine that goes on from a snapshot, paused. */
    static VirtualMachine from(Snapshot snapshot, VirtualMachineConfig config, Engines engines) {
        VirtualMachine machine = new VirtualMachine(config, engines, false);
        machine.startFrom(snapshot);
        return machine;
    }

    /** {@return the engines of this installation, in the order of choice} */
    public static List<EngineInfo> engines() {
        return Engines.installed().list();
    }

    /** {@return the description this machine was made from} */
    public VirtualMachineConfig config() {
        return config;
    }

    /** {@return the name of the engine that was chosen} */
    public String engine() {
        return engine.engine().name();
    }

    /** {@return why that engine was chosen, a few words} */
    public String engineReason() {
        return engine.reason();
    }

    /**
     * Says for a person what was chosen: the engine and why, processors, memory, disks, network cards with their addresses,
     * and so on. What is known only after the start, such as the kernel that was found in a disk, is left out before.
     *
     * @return the lines
     */
    public List<SummaryLine> summary() {
        lock.lock();
        try {
            return Summary.of(config, engine, devices, machine == null ? null : machine.booted());
        } finally {
            lock.unlock();
        }
    }

    /** {@return how far the machine has come} */
    public State state() {
        lock.lock();
        try {
            return state;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Loads the kernel and starts the CPUs.
     *
     * @throws KagamiException when the kernel can't be loaded or the host has no room for the memory; the machine can't
     *     be used any more
     * @throws MachineStateException when the machine was started or closed before
     */
    public void start() {
        operations.lock();
        lock.lock();
        try {
            require("start", EnumSet.of(State.CREATED));
            startNanos = System.nanoTime();
            Machine first;
            try {
                devices.open();
                first = Machine.powerOn(config, engine.engine(), devices);
            } catch (Throwable e) {
                devices.close();
                ended(new Outcome.Stopped());
                throw e;
            }
            newsTold.complete(null);
            begin(first, State.RUNNING);
        } finally {
            lock.unlock();
            operations.unlock();
        }
    }

    /** Does what {@link #start} does, from a snapshot, and leaves the machine paused. */
    private void startFrom(Snapshot snapshot) {
        operations.lock();
        lock.lock();
        try {
            require("restore", EnumSet.of(State.CREATED));
            startNanos = System.nanoTime();
            Machine first;
            try {
                devices.setAgentToken(snapshot.agentToken());
                devices.open(snapshot.disks());
                MachineEvents.SnapshotTaken event = recorder.begin("restore");
                snapshot.check(config, engine.engine(), devices);
                first = Machine.restore(config, engine.engine(), devices, snapshot);
                MachineEvents.finish(event);
                news = snapshot.newsFor(devices.cards());
            } catch (Throwable e) {
                devices.close();
                ended(new Outcome.Stopped());
                throw e;
            }
            begin(first, State.PAUSED);
        } finally {
            lock.unlock();
            operations.unlock();
        }
    }

    private void begin(Machine first, State initial) {
        machine = first;
        change(initial);
        input.start();
        Thread.ofPlatform().name("kagami-machine").start(() -> supervise(first));
    }

    private void require(String operation, EnumSet<State> required) {
        if (!required.contains(state)) {
            throw new MachineStateException(operation, state, required);
        }
    }

    private void change(State to) {
        State from = state;
        state = to;
        changed.signalAll();
        recorder.changed(from, to);
        publish(new VirtualMachineEvent.StateChanged(from, to));
    }

    /** Hands an event out; a subscriber that never takes any loses them rather than keep the machine waiting. */
    private void publish(VirtualMachineEvent event) {
        events.offer(event, null);
    }

    /** {@return whether {@link #start} is possible now} */
    public boolean canStart() {
        return state() == State.CREATED;
    }

    /** {@return whether {@link #pause} is possible now} */
    public boolean canPause() {
        return state() == State.RUNNING;
    }

    /** {@return whether {@link #resume} is possible now} */
    public boolean canResume() {
        return state() == State.PAUSED;
    }

    /** {@return whether {@link #requestStop} is possible now} */
    public boolean canRequestStop() {
        return state() == State.RUNNING;
    }

    /** {@return whether {@link #reset} is possible now} */
    public boolean canReset() {
        State now = state();
        return now == State.RUNNING || now == State.PAUSED;
    }

    /** {@return whether {@link #stop} is possible now} */
    public boolean canStop() {
        return state() != State.CREATED;
    }

    /**
     * Makes the machine stand still. When this returns no virtual CPU is in guest code, what devices had begun is done, and
     * the guest's time has stopped: nothing of it will have passed at {@link #resume}, but what a guest asks of its battery
     * clock, which is the host's. Frames of the network and what is typed wait, and so may be lost, as at a machine that is
     * busy.
     *
     * @throws MachineStateException when the machine doesn't run, or ends meanwhile
     */
    public void pause() {
        operations.lock();
        try {
            while (true) {
                Machine running = current("pause", EnumSet.of(State.RUNNING));
                if (running.pause()) {
                    lock.lock();
                    try {
                        require("pause", EnumSet.of(State.RUNNING));
                        change(State.PAUSED);
                        return;
                    } finally {
                        lock.unlock();
                    }
                }
                awaitEndOf(running);
            }
        } finally {
            operations.unlock();
        }
    }

    /**
     * Lets the machine go on.
     *
     * @throws MachineStateException when the machine isn't paused
     */
    public void resume() {
        operations.lock();
        lock.lock();
        try {
            require("resume", EnumSet.of(State.PAUSED));
            change(State.RUNNING);
            if (machine != null) {
                machine.resume();
            }
            tellNews();
        } finally {
            lock.unlock();
            operations.unlock();
        }
    }

    /** Has a guest that goes on from a snapshot told so, once. */
    private void tellNews() {
        GuestNews latest = news;
        news = null;
        if (latest != null && config.agentChannel() != AgentChannel.NONE) {
            Thread.ofVirtual()
                    .name("kagami-news")
                    .start(() -> guest.tell(latest, newsTold, () -> state() == State.STOPPED));
        } else {
            newsTold.complete(null);
        }
    }

    /**
     * Presses the power button: asks the guest to shut down. Returns at once; {@link #awaitShutdown} tells when it has. A
     * guest that doesn't listen (Linux without an ACPI daemon or systemd, or one that still boots) goes on.
     *
     * @throws MachineStateException when the machine doesn't run
     */
    public void requestStop() {
        current("requestStop", EnumSet.of(State.RUNNING)).pressPowerButton();
    }

    /**
     * Presses the reset button: the machine starts over from its boot loader, whatever the {@link ResetPolicy}, and with
     * nothing of what the guest had in memory. Returns at once.
     *
     * @throws MachineStateException when the machine neither runs nor is paused
     */
    public void reset() {
        operations.lock();
        try {
            Machine old = current("reset", EnumSet.of(State.RUNNING, State.PAUSED));
            lock.lock();
            try {
                require("reset", EnumSet.of(State.RUNNING, State.PAUSED));
                resetRequested = true;
                // Who boots reads the clock.
                news = null;
                newsTold.complete(null);
                if (state == State.PAUSED) {
                    change(State.RUNNING);
                }
            } finally {
                lock.unlock();
            }
            old.end(new Outcome.Reset());
        } finally {
            operations.unlock();
        }
    }

    /** {@return whether {@link #save} and {@link #snapshot} are possible now} */
    public boolean canSave() {
        State now = state();
        return now == State.RUNNING || now == State.PAUSED;
    }

    /**
     * Saves the machine to a file, in place of the one that is there, if any. The machine stands still while its memory is
     * written, and then is in the state it was in before. When this returns the file is on the host's disk; when it fails, or
     * the process dies before, the one before is still there.
     *
     * <p>The file holds all that the guest has in memory, and can be read by this user only.
     *
     * @param file where to
     * @param options how
     * @throws KagamiException when the host can't write it; the machine goes on
     * @throws MachineStateException when the machine neither runs nor is paused, or ends meanwhile
     */
    public void save(Path file, SaveOption... options) {
        boolean compress = Set.of(options).contains(SaveOption.COMPRESS);
        MachineEvents.SnapshotTaken event = recorder.begin("save");
        operations.lock();
        List<Path> disks = new ArrayList<>();
        boolean done = false;
        try (SnapshotWriter.Replacement written = whileStill("save", (sections, memory) -> {
            disks.addAll(SavedDiskFiles.save(file.toAbsolutePath(), sections, config.disks(), devices.disks()));
            return SnapshotWriter.prepare(file, sections, memory, compress);
        })) {
            written.commit();
            done = true;
            SavedDiskFiles.deleteOthers(file, disks);
            MachineEvents.finish(event);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.SNAPSHOT_UNWRITABLE,
                    "cannot save to %s: %s".formatted(file, e),
                    "save to a directory that you may write to, with room for the guest's memory",
                    e);
        } finally {
            if (!done) {
                SavedDiskFiles.delete(disks);
            }
            operations.unlock();
        }
    }

    /**
     * Takes a snapshot of the machine for machines of this process: nothing is left of it when it is closed, or with the
     * process. The machine stands still meanwhile, for a few tenths of a second, and then is in the state it was in before.
     *
     * @return the snapshot
     * @throws KagamiException when the host has no room for it; the machine goes on
     * @throws MachineStateException when the machine neither runs nor is paused, or ends meanwhile
     */
    public Snapshot snapshot() {
        operations.lock();
        try {
            MachineEvents.SnapshotTaken event = recorder.begin("snapshot");
            Snapshot taken = whileStill("snapshot", (sections, memory) -> {
                SnapshotFile file = temporary(sections, memory);
                List<@Nullable SharedDisk> disks = new ArrayList<>();
                try {
                    devices.disks().forEach(disk -> disks.add(disk.freeze()));
                    return new Snapshot(file, "of a machine", config, disks, engines);
                } catch (BlockException e) {
                    new Snapshot(file, "of a machine", config, disks, engines).close();
                    throw new IOException(e.getMessage(), e);
                }
            });
            MachineEvents.finish(event);
            return taken;
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.SNAPSHOT_UNWRITABLE,
                    "cannot take a snapshot: " + e,
                    "java.io.tmpdir must be a directory with room for the guest's memory and disks",
                    e);
        } finally {
            operations.unlock();
        }
    }

    /** What is done with a machine that stands still. */
    private interface Work<T> {
        T apply(Sections sections, GuestMemory memory) throws IOException;
    }

    /** Makes the machine stand still, does something with its state, and puts it back into the state it was in. */
    private <T> T whileStill(String operation, Work<T> work) throws IOException {
        boolean resume;
        lock.lock();
        try {
            require(operation, EnumSet.of(State.RUNNING, State.PAUSED));
            resume = state == State.RUNNING;
        } finally {
            lock.unlock();
        }
        if (!config.shares().isEmpty()) {
            throw new KagamiException(
                    ErrorCode.SNAPSHOT_UNSUPPORTED,
                    "a machine with shared directories (%s) can't be saved: its guest holds files of the host open"
                            .formatted(config.shares().stream()
                                    .map(share -> share.tag() + ": " + share.directory())
                                    .collect(Collectors.joining(", "))),
                    "copy files with copyTo and copyFrom instead of sharing a directory");
        }
        if (resume) {
            pause();
        }
        memoryUse.lock();
        try {
            Machine still = current(operation, EnumSet.of(State.PAUSED));
            Sections sections = still.state();
            Snapshot.describe(sections, config, engine.engine(), devices);
            return work.apply(sections, still.memory());
        } finally {
            memoryUse.unlock();
            if (resume) {
                goOn();
            }
        }
    }

    /** Resumes the machine, unless somebody has stopped it meanwhile. */
    private void goOn() {
        lock.lock();
        try {
            if (state == State.PAUSED) {
                resume();
            }
        } finally {
            lock.unlock();
        }
    }

    private static SnapshotFile temporary(Sections sections, GuestMemory memory) throws IOException {
        Path file = Files.createTempFile("kagami-snapshot", null);
        FileChannel channel = FileChannel.open(
                file,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.SPARSE,
                StandardOpenOption.DELETE_ON_CLOSE);
        try {
            SnapshotWriter.write(channel, sections, memory, false);
            return SnapshotFile.of(channel, true, true);
        } catch (SnapshotException e) {
            throw new AssertionError("a snapshot that was just written is sound", e);
        } catch (Throwable e) {
            channel.close();
            throw e;
        }
    }

    /** {@return the machine's life, when it is in one of some states; waits for it where a reset is under way} */
    private Machine current(String operation, EnumSet<State> required) {
        lock.lock();
        try {
            while (true) {
                require(operation, required);
                Machine now = machine;
                if (now != null) {
                    return now;
                }
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    private void awaitEndOf(Machine old) {
        lock.lock();
        try {
            while (machine == old) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Hears of everything that happens to the machine from now on, in order, on a thread of its own.
     *
     * @param listener takes the events
     */
    public void addListener(Consumer<? super VirtualMachineEvent> listener) {
        // The future only tells of the end, which is an event itself.
        var unused = events.consume(listener::accept);
    }

    /**
     * {@return everything that happens to the machine from a subscription on, in order; completes with its end. A
     * subscriber that asks for nothing loses events after a few hundred}
     */
    public Flow.Publisher<VirtualMachineEvent> events() {
        return events;
    }

    /**
     * Waits for a state.
     *
     * @param wanted the state
     * @param timeout how long at most
     * @return whether the machine is in it; false when that takes too long, or the machine has ended and never will be
     * @throws InterruptedException when the calling thread is interrupted
     */
    public boolean awaitState(State wanted, Duration timeout) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos(timeout);
            while (state != wanted && state != State.STOPPED && left > 0) {
                left = changed.awaitNanos(left);
            }
            return state == wanted;
        } finally {
            lock.unlock();
        }
    }

    private static long nanos(Duration timeout) {
        return timeout.compareTo(Duration.ofNanos(Long.MAX_VALUE)) >= 0 ? Long.MAX_VALUE : timeout.toNanos();
    }

    /** Runs the machine through its resets to its end. */
    private void supervise(Machine first) {
        Outcome result;
        Machine current = first;
        try {
            while (true) {
                input.connect(current.serialInput());
                result = current.run();
                input.connect(null);
                VirtualMachineStats counted = current.addTo(stats(false));
                boolean again;
                lock.lock();
                try {
                    earlier = counted;
                    machine = null;
                    again = result instanceof Outcome.Reset
                            && (config.onReset() == ResetPolicy.RESTART || resetRequested)
                            && !stopRequested;
                    resetRequested = false;
                    changed.signalAll();
                } finally {
                    lock.unlock();
                }
                close(current);
                if (!again) {
                    break;
                }
                current = Machine.powerOn(config, engine.engine(), devices);
                lock.lock();
                try {
                    resets++;
                    machine = current;
                    changed.signalAll();
                    publish(new VirtualMachineEvent.Restarted(resets));
                    if (stopRequested) {
                        current.end(new Outcome.Stopped());
                    }
                } finally {
                    lock.unlock();
                }
            }
        } catch (KagamiException e) {
            result = new Outcome.Crashed(Outcome.Reason.RESTART_FAILED, String.valueOf(e.getMessage()));
        } catch (RuntimeException | Error e) {
            // Whatever goes wrong in here is our bug, and must end this machine rather than hang those who wait for it.
            result = new Outcome.Crashed(Outcome.Reason.ENGINE_ERROR, Machine.describe(e));
        }
        input.close();
        devices.close();
        if (result instanceof Outcome.Crashed crashed && crashed.reason() == Outcome.Reason.GUEST_PANIC) {
            result = new Outcome.Crashed(Outcome.Reason.GUEST_PANIC, console.lastLineWith(PANIC));
        }
        lock.lock();
        try {
            machine = null;
            ended(result);
        } finally {
            lock.unlock();
        }
    }

    private void close(Machine life) {
        memoryUse.lock();
        try {
            life.close();
        } finally {
            memoryUse.unlock();
        }
    }

    private void ended(Outcome result) {
        outcome = result;
        endNanos = System.nanoTime();
        console.ended(result.toString());
        change(State.STOPPED);
        publish(new VirtualMachineEvent.Ended(result));
        events.close();
    }

    /**
     * {@return the guest's first serial port: what it has printed, and a keyboard}
     */
    public GuestConsole console() {
        return console;
    }

    /**
     * Runs a command in the guest, by the agent that the default guest has, and cloud images get through their cloud-init
     * seed. Waits for the guest to be up, and for the command to end.
     *
     * <p>Any number of commands may run at a time. A command has ended when its own process has; what it left in the
     * background goes on. The agent takes commands from this object only.
     *
     * @param command a line for {@code /bin/sh}, run by root
     * @return its exit status and what it printed; a status other than 0 is not an exception
     * @throws KagamiException when the guest has no agent, or ends meanwhile
     * @throws MachineStateException when the machine doesn't run
     * @throws InterruptedException when the calling thread is interrupted; the command is killed
     */
    public ExecResult exec(String command) throws InterruptedException {
        return exec(command, o -> {});
    }

    /**
     * Runs a command in the guest, as {@link #exec(String)} does.
     *
     * @param command a line for {@code /bin/sh}
     * @param options says more: its input, environment, working directory, user, timeout
     * @return its exit status and what it printed
     * @throws KagamiException when the guest has no agent, or ends meanwhile; with code {@code COMMAND_TIMED_OUT} when it
     *     took too long
     * @throws IllegalArgumentException when the name of a variable is none
     * @throws MachineStateException when the machine doesn't run
     * @throws InterruptedException when the calling thread is interrupted; the command is killed
     */
    public ExecResult exec(String command, Consumer<ExecOptions> options) throws InterruptedException {
        checkAgent("exec");
        return guest.exec(command, options);
    }

    /**
     * Starts a command in the guest as soon as that is up, and returns while it runs. Who reads only one of its two streams
     * while the other is full waits for ever, as with any process. Destroying it forcibly kills its process group.
     *
     * @param command a line for {@code /bin/sh}
     * @param options says more; its timeout is how long to wait for the guest
     * @return the running command; its exit value is 255 when the guest ends under it
     * @throws KagamiException when the guest has no agent
     * @throws MachineStateException when the machine doesn't run
     * @throws InterruptedException when the calling thread is interrupted
     */
    public Process spawn(String command, Consumer<ExecOptions> options) throws InterruptedException {
        checkAgent("spawn");
        return guest.spawn(command, options);
    }

    /**
     * Copies a file or a directory with all in it to the guest. Permissions, times and symbolic links are kept; root owns
     * the copy. The guest needs {@code tar}.
     *
     * @param source a file or a directory of the host
     * @param target the absolute path of the copy, or, with a slash at its end, of the directory that it goes into;
     *     directories are made as needed, files replaced
     * @throws KagamiException when it can't be copied
     * @throws MachineStateException when the machine doesn't run
     * @throws InterruptedException when the calling thread is interrupted
     */
    public void copyTo(Path source, String target) throws InterruptedException {
        checkAgent("copyTo");
        guest.copyTo(source, target);
    }

    /**
     * Copies a file or a directory with all in it from the guest. Permissions, times and symbolic links are kept. Nothing is
     * written outside of the target, whatever the guest sends.
     *
     * @param source an absolute path in the guest
     * @param target the path of the copy, in a directory that exists
     * @throws KagamiException when it can't be copied
     * @throws MachineStateException when the machine doesn't run
     * @throws InterruptedException when the calling thread is interrupted
     */
    public void copyFrom(String source, Path target) throws InterruptedException {
        checkAgent("copyFrom");
        guest.copyFrom(source, target);
    }

    private void checkAgent(String what) throws InterruptedException {
        requireRunning(what);
        if (config.agentChannel() == AgentChannel.NONE) {
            throw new KagamiException(
                    ErrorCode.GUEST_AGENT_UNAVAILABLE,
                    "this guest has no agent to run commands",
                    "boot the default guest, or give an image a cloud-init seed: c.cloudInit(i -> {})");
        }
        GuestControl.awaitNews(newsTold);
    }

    private ByteChannel connectAgent(Duration patience) throws IOException, AgentException {
        String end = describeEnd();
        if (!end.isEmpty()) {
            throw new AgentException(AgentException.Reason.UNREACHABLE, "the machine has ended: " + end);
        }
        return devices.connectAgent(patience);
    }

    private void type(byte[] bytes) {
        requireRunning("type");
        input.type(bytes);
    }

    private void requireRunning(String operation) {
        lock.lock();
        try {
            require(operation, EnumSet.of(State.RUNNING));
        } finally {
            lock.unlock();
        }
    }

    /** How the machine has ended, in words; empty while it hasn't. */
    private String describeEnd() {
        lock.lock();
        try {
            return outcome == null ? "" : outcome.toString();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits for the machine's end.
     *
     * @return how it ended
     * @throws InterruptedException when the calling thread is interrupted; the machine goes on
     * @throws MachineStateException when the machine was never started
     */
    public Outcome awaitShutdown() throws InterruptedException {
        return awaitShutdown(Duration.ofNanos(Long.MAX_VALUE)).orElseThrow();
    }

    /**
     * Waits for the machine's end, but not for ever.
     *
     * @param timeout how long at most
     * @return how it ended; empty when it still runs
     * @throws InterruptedException when the calling thread is interrupted; the machine goes on
     * @throws MachineStateException when the machine was never started
     */
    public Optional<Outcome> awaitShutdown(Duration timeout) throws InterruptedException {
        lock.lock();
        try {
            require("awaitShutdown", EnumSet.complementOf(EnumSet.of(State.CREATED)));
            long left = nanos(timeout);
            while (outcome == null && left > 0) {
                left = changed.awaitNanos(left);
            }
            return Optional.ofNullable(outcome);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Pulls the plug: asks the machine to end with {@link Outcome.Stopped} and returns without waiting. Nothing happens
     * when it has ended already.
     *
     * @throws MachineStateException when the machine was never started
     */
    public void stop() {
        lock.lock();
        try {
            require("stop", EnumSet.complementOf(EnumSet.of(State.CREATED)));
            stopRequested = true;
            if (machine != null) {
                machine.end(new Outcome.Stopped());
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gets the host's end of the machine's vsock device.
     *
     * @return it, at any time: a program may listen before the machine is started
     * @throws IllegalStateException when the machine has no such device
     */
    public VsockEndpoint vsock() {
        SocketDevice device = devices.sockets();
        if (device == null || config.vsock() == null) {
            throw new IllegalStateException("the machine has no vsock device; describe one: c.vsock(v -> {})");
        }
        return new VsockEndpoint(device);
    }

    /**
     * Forwards a port of the host to the guest, on the machine's first network, from now on.
     *
     * @param forward the forward; port 0 of the host for any that is free
     * @return the forward, with the actual port
     * @throws KagamiException when the machine has no network, or the port is taken
     * @throws MachineStateException when the machine doesn't run
     */
    public Network.Forward addForward(Network.Forward forward) {
        lock.lock();
        try {
            require("addForward", EnumSet.of(State.RUNNING, State.PAUSED));
            return devices.addForward(forward);
        } finally {
            lock.unlock();
        }
    }

    /** {@return the ports of the host that are forwarded to the guest now; none when the machine doesn't run} */
    public List<Network.Forward> forwards() {
        return devices.forwards();
    }

    /**
     * Stops forwarding a port. Connections that exist go on.
     *
     * @param protocol the forward's protocol
     * @param local where it listens on the host
     * @return whether there was such a forward
     */
    public boolean removeForward(Network.Protocol protocol, InetSocketAddress local) {
        return devices.removeForward(protocol, local);
    }

    /**
     * Gets a network card.
     *
     * @param index its number in the description, from 0
     * @return the card
     * @throws IllegalStateException when the machine was never started
     * @throws IndexOutOfBoundsException when there is no such card
     */
    public NetworkCard network(int index) {
        Objects.checkIndex(index, config.networks().size());
        List<NetworkCard> cards = devices.cards();
        if (cards.isEmpty()) {
            throw new IllegalStateException("network needs a machine that was started; this one is " + state());
        }
        return cards.get(index);
    }

    /**
     * Opens the host's side of a port of the virtio console device. Until then, and after the channel is closed, what the
     * guest writes is dropped; while it is open, a program that doesn't read holds the guest's writer back.
     *
     * @param name the port's name
     * @return the channel: reading waits for output of the guest, writing for room; closing it ends both
     * @throws IllegalArgumentException when the machine has no such port, or it isn't one that is opened on demand
     * @throws IllegalStateException when it is open already
     */
    public ByteChannel openPort(String name) {
        for (int i = 0; i < config.ports().size(); i++) {
            Port port = config.ports().get(i);
            if (port.name().equals(name) && port.attachment() instanceof Port.OnDemand) {
                return Objects.requireNonNull(devices.ports()).open(i);
            }
        }
        throw new IllegalArgumentException(
                "the machine has no port '%s' to open; describe one: c.port(Port.named(...))".formatted(name));
    }

    /**
     * Tells the guest a new size of the terminal on its virtio consoles; nothing happens when there are none.
     *
     * @param columns width in characters, 0 to 65535
     * @param rows height in characters, 0 to 65535
     */
    public void resizeConsoles(int columns, int rows) {
        ConsoleDevice device = devices.ports();
        if (device != null) {
            device.resize(columns, rows);
        }
    }

    /**
     * Gets the machine's memory balloon.
     *
     * @return it, at any time
     * @throws IllegalStateException when the machine has none
     */
    public MemoryBalloon balloon() {
        BalloonDevice device = devices.balloon();
        if (device == null) {
            throw new IllegalStateException(
                    "the machine has no memory balloon; describe one: c.balloon(Balloon.yielding())");
        }
        return new MemoryBalloon(device, config.memory());
    }

    /** {@return the counters so far; those of a running machine may lag by a few blocks of code} */
    public VirtualMachineStats stats() {
        return stats(true);
    }

    /** {@return what can be measured of the machine now; a monitoring system may ask every second} */
    public VirtualMachineMetrics metrics() {
        return VirtualMachineMetrics.of(this);
    }

    private VirtualMachineStats stats(boolean current) {
        lock.lock();
        try {
            VirtualMachineStats sum = current && machine != null ? machine.addTo(earlier) : earlier;
            long until = state == State.STOPPED ? endNanos : System.nanoTime();
            return sum.running(Duration.ofNanos(state == State.CREATED ? 0 : until - startNanos), resets);
        } finally {
            lock.unlock();
        }
    }

    /** Stops the machine if it runs, waits for its end, and frees what it held. May be called again. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (state == State.CREATED) {
                startNanos = System.nanoTime();
                devices.close();
                ended(new Outcome.Stopped());
                return;
            }
            stop();
            while (outcome == null) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }
}
