package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.CloudInit;
import dev.kagami.vm.Disk;
import dev.kagami.vm.DiskImage;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Assumptions;

/**
 * Debian's cloud image over an overlay, with a user who may log in over ssh. Only where the system property {@link #IMAGE}
 * names the image, because a boot takes minutes: {@code -Dkagami.tests.debianImage=$(scripts/build-debian-image)}.
 */
final class DebianGuest implements AutoCloseable {
    /** The gateway, where the host's loopback is. */
    static final String HOST = "10.0.2.2";

    static final String HOST_NAME = "proof";
    static final String PASSWORD = "correct horse";

    /** How much longer than usual everything may take: 5 for the interpreter on a busy machine. */
    private static final int PATIENCE = Integer.getInteger("kagami.tests.patience", 1);

    static final Duration BOOT = Duration.ofMinutes(20).multipliedBy(PATIENCE);
    static final Duration SOON = Duration.ofMinutes(3).multipliedBy(PATIENCE);

    private static final String IMAGE = "kagami.tests.debianImage";
    private static final String USER = "debian";

    private final Path directory;
    private final Path key;
    private final int sshPort = freePort();
    private final SerialSession session;

    private DebianGuest(
            Path directory,
            UnaryOperator<Network> network,
            java.util.function.Consumer<VirtualMachineConfig.Builder> more)
            throws IOException, InterruptedException {
        this.directory = directory;
        key = directory.resolve("key");
        if (!Files.exists(key)) {
            HostCommand.run(SOON, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key.toString())
                    .orFail();
            DiskImage.createOver(disk(directory), image(), DiskImage.Format.QCOW2, null);
        }
        session = SerialSession.start(c -> {
            c.disk(Disk.of(disk(directory)))
                    .memory(MemorySize.ofGibibytes(1))
                    .cloudInit(CloudInit.of(i ->
                            i.hostname(HOST_NAME).user(USER).password(PASSWORD).sshKeys(Path.of(key + ".pub"))))
                    .network(network.apply(Network.nat().forward(sshPort, 22)));
            more.accept(c);
        });
    }

    /** Skips the test where there is no image, or no ssh. */
    static void require() {
        Assumptions.assumeTrue(
                System.getProperty(IMAGE) != null,
                "boots of Debian take minutes; for them: -D" + IMAGE + "=$(scripts/build-debian-image)");
        HostCommand.require("openssh-client", "ssh", "scp", "ssh-keygen");
    }

    private static Path image() {
        return Path.of(System.getProperty(IMAGE)).toAbsolutePath();
    }

    static Path disk(Path directory) {
        return directory.resolve("disk.qcow2");
    }

    /** Boots what is in a directory, which is made by the first call: an overlay and a key. */
    static DebianGuest boot(Path directory, UnaryOperator<Network> network) throws IOException, InterruptedException {
        return boot(directory, network, c -> {});
    }

    /** Boots with more than a disk and a network. */
    static DebianGuest boot(
            Path directory,
            UnaryOperator<Network> network,
            java.util.function.Consumer<VirtualMachineConfig.Builder> more)
            throws IOException, InterruptedException {
        return new DebianGuest(directory, network, more);
    }

    /** Waits for the end of cloud-init, behind which nothing starts any more. */
    void awaitBooted() throws IOException, InterruptedException {
        session.await("login:", BOOT);
        // The first line that cloud-init prints when all is done; on the first boot it may come before the prompt's
        // end.
        long deadline = System.nanoTime() + BOOT.toNanos();
        while (true) {
            HostCommand.Result status = ssh("cloud-init status --wait");
            if (status.output().contains("status: done") || status.output().contains("status: error")) {
                // Otherwise every login starts a systemd for its user, and takes it down again.
                ssh("sudo loginctl enable-linger");
                return;
            }
            assertThat(System.nanoTime()).as(status.output()).isLessThan(deadline);
            Thread.sleep(1000);
        }
    }

    SerialSession console() {
        return session;
    }

    int sshPort() {
        return sshPort;
    }

    Path key() {
        return key;
    }

    /** Runs a command in the guest, over ssh with the key. */
    HostCommand.Result ssh(String command) throws IOException, InterruptedException {
        return HostCommand.run(BOOT, sshCommand(command));
    }

    /** {@return the command line that runs something in the guest} */
    List<String> sshCommand(String command) {
        List<String> line = new ArrayList<>(List.of("ssh", "-p", Integer.toString(sshPort)));
        line.addAll(options());
        line.addAll(List.of(USER + "@127.0.0.1", command));
        return line;
    }

    /** Runs a command in the guest, over ssh with the password. */
    HostCommand.Result sshWithPassword(String password, String command) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("sshpass", "-p", password, "ssh", "-p", Integer.toString(sshPort)));
        line.addAll(hostKeyOptions());
        line.addAll(List.of(
                "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", USER + "@127.0.0.1", command));
        return HostCommand.run(BOOT, line);
    }

    /** Copies a file by scp; of the two names, the guest's begins with a colon. */
    void scp(String from, String to) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("scp", "-q", "-P", Integer.toString(sshPort)));
        line.addAll(options());
        for (String name : Arrays.asList(from, to)) {
            line.add(name.startsWith(":") ? USER + "@127.0.0.1" + name : name);
        }
        HostCommand.run(BOOT, line).orFail();
    }

    private List<String> options() {
        List<String> options = new ArrayList<>(hostKeyOptions());
        options.addAll(List.of("-i", key.toString(), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"));
        return options;
    }

    private List<String> hostKeyOptions() {
        // The first connection teaches the guest's key; a later boot that has another one is refused.
        return List.of(
                "-F",
                "none",
                "-o",
                "UserKnownHostsFile=" + directory.resolve("known_hosts"),
                "-o",
                "HostKeyAlias=guest",
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "LogLevel=ERROR",
                "-o",
                "ConnectTimeout=120");
    }

    /** {@return the kernel's log, without what a machine without wireless cards says when it has no list of their channels} */
    String kernelLog() throws IOException, InterruptedException {
        return ssh("sudo dmesg | grep -v regulatory").orFail();
    }

    /** Shuts the guest down from inside. */
    void powerOff() throws IOException, InterruptedException {
        // The connection may end before the command has.
        ssh("sudo systemctl poweroff");
        assertThat(session.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
    }

    /** Shuts the guest down from outside. */
    void pressPowerButton() throws InterruptedException {
        session.machine().requestStop();
        assertThat(session.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
    }

    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        session.close();
    }
}
