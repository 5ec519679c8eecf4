package dev.kagami.vm;

import dev.kagami.boot.BootException;
import dev.kagami.boot.BootLoader;
import dev.kagami.boot.BootModule;
import dev.kagami.boot.BootProtocol;
import dev.kagami.boot.BootSource;
import dev.kagami.boot.LoadedKernel;
import dev.kagami.cpu.Bus;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.TimerThread;
import dev.kagami.cpu.Vcpu;
import dev.kagami.image.DiskBoot;
import dev.kagami.image.GuestAgent;
import dev.kagami.image.ImageException;
import dev.kagami.memory.GuestMemory;
import dev.kagami.platform.MachineEvent;
import dev.kagami.platform.PcConfig;
import dev.kagami.platform.PcMachine;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.transport.VirtioPci;
import dev.kagami.vm.snapshot.Sections;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One life of a machine, from power-on to its end or its next reset. Made and closed by one thread; {@link #end} and
 * {@link #addTo} may be called from any.
 */
final class Machine implements AutoCloseable {
    private final AtomicReference<@Nullable Outcome> outcome = new AtomicReference<>();
    private final GuestMemory memory;
    private final TimerThread timers;
    private final PcMachine pc;
    private final Processors processors;
    private final Devices devices;
    private final List<VirtioPci> functions = new ArrayList<>();
    private final PauseGate gate = new PauseGate();
    private Summary.@Nullable Booted booted;

    private Machine(VirtualMachineConfig config, Engine engine, Devices devices, @Nullable Snapshot snapshot) {
        this.devices = devices;
        memory = snapshot == null ? allocate(config.memory()) : snapshot.memory();
        timers = new TimerThread();
        PcMachine machine = null;
        Processors cpus = null;
        try {
            OutputStream serial = devices.console().recording(config.serial().output());
            machine = assemble(config, serial);
            for (VirtioDevice device : devices.all()) {
                VirtioPci function = new VirtioPci(device, memory, machine::sendMessage);
                machine.pci().add(function.function());
                functions.add(function);
            }
            cpus = engine.createProcessors(
                    new ProcessorConfig(config.cpus(), config.cpuModel().of(engine), instructionTrace(config.trace())),
                    memory,
                    traced(machine.bus(), config.trace()),
                    timers);
            machine.connect(cpus);
            if (snapshot == null) {
                Vcpu boot = cpus.vcpus().getFirst();
                boot.setState(load(config, machine).initialState(boot.state()));
            } else {
                gate.shut(() -> {});
                timers.pause();
                snapshot.restore(new MachineStates(machine, functions, cpus));
                machine.beginGeneration();
            }
        } catch (Throwable e) {
            free(cpus, machine, timers, memory);
            throw e;
        }
        pc = machine;
        processors = cpus;
    }

    /**
     * Builds a machine and loads its kernel.
     *
     * @param config what it is
     * @param engine who makes its processors
     * @param devices its devices, opened; they stay the caller's to close
     * @return the machine, ready to run
     * @throws KagamiException when the kernel can't be loaded, or the host has no room
     */
    static Machine powerOn(VirtualMachineConfig config, Engine engine, Devices devices) {
        return new Machine(config, engine, devices, null);
    }

    /**
     * Builds a machine that goes on where another one was.
     *
     * @param config what it is
     * @param engine who makes its processors
     * @param devices its devices, opened; they stay the caller's to close
     * @param snapshot the other one, of the same hardware
     * @return the machine, standing still until {@link #resume}
     * @throws KagamiException when the snapshot makes no sense, or the host has no room
     */
    static Machine restore(VirtualMachineConfig config, Engine engine, Devices devices, Snapshot snapshot) {
        return new Machine(config, engine, devices, snapshot);
    }

    /** {@return what was booted; null when the machine goes on where another one was} */
    Summary.@Nullable Booted booted() {
        return booted;
    }

    private static GuestMemory allocate(MemorySize size) {
        try {
            return GuestMemory.allocate(size.bytes());
        } catch (UncheckedIOException | OutOfMemoryError e) {
            throw new KagamiException(
                    ErrorCode.HOST_OUT_OF_MEMORY,
                    "no room for %s of guest memory: %s".formatted(size, e.getCause() == null ? e : e.getCause()),
                    "give the guest less memory, or the host more; java.io.tmpdir must allow files of that size",
                    e);
        }
    }

    private PcMachine assemble(VirtualMachineConfig config, OutputStream serial) {
        try {
            return new PcMachine(pcConfig(config, serial), memory, timers, this::happened);
        } catch (IllegalArgumentException e) {
            // Which ports its devices have is the machine's own knowledge.
            throw new KagamiException(
                    ErrorCode.INVALID_CONFIGURATION,
                    "there can be no debug-exit port at %#x: %s"
                            .formatted(config.debugExitPort().orElseThrow(() -> e), e.getMessage()),
                    "give the first of four ports that no device has; 0xf4 is usual",
                    e);
        }
    }

    private static PcConfig pcConfig(VirtualMachineConfig config, OutputStream serial) {
        PcConfig pc = PcConfig.of(config.cpus(), serial).withTestDevice(config.testDevice());
        return config.debugExitPort().isPresent()
                ? pc.withDebugExit(config.debugExitPort().getAsInt())
                : pc;
    }

    private static @Nullable PrintStream instructionTrace(Trace trace) {
        return switch (trace) {
            case Trace.Instructions(PrintStream output) -> output;
            case Trace.Off() -> null;
            case Trace.Exits _ -> null;
        };
    }

    private static Bus traced(Bus bus, Trace trace) {
        return switch (trace) {
            case Trace.Exits(PrintStream output) -> new TracingBus(bus, output);
            case Trace.Off() -> bus;
            case Trace.Instructions _ -> bus;
        };
    }

    private LoadedKernel load(VirtualMachineConfig config, PcMachine machine) {
        LinuxBoot linux = config.linux();
        if (linux == null) {
            return loadFromDisk(config, machine);
        }
        String initrd = linux.initrd() == null ? "" : " with " + linux.initrd();
        booted = new Summary.Booted(linux.kernel() + initrd, linux.commandLine());
        return config.agentChannel() == AgentChannel.NONE || linux.initrd() == null
                ? load(linux, machine)
                : loadWithToken(linux, machine);
    }

    /**
     * Loads a kernel with what the guest's agent asks for as one more file of its initial RAM disk, which may be several
     * archives one behind the other (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
     */
    private LoadedKernel loadWithToken(LinuxBoot linux, PcMachine machine) {
        Path original = Objects.requireNonNull(linux.initrd());
        return withCopies(ErrorCode.KERNEL_UNUSABLE, "the initial RAM disk " + original, directory -> {
            // A multiboot kernel's module, say, stays as it is.
            if (!Initramfs.is(original)) {
                return load(linux, machine);
            }
            Path initrd = directory.resolve("initrd");
            try (OutputStream file = Files.newOutputStream(initrd)) {
                long size = Files.copy(original, file);
                file.write(new byte[(int) (-size & 3)]);
                file.write(GuestAgent.initramfsWith(devices.agentToken()));
            }
            return load(new LinuxBoot(linux.kernel(), initrd, linux.commandLine(), linux.modules()), machine);
        });
    }

    /** Loads what the first disk's own boot loader would; looked up at every start, as the guest may have changed it. */
    private LoadedKernel loadFromDisk(VirtualMachineConfig config, PcMachine machine) {
        return withCopies(ErrorCode.DISK_UNUSABLE, "the kernel out of the disk", directory -> {
            try {
                DiskBoot located = DiskBoot.locate(devices.bootDisk());
                DiskBoot.Extracted found = located.extract(directory);
                String commandLine = (found.commandLine() + " " + config.diskCommandLine()).strip();
                booted = new Summary.Booted(located.description(), commandLine);
                return load(new LinuxBoot(found.kernel(), found.initrd().orElse(null), commandLine), machine);
            } catch (ImageException e) {
                throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
            }
        });
    }

    /** Loads a kernel from files that are made in a directory. */
    private interface Loading {
        LoadedKernel from(Path directory) throws IOException;
    }

    /** Loads a kernel from files in a directory that is there meanwhile. */
    private static LoadedKernel withCopies(ErrorCode code, String what, Loading loading) {
        Path directory = null;
        try {
            directory = Files.createTempDirectory("kagami-boot");
            return loading.from(directory);
        } catch (IOException e) {
            throw new KagamiException(
                    code,
                    "cannot copy %s: %s".formatted(what, e),
                    "check that it is there; java.io.tmpdir must have room for a kernel and its initial RAM disk",
                    e);
        } finally {
            if (directory != null) {
                deleteFiles(directory);
            }
        }
    }

    private static void deleteFiles(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(directory);
        } catch (IOException e) {
            System.getLogger(Machine.class.getName()).log(System.Logger.Level.WARNING, "deleting " + directory, e);
        }
    }

    private LoadedKernel load(LinuxBoot linux, PcMachine machine) {
        List<BootModule> modules = linux.modules().stream()
                .map(module -> new BootModule(module.file(), module.arguments()))
                .toList();
        BootSource source = new BootSource(
                linux.kernel(), linux.initrd(), linux.commandLine(), modules, BootProtocol.AUTOMATIC, true);
        try {
            return BootLoader.load(memory, machine.memoryMap(), machine.writeTables(), source);
        } catch (BootException e) {
            throw new KagamiException(ErrorCode.KERNEL_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
    }

    /**
     * Takes what the guest did to the machine as a whole; called on the thread of a virtual CPU, in
     * the middle of an instruction.
     */
    private void happened(MachineEvent event) {
        end(
                switch (event) {
                    case MachineEvent.PowerOff() -> new Outcome.PoweredOff();
                    case MachineEvent.Reset() -> new Outcome.Reset();
                    case MachineEvent.Panic() -> new Outcome.Crashed(Outcome.Reason.GUEST_PANIC, "");
                    case MachineEvent.DebugExit(int status) -> new Outcome.DebugExit(status & 0xFF);
                });
    }

    /**
     * Ends this life of the machine; the first outcome counts.
     *
     * @param how how it ended
     */
    void end(Outcome how) {
        if (outcome.compareAndSet(null, how)) {
            for (Vcpu cpu : processors.vcpus()) {
                cpu.kick();
            }
            gate.openForever();
        }
    }

    /**
     * Makes the machine stand still: CPUs first, then devices, whose last interrupts the local APICs keep, then time.
     *
     * @return false when the machine has ended, and stands still in another way
     */
    boolean pause() {
        gate.shut(() -> processors.vcpus().forEach(Vcpu::kick));
        if (outcome.get() != null) {
            return false;
        }
        functions.forEach(function -> function.driver().pause());
        timers.pause();
        return true;
    }

    /** Lets a machine that stands still go on. */
    void resume() {
        timers.resume();
        functions.forEach(function -> function.driver().resume());
        gate.unshut();
    }

    /** {@return the state of all but the memory; the machine stands still} */
    Sections state() {
        Sections sections = new Sections();
        new MachineStates(pc, functions, processors).save(sections);
        return sections;
    }

    /** {@return the RAM} */
    GuestMemory memory() {
        return memory;
    }

    /** Presses the power button. */
    void pressPowerButton() {
        pc.pressPowerButton();
    }

    /** {@return the stream to the guest's first serial port} */
    OutputStream serialInput() {
        return pc.uart().input();
    }

    /** {@return how the machine ended, after its CPUs have run to that end} */
    Outcome run() {
        List<Vcpu> cpus = processors.vcpus();
        AtomicInteger awake = new AtomicInteger(cpus.size());
        List<Thread> threads = new ArrayList<>();
        for (Vcpu cpu : cpus) {
            threads.add(Thread.ofPlatform().name("kagami-cpu-" + cpu.index()).start(() -> runCpu(cpu, awake)));
        }
        for (Thread thread : threads) {
            joinUninterruptibly(thread);
        }
        Outcome how = outcome.get();
        return how != null ? how : new Outcome.Crashed(Outcome.Reason.ENGINE_ERROR, "every CPU ended without a reason");
    }

    private void runCpu(Vcpu cpu, AtomicInteger awake) {
        try {
            while (outcome.get() == null) {
                ExitReason reason = run(cpu);
                switch (reason) {
                    case INTERRUPTED -> {
                        // The loop's condition tells whether that was the end.
                    }
                    case SHUTDOWN -> end(new Outcome.Crashed(Outcome.Reason.TRIPLE_FAULT, cpu.exitDetail()));
                    case INTERNAL_ERROR -> end(new Outcome.Crashed(Outcome.Reason.ENGINE_ERROR, cpu.exitDetail()));
                    case HALTED -> {
                        if (awake.decrementAndGet() == 0) {
                            end(new Outcome.Crashed(Outcome.Reason.HALTED, cpu.exitDetail()));
                        }
                        return;
                    }
                }
            }
        } catch (RuntimeException | Error e) {
            // A bug in the engine or a device must not take the other machines of this process with it.
            end(new Outcome.Crashed(Outcome.Reason.ENGINE_ERROR, describe(e)));
        }
    }

    private ExitReason run(Vcpu cpu) {
        gate.enter();
        try {
            return outcome.get() == null ? cpu.run() : ExitReason.INTERRUPTED;
        } finally {
            gate.leave();
        }
    }

    /** {@return an unexpected exception in one line, with the place it came from} */
    static String describe(Throwable e) {
        StackTraceElement[] trace = e.getStackTrace();
        return trace.length == 0 ? e.toString() : e + " at " + trace[0];
    }

    /**
     * Adds the counters of all CPUs.
     *
     * @param stats what to add to
     * @return the sum
     */
    VirtualMachineStats addTo(VirtualMachineStats stats) {
        VirtualMachineStats sum = stats;
        for (Vcpu cpu : processors.vcpus()) {
            sum = sum.plus(cpu.stats());
        }
        return sum;
    }

    private static void joinUninterruptibly(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Writes out what the guest has printed and frees everything. */
    @Override
    public void close() {
        free(processors, pc, timers, memory);
    }

    private static void free(
            @Nullable Processors processors, @Nullable PcMachine pc, TimerThread timers, GuestMemory memory) {
        // Devices' timers use the memory, so it goes last.
        if (pc != null) {
            pc.close();
        }
        timers.close();
        if (processors != null) {
            processors.close();
        }
        memory.close();
    }
}
