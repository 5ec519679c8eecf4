package dev.kagami.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.GuestTerminal;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** The input of a command that a client sends. */
final class ExecStreamTest {
    /** A command that keeps what it is told, and whether it was killed. */
    private static final class Command extends Process {
        private final ByteArrayOutputStream input = new ByteArrayOutputStream();
        private boolean killed;

        @Override
        public OutputStream getOutputStream() {
            return input;
        }

        @Override
        public InputStream getInputStream() {
            return InputStream.nullInputStream();
        }

        @Override
        public InputStream getErrorStream() {
            return InputStream.nullInputStream();
        }

        @Override
        public int waitFor() {
            return 0;
        }

        @Override
        public int exitValue() {
            return 0;
        }

        @Override
        public void destroy() {
            killed = true;
        }
    }

    private static Command fed(ByteBuffer frames) {
        Command command = new Command();
        ExecStream.feed(command, null, new ByteArrayInputStream(frames.array(), 0, frames.position()));
        return command;
    }

    private static ByteBuffer frame(int type, int length, String text) {
        return ByteBuffer.allocate(100).put((byte) type).putInt(length).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void whatTheClientSendsIsTheInputAndItsGoingAwayTheEnd() {
        Command command = fed(frame(0, 5, "hello").put((byte) 0).putInt(0));
        assertThat(command.input.toString(StandardCharsets.US_ASCII)).isEqualTo("hello");
        assertThat(command.killed).isTrue();
    }

    @Test
    void aTerminalGetsTheSizesThatTheClientSendsAndNothingElseDoes() {
        GuestTerminal terminal = new GuestTerminal("xterm", new GuestTerminal.Size(80, 24));
        ByteBuffer sizes = ByteBuffer.allocate(100);
        sizes.put((byte) 6).putInt(4).putShort((short) 0xFFFF).putShort((short) 50);
        Command command = new Command();
        ExecStream.feed(command, terminal, new ByteArrayInputStream(sizes.array(), 0, sizes.position()));
        assertThat(terminal.size()).isEqualTo(new GuestTerminal.Size(65_535, 50));
        sizes.put((byte) 6).putInt(4).putInt(0);
        ExecStream.feed(command, terminal, new ByteArrayInputStream(sizes.array(), 0, sizes.position()));
        assertThat(terminal.size()).isEqualTo(new GuestTerminal.Size(65_535, 50));
        assertThat(fed(sizes.limit(9)).killed).isTrue();
    }

    @Test
    void whatIsNoFrameOfInputKillsTheCommand() {
        for (ByteBuffer bad :
                new ByteBuffer[] {frame(1, 5, "hello"), frame(0, -1, "hello"), frame(0, 40_000, "hello")}) {
            Command command = fed(bad);
            assertThat(command.input.size()).isZero();
            assertThat(command.killed).isTrue();
        }
    }
}
