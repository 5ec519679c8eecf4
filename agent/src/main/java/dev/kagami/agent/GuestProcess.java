package dev.kagami.agent;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ByteChannel;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A command that runs in a guest.
 *
 * <p>It has ended when its own process has exited; processes that it left in the background go on, and what they print
 * from then on is dropped. A command that was ended by a signal has 128 and the signal's number as its exit value, as in a
 * shell; when the guest ended under it, that is {@value #LOST}, and {@link #loss} says why.
 *
 * <p>Standard output and error come over one connection: who reads only one of them while the other is full waits for ever,
 * as with any {@link Process}.
 */
public final class GuestProcess extends Process {
    /** The exit value of a command whose end is not known, as ssh has it. */
    public static final int LOST = 255;

    private static final int KILLED = 128 + 9;
    private static final int SIGTERM = 15;
    private static final int SIGNAL_BASE = 128;
    /** Ctrl-D, which ends what is typed on a terminal. */
    private static final int END_OF_TRANSMISSION = 4;

    private static final int PIECE = 64 << 10;

    private final ByteChannel channel;
    private final OutputStream input = new Input();
    private final GuestCommand.@Nullable Window window;
    private final @Nullable BytePipe outputPipe;
    private final @Nullable BytePipe errorPipe;
    private final OutputStream outputSink;
    private final OutputStream errorSink;
    private final ReentrantLock sending = new ReentrantLock();
    private final CompletableFuture<Process> exit = new CompletableFuture<>();
    private volatile int exitValue = LOST;
    private volatile boolean killed;
    private volatile @Nullable IOException loss;

    GuestProcess(ByteChannel channel, GuestCommand command) {
        this.channel = channel;
        window = command.window();
        outputPipe = command.output() == null ? new BytePipe() : null;
        errorPipe = command.error() == null ? new BytePipe() : null;
        outputSink = outputPipe != null ? outputPipe.output() : command.output();
        errorSink = errorPipe != null ? errorPipe.output() : command.error();
    }

    void begin(byte[] script) throws IOException {
        if (window != null) {
            sendSize(window);
        }
        sendFrame(Protocol.SCRIPT, script, 0, script.length);
        Thread.ofVirtual().name("kagami-agent-output").start(this::receive);
    }

    /** Takes what the guest sends, to the command's end. */
    private void receive() {
        try {
            FrameReader frames = new FrameReader(channel);
            boolean running = true;
            while (running) {
                if (!frames.next()) {
                    throw new IOException("the guest's agent broke off");
                }
                switch (frames.type()) {
                    case Protocol.STDOUT -> frames.copyTo(outputSink);
                    case Protocol.STDERR -> frames.copyTo(errorSink);
                    case Protocol.EXIT -> {
                        exitValue = decode(frames.readInt());
                        running = false;
                    }
                    default -> throw new IOException("the guest's agent sent a message of type " + frames.type());
                }
            }
        } catch (IOException | RuntimeException e) {
            if (killed) {
                exitValue = KILLED;
            } else {
                loss = e instanceof IOException io ? io : new IOException(e);
            }
        }
        AgentClient.close(channel);
        finish(outputPipe);
        finish(errorPipe);
        exit.complete(this);
    }

    private void finish(@Nullable BytePipe pipe) {
        if (pipe != null) {
            pipe.end(loss);
        }
    }

    /** wait(2): the low seven bits are the signal, or zero when it exited by itself. */
    private static int decode(int status) {
        int signal = status & 0x7F;
        return signal == 0 ? status >> 8 & 0xFF : SIGNAL_BASE + signal;
    }

    private void sendFrame(int type, byte[] bytes, int offset, int length) throws IOException {
        ByteBuffer frame = ByteBuffer.allocate(Protocol.HEADER_SIZE + length).order(ByteOrder.LITTLE_ENDIAN);
        frame.putInt(type).putInt(length).put(bytes, offset, length).flip();
        send(frame);
    }

    private void sendSize(GuestCommand.Window size) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Protocol.WINDOW_SIZE)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putShort((short) size.rows())
                .putShort((short) size.columns());
        sendFrame(Protocol.SIZE, bytes.array(), 0, Protocol.WINDOW_SIZE);
    }

    /**
     * Tells the command's terminal that its size has changed; behind what was written to its input.
     *
     * @param size the size now
     */
    public void resize(GuestCommand.Window size) {
        try {
            sendSize(size);
        } catch (IOException e) {
            // It has ended by itself.
            System.getLogger(GuestProcess.class.getName()).log(System.Logger.Level.DEBUG, "a size came too late", e);
        }
    }

    private void send(ByteBuffer frame) throws IOException {
        sending.lock();
        try {
            while (frame.hasRemaining()) {
                channel.write(frame);
            }
        } finally {
            sending.unlock();
        }
    }

    /** {@return why the command's end is not known; empty when it is} */
    public Optional<IOException> loss() {
        return Optional.ofNullable(loss);
    }

    @Override
    public OutputStream getOutputStream() {
        return input;
    }

    @Override
    public InputStream getInputStream() {
        return outputPipe == null ? InputStream.nullInputStream() : outputPipe.input();
    }

    @Override
    public InputStream getErrorStream() {
        return errorPipe == null ? InputStream.nullInputStream() : errorPipe.input();
    }

    @Override
    public int waitFor() throws InterruptedException {
        waitFor(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
        return exitValue;
    }

    @Override
    public boolean waitFor(long timeout, TimeUnit unit) throws InterruptedException {
        try {
            exit.get(timeout, unit);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException("the end of a command never fails", e);
        }
    }

    @Override
    public CompletableFuture<Process> onExit() {
        return exit.copy();
    }

    @Override
    public int exitValue() {
        if (!exit.isDone()) {
            throw new IllegalThreadStateException("the command still runs");
        }
        return exitValue;
    }

    @Override
    public boolean isAlive() {
        return !exit.isDone();
    }

    /**
     * Sends SIGTERM to the command's process group, behind what was written to its standard input. When that is stuck,
     * the command is killed.
     */
    @Override
    public void destroy() {
        if (!sending.tryLock()) {
            destroyForcibly();
            return;
        }
        try {
            send(ByteBuffer.allocate(Protocol.HEADER_SIZE)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(Protocol.SIGNAL)
                    .putInt(SIGTERM)
                    .flip());
        } catch (IOException e) {
            // It has ended by itself.
            AgentClient.close(channel);
        } finally {
            sending.unlock();
        }
    }

    /** Kills the command's process group. */
    @Override
    public Process destroyForcibly() {
        killed = true;
        AgentClient.close(channel);
        // Who nobody reads must not wait for that.
        finish(outputPipe);
        finish(errorPipe);
        return this;
    }

    private final class Input extends OutputStream {
        private boolean closed;

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (closed) {
                throw new IOException("the command's standard input was closed");
            }
            // An empty frame would be the end.
            for (int done = 0; done < length; done += PIECE) {
                sendFrame(Protocol.STDIN, bytes, offset + done, Math.min(length - done, PIECE));
            }
        }

        @Override
        public void close() throws IOException {
            if (!closed) {
                closed = true;
                if (isAlive() && window != null) {
                    sendFrame(Protocol.STDIN, new byte[] {END_OF_TRANSMISSION}, 0, 1);
                } else if (isAlive()) {
                    sendFrame(Protocol.STDIN, new byte[0], 0, 0);
                }
            }
        }
    }
}
