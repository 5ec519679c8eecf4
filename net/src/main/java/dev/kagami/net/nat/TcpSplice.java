package dev.kagami.net.nat;

import dev.kagami.net.Frame;
import dev.kagami.net.packet.Wire;
import dev.kagami.net.tcp.TcpApplication;
import dev.kagami.net.tcp.TcpConnection;
import dev.kagami.net.tcp.TcpNetwork;
import dev.kagami.net.tcp.TcpSegment;
import dev.kagami.net.tcp.TcpState;
import java.io.IOException;
import java.net.NoRouteToHostException;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A guest's TCP connection and a socket, each the other's continuation: data, ends of data in each direction, resets and back-pressure pass from one to the
 * other. For one thread.
 */
final class TcpSplice implements TcpApplication, TcpNetwork, NatLoop.Handler, Neighbors.Waiter {
    /** So often a socket is read before others have their turn. */
    private static final int READS_AT_ONCE = 2;

    private final TcpProxy proxy;
    private final FlowKey key;
    private final Timers.Timer timer = new Timers.Timer(this::expire);
    private long mac;
    private @Nullable TcpConnection connection;
    private @Nullable SocketChannel channel;
    private @Nullable SelectionKey selection;
    private @Nullable Frame frame;
    private int initialSequence;
    private boolean established;
    private boolean readEnded;
    private boolean forgotten;

    TcpSplice(TcpProxy proxy, FlowKey key, long mac) {
        this.proxy = proxy;
        this.key = key;
        this.mac = mac;
    }

    FlowKey key() {
        return key;
    }

    TcpConnection connection() {
        TcpConnection there = connection;
        if (there == null) {
            throw new IllegalStateException("no connection yet");
        }
        return there;
    }

    boolean isForgotten() {
        return forgotten;
    }

    void setMac(long address) {
        mac = address;
    }

    // ---- beginning ----

    /** Begins with a guest's SYN and a socket that isn't connected yet. */
    void accept(TcpSegment syn, SocketChannel socket) {
        initialSequence = syn.sequence();
        channel = socket;
        connection = TcpConnection.accept(
                this, proxy.config(key), proxy.pool(), this, proxy.initialSequence(), syn, System.nanoTime());
    }

    void connect(SocketAddress target) throws IOException {
        SocketChannel socket = channel;
        if (socket == null) {
            return;
        }
        boolean done = socket.connect(target);
        selection = proxy.loop().register(socket, done ? 0 : SelectionKey.OP_CONNECT, this);
        if (done) {
            connection().admit();
        }
    }

    /** Begins with a connected socket and asks the guest. */
    void open(SocketChannel socket) throws IOException {
        channel = socket;
        connection = TcpConnection.open(
                this, proxy.config(key), proxy.pool(), this, proxy.initialSequence(), System.nanoTime());
        proxy.schedule(this);
        selection = proxy.loop().register(socket, 0, this);
    }

    /** Ends before it began: the host couldn't connect. */
    void refuse(IOException why) {
        Icmp.Unreachable reason = null;
        String message = why.getMessage();
        if (why instanceof NoRouteToHostException) {
            reason = Icmp.Unreachable.HOST;
        } else if (message != null && message.contains("unreachable")) {
            reason = Icmp.Unreachable.NETWORK;
        }
        if (connection != null && reason != null) {
            proxy.icmp().unreachable(key, Wire.TCP, initialSequence, reason);
            closeSocket();
            connection.drop();
        } else {
            resetBoth();
        }
        if (connection == null) {
            proxy.forget(this);
            forgotten = true;
        }
    }

    // ---- the socket ----

    @Override
    public void ready(SelectionKey ready) {
        int operations = ready.readyOps();
        if ((operations & SelectionKey.OP_CONNECT) != 0) {
            finishConnect(ready);
            return;
        }
        if ((operations & SelectionKey.OP_WRITE) != 0) {
            ready.interestOpsAnd(~SelectionKey.OP_WRITE);
            connection().deliver();
        }
        if (ready.isValid() && (operations & SelectionKey.OP_READ) != 0) {
            read(ready);
        }
    }

    private void finishConnect(SelectionKey ready) {
        SocketChannel socket = channel;
        if (socket == null) {
            return;
        }
        try {
            if (socket.finishConnect()) {
                ready.interestOps(0);
                connection().admit();
            }
        } catch (IOException e) {
            refuse(e);
        }
    }

