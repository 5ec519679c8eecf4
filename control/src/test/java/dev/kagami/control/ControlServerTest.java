package dev.kagami.control;

import static dev.kagami.control.Refusals.assertCode;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kagami.vm.Balloon;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
final class ControlServerTest {
    /** Prints "ok", then sends back every byte that comes on COM1. */
    private static final String ECHO = "baf8030000 b06f ee b06b ee bafd030000 ec a801 74fb baf8030000 ec ee ebed";

    @TempDir
    private Path directory;

    private Machines machines;
    private Machines.Claim claim;
    private SharedConsole console;
    private VirtualMachine machine;
    private ControlServer server;

    @BeforeEach
    void start() throws IOException {
        machines = new Machines(directory.resolve("run"), directory.resolve("data"));
        claim = machines.claim("foobar");
        console = new SharedConsole();
        Path kernel = kernel();
        machine = VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel))
                .memory(MemorySize.ofMebibytes(16))
                .network(Network.nat())
                .balloon(Balloon.firm())
                .serial(s -> s.input(console.input()).output(console.output())));
        machine.start();
        server = ControlServer.start(claim, machine, console);
    }

    @AfterEach
    void stop() {
        server.close();
        console.close();
        machine.close();
        claim.close();
    }

    /** A multiboot 1 kernel (specification 0.6.96, 3.1). */
    private Path kernel() throws IOException {
        byte[] code = HexFormat.of().parseHex(ECHO.replace(" ", ""));
        int load = 0x10_0000;
        int size = 32 + code.length;
        ByteBuffer image = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(0x1BAD_B002).putInt(1 << 16).putInt(-(0x1BAD_B002 + (1 << 16)));
        image.putInt(load).putInt(load).putInt(load + size).putInt(load + size).putInt(load + 32);
        return Files.write(directory.resolve("kernel"), image.put(code).array());
    }

    @Test
    void tellsWhatTheMachineIs() throws Exception {
        try (ControlClient client = machines.connect("foobar")) {
            MachineStatus status = client.status();
            assertThat(status.name()).isEqualTo("foobar");
            assertThat(status.state()).isEqualTo(VirtualMachine.State.RUNNING);
            assertThat(status.pid()).isEqualTo(ProcessHandle.current().pid());
            assertThat(status.engine()).isEqualTo(machine.engine());
            assertThat(status.memoryBytes()).isEqualTo(16 << 20);
            assertThat(client.metrics().get("instructions")).isPositive();
        }
        assertThat(machines.running()).containsExactly("foobar");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(claim.socket())))
                .isEqualTo("rw-------");
    }

    @Test
    void pausesResumesAndStopsAndRefusesWhatTheStateDoesNotAllow() throws Exception {
        try (ControlClient client = machines.connect("foobar")) {
            client.pause();
            assertThat(machine.state()).isEqualTo(VirtualMachine.State.PAUSED);
            assertCode(ErrorCode.WRONG_STATE, client::pause, "pause", "RUNNING", "PAUSED");
            client.resume();
            assertCode(ErrorCode.WRONG_STATE, client::resume, "resume", "PAUSED", "RUNNING");
            client.reset();
            client.requestStop();
            client.stop();
            assertThat(machine.awaitShutdown(Duration.ofSeconds(30))).isPresent();
            server.close();
            assertCode(ErrorCode.MACHINE_UNKNOWN, client::status, "has ended");
        }
    }

    @Test
    void aGuestWithoutAnAgentRunsNoCommands() {
        try (ControlClient client = machines.connect("foobar")) {
            assertCode(
                    ErrorCode.GUEST_AGENT_UNAVAILABLE,
                    () -> client.exec("echo 42", new byte[0], Duration.ofSeconds(1)));
        }
        assertCode(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> follow("foobar", "echo 42"), "no agent");
    }

    private int follow(String name, String command) {
        try (ControlClient client = machines.connect(name)) {
            return client.exec(
                    command,
                    InputStream.nullInputStream(),
                    OutputStream.nullOutputStream(),
                    OutputStream.nullOutputStream(),
                    Duration.ofSeconds(1));
        }
    }

    @Test
    void aPausedMachineAndOneThatIsAskedForNonsenseSaySoToWhoFollowsACommand() throws Exception {
        machine.pause();
        assertCode(ErrorCode.WRONG_STATE, () -> follow("foobar", "echo 42"), "RUNNING", "PAUSED");
        Path kernel = kernel();
        try (Machines.Claim other = machines.claim("other");
                VirtualMachine withAgent = VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel))
                        .memory(MemorySize.ofMebibytes(16))
                        .cloudInit(i -> i.hostname("other")))) {
            withAgent.start();
            try (ControlServer second = ControlServer.start(other, withAgent, console)) {
                assertThat(second.routes()).isNotEmpty();
                assertCode(ErrorCode.CONTROL_FAILED, () -> follow("other", "echo \0"), "zero bytes");
            }
        }
    }

    @Test
    void savesToAFile() throws Exception {
        Path file = directory.resolve("state");
        try (ControlClient client = machines.connect("foobar")) {
            client.save(file, true);
            assertThat(file).isNotEmptyFile();
            assertThat(client.status().state()).isEqualTo(VirtualMachine.State.RUNNING);
            assertCode(
                    ErrorCode.SNAPSHOT_UNWRITABLE,
                    () -> client.save(directory.resolve("no/such/directory/state"), false),
                    "no/such/directory");
        }
    }

    @Test
    void theBalloonTellsItsSizeAndTakesATargetUpToTheMemory() throws Exception {
        String put = "PUT /v1/balloon HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s";
        for (long target : new long[] {8 << 20, 16 << 20}) {
            String body = "{\"targetBytes\":%d}".formatted(target);
            assertThat(raw(put.formatted(body.length(), body))).contains(" 200 ", "\"sizeBytes\":16777216");
        }
        for (String body : List.of("{\"targetBytes\":16777217}", "{\"targetBytes\":0}", "{}")) {
            assertThat(raw(put.formatted(body.length(), body))).contains(" 400 ", "BAD_REQUEST");
        }
        assertThat(raw("GET /v1/balloon HTTP/1.0\r\n\r\n")).contains(" 200 ", "\"returnedBytes\":0");
        Path kernel = kernel();
        try (Machines.Claim other = machines.claim("other");
                VirtualMachine without = VirtualMachine.create(c -> c.linux(l -> l.kernel(kernel)))) {
            ControlServer second = ControlServer.start(other, without, console);
            try {
                String answer =
                        raw(other.socket(), "GET /v1/balloon HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                assertThat(answer).contains(" 409 ", "NO_BALLOON", "--balloon");
            } finally {
                second.close();
            }
        }
    }

    @Test
    void forwardsAreAddedListedAndRemoved() throws Exception {
        try (ControlClient client = machines.connect("foobar")) {
            Network.Forward wanted = new Network.Forward(
                    Network.Protocol.TCP, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 22);
            Network.Forward added = client.addForward(wanted);
            assertThat(added.local().getPort()).isPositive();
            assertThat(client.forwards()).containsExactly(added);
            assertThat(client.status().forwards()).containsExactly(added);
            assertCode(
                    ErrorCode.NETWORK_UNUSABLE,
                    () -> client.addForward(added),
                    String.valueOf(added.local().getPort()));
            client.removeForward(added);
            assertThat(client.forwards()).isEmpty();
            assertCode(
                    ErrorCode.CONTROL_FAILED,
                    () -> client.removeForward(added),
                    String.valueOf(added.local().getPort()));
        }
    }

    @Test
    void severalShareTheConsole() throws Exception {
        try (ControlClient one = machines.connect("foobar");
                ControlClient two = machines.connect("foobar")) {
            ControlClient.Console first = one.console();
            ControlClient.Console second = two.console();
            assertThat(first.output().readNBytes(2)).isEqualTo("ok".getBytes(StandardCharsets.US_ASCII));
            assertThat(second.output().readNBytes(2)).isEqualTo("ok".getBytes(StandardCharsets.US_ASCII));
            for (ControlClient.Console each : List.of(first, second)) {
                each.input().write("hello".getBytes(StandardCharsets.US_ASCII));
                assertThat(first.output().readNBytes(5)).isEqualTo("hello".getBytes(StandardCharsets.US_ASCII));
                assertThat(second.output().readNBytes(5)).isEqualTo("hello".getBytes(StandardCharsets.US_ASCII));
            }
            // He leaves.
            first.input().close();
            second.input().write('!');
            assertThat(second.output().read()).isEqualTo('!');
            console.close();
            assertThat(second.output().read()).isEqualTo(-1);
        }
        assertThat(console.scrollback()).isEqualTo("okhellohello!".getBytes(StandardCharsets.US_ASCII));
        try (ControlClient client = machines.connect("foobar")) {
            assertThat(client.scrollback()).isEqualTo(console.scrollback());
        }
    }

    @Test
    void theDescriptionNamesEveryPathAndMethodAndNoOther() {
        Map<?, ?> paths = (Map<?, ?>) Json.read(ControlServer.description()).get("paths");
        List<String> described = new ArrayList<>();
        paths.forEach((path, methods) -> ((Map<?, ?>) methods)
                .keySet()
                .forEach(method -> described.add(method.toString().toUpperCase(Locale.ROOT) + " " + path)));
        assertThat(server.routes().stream().map(route -> route.method() + " " + route.template()))
                .containsExactlyInAnyOrderElementsOf(described);
    }

    private String raw(byte[] request) throws IOException {
        return raw(claim.socket(), request);
    }

    private static String raw(Path socket, byte[] request) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer bytes = ByteBuffer.wrap(request);
            try {
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.shutdownOutput();
            } catch (IOException e) {
                // It has heard enough.
            }
            InputStream in = Channels.newInputStream(channel);
            StringBuilder answer = new StringBuilder();
            try {
                for (int c = in.read(); c >= 0; c = in.read()) {
                    answer.append((char) c);
                }
            } catch (IOException e) {
                // It closed with something unread.
            }
            return answer.toString();
        }
    }

    private String raw(String request) throws IOException {
        return raw(request.getBytes(StandardCharsets.ISO_8859_1));
    }

    @Test
    void wrongRequestsAreRefusedWithCodeMessageAndHint() throws Exception {
        String end = " HTTP/1.1\r\nHost: x\r\n\r\n";
        for (String[] each : new String[][] {
            {"GET /v1/nothing" + end, "404"},
            {"GET /" + end, "404"},
            {"PUT /v1/machine" + end, "405"},
            {"hello\r\n\r\n", "400"},
            {"GET /%zz" + end, "400"},
            {"GET /v1/machine HTTP/1.1\r\nbad header\r\n\r\n", "400"},
            {"GET /v1/machine HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
            {"GET /v1/machine HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
            {"POST /v1/forwards HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "501"},
            {"POST /v1/forwards HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", "413"},
            {"GET /v1/machine HTTP/1.1\r\nX: " + "y".repeat(9000) + "\r\n\r\n", "431"},
            {"GET /v1/machine HTTP/1.1\r\n" + fields(65) + "\r\n", "431"},
            {"GET /v1/machine HTTP/1.1\r\nX: \0\r\n\r\n", "400"},
            {"GET /v1/console" + end, "426"},
            {"DELETE /v1/forwards/tcp/host.example/22" + end, "400"},
            {"DELETE /v1/forwards/sctp/127.0.0.1/22" + end, "400"},
            {"DELETE /v1/forwards/tcp/127.0.0.1/ssh" + end, "400"},
            {"DELETE /v1/forwards/tcp/127.0.0.1/65536" + end, "400"},
            {"DELETE /v1/forwards/tcp/127.0.0.1/22" + end, "404"},
        }) {
            assertThat(raw(each[0]))
                    .as(each[0])
                    .startsWith("HTTP/1.1 " + each[1])
                    .contains("\"code\":", "\"message\":", "\"hint\":");
        }
        for (String body : List.of(
                "[]",
                "{",
                "{\"hostPort\":1}",
                "{\"hostPort\":-1,\"guestPort\":22}",
                "{\"hostPort\":\"22\",\"guestPort\":22}",
                "{\"hostPort\":1.5,\"guestPort\":22}",
                "{\"protocol\":\"x\",\"hostPort\":1,\"guestPort\":22}",
                "{\"address\":\"localhost\",\"hostPort\":1,\"guestPort\":22}",
                "[".repeat(10_000))) {
            assertThat(raw("POST /v1/forwards HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s".formatted(body.length(), body)))
                    .as(body)
                    .startsWith("HTTP/1.1 400");
        }
    }

    private static String fields(int count) {
        return IntStream.range(0, count).mapToObj("X-%d: y\r\n"::formatted).collect(Collectors.joining());
    }

    @Test
    void bodiesThatAreWrongAreRefusedWithTheMembersName() throws Exception {
        for (String[] each : new String[][] {
            {"/v1/machine/save", "{}", "file must be an absolute path"},
            {"/v1/machine/save", "{\"file\":\"here\"}", "file must be an absolute path"},
            {"/v1/machine/save", "{\"file\":7}", "file must be a text"},
            {"/v1/machine/save", "{\"file\":\"/f\",\"compressed\":1}", "compressed must be true or false"},
            {"/v1/machine/stop", "{\"force\":\"yes\"}", "force must be true or false"},
            {"/v1/exec", "{\"command\":[]}", "command must be a text"},
            {"/v1/exec", "{\"command\":\"true\",\"stdin\":\"?\"}", "stdin must be in base 64"},
        }) {
            assertThat(raw("POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
                            .formatted(each[0], each[1].length(), each[1])))
                    .as(each[1])
                    .startsWith("HTTP/1.1 400")
                    .contains("\"message\":\"" + each[2], "\"hint\":");
        }
        assertThat(machine.state()).isEqualTo(VirtualMachine.State.RUNNING);
    }

    @Test
    void oneConnectionTakesManyRequestsAtOnce() throws Exception {
        assertThat(raw("GET /v1/machine HTTP/1.1\r\n\r\n".repeat(3)).split("HTTP/1.1 200"))
                .hasSize(4);
        assertThat(raw("GET /v1/machine HTTP/1.0\r\n\r\n".repeat(3)).split("HTTP/1.1 200"))
                .hasSize(2);
    }

    @Test
    void rubbishHarmsNobody() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] sound =
                "POST /v1/forwards HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n{\"hostPort\":0,\"guestPort\":22}"
                        .getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < 500; i++) {
            byte[] request = sound.clone();
            for (int change = random.nextInt(8); change >= 0; change--) {
                request[random.nextInt(request.length)] = (byte) random.nextInt(256);
            }
            raw(request);
        }
        try (ControlClient client = machines.connect("foobar")) {
            assertThat(client.status().state()).as("seed " + seed).isEqualTo(VirtualMachine.State.RUNNING);
        }
    }

    @Test
    void curlSpeaksIt() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/curl")), "needs curl");
        Process curl = new ProcessBuilder(
                        "curl",
                        "-sS",
                        "--unix-socket",
                        claim.socket().toString(),
                        "-d",
                        "{\"hostPort\":0,\"guestPort\":80}",
                        "http://localhost/v1/forwards",
                        "http://localhost/v1/machine/pause")
                .redirectErrorStream(true)
                .start();
        assertThat(new String(curl.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .contains("\"guestPort\":80", "\"state\":\"PAUSED\"");
    }

    @Test
    void anOverlongPathIsAnErrorThatSaysWhatToDo() throws Exception {
        Machines far = new Machines(directory.resolve("x".repeat(120)), directory.resolve("data"));
        try (Machines.Claim other = far.claim("foobar")) {
            assertCode(
                    ErrorCode.CONTROL_FAILED,
                    () -> ControlServer.start(other, machine, console),
                    other.socket().toString());
        }
    }
}
