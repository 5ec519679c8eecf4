package dev.kagami.virtio.socket;

import dev.kagami.virtio.BrokenQueueException;
import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.Virtqueue;
import dev.kagami.virtio.socket.Connection.Phase;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.ConnectException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.ThreadLocalRandom;

/** An active socket device: the protocol (virtio 1.2, 5.10.6). Queues are served on the device's thread. */
final class SocketHandler {
    private static final int RECEIVE = 0;
    private static final int TRANSMIT = 1;
    private static final int EVENTS = 2;
    private static final int EVENT_TRANSPORT_RESET = 0;

    private static final int HEADER = 44;
    private static final int TYPE_STREAM = 1;
    private static final int REQUEST = 1;
    private static final int RESPONSE = 2;
    private static final int RESET = 3;
    private static final int SHUTDOWN = 4;
    private static final int DATA = 5;
    private static final int CREDIT_UPDATE = 6;
    private static final int CREDIT_REQUEST = 7;
    private static final int SHUTDOWN_RECEIVE = 1;
    private static final int SHUTDOWN_SEND = 2;
    private static final int SHUTDOWN_BOTH = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

    /** The largest packet, as in Linux; a sender that can't send one more is told of new credit. */
    private static final int MAX_PACKET = 64 << 10;

    /** Answers that may wait for receive buffers before no more packets are taken (virtio 1.2, 5.10.6.1.2). */
    private static final int MAX_RESETS = 256;

    private static final int FIRST_EPHEMERAL_PORT = 0x4000_0000;

    private final SocketDevice device;
    private final DeviceContext context;
    private final MemorySegment ram;
    private final Virtqueue receive;
    private final Virtqueue transmit;
    private final Virtqueue events;
    private final DescriptorChain in;
    private final DescriptorChain out;
    private final ConnectionTable table = new ConnectionTable();
    /** Connections to look at; guarded by itself, because other threads add to it. */
    private final ArrayDeque<Connection> dirty = new ArrayDeque<>();
    /** Ports of connections that don't exist, whose sender is to be told so: the host's in the high half. */
    private final ArrayDeque<Long> resets = new ArrayDeque<>();

    private boolean resetDue;
    private volatile boolean closed;

    SocketHandler(SocketDevice device, DeviceContext context) {
        this.device = device;
        this.context = context;
        this.ram = context.memory().segment();
        this.receive = context.queue(RECEIVE);
        this.transmit = context.queue(TRANSMIT);
        this.events = context.queue(EVENTS);
        this.in = new DescriptorChain(context.memory());
        this.out = new DescriptorChain(context.memory());
    }

    GuestSocket connect(int port, Duration patience) throws IOException {
        int own;
        do {
            own = FIRST_EPHEMERAL_PORT + ThreadLocalRandom.current().nextInt(FIRST_EPHEMERAL_PORT);
        } while (table.find(own, port) != null);
        Connection connection = new Connection(this, own, port, Phase.CONNECTING);
        connection.requestDue = true;
        if (!table.add(connection)) {
            throw new ConnectException("too many connections to the guest");
        }
        connection.touch();
        if (closed) {
            abort(connection);
        }
        try {
            connection.awaitEstablished(patience.toNanos());
            return connection;
        } catch (IOException e) {
            connection.close();
            throw e;
        }
    }

    /** Breaks every connection off: the guest has forgotten them. */
    void close() {
        closed = true;
        table.forEach(this::abort);
    }

    private void abort(Connection connection) {
        connection.setPhase(Phase.CLOSED);
        connection.toGuest.breakOff();
        connection.fromGuest.breakOff();
    }

    /** Any thread may call this. */
    void enqueue(Connection connection) {
        synchronized (dirty) {
            dirty.add(connection);
        }
        if (!closed) {
            context.wake(RECEIVE);
        }
    }

    void serve(int queue) {
        switch (queue) {
            case RECEIVE -> send();
            case TRANSMIT -> take();
            default -> sendEvents();
        }
    }

    /** Tells the guest that all its connections are gone (virtio 1.2, 5.10.6.7): it is a copy, and they aren't its own. */
    void transportReset() {
        resetDue = true;
    }

    private void sendEvents() {
        while (resetDue && events.pop(in)) {
            in.writeInt(EVENT_TRANSPORT_RESET);
            events.push(in, in.written());
            resetDue = false;
        }
        events.interrupt();
    }

    /** Packets from the guest. */
    private void take() {
        do {
            transmit.disableNotifications();
            while (resets.size() < MAX_RESETS && transmit.pop(out)) {
                takePacket();
                transmit.push(out, 0);
            }
            if (resets.size() >= MAX_RESETS) {
                // Goes on when the guest has taken its answers.
                break;
            }
        } while (transmit.enableNotifications());
        transmit.interrupt();
        send();
    }

