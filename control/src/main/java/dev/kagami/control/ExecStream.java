package dev.kagami.control;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.GuestTerminal;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MachineStateException;
import dev.kagami.vm.VirtualMachine;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A command in a guest over a connection of its own: frames of a type (one byte), a length (32 bits, big-endian) and so many bytes.
 * The client sends {@link #STDIN}, an empty one at its end, and {@link #SIZE}, columns and rows in 16 bits each, if the command has a
 * terminal; the machine {@link #STARTED}, in that case, {@link #STDOUT} and {@link #STDERR}, and at last {@link
 * #EXIT} with the status in 32 bits, or {@link #ERROR} with an error as a JSON object. Who hangs up has the command killed.
 */
final class ExecStream {
    /** The name of this for HTTP's Upgrade. */
    static final String PROTOCOL = "kagami-exec";

    private static final int STDIN = 0;
    private static final int STDOUT = 1;
    private static final int STDERR = 2;
    private static final int EXIT = 3;
    private static final int ERROR = 4;
    private static final int STARTED = 5;
    private static final int SIZE = 6;
    private static final int CHUNK = 32 << 10;

    private ExecStream() {}

    /** One side's end of the connection; any thread may send. */
    private static final class Sender {
        private final DataOutputStream out;

        Sender(OutputStream out) {
            this.out = new DataOutputStream(out);
        }

        synchronized void send(int type, byte[] bytes, int offset, int length) throws IOException {
            byte[] frame = new byte[1 + Integer.BYTES + length];
            ByteBuffer.wrap(frame).put((byte) type).putInt(length).put(bytes, offset, length);
            out.write(frame);
            out.flush();
        }

        OutputStream stream(int type) {
            return new OutputStream() {
                @Override
                public void write(int value) throws IOException {
                    send(type, new byte[] {(byte) value}, 0, 1);
                }

                @Override
                public void write(byte[] bytes, int offset, int length) throws IOException {
                    for (int done = 0; done < length; done += CHUNK) {
                        send(type, bytes, offset + done, Math.min(CHUNK, length - done));
                    }
                }
            };
        }
    }

    /**
     * Runs a command for a client.
     *
     * @param machine where
     * @param command a line for {@code /bin/sh}
     * @param terminal what it has for its standard streams, or null for pipes
     * @param timeout how long it may take
     * @param in what the client sends
     * @param out what it receives
     */
    static void serve(
            VirtualMachine machine,
            String command,
            @Nullable GuestTerminal terminal,
            Duration timeout,
            InputStream in,
            OutputStream out)
            throws IOException {
        Sender sender = new Sender(out);
        try {
            Process process = machine.spawn(command, o -> {
                o.stdout(sender.stream(STDOUT)).stderr(sender.stream(STDERR));
                if (terminal != null) {
                    o.terminal(terminal);
                }
            });
            if (terminal != null) {
                sender.send(STARTED, new byte[0], 0, 0);
            }
            Thread feeder = Thread.ofVirtual().name("kagami-exec-input").start(() -> feed(process, terminal, in));
            if (process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                byte[] status = ByteBuffer.allocate(Integer.BYTES)
                        .putInt(process.exitValue())
                        .array();
                sender.send(EXIT, status, 0, status.length);
            } else {
                process.destroyForcibly();
                fail(
                        sender,
                        Messages.ofError(
                                ErrorCode.COMMAND_TIMED_OUT.name(),
                                "the command did not end within %d s: %s".formatted(timeout.toSeconds(), command),
                                "give it more time: --timeout SECONDS"));
            }
            feeder.interrupt();
        } catch (KagamiException e) {
            fail(sender, Messages.ofError(e.code().name(), String.valueOf(e.getMessage()), e.hint()));
        } catch (MachineStateException e) {
            fail(sender, Messages.ofError(e));
        } catch (IllegalArgumentException e) {
            fail(sender, Messages.ofWrongRequest(String.valueOf(e.getMessage())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void resize(Sender sender, GuestTerminal terminal) {
        GuestTerminal.Size size = terminal.size();
        byte[] bytes = ByteBuffer.allocate(Integer.BYTES)
                .putShort((short) size.columns())
                .putShort((short) size.rows())
                .array();
        try {
            sender.send(SIZE, bytes, 0, bytes.length);
        } catch (IOException e) {
            // The command has ended.
        }
    }

    private static void fail(Sender sender, Map<String, Object> error) throws IOException {
        byte[] json = Json.write(error);
        sender.send(ERROR, json, 0, json.length);
    }

    /** Passes the client's input on, and kills the command when the client is gone. */
    @SuppressWarnings("try") // closed early, when the client says so
    static void feed(Process process, @Nullable GuestTerminal terminal, InputStream in) {
        DataInputStream frames = new DataInputStream(in);
        boolean open = true;
        try (OutputStream input = process.getOutputStream()) {
            while (true) {
                int type = frames.readUnsignedByte();
                int length = frames.readInt();
                if (type == SIZE && length == Integer.BYTES && terminal != null) {
                    terminal.resize(new GuestTerminal.Size(frames.readUnsignedShort(), frames.readUnsignedShort()));
                    continue;
                }
                if (type != STDIN || length < 0 || length > CHUNK) {
                    throw new IOException("not a frame of input");
                }
                byte[] bytes = frames.readNBytes(length);
                if (length == 0 && open) {
                    open = false;
                    input.close();
                } else if (open) {
                    open = write(input, bytes);
                }
            }
        } catch (IOException | IllegalArgumentException e) {
            process.destroyForcibly();
        }
    }

    /** {@return whether the command still takes input; one may end before it has read everything} */
    private static boolean write(OutputStream input, byte[] bytes) {
        try {
            input.write(bytes);
            input.flush();
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Follows a command as its client.
     *
     * @param in what the machine sends
     * @param out what it receives
     * @param input the command's standard input
     * @param output takes its standard output
     * @param error takes its standard error
     * @param terminal its terminal, or null
     * @param started called when a command with a terminal has started
     * @return its exit status
     * @throws KagamiException what the machine answers
     * @throws IOException when the connection ends
     * @throws IllegalArgumentException when what comes is no frame
     */
    static int follow(
            InputStream in,
            OutputStream out,
            InputStream input,
            OutputStream output,
            OutputStream error,
            @Nullable GuestTerminal terminal,
            Runnable started)
            throws IOException {
        Sender sender = new Sender(out);
        // A daemon by nature: a terminal that nobody types on must not keep the process.
        Thread.ofVirtual().name("kagami-exec-input").start(() -> {
            try (OutputStream frames = sender.stream(STDIN)) {
                input.transferTo(frames);
                sender.send(STDIN, new byte[0], 0, 0);
            } catch (IOException e) {
                // The command has ended.
            }
        });
        DataInputStream frames = new DataInputStream(in);
        while (true) {
            int type = frames.readUnsignedByte();
            int length = frames.readInt();
            if (length < 0 || length > 1 << 20) {
                throw new IllegalArgumentException("a frame of %d bytes".formatted(length));
            }
            byte[] bytes = frames.readNBytes(length);
            switch (type) {
                case STDOUT -> write(output, bytes);
                case STDERR -> write(error, bytes);
                case STARTED -> {
                    started.run();
                    if (terminal != null) {
                        terminal.onResize(() -> resize(sender, terminal));
                    }
                }
                case EXIT -> {
                    return new DataInputStream(new ByteArrayInputStream(bytes)).readInt();
                }
                case ERROR -> throw Messages.toException(Json.read(bytes));
                default -> throw new IllegalArgumentException("a frame of type " + type);
            }
        }
    }
}
