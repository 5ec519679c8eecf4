package dev.kagami.virtio.socket;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketDeviceTest extends VirtioContractTest {
    private static final int CID = 42;
    private static final int HEADER = 44;
    private static final int REQUEST = 1;
    private static final int RESPONSE = 2;
    private static final int RESET = 3;
    private static final int SHUTDOWN = 4;
    private static final int DATA = 5;
    private static final int CREDIT_UPDATE = 6;
    private static final int CREDIT_REQUEST = 7;
    private static final int HOST_PORT = 5000;
    private static final int GUEST_PORT = 1234;
    private static final int BUFFER = 64 << 10;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private SocketDevice device = new SocketDevice(new SocketConfig(CID));

    @Override
    protected VirtioDevice create() {
        device = new SocketDevice(new SocketConfig(CID));
        return device;
    }

    /** Only packets from the guest are looked at at any time. */
    @Override
    protected int servedQueue(int number) {
        return 1;
    }

    private record Packet(
            int hostPort, int guestPort, int operation, int flags, int buffer, int forwarded, String data) {}

    private void send(SyntheticDriver driver, int operation, int flags, byte[] data) {
        send(driver, CID, HOST_PORT, GUEST_PORT, 1, operation, flags, data);
    }

    private void send(
            SyntheticDriver driver,
            long cid,
            int hostPort,
            int guestPort,
            int type,
            int operation,
            int flags,
            byte[] data) {
        long at = machine.allocate(HEADER + data.length, 16);
        machine.memory().writeLong(at, cid);
        machine.memory().writeLong(at + 8, 2);
        machine.memory().writeInt(at + 16, guestPort);
        machine.memory().writeInt(at + 20, hostPort);
        machine.memory().writeInt(at + 24, data.length);
        machine.memory().writeShort(at + 28, type);
        machine.memory().writeShort(at + 30, operation);
        machine.memory().writeInt(at + 32, flags);
        machine.memory().writeInt(at + 36, BUFFER);
        machine.memory().writeInt(at + 40, forwarded);
        machine.memory().write(at + HEADER, data);
        driver.queue(1).begin().out(at, HEADER);
        if (data.length > 0) {
            driver.queue(1).out(at + HEADER, data.length);
        }
        driver.queue(1).add();
        driver.queue(1).kick();
        driver.queue(1).await();
    }

    /** Bytes of the host that the guest has taken. */
    private int forwarded;

    private Packet receive(SyntheticDriver driver) {
        long at = machine.allocate(HEADER + 4096, 16);
        driver.queue(0).begin().in(at, HEADER).in(at + HEADER, 4096).add();
        driver.queue(0).kick();
        driver.queue(0).await();
        assertThat(machine.memory().readLong(at)).isEqualTo(2);
        assertThat(machine.memory().readLong(at + 8)).isEqualTo(CID);
        assertThat(machine.memory().readShort(at + 28)).isEqualTo(1);
        byte[] data = new byte[driver.queue(0).lastLength() - HEADER];
        assertThat(data).hasSize(machine.memory().readInt(at + 24));
        machine.memory().read(at + HEADER, data, 0, data.length);
        return new Packet(
                machine.memory().readInt(at + 16),
                machine.memory().readInt(at + 20),
                machine.memory().readShort(at + 30),
                machine.memory().readInt(at + 32),
                machine.memory().readInt(at + 36),
                machine.memory().readInt(at + 40),
                new String(data, StandardCharsets.ISO_8859_1));
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static String read(ByteChannel channel, int length) {
        try {
            ByteBuffer buffer = ByteBuffer.allocate(length);
            while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
                // Until all is there.
            }
            return new String(buffer.array(), 0, buffer.position(), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private GuestSocket accepted(SyntheticDriver driver, GuestSocketServer server) {
        try {
            send(driver, REQUEST, 0, new byte[0]);
            GuestSocket socket = server.accept();
            assertThat(socket.guestPort()).isEqualTo(GUEST_PORT);
            assertThat(socket.hostPort()).isEqualTo(HOST_PORT);
            Packet response = receive(driver);
            assertThat(response.operation).isEqualTo(RESPONSE);
            assertThat(response.hostPort).isEqualTo(HOST_PORT);
            assertThat(response.guestPort).isEqualTo(GUEST_PORT);
            assertThat(response.buffer).isEqualTo(Connection.BUFFER);
            return socket;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        forwarded = 0;
        try (GuestSocketServer server = device.listen(HOST_PORT)) {
            GuestSocket socket = accepted(driver, server);
            send(driver, DATA, 0, ascii("hello host"));
            assertThat(read(socket, 10)).isEqualTo("hello host");
            socket.write(ByteBuffer.wrap(ascii("hello guest")));
            Packet packet = receive(driver);
            assertThat(packet.operation).isEqualTo(DATA);
            assertThat(packet.data).isEqualTo("hello guest");
            assertThat(packet.forwarded).isEqualTo(10);
            socket.close();
            Packet end = receive(driver);
            assertThat(end.operation).isEqualTo(SHUTDOWN);
            assertThat(end.flags).isEqualTo(3);
            send(driver, RESET, 0, new byte[0]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void configurationHasTheGuestsAddress() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        assertThat(driver.transport().config(0, 8)).isEqualTo(CID);
        assertThatThrownBy(() -> new SocketConfig(2)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void hostConnectsToTheGuest() throws IOException, ExecutionException, InterruptedException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        CompletableFuture<GuestSocket> connecting = connect();
        Packet request = receive(driver);
        assertThat(request.operation).isEqualTo(REQUEST);
        assertThat(request.guestPort).isEqualTo(22);
        send(driver, CID, request.hostPort, 22, 1, RESPONSE, 0, new byte[0]);
        GuestSocket socket = connecting.get();
        send(driver, CID, request.hostPort, 22, 1, DATA, 0, ascii("SSH-2.0"));
        // The guest is done sending, and the host can still answer.
        send(driver, CID, request.hostPort, 22, 1, SHUTDOWN, 2, new byte[0]);
        assertThat(read(socket, 100)).isEqualTo("SSH-2.0");
        socket.write(ByteBuffer.wrap(ascii("bye")));
        socket.shutdownOutput();
        assertThat(receive(driver).data).isEqualTo("bye");
        Packet shutdown = receive(driver);
        assertThat(shutdown.operation).isEqualTo(SHUTDOWN);
        assertThat(shutdown.flags).isEqualTo(2);
        send(driver, CID, request.hostPort, 22, 1, SHUTDOWN, 3, new byte[0]);
        assertThat(receive(driver).operation).isEqualTo(RESET);
        assertThat(read(socket, 1)).isEmpty();
        assertThatThrownBy(() -> socket.write(ByteBuffer.allocate(1))).isInstanceOf(IOException.class);
    }

    private CompletableFuture<GuestSocket> connect() {
        return CompletableFuture.supplyAsync(() -> {
            try {
                return device.connect(22, PATIENCE);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    @Test
    void refusedAndUnansweredConnectionsFail() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        CompletableFuture<GuestSocket> connecting = connect();
        Packet request = receive(driver);
        send(driver, CID, request.hostPort, 22, 1, RESET, 0, new byte[0]);
        assertThatThrownBy(connecting::get).hasRootCauseInstanceOf(ConnectException.class);
        assertThatThrownBy(() -> device.connect(23, Duration.ofMillis(50))).isInstanceOf(ConnectException.class);
        assertThat(receive(driver).operation).isEqualTo(REQUEST);
        assertThat(receive(driver).operation).isEqualTo(RESET);
        driver.transport().setStatus(0);
        assertThatThrownBy(() -> device.connect(23, PATIENCE)).isInstanceOf(ConnectException.class);
    }

    @Test
    void portsWithoutListenersRefuse() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        send(driver, REQUEST, 0, new byte[0]);
        assertThat(receive(driver).operation).isEqualTo(RESET);
        send(driver, DATA, 0, ascii("nobody"));
        assertThat(receive(driver).operation).isEqualTo(RESET);
        send(driver, RESET, 0, new byte[0]);
        send(driver, 99, HOST_PORT, GUEST_PORT, 1, REQUEST, 0, new byte[0]);
        send(driver, CID, HOST_PORT, GUEST_PORT, 2, REQUEST, 0, new byte[0]);
        assertThat(receive(driver).operation)
                .as("only the wrong type is answered")
                .isEqualTo(RESET);
    }

    @Test
    void creditHoldsTheHostBack() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        try (GuestSocketServer server = device.listen(HOST_PORT)) {
            GuestSocket socket = accepted(driver, server);
            byte[] content = new byte[200_000];
            new Random(3).nextBytes(content);
            socket.write(ByteBuffer.wrap(content));
            StringBuilder got = new StringBuilder();
            while (got.length() < BUFFER) {
                Packet packet = receive(driver);
                assertThat(packet.operation).isEqualTo(DATA);
                got.append(packet.data);
            }
            assertThat(got).hasSize(BUFFER);
            assertThat(receive(driver).operation).isEqualTo(CREDIT_REQUEST);
            while (got.length() < content.length) {
                forwarded = got.length();
                send(driver, CREDIT_UPDATE, 0, new byte[0]);
                int until = Math.min(got.length() + BUFFER, content.length);
                while (got.length() < until) {
                    Packet packet = receive(driver);
                    got.append(packet.data);
                }
            }
            assertThat(got.toString().getBytes(StandardCharsets.ISO_8859_1)).isEqualTo(content);
        }
    }

    @Test
    void guestGetsCreditWhenTheHostReads() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        try (GuestSocketServer server = device.listen(HOST_PORT)) {
            GuestSocket socket = accepted(driver, server);
            for (int i = 0; i < 4; i++) {
                send(driver, DATA, 0, new byte[BUFFER]);
            }
            read(socket, 100_000);
            Packet update = receive(driver);
            assertThat(update.operation).isEqualTo(CREDIT_UPDATE);
            assertThat(update.forwarded).isPositive().isLessThanOrEqualTo(100_000);
            send(driver, CREDIT_REQUEST, 0, new byte[0]);
            assertThat(receive(driver).operation).isEqualTo(CREDIT_UPDATE);
            // More than there is credit for.
            for (int i = 0; i < 4; i++) {
                send(driver, DATA, 0, new byte[BUFFER]);
            }
            Packet packet;
            do {
                packet = receive(driver);
            } while (packet.operation == CREDIT_UPDATE);
            assertThat(packet.operation).isEqualTo(RESET);
            assertThatThrownBy(() -> socket.read(ByteBuffer.allocate(1))).isInstanceOf(IOException.class);
        }
    }

    @Test
    void resetOfTheDeviceBreaksConnectionsOff() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        try (GuestSocketServer server = device.listen(HOST_PORT)) {
            GuestSocket socket = accepted(driver, server);
            CompletableFuture<Object> reader = CompletableFuture.supplyAsync(() -> {
                try {
                    return socket.read(ByteBuffer.allocate(1));
                } catch (IOException e) {
                    return e;
                }
            });
            driver.transport().setStatus(0);
            assertThat(reader.join()).isInstanceOf(IOException.class);
        }
        machine.freeAll();
        exercise(driver.start());
    }

    @Test
    void floodOfNonsenseIsHeldBackUntilAnswersAreTaken() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        long at = machine.allocate(HEADER, 16);
        machine.memory().writeLong(at, CID);
        machine.memory().writeLong(at + 8, 2);
        machine.memory().writeInt(at + 16, 1);
        machine.memory().writeShort(at + 28, 1);
        machine.memory().writeShort(at + 30, DATA);
        int done = 0;
        for (int round = 0; round < 4; round++) {
            while (driver.queue(1).begin().out(at, HEADER).add() >= 0) {
                // Until the ring is full.
            }
            driver.queue(1).kick();
            long patience = System.nanoTime() + 50_000_000L;
            while (System.nanoTime() < patience) {
                if (driver.queue(1).poll() >= 0) {
                    done++;
                }
            }
        }
        assertThat(done).isEqualTo(256);
        for (int i = 0; i < 300; i++) {
            assertThat(receive(driver).operation).isEqualTo(RESET);
        }
        assertThat(driver.needsReset()).isFalse();
    }

    @Test
    void unixSocketsReachTheGuestAndBack() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Path path = directory.resolve("v.sock");
        try (UnixSocketBridge bridge = new UnixSocketBridge(device, path);
                SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path));
                ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            assertThat(bridge).isNotNull();
            client.write(ByteBuffer.wrap(ascii("CONNECT 22\nfirst")));
            Packet request = receive(driver);
            assertThat(request.guestPort).isEqualTo(22);
            send(driver, CID, request.hostPort, 22, 1, RESPONSE, 0, new byte[0]);
            String answer = "OK %d\n".formatted(request.hostPort);
            assertThat(read(client, answer.length())).isEqualTo(answer);
            assertThat(receive(driver).data).isEqualTo("first");
            send(driver, CID, request.hostPort, 22, 1, DATA, 0, ascii("answer"));
            assertThat(read(client, 6)).isEqualTo("answer");
            client.shutdownOutput();
            assertThat(receive(driver).operation).isEqualTo(SHUTDOWN);

            server.bind(UnixDomainSocketAddress.of(directory.resolve("v.sock_" + HOST_PORT)));
            send(driver, REQUEST, 0, new byte[0]);
            assertThat(receive(driver).operation).isEqualTo(RESPONSE);
            try (SocketChannel accepted = server.accept()) {
                send(driver, DATA, 0, ascii("from the guest"));
                assertThat(read(accepted, 14)).isEqualTo("from the guest");
                accepted.write(ByteBuffer.wrap(ascii("to the guest")));
                assertThat(receive(driver).data).isEqualTo("to the guest");
            }
            assertThat(receive(driver).operation).isEqualTo(SHUTDOWN);
        }
        assertThat(Files.exists(path)).isFalse();
    }
}