    private void takePacket() {
        if (out.readable() < HEADER) {
            throw new BrokenQueueException("half of a packet");
        }
        long source = out.readLong();
        long destination = out.readLong();
        int guestPort = out.readInt();
        int hostPort = out.readInt();
        long length = out.readInt() & 0xFFFF_FFFFL;
        int type = out.readShort();
        int operation = out.readShort();
        int flags = out.readInt();
        int buffer = out.readInt();
        int forwarded = out.readInt();
        if (length > out.readable()) {
            throw new BrokenQueueException("a packet without its data");
        }
        if (source != device.settings().guestCid() || destination != SocketDevice.HOST_CID) {
            return;
        }
        Connection connection = table.find(hostPort, guestPort);
        if (type != TYPE_STREAM) {
            refuse(operation, hostPort, guestPort);
        } else if (connection != null) {
            connection.guestBuffer = buffer;
            connection.guestForwarded = forwarded;
            takeFor(connection, operation, flags, (int) length);
        } else if (operation == REQUEST) {
            accept(hostPort, guestPort, buffer, forwarded);
        } else {
            refuse(operation, hostPort, guestPort);
        }
    }

    private void refuse(int operation, int hostPort, int guestPort) {
        if (operation != RESET) {
            resets.add((long) hostPort << 32 | guestPort & 0xFFFF_FFFFL);
        }
    }

    private void accept(int hostPort, int guestPort, int buffer, int forwarded) {
        Connection connection = new Connection(this, hostPort, guestPort, Phase.ESTABLISHED);
        connection.guestBuffer = buffer;
        connection.guestForwarded = forwarded;
        connection.responseDue = true;
        if (!table.add(connection)) {
            refuse(REQUEST, hostPort, guestPort);
        } else if (device.offer(connection)) {
            connection.touch();
        } else {
            table.remove(connection);
            refuse(REQUEST, hostPort, guestPort);
        }
    }

    private void takeFor(Connection connection, int operation, int flags, int length) {
        boolean established = connection.phase() == Phase.ESTABLISHED;
        switch (operation) {
            case RESPONSE -> {
                if (connection.phase() == Phase.CONNECTING) {
                    connection.setPhase(Phase.ESTABLISHED);
                }
            }
            case RESET -> {
                end(connection);
                return;
            }
            case DATA -> {
                if (!established || !takeData(connection, length)) {
                    breakOff(connection);
                    return;
                }
            }
            case SHUTDOWN -> shutdown(connection, flags);
            case CREDIT_UPDATE -> {
                // Every packet carries credit.
            }
            case CREDIT_REQUEST -> connection.creditDue = true;
            default -> {
                breakOff(connection);
                return;
            }
        }
        connection.touch();
    }

    /** {@return whether the guest had credit for all of it} */
    private boolean takeData(Connection connection, int length) {
        int rest = length;
        while (rest > 0) {
            int piece = (int) Math.min(rest, out.readablePiece());
            int written = connection.fromGuest.write(ram, out.readableOffset(), piece);
            if (written == 0) {
                return false;
            }
            out.skipReadable(written);
            rest -= written;
        }
        connection.received += length;
        return true;
    }

    private void shutdown(Connection connection, int flags) {
        connection.guestShutdown |= flags & SHUTDOWN_BOTH;
        if ((connection.guestShutdown & SHUTDOWN_SEND) != 0) {
            connection.fromGuest.end();
        }
        if ((connection.guestShutdown & SHUTDOWN_RECEIVE) != 0) {
            connection.toGuest.abandon();
        }
        if (connection.guestShutdown == SHUTDOWN_BOTH) {
            end(connection);
            refuse(SHUTDOWN, connection.hostPort(), connection.guestPort());
        }
    }

    /** Ends a connection that the guest doesn't know any more. What has come can still be read. */
    private void end(Connection connection) {
        table.remove(connection);
        boolean clean = (connection.guestShutdown & SHUTDOWN_SEND) != 0 || connection.isClosedHere();
        connection.setPhase(Phase.CLOSED);
        connection.toGuest.abandon();
        if (clean) {
            connection.fromGuest.end();
        } else {
            connection.fromGuest.breakOff();
        }
    }

    /** Ends a connection whose guest doesn't follow the protocol. */
    private void breakOff(Connection connection) {
        end(connection);
        refuse(DATA, connection.hostPort(), connection.guestPort());
    }

    /** Packets to the guest. */
    private void send() {
        boolean blocked;
        do {
            receive.disableNotifications();
            blocked = !sendAll();
            // New buffers are only news while something waits for them.
        } while (blocked && receive.enableNotifications());
        receive.interrupt();
        if (!blocked && transmit.hasWaiting()) {
            context.wake(TRANSMIT);
        }
    }

    /** {@return false when something waits for a buffer} */
    private boolean sendAll() {
        while (true) {
            if (!sendResets()) {
                return false;
            }
            Connection connection;
            synchronized (dirty) {
                connection = dirty.pollFirst();
            }
            if (connection == null) {
                return true;
            }
            // From here on whoever changes something puts it back into the queue.
            connection.dirty.set(false);
            if (connection.phase() == Phase.CLOSED) {
                continue;
            }
            if (!sendFor(connection)) {
                requeue(connection);
                return false;
            }
        }
    }

