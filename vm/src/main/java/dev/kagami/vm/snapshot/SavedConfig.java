package dev.kagami.vm.snapshot;

import java.util.List;

/**
 * The description of a saved machine, beside its hardware, which {@link MachineDescription} has: what to make a machine from that
 * goes on. Paths are absolute; an empty text stands for what there is none of.
 *
 * @param kernel what is booted after a reset; empty for what the first disk's boot loader would
 * @param initrd the kernel's initial RAM disk
 * @param commandLine the kernel's command line
 * @param modules the kernel's modules
 * @param diskCommandLine what is added to the command line that the disk has
 * @param agentChannel how the agent is talked to
 * @param resetPolicy what a reset does
 * @param disks the disks
 * @param seed the files of cloud-init's seed, none for no seed
 * @param networks the network cards
 * @param vsock the socket device: one or none
 * @param ports the ports of the console device
 * @param balloon the balloon: one or none
 */
public record SavedConfig(
        String kernel,
        String initrd,
        String commandLine,
        List<Module> modules,
        String diskCommandLine,
        String agentChannel,
        String resetPolicy,
        List<Disk> disks,
        List<SeedFile> seed,
        List<Network> networks,
        List<Vsock> vsock,
        List<Port> ports,
        List<Balloon> balloon) {
    /**
     * A module of a multiboot kernel.
     *
     * @param file the file
     * @param arguments its arguments
     */
    public record Module(String file, String arguments) {}

    /**
     * A disk.
     *
     * @param image its image
     * @param mode what becomes of writes
     * @param overlay the file over the image
     * @param format the image's format
     * @param serial its serial number
     * @param queues number of queues
     * @param size bytes that it is grown to, or -1
     */
    public record Disk(
            String image, String mode, String overlay, String format, String serial, int queues, long size) {}

    /**
     * A file of a seed.
     *
     * @param name its name
     * @param content its bytes
     */
    public record SeedFile(String name, byte[] content) {}

    /**
     * A network card.
     *
     * @param nat whether it is behind NAT
     * @param namedSwitch the name of its switch; when it isn't behind NAT either, it was connected to the program
     * @param mac its Ethernet address
     * @param forwards ports of the host
     */
    public record Network(boolean nat, String namedSwitch, String mac, List<Forward> forwards) {}

    /**
     * A forwarded port.
     *
     * @param protocol TCP or UDP
     * @param address where the host listens
     * @param port port of the host
     * @param guestPort port of the guest
     */
    public record Forward(String protocol, String address, int port, int guestPort) {}

    /**
     * A socket device.
     *
     * @param cid the guest's context id
     * @param bridge the Unix socket that leads to it
     */
    public record Vsock(long cid, String bridge) {}

    /**
     * A port of the console device.
     *
     * @param name its name
     * @param console whether it is a console
     * @param file the file that it is written to
     */
    public record Port(String name, boolean console, String file) {}

    /**
     * A balloon.
     *
     * @param deflateOnDemand whether the guest may take memory back
     */
    public record Balloon(boolean deflateOnDemand) {}
}
