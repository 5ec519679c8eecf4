package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.EthernetEndpoint;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.Network.Forward;
import dev.kagami.vm.Outcome;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two machines on a switch, and one card of each kind, as Debian's cloud kernel drives them. */
@Timeout(value = 600, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class NetworksTest {
    private static final Duration BOOT = Duration.ofMinutes(5);
    private static final Duration SOON = Duration.ofMinutes(1);
    private static final String[] MODULES = {"virtio_pci", "virtio_net"};

    @Test
    void twoMachinesMeetOnASwitchAndAProgramHasTheEndOfACable() throws Exception {
        Answering program = new Answering();
        String name = "test-" + ProcessHandle.current().pid();
        try (SerialSession first = SerialSession.start(c -> c.linux(StockKernelTest.quick(Guests.cloudWith(MODULES)))
                        .network(Network.onSwitch(name).withMac("52:54:00:00:00:01"))
                        .network(Network.nat())
                        .network(Network.to(program)));
                SerialSession second =
                        SerialSession.start(c -> c.linux(StockKernelTest.quick(Guests.cloudWith(MODULES)))
                                .network(Network.onSwitch(name).withMac("52:54:00:00:00:02")))) {
            for (SerialSession guest : new SerialSession[] {first, second}) {
                guest.await(SerialSession.PROMPT, BOOT);
                guest.run(Guests.LOAD_MODULES);
                String number = guest == first ? "1" : "2";
                guest.run("ip addr add 192.168.7.%s/24 dev eth0; ip link set eth0 up".formatted(number));
            }
            assertThat(first.run("cat /sys/class/net/eth0/address")).isEqualTo("52:54:00:00:00:01\n");
            assertThat(second.run("ping -c 2 192.168.7.1")).contains("2 packets received");

            first.run("ip addr add 10.0.3.15/24 dev eth1; ip link set eth1 up; echo from the guest > /tmp/answer");
            first.run("nc -l -p 80 < /tmp/answer &");
            first.run("until netstat -ltn | grep -q :80; do sleep 0.1; done");
            Forward forward = first.machine().network(1).forward(Forward.tcp(0, 80));
            assertThat(firstLine(forward)).isEqualTo("from the guest");

            first.run("ip addr add 172.16.0.1/24 dev eth2; ip link set eth2 up; ping -c 1 -W 1 172.16.0.9");
            assertThat(first.run("arp -n 172.16.0.9")).contains("02:00:00:00:00:09");
            assertThat(program.asked.take()).isEqualTo("172.16.0.1");

            first.machine().network(0).setUp(false);
            assertThat(first.run("sleep 1; cat /sys/class/net/eth0/carrier")).isEqualTo("0\n");
            for (SerialSession guest : new SerialSession[] {first, second}) {
                // The beginning of the log went to the console.
                guest.run("dmesg | tail -n 25");
                KernelLog.assertHealthy(guest.output());
                guest.line("poweroff");
                assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
            }
        }
    }

    @Test
    void machinesOfTwoProcessesMeetOnASwitch(@TempDir Path directory) throws Exception {
        String name = "processes-" + ProcessHandle.current().pid();
        LinuxBoot boot = StockKernelTest.quick(Guests.cloud());
        try (SerialSession here = SerialSession.start(
                        c -> c.linux(boot).memory(MemorySize.ofMebibytes(256)).network(Network.onSwitch(name)));
                ChildGuest there = new ChildGuest(directory, boot, "--memory", "256M", "--network", "switch:" + name)) {
            here.await(SerialSession.PROMPT, BOOT);
            there.await(SerialSession.PROMPT, BOOT);
            here.run("ip addr add 192.168.9.1/24 dev eth0; nc -l -p 80 > /tmp/got &");
            there.type("ip addr add 192.168.9.2/24 dev eth0; ping -c 2 192.168.9.1\n");
            there.await("2 packets received", SOON);
            there.type(
                    "head -c 30000000 /dev/urandom > /tmp/sent; nc 192.168.9.1 80 < /tmp/sent; sha256sum < /tmp/sent\n");
            there.await("  -", SOON);
            String sum = here.run("sha256sum < /tmp/got").substring(0, 64);
            assertThat(there.output()).contains(sum);
            assertThat(here.run("ping -c 2 192.168.9.2")).contains("2 packets received");
            there.type("poweroff\n");
            assertThat(there.awaitExit(SOON)).isZero();
            assertThat(here.run("ping -c 1 -W 1 192.168.9.2")).contains("0 packets received");
        }
    }

    private static String firstLine(Forward forward) throws Exception {
        try (Socket socket = new Socket(
                        InetAddress.getLoopbackAddress(), forward.local().getPort());
                BufferedReader reader =
                        new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))) {
            return reader.readLine();
        }
    }

    /** Answers who asks for 172.16.0.9 (RFC 826). */
    private static final class Answering implements EthernetEndpoint {
        private static final int ARP = 0x0806;
        private static final int TYPE = 12;
        private static final int OPERATION = 20;
        private static final int SENDER = 22;
        private static final int SENDER_IP = 28;
        private static final int TARGET_IP = 38;
        private static final int LENGTH = 42;
        private static final long OWN = 0x0200_0000_0009L;
        private static final int OWN_IP = 0xAC10_0009;

        final BlockingQueue<String> asked = new LinkedBlockingQueue<>();
        private Sender guest = frame -> false;

        @Override
        public void connected(Sender sender) {
            guest = sender;
        }

        @Override
        public void received(ByteBuffer frame) {
            if (frame.getShort(TYPE) != ARP || frame.getInt(TARGET_IP) != OWN_IP) {
                return;
            }
            byte[] address = new byte[4];
            frame.get(SENDER_IP, address);
            ByteBuffer answer = ByteBuffer.allocate(LENGTH).put(0, frame, 0, LENGTH);
            answer.put(0, frame, SENDER, 6).putShort(OPERATION, (short) 2);
            answer.put(32, frame, SENDER, 10);
            for (int i = 0; i < 6; i++) {
                byte octet = (byte) (OWN >>> 8 * (5 - i));
                answer.put(6 + i, octet).put(SENDER + i, octet);
            }
            answer.putInt(SENDER_IP, OWN_IP);
            guest.send(answer);
            asked.add("%d.%d.%d.%d"
                    .formatted(address[0] & 0xFF, address[1] & 0xFF, address[2] & 0xFF, address[3] & 0xFF));
        }
    }
}
