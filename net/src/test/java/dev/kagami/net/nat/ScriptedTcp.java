package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.Packets;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A TCP connection of a guest played segment by segment. It knows nothing of the code under test, only RFC 9293. */
final class ScriptedTcp {
    static final int FIN = 1;
    static final int SYN = 2;
    static final int RST = 4;
    static final int PSH = 8;
    static final int ACK = 16;

    final Station station;
    final int localPort;
    final int remote;
    final int remotePort;
    /** What is sent next. */
    int next;
    /** What is expected next. */
    int expected;
    /** What is advertised, before scaling. */
    int window = 60_000;
    /** The window that the other side advertised last, scaled. */
    int peerWindow;

    int peerScale;
    int peerMss;
    boolean peerSack;

    /** A received segment. */
    record Segment(int sequence, int ack, int flags, int window, byte[] options, byte[] data) {
        boolean has(int mask) {
            return (flags & mask) == mask;
        }
    }

    ScriptedTcp(Station station, int localPort, int remote, int remotePort, int initial) {
        this.station = station;
        this.localPort = localPort;
        this.remote = remote;
        this.remotePort = remotePort;
        next = initial;
    }

    void send(int flags, int sequence, int ack, byte[] options, byte[] data) {
        byte[] segment = Packets.tcp(
                localPort, remotePort, sequence & 0xFFFFFFFFL, ack & 0xFFFFFFFFL, flags, window, options, data);
        byte[] addresses = Packets.join(Packets.u32(Station.GUEST), Packets.u32(remote));
        station.sendIp(Packets.ipv4(Station.GUEST, remote, 6, Packets.checksummed(addresses, 6, segment, 16)));
    }

    /** Sends data at the place where they belong. */
    void data(String text) {
        byte[] data = text.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        send(ACK | PSH, next, expected, new byte[0], data);
        next += data.length;
    }

    void ack() {
        send(ACK, next, expected, new byte[0], new byte[0]);
    }

    void fin() {
        send(ACK | FIN, next, expected, new byte[0], new byte[0]);
        next++;
    }

    @Nullable
    Segment receive(long millis) {
        byte[] payload =
                station.awaitIp4(6, p -> Station.u16(p, 0) == remotePort && Station.u16(p, 2) == localPort, millis);
        if (payload == null) {
            return null;
        }
        int header = (payload[12] & 0xF0) >> 2;
        var segment = new Segment(
                Station.i32(payload, 4),
                Station.i32(payload, 8),
                payload[13] & 0xFF,
                Station.u16(payload, 14),
                Arrays.copyOfRange(payload, 20, header),
                Arrays.copyOfRange(payload, header, payload.length));
        if (segment.has(ACK) && !segment.has(SYN)) {
            peerWindow = segment.window << peerScale;
        }
        return segment;
    }

    Segment expect(long millis) {
        Segment segment = receive(millis);
        assertThat(segment).isNotNull();
        return segment;
    }

    /** Opens the connection with the options of a usual guest. */
    Segment open() {
        send(SYN, next, 0, Packets.hex("020405b4 0402 0101 01030307"), new byte[0]);
        Segment answer = expect(5_000);
        next++;
        if (!answer.has(SYN)) {
            return answer;
        }
        assertThat(answer.flags).isEqualTo(SYN | ACK);
        assertThat(answer.ack).isEqualTo(next);
        expected = answer.sequence + 1;
        parse(answer.options);
        peerWindow = answer.window;
        ack();
        return answer;
    }

    private void parse(byte[] options) {
        for (int at = 0; at < options.length; ) {
            int kind = options[at];
            if (kind == 1) {
                at++;
                continue;
            }
            if (kind == 0) {
                break;
            }
            switch (kind) {
                case 2 -> peerMss = Station.u16(options, at + 2);
                case 3 -> peerScale = options[at + 2];
                case 4 -> peerSack = true;
                default -> throw new AssertionError("option " + kind);
            }
            at += options[at + 1];
        }
    }

    /** {@return that much data, each segment acknowledged; all must come in order, within segments of the agreed size} */
    byte[] read(int length) {
        var data = new ByteArrayOutputStream();
        while (data.size() < length) {
            Segment segment = expect(5_000);
            assertThat(segment.has(ACK)).isTrue();
            assertThat(segment.has(RST)).isFalse();
            if (segment.data.length > 0) {
                assertThat(segment.sequence).isEqualTo(expected);
                assertThat(segment.data.length).isLessThanOrEqualTo(1460);
                expected += segment.data.length;
                data.writeBytes(segment.data);
                assertThat(segment.has(FIN)).isFalse();
                ack();
            }
        }
        return data.toByteArray();
    }

    /** Waits until all that was sent is acknowledged. */
    void awaitAck() {
        Segment segment;
        do {
            segment = expect(5_000);
            assertThat(segment.has(RST)).isFalse();
            assertThat(segment.data).isEmpty();
        } while (segment.ack != next);
    }

    /** Waits for those data, and acknowledges them. */
    void readText(String text) {
        assertThat(new String(read(text.length()), java.nio.charset.StandardCharsets.US_ASCII))
                .isEqualTo(text);
    }

    /** Waits for the other side's FIN, and acknowledges it. */
    void awaitFin() {
        Segment segment;
        do {
            segment = expect(5_000);
            assertThat(segment.has(RST)).isFalse();
        } while (!segment.has(FIN));
        assertThat(segment.sequence).isEqualTo(expected);
        expected++;
        ack();
    }

    /** Waits for a reset, and checks that a guest would believe it. */
    void awaitReset() {
        Segment segment;
        do {
            segment = expect(5_000);
        } while (!segment.has(RST));
        assertThat(segment.sequence).isEqualTo(expected);
    }
}
