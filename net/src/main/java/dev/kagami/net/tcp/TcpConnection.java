package dev.kagami.net.tcp;

import dev.kagami.net.packet.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ScatteringByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * One connection (RFC 9293). Whoever calls a method that may make something to send sees {@link TcpNetwork#schedule} called, and then
 * calls {@link #output}. Times are those of one clock, in nanoseconds, never compared but subtracted. For one thread.
 */
public final class TcpConnection {
    private static final long MILLISECOND = 1_000_000L;
    private static final long SECOND = 1_000 * MILLISECOND;

    /** A lone small segment waits so long for data or another segment to be acknowledged with (RFC 9293 3.8.6.3). */
    private static final long DELAYED_ACKNOWLEDGMENT = 5 * MILLISECOND;
    /** Twice the longest time that a segment lives, on a network without routers (RFC 9293 3.4.2). */
    private static final long TIME_WAIT = 5 * SECOND;

    private static final long KEEP_ALIVE_IDLE = 60 * SECOND;
    private static final long KEEP_ALIVE_INTERVAL = 10 * SECOND;
    private static final int KEEP_ALIVE_PROBES = 9;
    private static final int SYN_ATTEMPTS = 7;
    private static final int DATA_ATTEMPTS = 13;
    private static final long MAXIMUM_PERSIST = 60 * SECOND;

    /** A guest's acknowledgments of forged segments are limited to this many per second (RFC 5961 7). */
    private static final int CHALLENGES_PER_SECOND = 20;

    private static final int OUR_SCALE = 5;
    private static final int DEFAULT_SEGMENT_SIZE = 536;
    private static final int MINIMUM_SEGMENT_SIZE = 64;
    private static final int MAXIMUM_BLOCKS = 4;
    private static final int SYN_OPTIONS = 12;
    private static final long NONE = Long.MIN_VALUE;

    private final TcpNetwork network;
    private final TcpConfig config;
    private final TcpApplication application;
    private final RetransmissionTimeout timeout = new RetransmissionTimeout();
    private final SendQueue sender;
    private @Nullable ReceiveQueue receiver;
    private final ChunkPool pool;
    private final long[] blockStarts = new long[MAXIMUM_BLOCKS];
    private final long[] blockEnds = new long[MAXIMUM_BLOCKS];

    private TcpState state;
    private int segmentSize;
    private boolean scaling;
    private int peerScale;
    private boolean sackPermitted;

    private boolean acknowledgeNow;
    private boolean resetPending;
    private boolean probePending;
    private boolean writableWanted;
    private boolean peerFinishTold;
    private int unacknowledgedOctets;

    private long retransmitAt = NONE;
    private long persistAt = NONE;
    private int persistBackoff;
    private long acknowledgeAt = NONE;
    private long keepAliveAt = NONE;
    private int keepAliveProbes;
    private long timeWaitAt = NONE;
    private long deadline = NONE;

    private long lastHeard;
    private long timedNumber = NONE;
    private long timedAt;
    private long challengeWindow;
    private int challenges;

    /** For the network: whether the connection is in its list of those that want to send. */
    private boolean scheduled;

    private TcpConnection(
            TcpNetwork network,
            TcpConfig config,
            ChunkPool pool,
            TcpApplication application,
            int initialSequence,
            TcpState state,
            long now) {
        this.network = network;
        this.config = config;
        this.pool = pool;
        this.application = application;
        this.state = state;
        // Far enough from 0 that no comparison of 64-bit numbers meets a negative one.
        long initial = (1L << 40) + (initialSequence & 0xFFFF_FFFFL);
        segmentSize = Math.min(DEFAULT_SEGMENT_SIZE, config.maximumSegmentSize());
        sender = new SendQueue(pool, config.sendBuffer(), initial, segmentSize);
        lastHeard = now;
    }

    /** {@return a connection that asks the other side for one} */
    public static TcpConnection open(
            TcpNetwork network,
            TcpConfig config,
            ChunkPool pool,
            TcpApplication application,
            int initialSequence,
            long now) {
        var connection = new TcpConnection(network, config, pool, application, initialSequence, TcpState.SYN_SENT, now);
        network.schedule(connection);
        return connection;
    }

    /** {@return a connection for which the other side has asked; {@link #admit} or {@link #abort} answers} */
    public static TcpConnection accept(
            TcpNetwork network,
            TcpConfig config,
            ChunkPool pool,
            TcpApplication application,
            int initialSequence,
            TcpSegment syn,
            long now) {
        var connection = new TcpConnection(network, config, pool, application, initialSequence, TcpState.HELD, now);
        connection.takeSyn(syn);
        return connection;
    }

    private void takeSyn(TcpSegment syn) {
        var queue = new ReceiveQueue(pool, config.receiveBuffer(), (1L << 40) + (syn.sequence & 0xFFFF_FFFFL) + 1);
        receiver = queue;
        int peerSize = syn.maximumSegmentSize == 0 ? DEFAULT_SEGMENT_SIZE : syn.maximumSegmentSize;
        segmentSize = Math.max(MINIMUM_SEGMENT_SIZE, Math.min(peerSize, config.maximumSegmentSize()));
        sender.setSegmentSize(segmentSize);
        scaling = syn.windowScale >= 0;
        peerScale = scaling ? syn.windowScale : 0;
        queue.setScale(scaling ? OUR_SCALE : 0);
        sackPermitted = syn.sackPermitted;
        sender.initializeWindow(queue.next() - 1, 0, syn.window);
    }

    /** {@return the state} */
    public TcpState state() {
        return state;
    }

    /** {@return octets of data that go into one segment} */
    public int segmentSize() {
        return segmentSize;
    }

    /** {@return whether the network's list of connections that want to send has this one} */
    public boolean isScheduled() {
        return scheduled;
    }

    /** Notes whether the network's list of connections that want to send has this one. */
    public void setScheduled(boolean value) {
        scheduled = value;
    }

    /** Agrees to a connection for which the other side has asked. */
    public void admit() {
        if (state == TcpState.HELD) {
            state = TcpState.SYN_RECEIVED;
            network.schedule(this);
        }
    }

    /** {@return how many octets could be sent now} */
    public int room() {
        return sender.isFinishing() ? 0 : sender.room();
    }

    /**
     * Sends what a channel has, as far as there is room. If there was too little, {@link TcpApplication#writable()} says when to go on.
     *
     * @return how many octets were read; -1 at the channel's end
     */
    public long fill(ScatteringByteChannel channel) throws IOException {
        long read = sender.fill(channel);
        if (read > 0) {
            network.schedule(this);
        }
        if (sender.room() == 0) {
            writableWanted = true;
        }
        return read;
    }

    /** Sends from a buffer, as far as there is room. */
    public int send(ByteBuffer source) {
        int sent = sender.put(source);
        if (sent > 0) {
            network.schedule(this);
        }
        writableWanted |= source.hasRemaining();
        return sent;
    }

    /** Says that nothing more will be sent. The other side may go on. */
    public void finish() {
        if (!sender.isFinishing()) {
            sender.finish();
            network.schedule(this);
        }
    }

    /** Offers to the application again what it didn't take. */
    public void deliver() {
        ReceiveQueue queue = receiver;
        if (queue == null || state == TcpState.CLOSED) {
            return;
        }
        queue.deliver(application);
        tellPeerFinished(queue);
        if (queue.needsUpdate(segmentSize) && !queue.isFinished()) {
            acknowledgeNow = true;
            network.schedule(this);
        }
    }

    /** Resets the connection. The application isn't told. */
    public void abort() {
        if (state == TcpState.CLOSED) {
            return;
        }
        if (state == TcpState.TIME_WAIT || state == TcpState.SYN_SENT) {
            close();
            return;
        }
        resetPending = true;
        network.schedule(this);
    }

    /** Forgets the connection without a word: there is no one any more to tell. */
    public void drop() {
        close();
    }

    private void close() {
        if (state == TcpState.CLOSED) {
            return;
        }
        state = TcpState.CLOSED;
        release();
        network.forget(this);
    }

    private void release() {
        sender.free();
        ReceiveQueue queue = receiver;
        if (queue != null) {
            queue.free();
        }
        retransmitAt = NONE;
        persistAt = NONE;
        acknowledgeAt = NONE;
        keepAliveAt = NONE;
    }

    private void end(TcpApplication.End why) {
        if (state == TcpState.CLOSED || resetPending) {
            return;
        }
        state = TcpState.CLOSED;
        release();
        application.ended(why);
        network.forget(this);
    }

    // ---- what comes in ----

    /** {@return whether a SYN that came for this connection is the begin of a new one (RFC 9293 3.10.7.4, TIME-WAIT)} */
    public boolean isReplacedBy(TcpSegment segment) {
        ReceiveQueue queue = receiver;
        return state == TcpState.TIME_WAIT
                && peerFinishTold
                && segment.opens()
                && queue != null
                && segment.sequence - (int) queue.next() >= 0;
    }

    /** Takes a segment; its data are in the buffer, which must be its own only during the call. */
    public void receive(TcpSegment segment, ByteBuffer buffer, long now) {
        if (state == TcpState.CLOSED || resetPending) {
            return;
        }
        lastHeard = now;
        keepAliveProbes = 0;
        if (state == TcpState.SYN_SENT) {
            receiveInSynSent(segment, now);
            return;
        }
        ReceiveQueue queue = receiver;
        if (queue == null) {
            return;
        }
        long sequence = queue.next() + (segment.sequence - (int) queue.next());
        if (segment.has(Wire.RST)) {
            receiveReset(queue, sequence, now);
            return;
        }
        if (state == TcpState.HELD) {
            return;
        }
        if (segment.has(Wire.SYN)) {
            if (state == TcpState.SYN_RECEIVED && sequence == queue.next() - 1) {
                sender.rewind();
                network.schedule(this);
            } else {
                challenge(now);
            }
            return;
        }
        if (!segment.has(Wire.ACK)) {
            return;
        }
        receiveInWindow(segment, sequence, queue, buffer, now);
    }

    private void receiveInSynSent(TcpSegment segment, long now) {
        long acknowledgment = acknowledged(segment);
        boolean acknowledges = segment.has(Wire.ACK);
        if (acknowledges && (acknowledgment <= sender.initial() || acknowledgment > sender.highest())) {
            // A remainder of an older connection; the network answers it as one for which there is no connection.
            return;
        }
        if (segment.has(Wire.RST)) {
            if (acknowledges) {
                end(TcpApplication.End.RESET);
            }
            return;
        }
        if (!segment.has(Wire.SYN)) {
            return;
        }
        takeSyn(segment);
        if (acknowledges) {
            acknowledge(acknowledgment, now);
            establish(now);
            acknowledgeNow = true;
        } else {
            // Both asked at once (RFC 9293 3.5, figure 7).
            state = TcpState.SYN_RECEIVED;
            sender.rewind();
        }
        network.schedule(this);
    }

    /** {@return whether a segment for a connection in SYN-SENT acknowledges what was never sent, and so is to be reset} */
    public boolean isForeign(TcpSegment segment) {
        long acknowledgment = acknowledged(segment);
        return state == TcpState.SYN_SENT
                && segment.has(Wire.ACK)
                && (acknowledgment <= sender.initial() || acknowledgment > sender.highest());
    }

    private long acknowledged(TcpSegment segment) {
        return sender.unacknowledged() + (segment.acknowledgment - (int) sender.unacknowledged());
    }

    private void receiveReset(ReceiveQueue queue, long sequence, long now) {
        // Only the exact number is believed (RFC 5961 3.2).
        if (sequence == queue.next()) {
            if (state == TcpState.TIME_WAIT && peerFinishTold) {
                close();
            } else {
                end(TcpApplication.End.RESET);
            }
        } else if (sequence > queue.next() && sequence < queue.rightEdge() && state != TcpState.HELD) {
            challenge(now);
        }
    }

    private void challenge(long now) {
        if (now - challengeWindow >= SECOND) {
            challengeWindow = now;
            challenges = 0;
        }
        if (challenges++ < CHALLENGES_PER_SECOND) {
            acknowledgeNow = true;
            network.schedule(this);
        }
    }

    private void receiveInWindow(TcpSegment segment, long sequence, ReceiveQueue queue, ByteBuffer buffer, long now) {
        boolean finish = segment.has(Wire.FIN);
        long end = sequence + segment.dataLength + (finish ? 1 : 0);
        boolean empty = end == sequence;
        boolean useful = true;
        if (sequence > queue.next() && sequence >= queue.rightEdge() && !(empty && sequence == queue.rightEdge())) {
            // Beyond the window: not even the acknowledgment is believed.
            challenge(now);
            return;
        }
        if (!empty && (end <= queue.next() || sequence >= queue.rightEdge())) {
            // All of it is here already, or it is a probe of a closed window.
            acknowledgeNow = true;
            network.schedule(this);
            useful = false;
            if (state == TcpState.TIME_WAIT) {
                timeWaitAt = now + TIME_WAIT;
            }
        } else if (empty && sequence < queue.next()) {
            // A keep-alive, or an old acknowledgment.
            acknowledgeNow |= sequence == queue.next() - 1;
            network.schedule(this);
        }
        long acknowledgment = acknowledged(segment);
        if (state == TcpState.SYN_RECEIVED) {
            if (acknowledgment <= sender.initial() || acknowledgment > sender.highest()) {
                giveUp(TcpApplication.End.RESET);
                return;
            }
            acknowledge(acknowledgment, now);
            sender.initializeWindow(sequence, acknowledgment, (long) segment.window << peerScale);
            establish(now);
            if (state == TcpState.CLOSED || resetPending) {
                return;
            }
        } else if (!takeAcknowledgment(segment, sequence, acknowledgment, empty, now)) {
            return;
        }
        if (useful && (segment.dataLength > 0 || finish)) {
            takeData(segment, sequence, queue, buffer, now);
        }
        if (state != TcpState.CLOSED && sender.isFinishAcknowledged()) {
            finishAcknowledged(now);
        }
    }

    private void establish(long now) {
        state = sender.isFinishing() ? TcpState.FIN_WAIT_1 : TcpState.ESTABLISHED;
        keepAliveAt = now + KEEP_ALIVE_IDLE;
        updateDeadline();
        application.established();
    }

    /** Takes the acknowledgment and the window of a segment; false if the segment is to be ignored. */
    private boolean takeAcknowledgment(
            TcpSegment segment, long sequence, long acknowledgment, boolean empty, long now) {
        if (acknowledgment > sender.highest()) {
            challenge(now);
            return false;
        }
        long window = (long) segment.window << peerScale;
        long oldWindow = sender.window();
        long oldUnacknowledged = sender.unacknowledged();
        if (acknowledgment >= oldUnacknowledged) {
            sender.updateWindow(sequence, acknowledgment, window);
        }
        if (sackPermitted) {
            for (int i = 0; i < segment.blocks; i++) {
                long start = oldUnacknowledged + (segment.blockStarts[i] - (int) oldUnacknowledged);
                long blockEnd = oldUnacknowledged + (segment.blockEnds[i] - (int) oldUnacknowledged);
                sender.addSacked(start, blockEnd);
            }
        }
        if (acknowledgment > oldUnacknowledged) {
            acknowledge(acknowledgment, now);
        } else if (acknowledgment == oldUnacknowledged
                && sender.isInFlight()
                && empty
                && (window == oldWindow || segment.blocks > 0)
                && oldWindow > 0) {
            sender.duplicate();
            network.schedule(this);
        }
        if (oldWindow == 0 && sender.window() > 0) {
            // What the other side dropped as it had no room goes first.
            persistAt = NONE;
            persistBackoff = 0;
            sender.rewind();
        }
        if (sender.window() != oldWindow) {
            network.schedule(this);
        }
        return true;
    }

    private void acknowledge(long number, long now) {
        sender.acknowledge(number);
        timeout.restart();
        persistBackoff = 0;
        if (timedNumber != NONE && number >= timedNumber) {
            timeout.sample(now - timedAt);
            timedNumber = NONE;
        }
        retransmitAt = sender.isInFlight() ? now + timeout.get() : NONE;
        updateDeadline();
        network.schedule(this);
        if (writableWanted && sender.room() >= config.sendBuffer() / 2) {
            writableWanted = false;
            application.writable();
        }
    }

    private void takeData(TcpSegment segment, long sequence, ReceiveQueue queue, ByteBuffer buffer, long now) {
        if (queue.isFinished()) {
            acknowledgeNow = true;
            network.schedule(this);
            return;
        }
        boolean inOrder = true;
        if (segment.dataLength > 0) {
            boolean hadGaps = queue.hasGaps();
            inOrder = queue.accept(sequence, buffer, segment.dataOffset, segment.dataLength, application);
            if (state == TcpState.CLOSED || resetPending) {
                return;
            }
            unacknowledgedOctets += segment.dataLength;
            acknowledgeNow |= !inOrder || hadGaps || unacknowledgedOctets >= 2 * segmentSize;
        }
        if (segment.has(Wire.FIN) && sequence + segment.dataLength <= queue.rightEdge()) {
            queue.finish(sequence + segment.dataLength);
            acknowledgeNow = true;
        } else if (queue.isFinishDue()) {
            queue.finish(queue.next());
            acknowledgeNow = true;
        }
        if (queue.isFinished()) {
            peerFinished(now);
        }
        if (acknowledgeNow) {
            network.schedule(this);
        } else if (acknowledgeAt == NONE) {
            acknowledgeAt = now + DELAYED_ACKNOWLEDGMENT;
            updateDeadline();
        }
    }

    private void peerFinished(long now) {
        switch (state) {
            case ESTABLISHED -> state = TcpState.CLOSE_WAIT;
            case FIN_WAIT_1 -> state = TcpState.CLOSING;
            case FIN_WAIT_2 -> enterTimeWait(now);
            case HELD, SYN_SENT, SYN_RECEIVED, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT, CLOSED -> {
                // It is known already, or can't be.
            }
        }
        ReceiveQueue queue = receiver;
        if (queue != null) {
            tellPeerFinished(queue);
        }
    }

    private void tellPeerFinished(ReceiveQueue queue) {
        if (!peerFinishTold && queue.isDrained() && state != TcpState.CLOSED && !resetPending) {
            peerFinishTold = true;
            application.peerFinished();
            if (state == TcpState.TIME_WAIT) {
                endInTimeWait();
            } else if (state == TcpState.LAST_ACK && sender.isFinishAcknowledged()) {
                end(TcpApplication.End.FINISHED);
            }
        }
    }

    private void finishAcknowledged(long now) {
        switch (state) {
            case FIN_WAIT_1 -> state = TcpState.FIN_WAIT_2;
            case CLOSING -> enterTimeWait(now);
            case LAST_ACK -> {
                // A slow application may still have data to take.
                if (peerFinishTold) {
                    end(TcpApplication.End.FINISHED);
                }
            }
            case HELD, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_2, CLOSE_WAIT, TIME_WAIT, CLOSED -> {
                // It is known already, or can't be.
            }
        }
    }

    private void enterTimeWait(long now) {
        state = TcpState.TIME_WAIT;
        timeWaitAt = now + TIME_WAIT;
        retransmitAt = NONE;
        persistAt = NONE;
        updateDeadline();
        if (peerFinishTold) {
            endInTimeWait();
        }
    }

    /** The application has everything; from now on only the other side may need an answer. */
    private void endInTimeWait() {
        sender.free();
        application.ended(TcpApplication.End.FINISHED);
    }

    // ---- what goes out ----

    /**
     * Sends what is due, at most one large segment.
     *
     * @return whether there is more; false also if the network had no room
     */
    public boolean output(long now) {
        if (state == TcpState.CLOSED || state == TcpState.HELD && !resetPending) {
            return false;
        }
        if (resetPending) {
            // A SYN whose answer doesn't go out will come again.
            if (sendReset() || state == TcpState.HELD) {
                close();
            }
            return false;
        }
        if (state == TcpState.SYN_SENT || state == TcpState.SYN_RECEIVED) {
            if (sender.next() == sender.initial()) {
                sendSyn(now);
            }
            return false;
        }
        int sent = sendData(now);
        if (sent < 0) {
            return false;
        }
        if (sent == 0 && (acknowledgeNow || probePending)) {
            sendAcknowledgment();
        }
        return sent > 0;
    }

    private boolean sendReset() {
        ByteBuffer buffer = network.begin(this, Wire.TCP_HEADER);
        if (buffer == null) {
            return false;
        }
        writeHeader(buffer, sender.highest(), Wire.RST | Wire.ACK, 0, Wire.TCP_HEADER);
        network.end(this, Wire.TCP_HEADER, 0);
        return true;
    }

    private void sendSyn(long now) {
        int length = Wire.TCP_HEADER + SYN_OPTIONS;
        ByteBuffer buffer = network.begin(this, length);
        if (buffer == null) {
            return;
        }
        boolean answer = state == TcpState.SYN_RECEIVED;
        ReceiveQueue queue = receiver;
        int window = queue == null ? Math.min(0xFFFF, config.receiveBuffer()) : queue.advertiseUnscaled();
        int at = buffer.position();
        writeHeader(buffer, sender.initial(), answer ? Wire.SYN | Wire.ACK : Wire.SYN, window, length);
        int option = at + Wire.TCP_HEADER;
        buffer.putInt(option, 2 << 24 | 4 << 16 | config.maximumSegmentSize());
        // Only offered in return for the same offer (RFC 7323 1.3, RFC 2018 2): no-operations stand in.
        boolean scale = !answer || scaling;
        boolean sack = !answer || sackPermitted;
        buffer.putInt(option + 4, scale ? 1 << 24 | 3 << 16 | 3 << 8 | OUR_SCALE : 0x01010101);
        buffer.putInt(option + 8, sack ? 0x01010402 : 0x01010101);
        network.end(this, length, 0);
        if (sender.highest() == sender.initial()) {
            timedNumber = sender.initial() + 1;
            timedAt = now;
        }
        sender.sent(sender.initial() + 1);
        acknowledgeNow = false;
        retransmitAt = now + timeout.get();
        updateDeadline();
    }

    /** {@return 1 if a segment with data or a FIN was sent, 0 if there was none to send, -1 if the network had no room} */
    private int sendData(long now) {
        if (state == TcpState.TIME_WAIT) {
            return 0;
        }
        long lost = sender.lost();
        if (lost >= 0) {
            int length = sender.lostLength(lost);
            boolean finish = sender.isFinishing() && lost + length == sender.dataEnd();
            if (!sendSegment(lost, length, finish)) {
                return -1;
            }
            sender.repaired(lost + length + (finish ? 1 : 0));
            timedNumber = NONE;
            retransmitAt = now + timeout.get();
            updateDeadline();
            return 1;
        }
        if (!sender.isPending()) {
            return 0;
        }
        long from = sender.next();
        boolean probe = probePending && sender.window() == 0;
        int length = probe
                ? (int) Math.min(1, sender.dataEnd() - from)
                : sender.sendable(Math.max(segmentSize, config.maximumPayload() / segmentSize * segmentSize));
        boolean finish = sender.isFinishing() && from + length == sender.dataEnd();
        if (length == 0 && !finish) {
            startPersist(now);
            return 0;
        }
        if (finish && length == 0 && !probe && sender.window() == 0 && from > sender.unacknowledged()) {
            // The FIN waits behind data that the other side has no room for.
            startPersist(now);
            return 0;
        }
        if (!sendSegment(from, length, finish)) {
            return -1;
        }
        probePending = false;
        long end = from + length + (finish ? 1 : 0);
        if (from < sender.highest()) {
            timedNumber = NONE;
        } else if (timedNumber == NONE) {
            timedNumber = end;
            timedAt = now;
        }
        sender.sent(end);
        if (finish) {
            finishSent();
        }
        if (sender.window() == 0) {
            startPersist(now);
        } else if (retransmitAt == NONE) {
            retransmitAt = now + timeout.get();
            updateDeadline();
        }
        return 1;
    }

    private void finishSent() {
        if (state == TcpState.ESTABLISHED) {
            state = TcpState.FIN_WAIT_1;
        } else if (state == TcpState.CLOSE_WAIT) {
            state = TcpState.LAST_ACK;
        }
    }

    private boolean sendSegment(long from, int length, boolean finish) {
        int selective = selectiveLength();
        int options = length + selective <= segmentSize ? selective : 0;
        int header = Wire.TCP_HEADER + options;
        ByteBuffer buffer = network.begin(this, header + length);
        if (buffer == null) {
            return false;
        }
        boolean last = from + length == sender.dataEnd();
        int flags = Wire.ACK | (last && length > 0 ? Wire.PSH : 0) | (finish ? Wire.FIN : 0);
        int at = buffer.position();
        writeAcknowledging(buffer, from, flags, header, options);
        sender.copy(from, length, buffer, at + header);
        network.end(this, header + length, length > segmentSize ? segmentSize : 0);
        return true;
    }

    private void sendAcknowledgment() {
        int options = selectiveLength();
        int length = Wire.TCP_HEADER + options;
        ByteBuffer buffer = network.begin(this, length);
        if (buffer == null) {
            return;
        }
        // A keep-alive carries a number that was acknowledged long ago, so that it must be answered (RFC 9293 3.8.4).
        long sequence = probePending ? sender.unacknowledged() - 1 : Math.max(sender.next(), sender.highest());
        probePending = false;
        writeAcknowledging(buffer, sequence, Wire.ACK, length, options);
        network.end(this, length, 0);
    }

    private int selectiveLength() {
        ReceiveQueue queue = receiver;
        if (!sackPermitted || queue == null || !queue.hasGaps()) {
            return 0;
        }
        return 4 + 8 * queue.blocks(blockStarts, blockEnds, MAXIMUM_BLOCKS);
    }

    private void writeAcknowledging(ByteBuffer buffer, long sequence, int flags, int header, int options) {
        ReceiveQueue queue = receiver;
        int window = queue == null ? 0 : queue.advertise(segmentSize);
        int at = buffer.position();
        writeHeader(buffer, sequence, flags, window, header);
        if (options > 0) {
            int option = at + Wire.TCP_HEADER;
            buffer.putInt(option, 0x0101_0500 | options - 2);
            for (int block = 0; block < (options - 4) / 8; block++) {
                buffer.putInt(option + 4 + 8 * block, (int) blockStarts[block]);
                buffer.putInt(option + 8 + 8 * block, (int) blockEnds[block]);
            }
        }
        acknowledgeNow = false;
        acknowledgeAt = NONE;
        unacknowledgedOctets = 0;
    }

    /** Writes all of the header but the ports and the checksum, which are the network's. */
    private void writeHeader(ByteBuffer buffer, long sequence, int flags, int window, int header) {
        ReceiveQueue queue = receiver;
        int at = buffer.position();
        buffer.putInt(at + Wire.TCP_SEQUENCE, (int) sequence);
        buffer.putInt(at + Wire.TCP_ACKNOWLEDGMENT, queue != null && (flags & Wire.ACK) != 0 ? (int) queue.next() : 0);
        buffer.put(at + Wire.TCP_DATA_OFFSET, (byte) (header << 2));
        buffer.put(at + Wire.TCP_FLAGS, (byte) flags);
        buffer.putShort(at + Wire.TCP_WINDOW, (short) window);
        buffer.putInt(at + Wire.TCP_CHECKSUM, 0);
    }

    // ---- time ----

    private void startPersist(long now) {
        if (sender.window() == 0) {
            retransmitAt = NONE;
            if (persistAt == NONE) {
                persistAt = now + Math.min(MAXIMUM_PERSIST, timeout.get() << Math.min(10, persistBackoff));
            }
            updateDeadline();
        }
    }

    private static long earlier(long a, long b) {
        if (a == NONE || b == NONE) {
            return a == NONE ? b : a;
        }
        return a - b < 0 ? a : b;
    }

    private void updateDeadline() {
        long earliest =
                earlier(earlier(earlier(retransmitAt, persistAt), earlier(acknowledgeAt, keepAliveAt)), timeWaitAt);
        long old = deadline;
        deadline = earliest;
        if (earliest != NONE && (old == NONE || earliest - old < 0)) {
            network.arm(this);
        }
    }

    /** {@return whether the connection waits for a time at all} */
    public boolean hasDeadline() {
        return deadline != NONE;
    }

    /** {@return when {@link #expire} is to be called, if the connection waits for a time} */
    public long deadline() {
        return deadline;
    }

    private static boolean isDue(long time, long now) {
        return time != NONE && time - now <= 0;
    }

    /** Does what is due at that time. */
    public void expire(long now) {
        if (state == TcpState.CLOSED) {
            return;
        }
        if (isDue(timeWaitAt, now)) {
            if (peerFinishTold) {
                close();
                return;
            }
            timeWaitAt = now + TIME_WAIT;
        }
        if (isDue(acknowledgeAt, now)) {
            acknowledgeAt = NONE;
            acknowledgeNow = true;
            network.schedule(this);
        }
        if (isDue(retransmitAt, now)) {
            retransmit(now);
        }
        if (isDue(persistAt, now)) {
            persist(now);
        }
        if (isDue(keepAliveAt, now)) {
            keepAlive(now);
        }
        if (state != TcpState.CLOSED) {
            deadline = NONE;
            updateDeadline();
        }
    }

    private void retransmit(long now) {
        retransmitAt = NONE;
        if (!sender.isInFlight()) {
            return;
        }
        if (network.isWaiting()) {
            // The other side hasn't even looked at what was sent: a machine that is paused, or slow.
            retransmitAt = now + timeout.get();
            return;
        }
        boolean synchronizing = state == TcpState.SYN_SENT || state == TcpState.SYN_RECEIVED;
        if (timeout.attempts() >= (synchronizing ? SYN_ATTEMPTS : DATA_ATTEMPTS)) {
            giveUp(TcpApplication.End.TIMED_OUT);
            return;
        }
        timeout.backOff();
        timedNumber = NONE;
        if (synchronizing) {
            sender.rewind();
        } else {
            sender.timeOut();
        }
        retransmitAt = now + timeout.get();
        network.schedule(this);
    }

    private void giveUp(TcpApplication.End why) {
        abort();
        application.ended(why);
    }

    private void persist(long now) {
        persistAt = NONE;
        if (sender.window() > 0 || !sender.isInFlight() && !sender.isPending()) {
            return;
        }
        sender.rewind();
        if (sender.isPending()) {
            probePending = !network.isWaiting();
            persistBackoff++;
            startPersist(now);
            network.schedule(this);
        }
    }

    private void keepAlive(long now) {
        keepAliveAt = NONE;
        if (state == TcpState.TIME_WAIT) {
            return;
        }
        long idle = now - lastHeard;
        if (idle < KEEP_ALIVE_IDLE || sender.isInFlight() || network.isWaiting()) {
            keepAliveAt = now + Math.max(KEEP_ALIVE_INTERVAL, KEEP_ALIVE_IDLE - idle);
        } else if (keepAliveProbes++ >= KEEP_ALIVE_PROBES) {
            giveUp(TcpApplication.End.TIMED_OUT);
        } else {
            probePending = true;
            keepAliveAt = now + KEEP_ALIVE_INTERVAL;
            network.schedule(this);
        }
    }
}
