package dev.kagami.agent;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Starts commands in a guest. Thread-safe; any number of commands may run at a time. */
public final class AgentClient {
    /** Guests make their random numbers of it. */
    private static final SecureRandom RANDOM = new SecureRandom();

    /** A guest that boots has better things to do than to refuse connections. */
    private static final long FIRST_PAUSE_MILLIS = 10;

    private static final long LONGEST_PAUSE_MILLIS = 100;

    /** An agent that is there answers within this, on the busiest host; if not, another connection is tried. */
    private static final Duration ANSWER = Duration.ofSeconds(10);

    /** A port of a console may still be closing on the guest's side when it is opened anew: one refusal is none. */
    private static final int REFUSALS = 3;

    /** And for how long it must do nothing else: a console port is closed by whoever has used it just before, too. */
    private static final Duration REFUSAL = Duration.ofSeconds(2);

    private final AgentTransport transport;
    private final AgentToken token;

    /**
     * Makes a client.
     *
     * @param transport who makes connections
     * @param token what the agent expects
     */
    public AgentClient(AgentTransport transport, AgentToken token) {
        this.transport = transport;
        this.token = token;
    }

    /**
     * Starts a command as soon as the agent is there.
     *
     * @param command what to run
     * @param patience how long to wait for the agent
     * @return the running command
     * @throws AgentException when it can't be started
     * @throws InterruptedException when the calling thread is interrupted
     */
    public GuestProcess start(GuestCommand command, Duration patience) throws AgentException, InterruptedException {
        byte[] script = command.script().getBytes(StandardCharsets.UTF_8);
        if (script.length > Protocol.MAX_SCRIPT) {
            throw new AgentException(
                    AgentException.Reason.TOO_LONG,
                    "a command of %d bytes is longer than the %d that Linux allows"
                            .formatted(script.length, Protocol.MAX_SCRIPT));
        }
        ByteChannel channel = connect(patience);
        try {
            GuestProcess process = new GuestProcess(channel, command);
            process.begin(script);
            return process;
        } catch (IOException e) {
            close(channel);
            throw new AgentException(
                    AgentException.Reason.UNREACHABLE, "the guest's agent broke off: " + e.getMessage());
        }
    }

    /** Connects and introduces itself. */
    private ByteChannel connect(Duration patience) throws AgentException, InterruptedException {
        long start = System.nanoTime();
        long pause = FIRST_PAUSE_MILLIS;
        String problem = "it didn't answer";
        int refusals = 0;
        long firstRefusal = start;
        while (true) {
            Duration left = patience.minusNanos(System.nanoTime() - start);
            if (!left.isPositive()) {
                throw new AgentException(
                        AgentException.Reason.UNREACHABLE,
                        "the guest's agent was not there within %d s: %s".formatted(patience.toSeconds(), problem));
            }
            Duration part = left.compareTo(ANSWER) < 0 ? left : ANSWER;
            try {
                ByteChannel channel = transport.connect(part);
                switch (greet(channel, part)) {
                    case HELLO -> {
                        return channel;
                    }
                    case SILENCE -> problem = "it accepts a connection and says nothing";
                    case REFUSAL -> {
                        if (refusals == 0) {
                            firstRefusal = System.nanoTime();
                        }
                        refusals++;
                        problem = "it ends connections at once";
                        if (refusals >= REFUSALS && System.nanoTime() - firstRefusal >= REFUSAL.toNanos()) {
                            throw new AgentException(
                                    AgentException.Reason.REFUSED,
                                    "the guest's agent doesn't take this machine's token");
                        }
                    }
                }
            } catch (IOException e) {
                problem = String.valueOf(e.getMessage());
            }
            Thread.sleep(pause);
            pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
        }
    }

    private enum Answer {
        HELLO,
        SILENCE,
        REFUSAL
    }

    /** {@return what the agent said; unless that was hello, the channel is closed} */
    private Answer greet(ByteChannel channel, Duration patience) throws IOException, AgentException {
        CountDownLatch answered = new CountDownLatch(1);
        // Nothing else ends a read of a channel.
        Thread watch = Thread.ofVirtual().name("kagami-agent-hello").start(() -> {
            try {
                if (!answered.await(patience.toNanos(), TimeUnit.NANOSECONDS)) {
                    close(channel);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        Answer answer = Answer.SILENCE;
        try {
            long nonce = RANDOM.nextLong();
            ByteBuffer secret = ByteBuffer.allocate(Protocol.TOKEN_SIZE + Protocol.NONCE_SIZE)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .put(token.bytes())
                    .putLong(nonce)
                    .flip();
            while (secret.hasRemaining()) {
                channel.write(secret);
            }
            FrameReader frames = new FrameReader(channel);
            if (frames.next()) {
                int version =
                        frames.type() == Protocol.HELLO && frames.left() == Protocol.HELLO_SIZE ? frames.readInt() : 0;
                if (version != Protocol.VERSION) {
                    throw new AgentException(
                            AgentException.Reason.VERSION,
                            "the guest's agent has version %d of the protocol, not %d"
                                    .formatted(version, Protocol.VERSION));
                }
                answer = frames.readLong() == nonce ? Answer.HELLO : Answer.SILENCE;
            } else if (channel.isOpen()) {
                answer = Answer.REFUSAL;
            }
            return answer;
        } finally {
            answered.countDown();
            watch.interrupt();
            if (answer != Answer.HELLO) {
                close(channel);
            }
        }
    }

    static void close(ByteChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // What is closed in vain is gone already.
            System.getLogger(AgentClient.class.getName()).log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }
}
