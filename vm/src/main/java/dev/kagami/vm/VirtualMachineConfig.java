package dev.kagami.vm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The description of a machine. Immutable; may describe any number of machines, except that those would share the
 * streams of {@code serial}.
 *
 * @param linux what to boot, or null to boot what the first disk's boot loader would
 * @param diskCommandLine what is added to the command line that the first disk's boot loader has
 * @param cpus number of CPUs, 1 to 255
 * @param cpuModel what the CPUs can do
 * @param memory RAM, a multiple of 4 KiB from 2 MiB to 1 TiB
 * @param engine name of the engine, or {@code auto} for the first that can run here
 * @param disks the disks, in the order in which the guest finds them
 * @param cloudInit what cloud-init in the guest is told, on a CD behind the disks; null for no seed
 * @param networks the network cards
 * @param capture the file, in the format pcapng, that records what goes through the network cards; null for none
 * @param vsock sockets between host and guest, or null for none
 * @param agent how the host talks to the agent in the guest; see {@link #agentChannel}
 * @param ports the ports of the virtio console device; without any there is no such device
 * @param shares directories of the host that the guest can mount
 * @param balloon what takes memory from the running guest, or null for none
 * @param serial what COM1 is connected to
 * @param debugExitPort the port whose writes end the machine with {@link Outcome.DebugExit}; empty for none
 * @param testDevice whether the machine has the small device of bare-metal test kernels: latches at ports 0xE0 and
 *     0xE8, page flush at 0xE4, interrupt lines at 0x2000 to 0x2017, 64 KiB of plain MMIO at 0xFF000000;
 *     and the firmware configuration at ports 0x510 and 0x511 that tells them how many CPUs and how much memory there are
 * @param onReset what happens when the guest resets the machine
 * @param trace what to print about the machine's own work
 */
public record VirtualMachineConfig(
        @Nullable LinuxBoot linux,
        String diskCommandLine,
        int cpus,
        CpuModel cpuModel,
        MemorySize memory,
        String engine,
        List<Disk> disks,
        @Nullable CloudInit cloudInit,
        List<Network> networks,
        @Nullable Path capture,
        @Nullable Vsock vsock,
        AgentChannel agent,
        List<Port> ports,
        List<Share> shares,
        @Nullable Balloon balloon,
        SerialConsole serial,
        OptionalInt debugExitPort,
        boolean testDevice,
        ResetPolicy onReset,
        Trace trace) {
    /** Copies the lists. */
    public VirtualMachineConfig {
        disks = List.copyOf(disks);
        networks = List.copyOf(networks);
        ports = List.copyOf(ports);
        shares = List.copyOf(shares);
    }

    /**
     * Describes a machine.
     *
     * @param description fills the builder
     * @return the description
     */
    public static VirtualMachineConfig of(Consumer<Builder> description) {
        Builder builder = new Builder();
        description.accept(builder);
        return builder.build();
    }

    /**
     * {@return how the host talks to the agent in the guest} Not at all, whatever was asked for, when the guest can't be
     * given one: that takes an initial RAM disk of the description's, such as the default guest's, or a cloud-init seed.
     */
    public AgentChannel agentChannel() {
        boolean possible = cloudInit != null || linux != null && linux.initrd() != null;
        return possible ? agent : AgentChannel.NONE;
    }

    /**
     * Describes a machine that differs.
     *
     * @param changes changes a copy of this description; what it adds comes behind what there is
     * @return the changed description
     */
    public VirtualMachineConfig with(Consumer<Builder> changes) {
        Builder copy = new Builder();
        copy.linux = linux;
        copy.diskCommandLine = diskCommandLine;
        copy.cpus = cpus;
        copy.cpuModel = cpuModel;
        copy.memory = memory;
        copy.engine = engine;
        copy.disks.addAll(disks);
        copy.cloudInit = cloudInit;
        copy.networks.addAll(networks);
        copy.capture = capture;
        copy.vsock = vsock;
        copy.agent = agent;
        copy.ports.addAll(ports);
        copy.shares.addAll(shares);
        copy.balloon = balloon;
        copy.serial = serial;
        copy.debugExitPort = debugExitPort;
        copy.testDevice = testDevice;
        copy.onReset = onReset;
        copy.trace = trace;
        changes.accept(copy);
        return copy.build();
    }

    /** {@return a description of a copy that shares nothing of the host with the original, with changes} */
    VirtualMachineConfig branch(Consumer<Builder> changes) {
        return with(copy -> {
            copy.disks.replaceAll(Disk::forBranch);
            copy.networks.replaceAll(Network::forBranch);
            copy.capture = null;
            copy.vsock = vsock == null ? null : new Vsock(vsock.guestCid(), null);
            copy.serial = new SerialConsole.Builder().build();
            copy.trace = new Trace.Off();
            changes.accept(copy);
        });
    }

    /** {@return everything that is wrong with this description; empty when a machine can be made from it} */
    public List<Problem> validate() {
        return validate(Engines.installed());
    }

    List<Problem> validate(Engines engines) {
        return Validation.of(this, engines, true);
    }

    /** Collects the parts of a description. */
    public static final class Builder {
        private @Nullable LinuxBoot linux;
        private String diskCommandLine = "";
        private int cpus = 1;
        private CpuModel cpuModel = CpuModel.AUTO;
        private MemorySize memory = MemorySize.ofMebibytes(512);
        private String engine = Engines.AUTO;
        private final List<Disk> disks = new ArrayList<>();
        private @Nullable CloudInit cloudInit;
        private final List<Network> networks = new ArrayList<>();
        private @Nullable Path capture;
        private @Nullable Vsock vsock;
        private AgentChannel agent = AgentChannel.VSOCK;
        private final List<Port> ports = new ArrayList<>();
        private final List<Share> shares = new ArrayList<>();
        private @Nullable Balloon balloon;
        private SerialConsole serial = new SerialConsole.Builder().build();
        private OptionalInt debugExitPort = OptionalInt.empty();
        private boolean testDevice;
        private ResetPolicy onReset = ResetPolicy.RESTART;
        private Trace trace = new Trace.Off();

        private Builder() {}

        /**
         * Describes the kernel to boot.
         *
         * @param description fills the builder
         * @return this
         */
        public Builder linux(Consumer<LinuxBoot.Builder> description) {
            LinuxBoot.Builder builder = new LinuxBoot.Builder();
            description.accept(builder);
            linux = builder.build();
            return this;
        }

        /**
         * Boots the default guest: Debian's cloud kernel and a busybox. The first time, that is fetched through the host's own
         * {@code apt}; see {@link LinuxBoot#defaultGuest}, which also tells how far it has come.
         *
         * @return this
         * @throws KagamiException when the guest is not in the cache and can't be fetched
         */
        public Builder defaultGuest() {
            return linux(LinuxBoot.defaultGuest((phase, fraction) -> {}));
        }

        /**
         * Sets what to boot, for example {@link LinuxBoot#defaultGuest}.
         *
         * @param boot what to boot
         * @return this
         */
        public Builder linux(LinuxBoot boot) {
            linux = boot;
            return this;
        }

        /**
         * Adds to the command line of a kernel that is booted from the first disk; nothing by default.
         *
         * @param text words for the kernel
         * @return this
         */
        public Builder diskCommandLine(String text) {
            diskCommandLine = text;
            return this;
        }

        /**
         * Sets the number of CPUs; 1 by default.
         *
         * @param cpus 1 to 255
         * @return this
         */
        public Builder cpus(int cpus) {
            this.cpus = cpus;
            return this;
        }

        /**
         * Sets what the CPUs can do; by default the best that is fast with the engine that is chosen.
         *
         * @param model the model
         * @return this
         */
        public Builder cpuModel(CpuModel model) {
            cpuModel = model;
            return this;
        }

        /**
         * Sets the amount of RAM; 512 MiB by default. The host gives only what the guest touches.
         *
         * @param memory a multiple of 4 KiB from 2 MiB to 1 TiB
         * @return this
         */
        public Builder memory(MemorySize memory) {
            this.memory = memory;
            return this;
        }

        /**
         * Asks for an engine by name; by default the first that can run here is taken.
         *
         * @param name one of {@link VirtualMachine#engines}, or {@code auto}
         * @return this
         */
        public Builder engine(String name) {
            engine = name;
            return this;
        }

        /**
         * Adds a disk; the first is {@code /dev/vda} to a Linux guest.
         *
         * @param disk the disk
         * @return this
         */
        public Builder disk(Disk disk) {
            disks.add(disk);
            return this;
        }

        /**
         * Describes what cloud-init in the guest is told; by default nothing.
         *
         * @param description fills the builder
         * @return this
         * @throws KagamiException when a file can't be read, or cloud-init could make nothing of a value
         */
        public Builder cloudInit(Consumer<CloudInit.Builder> description) {
            return cloudInit(CloudInit.of(description));
        }

        /**
         * Sets what cloud-init in the guest is told; by default nothing.
         *
         * @param seed the seed
         * @return this
         */
        public Builder cloudInit(CloudInit seed) {
            cloudInit = seed;
            return this;
        }

        /**
         * Adds a network card.
         *
         * @param network what it is connected to
         * @return this
         */
        public Builder network(Network network) {
            networks.add(network);
            return this;
        }

        /**
         * Records what goes through the network cards; by default nothing is recorded.
         *
         * @param file the file, made or overwritten, in the format pcapng, which Wireshark and tshark read
         * @return this
         */
        public Builder capture(Path file) {
            capture = file;
            return this;
        }

        /**
         * Adds sockets between host and guest; by default there are none.
         *
         * @param description fills the builder
         * @return this
         */
        public Builder vsock(Consumer<Vsock.Builder> description) {
            Vsock.Builder builder = new Vsock.Builder();
            description.accept(builder);
            vsock = builder.build();
            return this;
        }

        /**
         * Sets how {@link VirtualMachine#exec} and its like talk to the guest; over vsock by default.
         *
         * @param channel the way
         * @return this
         */
        public Builder agent(AgentChannel channel) {
            agent = channel;
            return this;
        }

        /**
         * Adds a port to the virtio console device; by default there is none, and no such device.
         *
         * @param port the port
         * @return this
         */
        public Builder port(Port port) {
            ports.add(port);
            return this;
        }

        /**
         * Shares a directory of the host; by default none is shared.
         *
         * @param share the directory
         * @return this
         */
        public Builder share(Share share) {
            shares.add(share);
            return this;
        }

        /**
         * Adds a memory balloon; by default there is none.
         *
         * @param balloon the balloon
         * @return this
         */
        public Builder balloon(Balloon balloon) {
            this.balloon = balloon;
            return this;
        }

        /**
         * Connects the first serial port.
         *
         * @param description fills the builder
         * @return this
         */
        public Builder serial(Consumer<SerialConsole.Builder> description) {
            SerialConsole.Builder builder = new SerialConsole.Builder();
            description.accept(builder);
            serial = builder.build();
            return this;
        }

        /**
         * Adds the debug-exit port; by default there is none.
         *
         * @param port the first of four ports, 0 to 0xFFFC
         * @return this
         */
        public Builder debugExit(int port) {
            debugExitPort = OptionalInt.of(port);
            return this;
        }

        /**
         * Adds or removes the test device; by default there is none.
         *
         * @param present whether the machine has it
         * @return this
         */
        public Builder testDevice(boolean present) {
            testDevice = present;
            return this;
        }

        /**
         * Sets what happens when the guest resets the machine; by default it starts over.
         *
         * @param policy what happens
         * @return this
         */
        public Builder onReset(ResetPolicy policy) {
            onReset = policy;
            return this;
        }

        /**
         * Sets what to print about the machine's own work; by default nothing.
         *
         * @param trace what, and where
         * @return this
         */
        public Builder trace(Trace trace) {
            this.trace = trace;
            return this;
        }

        private VirtualMachineConfig build() {
            return new VirtualMachineConfig(
                    linux,
                    diskCommandLine,
                    cpus,
                    cpuModel,
                    memory,
                    engine,
                    disks,
                    cloudInit,
                    networks,
                    capture,
                    vsock,
                    agent,
                    ports,
                    shares,
                    balloon,
                    serial,
                    debugExitPort,
                    testDevice,
                    onReset,
                    trace);
        }
    }
}
