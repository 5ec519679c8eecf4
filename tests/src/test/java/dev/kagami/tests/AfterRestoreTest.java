package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Network;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualSwitch;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a guest finds that goes on from a snapshot: its connections, its clock, its random numbers, its addresses. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class AfterRestoreTest {
    private static final long HOUR = 3600;

    /** A clock that is told in seconds, and a busy host. */
    private static final long SECONDS_APART = 30;

    @TempDir
    private Path directory;

    private static String run(VirtualMachine machine, String command) throws InterruptedException {
        return machine.exec(command, o -> o.timeout(Duration.ofMinutes(1)))
                .stdout()
                .strip();
    }

    private static void assertClockIsRight(VirtualMachine machine) throws InterruptedException {
        long guest = Long.parseLong(run(machine, "date +%s"));
        assertThat(Math.abs(guest - Instant.now().getEpochSecond())).isLessThan(SECONDS_APART);
    }

    @Test
    void connectionsEndTheClockIsRightAndCopiesDiffer() throws Exception {
        Path file = directory.resolve("machine.snapshot");
        try (VirtualSwitch ethernet = VirtualSwitch.create();
                ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                VirtualMachine machine = VirtualMachine.create(c -> c.linux(StockKernelTest.quick(Guests.cloud()))
                        .engine(SerialSession.ENGINE)
                        .network(Network.nat())
                        .network(Network.on(ethernet)))) {
            machine.start();
            String gateway = run(machine, "until ip route | grep default; do sleep 0.1; done")
                    .replaceAll("(?s).*via (\\S+) .*", "$1");
            run(
                    machine,
                    "(while sleep 0.2; do echo hello; done | nc %s %d; echo $? > /tmp/ended) </dev/null >/dev/null 2>&1 &"
                            .formatted(gateway, server.getLocalPort()));
            assertThat(server.accept().getInputStream().readNBytes(6)).isEqualTo("hello\n".getBytes());
            Process running = machine.spawn("exec sleep 4321", o -> {});
            run(machine, "until ps -o args | grep -q 'sleep 432[1]'; do sleep 0.1; done");
            // A day has passed until it goes on, as far as it can tell.
            run(machine, "date -s @$(($(date +%s) - " + 24 * HOUR + "))");
            machine.pause();
            machine.save(file);
            running.destroyForcibly();

            try (Snapshot snapshot = Snapshot.open(file);
                    VirtualMachine restored = snapshot.restore(machine.config())) {
                restored.resume();
                assertClockIsRight(restored);
                // Its TCP connection is reset as soon as it sends, its vsock connection at once.
                run(restored, "until [ -e /tmp/ended ]; do sleep 0.1; done");
                run(restored, "while ps -o args | grep -q 'sleep 432[1]'; do sleep 0.1; done");
                assertThat(run(restored, "udhcpc -n -q -i eth0 -s /etc/kagami/dhcp 2>&1; ip -4 address show eth0"))
                        .contains("inet 10.0.2.15/24");
            }
            try (Snapshot snapshot = machine.snapshot();
                    VirtualMachine one = snapshot.branch();
                    VirtualMachine other = snapshot.branch()) {
                one.resume();
                other.resume();
                String numbers = "head -c 16 /dev/urandom | md5sum; cat /sys/class/net/eth1/address";
                assertThat(run(one, numbers).split("\n")[0])
                        .isNotEqualTo(run(other, numbers).split("\n")[0]);
                for (VirtualMachine copy : new VirtualMachine[] {one, other}) {
                    assertThat(run(copy, numbers)).endsWith(copy.network(1).mac());
                    assertThat(copy.network(1).mac())
                            .isNotEqualTo(machine.network(1).mac());
                    assertClockIsRight(copy);
                }
                assertThat(one.network(1).mac()).isNotEqualTo(other.network(1).mac());
            }
        }
    }
}