    private boolean sendResets() {
        while (!resets.isEmpty()) {
            if (!receive.pop(in)) {
                return false;
            }
            long ports = resets.removeFirst();
            writeHeader((int) (ports >>> 32), (int) ports, RESET, 0, 0, 0, 0);
            receive.push(in, HEADER);
        }
        return true;
    }

    /** Has a connection looked at again; nobody needs to be woken for that. */
    private void requeue(Connection connection) {
        if (connection.dirty.compareAndSet(false, true)) {
            synchronized (dirty) {
                dirty.add(connection);
            }
        }
    }

    /** Sends what is due, and at most one packet of data, so that connections take turns. {@return false without buffers} */
    private boolean sendFor(Connection connection) {
        if (connection.requestDue) {
            if (!control(connection, REQUEST, 0)) {
                return false;
            }
            connection.requestDue = false;
        }
        if (connection.responseDue) {
            if (!control(connection, RESPONSE, 0)) {
                return false;
            }
            connection.responseDue = false;
        }
        if (connection.phase() == Phase.CONNECTING) {
            if (connection.isClosedHere()) {
                table.remove(connection);
                connection.setPhase(Phase.CLOSED);
                refuse(REQUEST, connection.hostPort(), connection.guestPort());
            }
            return true;
        }
        return sendData(connection) && sendShutdown(connection) && sendCredit(connection);
    }

    private boolean sendData(Connection connection) {
        int waiting = connection.toGuest.available();
        if (waiting == 0) {
            return true;
        }
        // Counters wrap around; the difference is what is on its way (virtio 1.2, 5.10.6.3).
        long credit =
                (connection.guestBuffer & 0xFFFF_FFFFL) - (connection.sent - connection.guestForwarded & 0xFFFF_FFFFL);
        if (credit <= 0) {
            if (!connection.creditAsked) {
                if (!control(connection, CREDIT_REQUEST, 0)) {
                    return false;
                }
                connection.creditAsked = true;
            }
            return true;
        }
        if (!receive.pop(in)) {
            return false;
        }
        if (in.writable() <= HEADER) {
            throw new BrokenQueueException("a receive buffer without room for data");
        }
        int length = (int) Math.min(Math.min(waiting, MAX_PACKET), Math.min(credit, in.writable() - HEADER));
        writeHeader(connection, DATA, 0, length);
        int rest = length;
        while (rest > 0) {
            int piece = (int) Math.min(rest, in.writablePiece());
            int read = connection.toGuest.read(ram, in.writableOffset(), piece);
            in.skipWritable(read);
            rest -= read;
        }
        connection.sent += length;
        connection.creditAsked = false;
        receive.push(in, (long) HEADER + length);
        if (waiting > length) {
            requeue(connection);
        }
        return true;
    }

    private boolean sendShutdown(Connection connection) {
        int wanted =
                (connection.toGuest.isAtEnd() ? SHUTDOWN_SEND : 0) | (connection.isClosedHere() ? SHUTDOWN_RECEIVE : 0);
        // A closed side still has to send what was written before it can say that nothing more comes.
        if (connection.isClosedHere() && (wanted & SHUTDOWN_SEND) == 0) {
            return true;
        }
        if ((wanted & ~connection.shutdownSent) != 0) {
            if (!control(connection, SHUTDOWN, wanted)) {
                return false;
            }
            connection.shutdownSent = wanted;
        }
        return true;
    }

    private boolean sendCredit(Connection connection) {
        int forwarded = forwarded(connection);
        int known = Connection.BUFFER - (connection.received - connection.forwardedTold);
        boolean news = forwarded != connection.forwardedTold && known < MAX_PACKET;
        if (connection.creditDue || news) {
            if (!control(connection, CREDIT_UPDATE, 0)) {
                return false;
            }
            connection.creditDue = false;
        }
        return true;
    }

    /** {@return how many bytes of the guest the program has taken} */
    private static int forwarded(Connection connection) {
        return connection.received - connection.fromGuest.available();
    }

    /** {@return false when there was no buffer} */
    private boolean control(Connection connection, int operation, int flags) {
        if (!receive.pop(in)) {
            return false;
        }
        writeHeader(connection, operation, flags, 0);
        receive.push(in, HEADER);
        return true;
    }

    private void writeHeader(Connection connection, int operation, int flags, int length) {
        int forwarded = forwarded(connection);
        connection.forwardedTold = forwarded;
        writeHeader(
                connection.hostPort(), connection.guestPort(), operation, flags, length, Connection.BUFFER, forwarded);
    }

    private void writeHeader(
            int hostPort, int guestPort, int operation, int flags, int length, int buffer, int forwarded) {
        in.writeLong(SocketDevice.HOST_CID);
        in.writeLong(device.settings().guestCid());
        in.writeInt(hostPort);
        in.writeInt(guestPort);
        in.writeInt(length);
        in.writeShort(TYPE_STREAM);
        in.writeShort(operation);
        in.writeInt(flags);
        in.writeInt(buffer);
        in.writeInt(forwarded);
    }
}