    private void read(SelectionKey ready) {
        SocketChannel socket = channel;
        if (socket == null) {
            return;
        }
        try {
            for (int i = 0; i < READS_AT_ONCE; i++) {
                long read = connection().fill(socket);
                if (read < 0) {
                    readEnded = true;
                    ready.interestOpsAnd(~SelectionKey.OP_READ);
                    connection().finish();
                    return;
                }
                if (connection().room() == 0) {
                    ready.interestOpsAnd(~SelectionKey.OP_READ);
                    return;
                }
                if (read == 0) {
                    if (i == 0) {
                        // The selector says that there is something: so what lacks is memory.
                        ready.interestOpsAnd(~SelectionKey.OP_READ);
                        proxy.starve(this);
                    }
                    return;
                }
            }
        } catch (IOException e) {
            resetBoth();
        }
    }

    void wantToRead() {
        SelectionKey there = selection;
        if (there != null && there.isValid() && established && !readEnded) {
            there.interestOpsOr(SelectionKey.OP_READ);
        }
    }

    private void closeSocket() {
        SocketChannel socket = channel;
        channel = null;
        selection = null;
        if (socket != null) {
            close(socket);
        }
    }

    private static void close(SocketChannel socket) {
        try {
            socket.close();
        } catch (IOException e) {
            // It is gone either way.
        }
    }

    /** Closes a socket so that its other side sees a reset. */
    static void reset(SocketChannel socket) {
        try {
            socket.setOption(StandardSocketOptions.SO_LINGER, 0);
        } catch (IOException e) {
            // Then it is closed without.
        }
        close(socket);
    }

    private void resetSocket() {
        SocketChannel socket = channel;
        if (socket != null) {
            reset(socket);
        }
        closeSocket();
    }

    private void resetBoth() {
        resetSocket();
        if (connection != null) {
            connection.abort();
        }
    }

    /** Ends at once: nothing is sent to the guest. */
    void drop() {
        resetSocket();
        if (connection != null) {
            connection.drop();
        }
    }

    @Override
    public void fail() {
        resetBoth();
    }

    // ---- the guest's side, as the application of its connection ----

    @Override
    public void established() {
        established = true;
        wantToRead();
    }

    @Override
    public long receive(ByteBuffer[] data, int count) {
        SocketChannel socket = channel;
        if (socket == null) {
            return 0;
        }
        try {
            long written = socket.write(data, 0, count);
            SelectionKey there = selection;
            if (data[count - 1].hasRemaining() && there != null && there.isValid()) {
                there.interestOpsOr(SelectionKey.OP_WRITE);
            }
            return written;
        } catch (IOException e) {
            resetBoth();
            return 0;
        }
    }

    @Override
    public void peerFinished() {
        SocketChannel socket = channel;
        if (socket == null) {
            return;
        }
        try {
            socket.shutdownOutput();
        } catch (IOException e) {
            resetBoth();
        }
    }

    @Override
    public void writable() {
        wantToRead();
    }

    @Override
    public void ended(End end) {
        if (end == End.FINISHED) {
            closeSocket();
            if (connection().state() == TcpState.TIME_WAIT) {
                proxy.addTimeWait(this);
            }
        } else {
            resetSocket();
        }
    }

    // ---- the network below its connection ----

    @Override
    public @Nullable ByteBuffer begin(TcpConnection of, int length) {
        if (mac < 0) {
            mac = proxy.neighbors().find(key.guest());
            if (mac < 0) {
                proxy.neighbors().resolve(key.guest(), this);
                return null;
            }
        }
        if (!proxy.hasRoom()) {
            return null;
        }
        Frame begun = proxy.output().begin(key.guest(), length);
        frame = begun;
        return begun.buffer().position(IpOutput.transport(key.guest()));
    }

    @Override
    public void end(TcpConnection of, int length, int size) {
        Frame begun = frame;
        frame = null;
        if (begun != null) {
            begun.buffer().clear();
            TcpProxy.writePorts(begun.buffer(), IpOutput.transport(key.guest()), key);
            proxy.output().sendTcp(begun, mac, key.remote(), key.guest(), size);
        }
    }

    @Override
    public void resolved() {
        if (!forgotten) {
            proxy.schedule(this);
        }
    }

    @Override
    public void unreachable() {
        drop();
    }

    @Override
    public boolean isWaiting() {
        return proxy.output().isWaiting();
    }

    @Override
    public void schedule(TcpConnection of) {
        // While it is being made, the connection isn't known here yet; who makes it schedules it.
        if (connection != null) {
            proxy.schedule(this);
        }
    }

    @Override
    public void arm(TcpConnection of) {
        proxy.loop().timers().arm(timer, of.deadline());
    }

    private void expire() {
        TcpConnection there = connection();
        there.expire(System.nanoTime());
        if (there.state() != TcpState.CLOSED && there.hasDeadline() && !timer.isArmed()) {
            proxy.loop().timers().arm(timer, there.deadline());
        }
    }

    @Override
    public void forget(TcpConnection of) {
        forgotten = true;
        // It was closed before, in any way that is meant to happen.
        resetSocket();
        proxy.loop().timers().disarm(timer);
        proxy.forget(this);
    }
}
