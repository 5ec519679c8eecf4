package dev.kagami.vm;

import static dev.kagami.vm.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.agent.AgentToken;
import dev.kagami.agent.AgentTransport;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What goes wrong between host and agent, with agents that were made up. */
@Timeout(60)
final class AgentErrorsTest {
    private static final int TOKEN = 64;
    private static final int GREETING = TOKEN + 8;
    private static final int HELLO = 16;
    private static final int STDOUT = 17;
    private static final int VERSION = 2;

    @TempDir
    private Path directory;

    private static GuestControl control(AgentTransport transport) {
        return new GuestControl(transport, AgentToken::random);
    }

    private static Consumer<ExecOptions> within(Duration timeout) {
        return o -> o.timeout(timeout);
    }

    @Test
    void anAgentThatIsNotThereInTimeIsAnErrorWithTheReason() {
        GuestControl guest = control(patience -> {
            throw new IOException("the guest's driver isn't there");
        });
        for (Duration timeout : new Duration[] {Duration.ZERO, Duration.ofMillis(50)}) {
            KagamiException error =
                    refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> guest.exec("true", within(timeout)), "within 0 s");
            assertThat(error.hint()).contains("transcript", "cloud-init");
        }
        refused(
                ErrorCode.GUEST_AGENT_UNAVAILABLE,
                () -> guest.spawn("true", within(Duration.ofSeconds(1))),
                "the guest's driver isn't there");
    }

    @Test
    void anAgentOfAnotherVersionIsAnError() {
        GuestControl guest = control(patience -> new Agent(VERSION + 1));
        KagamiException error =
                refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> guest.exec("true", o -> {}), "version 3");
        assertThat(error.hint()).contains("agent's port");
    }

    @Test
    void anAgentThatHangsUpAtOnceDoesNotKnowThisMachine() {
        GuestControl guest = control(patience -> new Agent(0));
        KagamiException error = refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> guest.exec("true", o -> {}), "token");
        assertThat(error.hint()).contains("agent's port");
    }

    @Test
    void aCommandThatLinuxCannotTakeIsAnError() {
        GuestControl guest = control(patience -> new Agent(VERSION));
        KagamiException error = refused(
                ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> guest.exec("x".repeat(200_000), o -> {}), "200", "131000");
        assertThat(error.hint()).contains("copy a script");
    }

    @Test
    void aGuestThatEndsUnderACommandIsAnErrorThatNamesIt() {
        GuestControl guest = control(patience -> new Agent(VERSION) {
            @Override
            void begun() {
                close();
            }
        });
        KagamiException error =
                refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> guest.exec("sleep 9", o -> {}), "sleep 9");
        assertThat(error.hint()).contains("transcript");
        assertThat(error).hasCauseInstanceOf(IOException.class);
    }

    @Test
    void aCommandThatTakesTooLongIsAnErrorWithWhatItHadPrinted() {
        GuestControl guest = control(patience -> new Agent(VERSION) {
            @Override
            void begun() {
                send(STDOUT, "halfway".getBytes(StandardCharsets.US_ASCII));
            }
        });
        KagamiException error = refused(
                ErrorCode.COMMAND_TIMED_OUT,
                () -> guest.exec("sleep 9", within(Duration.ofSeconds(2))),
                "PT2S",
                "sleep 9",
                "halfway");
        assertThat(error.hint()).contains("o.timeout");
    }

    @Test
    void pathsThatCannotBeCopiedAreNamed() {
        GuestControl guest = control(patience -> new Agent(VERSION));
        Path missing = directory.resolve("missing");
        refused(ErrorCode.COPY_FAILED, () -> guest.copyTo(missing, "/tmp/x"), missing, "/tmp/x");
        refused(ErrorCode.COPY_FAILED, () -> guest.copyTo(directory, "tmp/x"), directory, "'tmp/x' is not an absolute");
        refused(ErrorCode.COPY_FAILED, () -> guest.copyFrom("etc", directory), "etc", directory);
        GuestControl late = control(patience -> new Agent(VERSION + 1));
        refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> late.copyTo(directory, "/tmp/x"), "version 3");
        refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> late.copyFrom("/tmp/x", directory.resolve("x")), "version 3");
    }

    @Test
    void aTextThatDoesNotAppearIsAnErrorWithTheConsolesLastLines() throws IOException {
        GuestConsole console = new GuestConsole(keys -> {});
        try (OutputStream guest = console.recording(OutputStream.nullOutputStream())) {
            guest.write("booting\r\nalmost there".getBytes(StandardCharsets.US_ASCII));
        }
        KagamiException late = refused(
                ErrorCode.CONSOLE_TIMED_OUT,
                () -> console.awaitText("login:", Duration.ZERO),
                "'login:'",
                "almost there");
        assertThat(late.hint()).contains("wait longer");
        console.ended("PoweredOff[]");
        KagamiException ended = refused(
                ErrorCode.CONSOLE_TIMED_OUT,
                () -> console.awaitText("login:", Duration.ofDays(1)),
                "'login:'",
                "PoweredOff",
                "almost there");
        assertThat(ended.hint()).contains("why it ended");
    }

    /** An agent that greets, and then says nothing unless it is told to. */
    private static class Agent implements ByteChannel {
        private static final byte[] END = {};

        private final int version;
        private final ByteArrayOutputStream heard = new ByteArrayOutputStream();
        private final BlockingQueue<byte[]> says = new LinkedBlockingQueue<>();
        private byte[] now = END;
        private int at;
        private volatile boolean open = true;

        /**
         * Makes one.
         *
         * @param version the protocol's, 0 for one that hangs up
         */
        Agent(int version) {
            this.version = version;
        }

        /** Called when the first byte of a command has come. */
        void begun() {}

        void send(int type, byte[] bytes) {
            says.add(ByteBuffer.allocate(8 + bytes.length)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(type)
                    .putInt(bytes.length)
                    .put(bytes)
                    .array());
        }

        @Override
        public int write(ByteBuffer source) {
            int before = heard.size();
            byte[] bytes = new byte[source.remaining()];
            source.get(bytes);
            heard.writeBytes(bytes);
            if (before < GREETING && heard.size() >= GREETING) {
                greet();
            }
            if (before <= GREETING && heard.size() > GREETING) {
                begun();
            }
            return bytes.length;
        }

        private void greet() {
            if (version == 0) {
                says.add(END);
                return;
            }
            byte[] nonce = Arrays.copyOfRange(heard.toByteArray(), TOKEN, GREETING);
            send(
                    HELLO,
                    ByteBuffer.allocate(4 + nonce.length)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putInt(version)
                            .put(nonce)
                            .array());
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            if (at == now.length) {
                try {
                    now = says.take();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                at = 0;
                if (now.length == 0) {
                    says.add(END);
                    return -1;
                }
            }
            int count = Math.min(target.remaining(), now.length - at);
            target.put(now, at, count);
            at += count;
            return count;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void close() {
            open = false;
            says.add(END);
        }
    }
}
