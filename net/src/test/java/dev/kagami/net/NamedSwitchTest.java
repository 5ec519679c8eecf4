package dev.kagami.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One switch in several JVMs. */
@Timeout(60)
class NamedSwitchTest {
    private static final long A = 0x525400000001L;
    private static final long B = 0x525400000002L;

    @TempDir
    Path parent;

    /** What the other JVM runs: gives every frame back to whoever sent it. */
    static final class Echo {
        public static void main(String[] arguments) throws Exception {
            try (NamedSwitch named = NamedSwitch.open(Path.of(arguments[0]), arguments[1])) {
                EthernetPort port = named.ethernet().plug().first();
                port.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
                System.out.write('!');
                System.out.flush();
                while (System.in.available() == 0) {
                    Frame frame = port.receive();
                    if (frame == null) {
                        LockSupport.parkNanos(500_000);
                        continue;
                    }
                    long destination = frame.destination();
                    long source = frame.source();
                    ByteBuffer buffer = frame.buffer();
                    for (int i = 0; i < 6; i++) {
                        buffer.put(i, (byte) (source >> 40 - 8 * i));
                        buffer.put(6 + i, (byte) ((MacAddress.isGroup(destination) ? B : destination) >> 40 - 8 * i));
                    }
                    while (!port.send(frame)) {
                        LockSupport.parkNanos(500_000);
                    }
                }
            }
        }
    }

    private static Process echo(Path directory, String name) throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        classPath(),
                        Echo.class.getName(),
                        directory.toString(),
                        name)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        InputStream out = process.getInputStream();
        assertThat(out.read()).isEqualTo('!');
        return process;
    }

    private static String classPath() {
        return location(EthernetSwitch.class) + java.io.File.pathSeparator + location(NamedSwitchTest.class);
    }

    private static String location(Class<?> type) {
        return Path.of(java.net.URI.create(
                        type.getProtectionDomain().getCodeSource().getLocation().toString()))
                .toString();
    }

    private static @Nullable Frame await(EthernetPort port, long seconds) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        Frame frame;
        while ((frame = port.receive()) == null && System.nanoTime() < end) {
            LockSupport.parkNanos(500_000);
        }
        return frame;
    }

    private static void await(BooleanSupplier condition) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).isLessThan(end);
            LockSupport.parkNanos(5_000_000);
        }
    }

    @Test
    void theSameNameIsTheSameSwitchInOneJvm() throws IOException {
        Path directory = parent.resolve("kagami");
        try (NamedSwitch one = NamedSwitch.open(directory, "lab");
                NamedSwitch two = NamedSwitch.open(directory, "lab");
                NamedSwitch other = NamedSwitch.open(directory, "other")) {
            assertThat(one).isSameAs(two);
            assertThat(other.ethernet()).isNotSameAs(one.ethernet());
        }
        try (var files = Files.list(directory)) {
            assertThat(files.filter(file -> file.toString().endsWith(".sock"))).isEmpty();
        }
    }

    @Test
    void framesCrossBetweenJvmsAndTheSwitchOutlivesTheJvmInTheMiddle() throws Exception {
        Path directory = parent.resolve("kagami");
        Process middle = echo(directory, "lab");
        try (NamedSwitch named = NamedSwitch.open(directory, "lab")) {
            EthernetPort port = named.ethernet().plug().first();
            port.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
            exchange(port);
            largeSegment(port);
            // Two in the star now; then the one in the middle dies.
            Process leaf = echo(directory, "lab");
            try {
                middle.destroyForcibly().waitFor();
                await(() -> {
                    Frame hello = Packets.frame(
                            port, Packets.ethernet(MacAddress.BROADCAST.value(), A, 0x88B5, new byte[46]));
                    port.send(hello);
                    Frame answer = await(port, 1);
                    if (answer != null) {
                        answer.release();
                    }
                    return answer != null;
                });
            } finally {
                leaf.getOutputStream().write('q');
                leaf.getOutputStream().flush();
                assertThat(leaf.waitFor(20, TimeUnit.SECONDS)).isTrue();
                assertThat(leaf.exitValue()).isZero();
            }
        } finally {
            middle.destroyForcibly();
        }
    }

    private static void exchange(EthernetPort port) {
        for (int i = 0; i < 1_000; i++) {
            byte[] payload = new byte[46 + i];
            payload[3] = (byte) i;
            Frame frame = Packets.frame(port, Packets.ethernet(B, A, 0x88B5, payload));
            assertThat(port.send(frame)).isTrue();
            Frame back = await(port, 10);
            assertThat(back).isNotNull();
            assertThat(back.length()).isEqualTo(60 + i);
            assertThat(back.buffer().get(17)).isEqualTo((byte) i);
            back.release();
        }
    }

    private static void largeSegment(EthernetPort port) {
        byte[] segment = Packets.tcp(1, 2, 3, 4, 0x10, 5, new byte[60_000]);
        Frame frame =
                Packets.frame(port, Packets.ethernet(B, A, 0x0800, Packets.ipv4(0x0A000001, 0x0A000002, 6, segment)));
        frame.setPartialChecksum(34, 16);
        frame.setGso(Gso.TCPV4, 1460);
        assertThat(port.send(frame)).isTrue();
        Frame back = await(port, 10);
        assertThat(back.gso()).isEqualTo(Gso.TCPV4);
        assertThat(back.gsoSize()).isEqualTo(1460);
        assertThat(back.isChecksumPartial()).isTrue();
        assertThat(back.length()).isEqualTo(54 + 60_000);
        back.release();
    }

    @Test
    void theSocketIsItsOwnersOnly() throws IOException {
        Path directory = parent.resolve("kagami");
        try (NamedSwitch named = NamedSwitch.open(directory, "lab")) {
            assertThat(named.trunks()).isZero();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)))
                    .isEqualTo("rwx------");
            assertThat(PosixFilePermissions.toString(
                            Files.getPosixFilePermissions(directory.resolve("switch-lab.sock"))))
                    .isEqualTo("rw-------");
        }
        Path shared = Files.createDirectory(parent.resolve("shared"));
        Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> NamedSwitch.open(shared, "lab"))
                .withMessageContaining(shared.toString());
        assertThatIllegalArgumentException().isThrownBy(() -> NamedSwitch.open(directory, "../lab"));
    }

    @Test
    void aPeerThatSendsRubbishIsHungUpOn() throws IOException {
        Path directory = parent.resolve("kagami");
        try (NamedSwitch named = NamedSwitch.open(directory, "lab")) {
            for (String rubbish : new String[] {"GET / HTTP", "KGS1\u007f\u007f\u007f\u007f", "KGS1\0\0\0\0"}) {
                try (SocketChannel peer = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                    peer.connect(UnixDomainSocketAddress.of(directory.resolve("switch-lab.sock")));
                    peer.write(ByteBuffer.wrap(rubbish.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1)));
                    ByteBuffer answer = ByteBuffer.allocate(100);
                    int read;
                    do {
                        read = readOrEnd(peer, answer);
                    } while (read >= 0);
                    await(() -> named.trunks() == 0);
                }
            }
        }
    }

    private static int readOrEnd(SocketChannel peer, ByteBuffer answer) {
        try {
            return peer.read(answer);
        } catch (IOException e) {
            return -1;
        }
    }
}
