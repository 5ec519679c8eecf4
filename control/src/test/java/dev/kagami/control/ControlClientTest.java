package dev.kagami.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Answers of what is no machine, or one of another version. */
@Timeout(60)
final class ControlClientTest {
    private static final String UPGRADED = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

    @TempDir
    private Path directory;

    private Path socket = Path.of("socket");
    private ServerSocketChannel server;

    @BeforeEach
    void listen() throws IOException {
        socket = directory.resolve("socket");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
    }

    @AfterEach
    void close() throws IOException {
        server.close();
        Files.deleteIfExists(socket);
    }

    /** Answers the next connection, whatever it asks, and hangs up. */
    private void answer(byte[] bytes) {
        Thread.ofVirtual().start(() -> {
            try (SocketChannel connection = server.accept()) {
                connection.read(ByteBuffer.allocate(8192));
                ByteBuffer rest = ByteBuffer.wrap(bytes);
                while (rest.hasRemaining()) {
                    connection.write(rest);
                }
            } catch (IOException e) {
                // The client has heard enough.
            }
        });
    }

    private void refuses(ErrorCode code, String answer, Consumer<ControlClient> call, String named) throws IOException {
        refuses(code, answer.getBytes(StandardCharsets.ISO_8859_1), call, named);
    }

    private void refuses(ErrorCode code, byte[] answer, Consumer<ControlClient> call, String named) throws IOException {
        answer(answer);
        try (ControlClient client = ControlClient.connect(socket)) {
            KagamiException error = catchThrowableOfType(KagamiException.class, () -> call.accept(client));
            assertThat(error).as(named).isNotNull().hasMessageContaining(named);
            assertThat(error.code()).as(named).isEqualTo(code);
            assertThat(error.hint()).as(named).isNotBlank();
        }
    }

    private static String json(int status, String body) {
        return "HTTP/1.1 %d Some words\r\nContent-Length: %d\r\n\r\n%s".formatted(status, body.length(), body);
    }

    @Test
    void whatSpeaksAnotherLanguageIsNoMachine() throws IOException {
        for (String answer : new String[] {
            "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 200 OK\r\nno field\r\n\r\n", json(200, "[]"), json(500, "<html>")
        }) {
            refuses(ErrorCode.CONTROL_FAILED, answer, ControlClient::status, "at " + socket + " is no machine");
        }
    }

    @Test
    void aMachineOfAnotherVersionIsNamedAsThat() throws IOException {
        refuses(ErrorCode.CONTROL_FAILED, json(200, "{\"state\":\"DREAMING\"}"), ControlClient::status, "DREAMING");
        refuses(ErrorCode.CONTROL_FAILED, json(200, "{\"state\":7}"), ControlClient::status, "state must be a text");
        refuses(ErrorCode.CONTROL_FAILED, json(200, "{}"), ControlClient::forwards, "forwards must be an array");
        refuses(
                ErrorCode.CONTROL_FAILED,
                json(200, "{\"forwards\":[7]}"),
                ControlClient::forwards,
                "forwards must be objects");
        refuses(
                ErrorCode.CONTROL_FAILED,
                json(200, "{\"forwards\":[{\"hostPort\":65536}]}"),
                ControlClient::forwards,
                "hostPort must be");
        Consumer<ControlClient> exec = client -> client.exec("true", new byte[0], Duration.ofSeconds(1));
        refuses(ErrorCode.CONTROL_FAILED, json(200, "{\"exitStatus\":\"0\"}"), exec, "exitStatus must be");
        refuses(ErrorCode.CONTROL_FAILED, json(200, "{\"exitStatus\":0,\"stdout\":\"?\"}"), exec, "stdout must be");
    }

    @Test
    void errorsKeepTheirCodesWhereTheseAreKnown() throws IOException {
        String hint = "\"message\":\"why\",\"hint\":\"do\"}";
        refuses(ErrorCode.WRONG_STATE, json(409, "{\"code\":\"WRONG_STATE\"," + hint), ControlClient::pause, "why");
        refuses(ErrorCode.CONTROL_FAILED, json(409, "{\"code\":\"NEW_CODE\"," + hint), ControlClient::pause, "why");
        refuses(ErrorCode.CONTROL_FAILED, json(500, ""), ControlClient::pause, "no reason given");
    }

    @Test
    void aMachineThatEndsInItsAnswerHasEnded() throws IOException {
        for (String answer : new String[] {
            "",
            "HTTP/1.1 2",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nContent-Le",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
        }) {
            refuses(ErrorCode.MACHINE_UNKNOWN, answer, ControlClient::status, "at " + socket + " has ended");
        }
    }

    @Test
    void streamsOfCommandsAreFollowedToTheirEnd() throws IOException {
        Consumer<ControlClient> exec = client -> client.exec(
                "true",
                InputStream.nullInputStream(),
                OutputStream.nullOutputStream(),
                OutputStream.nullOutputStream(),
                Duration.ofSeconds(1));
        refuses(ErrorCode.CONTROL_FAILED, stream(9, new byte[1], 1), exec, "a frame of type 9");
        refuses(ErrorCode.CONTROL_FAILED, stream(1, new byte[1], -1), exec, "a frame of -1 bytes");
        refuses(ErrorCode.CONTROL_FAILED, stream(1, new byte[1], 2 << 20), exec, "a frame of 2097152 bytes");
        refuses(ErrorCode.CONTROL_FAILED, stream(4, new byte[] {'<'}, 1), exec, "is no machine");
        refuses(ErrorCode.MACHINE_UNKNOWN, stream(1, new byte[1], 2), exec, "has ended");
        byte[] late = "{\"code\":\"COMMAND_TIMED_OUT\",\"message\":\"late\"}".getBytes(StandardCharsets.US_ASCII);
        refuses(ErrorCode.COMMAND_TIMED_OUT, stream(4, late, late.length), exec, "late");

        answer(stream(3, new byte[] {0, 0, 0, 42}, 4));
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        try (ControlClient client = ControlClient.connect(socket)) {
            assertThat(client.exec("true", InputStream.nullInputStream(), output, output, Duration.ofSeconds(1)))
                    .isEqualTo(42);
        }
    }

    private static byte[] stream(int type, byte[] bytes, int length) {
        byte[] head = UPGRADED.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(head.length + 5 + bytes.length)
                .put(head)
                .put((byte) type)
                .putInt(length)
                .put(bytes)
                .array();
    }
}
