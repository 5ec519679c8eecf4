package dev.kagami.vm;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import dev.kagami.block.Overlay;
import dev.kagami.block.iso.IsoImage;
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
import dev.kagami.image.ImageException;
import dev.kagami.memory.GuestMemory;
import dev.kagami.net.EthernetLink;
import dev.kagami.net.MacAddress;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.NatConfig;
import dev.kagami.net.nat.PortForward;
import dev.kagami.platform.MachineEvent;
import dev.kagami.platform.PcConfig;
import dev.kagami.platform.PcMachine;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import dev.kagami.virtio.entropy.EntropyConfig;
import dev.kagami.virtio.entropy.EntropyDevice;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import dev.kagami.virtio.transport.VirtioPci;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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
    /** What the devices use of the host, to be closed after them. */
    private final List<AutoCloseable> backends;

    private final List<BlockDevice> disks = new ArrayList<>();

    private Machine(VirtualMachineConfig config, Engine engine) {
        memory = allocate(config.memory());
        timers = new TimerThread();
        PcMachine machine = null;
        Processors cpus = null;
        backends = new ArrayList<>();
        try {
            machine = new PcMachine(pcConfig(config), memory, timers, this::happened);
            addDevices(config, machine);
            cpus = engine.createProcessors(
                    new ProcessorConfig(config.cpus(), instructionTrace(config.trace())),
                    memory,
                    traced(machine.bus(), config.trace()),
                    timers);
            machine.connect(cpus);
            Vcpu boot = cpus.vcpus().getFirst();
            boot.setState(load(config, machine).initialState(boot.state()));
        } catch (Throwable e) {
            free(cpus, machine, timers, backends, memory);
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
     * @return the machine, ready to run
     * @throws KagamiException when the kernel can't be loaded, or the host has no room
     */
    static Machine powerOn(VirtualMachineConfig config, Engine engine) {
        return new Machine(config, engine);
    }

    private static GuestMemory allocate(MemorySize size) {
        try {
            return GuestMemory.allocate(size.bytes());
        } catch (UncheckedIOException | OutOfMemoryError e) {
            throw new KagamiException(
                    ErrorCode.HOST_OUT_OF_MEMORY,
                    "no room for %s of guest memory: %s".formatted(size, e.getMessage()),
                    "give the guest less memory, or the host more; java.io.tmpdir must allow files of that size",
                    e);
        }
    }

    private static PcConfig pcConfig(VirtualMachineConfig config) {
        PcConfig pc = PcConfig.of(config.cpus(), config.serial().output()).withTestDevice(config.testDevice());
        return config.debugExitPort().isPresent()
                ? pc.withDebugExit(config.debugExitPort().getAsInt())
                : pc;
    }

    /** Plugs in what every machine has and what the description asks for. */
    private void addDevices(VirtualMachineConfig config, PcMachine machine) {
        addDevice(machine, new EntropyDevice(EntropyConfig.host()));
        for (Disk disk : config.disks()) {
            BlockDevice device = open(disk);
            backends.add(device);
            disks.add(device);
            addDevice(machine, new DiskDevice(DiskConfig.of(device, "kagami-" + disks.size())));
        }
        CloudInit seed = config.cloudInit();
        if (seed != null) {
            BlockDevice device = BlockDevice.synchronous(
                    IsoImage.of(IsoImage.CLOUD_INIT_SEED, seed.files()).toBlockImage());
            backends.add(device);
            addDevice(machine, new DiskDevice(DiskConfig.of(device, "kagami-seed")));
        }
        for (Network network : config.networks()) {
            EthernetLink link = new EthernetLink();
            startNat(network, link);
            addDevice(machine, new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.random())));
        }
    }

    private void addDevice(PcMachine machine, VirtioDevice device) {
        machine.pci().add(new VirtioPci(device, memory, machine::sendMessage).function());
    }

    private void startNat(Network network, EthernetLink link) {
        try {
            Nat nat = Nat.start(NatConfig.defaults(), link.second());
            backends.add(nat);
            for (Network.Forward forward : network.forwards()) {
                PortForward.Protocol protocol = switch (forward.protocol()) {
                    case TCP -> PortForward.Protocol.TCP;
                    case UDP -> PortForward.Protocol.UDP;
                };
                try {
                    nat.forward(
                            protocol,
                            forward.local(),
                            new InetSocketAddress(nat.config().firstGuest(), forward.guestPort()));
                } catch (IOException e) {
                    throw new KagamiException(
                            ErrorCode.NETWORK_UNUSABLE,
                            "cannot forward %s to port %d of the guest: %s"
                                    .formatted(forward.local(), forward.guestPort(), e.getMessage()),
                            "choose a port of the host that nothing listens on",
                            e);
                }
            }
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.NETWORK_UNUSABLE,
                    "cannot start the network: " + e.getMessage(),
                    "check the host's limit of open files",
                    e);
        }
    }

    private static BlockDevice open(Disk disk) {
        try {
            return BlockDevice.synchronous(
                    switch (disk.mode()) {
                        case READ_WRITE -> DiskImages.open(disk.image(), OpenOptions.readWrite());
                        case READ_ONLY -> DiskImages.open(disk.image(), OpenOptions.readOnly());
                        case TEMPORARY ->
                            Overlay.temporary(
                                    disk.image(),
                                    OpenOptions.readOnly(),
                                    Path.of(System.getProperty("java.io.tmpdir")));
                    });
        } catch (BlockException e) {
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        }
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
        return linux != null ? load(linux, machine) : loadFromDisk(config, machine);
    }

    /** Loads what the first disk's own boot loader would; looked up at every start, as the guest may have changed it. */
    private LoadedKernel loadFromDisk(VirtualMachineConfig config, PcMachine machine) {
        BlockImage disk = disks.getFirst().image();
        Path directory = null;
        try {
            directory = Files.createTempDirectory("kagami-boot");
            DiskBoot.Extracted found = DiskBoot.locate(disk).extract(directory);
            String commandLine = (found.commandLine() + " " + config.diskCommandLine()).strip();
            return load(new LinuxBoot(found.kernel(), found.initrd().orElse(null), commandLine), machine);
        } catch (ImageException e) {
            throw new KagamiException(ErrorCode.DISK_UNUSABLE, String.valueOf(e.getMessage()), e.hint(), e);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.DISK_UNUSABLE,
                    "cannot copy the kernel out of the disk: " + e.getMessage(),
                    "java.io.tmpdir must have room for a kernel and its initial RAM disk",
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
        }
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
                ExitReason reason = cpu.run();
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
        free(processors, pc, timers, backends, memory);
    }

    private static void closeQuietly(AutoCloseable backend) {
        try {
            backend.close();
        } catch (Exception e) {
            // The machine has ended; what could not be closed must not keep the rest from being freed.
            System.getLogger(Machine.class.getName()).log(System.Logger.Level.WARNING, "closing " + backend, e);
        }
    }

    private static void free(
            @Nullable Processors processors,
            @Nullable PcMachine pc,
            TimerThread timers,
            List<AutoCloseable> backends,
            GuestMemory memory) {
        // Devices' timers use the memory, so it goes last.
        if (pc != null) {
            pc.close();
        }
        for (AutoCloseable backend : backends) {
            closeQuietly(backend);
        }
        timers.close();
        if (processors != null) {
            processors.close();
        }
        memory.close();
    }
}
