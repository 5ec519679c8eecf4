package dev.kagami.net.tcp;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An application that sends given octets, and collects what comes, at most so much at a time. */
final class Bytes implements TcpApplication {
    final ByteArrayOutputStream received = new ByteArrayOutputStream();
    final List<String> events = new ArrayList<>();
    private final ByteBuffer toSend;
    private final boolean finishes;
    /** How much is taken until it is set again. */
    long appetite = Long.MAX_VALUE;

    @Nullable
    TcpConnection connection;

    boolean finished;
    TcpApplication.@Nullable End end;

    Bytes(byte[] toSend, boolean finishes) {
        this.toSend = ByteBuffer.wrap(toSend);
        this.finishes = finishes;
    }

    void pump() {
        if (connection == null || end != null) {
            return;
        }
        connection.send(toSend);
        if (!toSend.hasRemaining() && finishes) {
            connection.finish();
        }
    }

    int unsent() {
        return toSend.remaining();
    }

    @Override
    public void established() {
        events.add("established");
        pump();
    }

    @Override
    public long receive(ByteBuffer[] data, int count) {
        long taken = 0;
        for (int i = 0; i < count; i++) {
            while (data[i].hasRemaining() && appetite > 0) {
                received.write(data[i].get());
                appetite--;
                taken++;
            }
        }
        return taken;
    }

    @Override
    public void peerFinished() {
        events.add("finished");
        finished = true;
    }

    @Override
    public void writable() {
        pump();
    }

    @Override
    public void ended(TcpApplication.End why) {
        events.add("ended " + why);
        end = why;
    }
}
