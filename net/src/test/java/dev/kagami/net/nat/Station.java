package dev.kagami.net.nat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Packets;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A guest that is played by a test: it sends raw frames, and checks lengths and checksums of all that come. */
final class Station {
    static final int GUEST = 0x0A00020F;
    static final int GATEWAY = 0x0A000202;
    static final int NAMES = 0x0A000203;
    static final long MAC = 0x525400123456L;
    static final long GATEWAY_MAC = 0x52550A000202L;
    static final byte[] GUEST6 = Packets.hex("fd000000000000005054 00fffe123456");
    static final byte[] GATEWAY6 = Packets.hex("fd000000000000000000000000000002");

    final EthernetPort port;
    private final Object arrived = new Object();
    private final ArrayDeque<byte[]> unread = new ArrayDeque<>();

    Station(EthernetLink link) {
        port = link.first();
        port.listen(() -> {
            synchronized (arrived) {
                arrived.notifyAll();
            }
        });
    }

    void send(byte[] frame) {
        Frame sent = Packets.frame(port, frame);
        long end = System.nanoTime() + 10_000_000_000L;
        while (!port.send(sent)) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread.onSpinWait();
        }
    }

    void sendIp(byte[] packet) {
        send(Packets.ethernet(GATEWAY_MAC, MAC, (packet[0] >> 4) == 4 ? 0x0800 : 0x86DD, packet));
    }

    /** Answers what every station answers: who has this address? */
    private boolean answerArp(byte[] frame) {
        if (frame[12] == 8
                && frame[13] == 6
                && frame[21] == 1
                && ByteBuffer.wrap(frame).getInt(38) == GUEST) {
            send(Packets.ethernet(
                    GATEWAY_MAC,
                    MAC,
                    0x0806,
                    Packets.join(
                            Packets.hex("0001080006040002"),
                            Packets.hex("525400123456"),
                            Packets.u32(GUEST),
                            Arrays.copyOfRange(frame, 22, 32))));
            return true;
        }
        return false;
    }

    /** {@return the next frame for which that is true, others being kept; null if none comes in that time} */
    byte @Nullable [] await(Predicate<byte[]> wanted, long millis) {
        long end = System.nanoTime() + millis * 1_000_000;
        for (var it = unread.iterator(); it.hasNext(); ) {
            byte[] frame = it.next();
            if (wanted.test(frame)) {
                it.remove();
                return frame;
            }
        }
        while (true) {
            Frame frame = port.receive();
            if (frame != null) {
                byte[] content = Packets.take(frame);
                assertThat(Packets.faultOf(content)).isNull();
                if (answerArp(content)) {
                    continue;
                }
                if (wanted.test(content)) {
                    return content;
                }
                unread.add(content);
                continue;
            }
            long left = (end - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return null;
            }
            synchronized (arrived) {
                if (port.receivable() == 0) {
                    try {
                        arrived.wait(left);
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                }
            }
        }
    }

    /** {@return the payload of the next IPv4 packet of that protocol} */
    byte @Nullable [] awaitIp4(int protocol, Predicate<byte[]> payload, long millis) {
        byte[] frame = await(
                f -> f[12] == 8 && f[13] == 0 && f[23] == protocol && payload.test(Arrays.copyOfRange(f, 34, f.length)),
                millis);
        return frame == null ? null : Arrays.copyOfRange(frame, 34, frame.length);
    }

    void forget() {
        await(frame -> false, 20);
        unread.clear();
    }

    List<byte[]> unread() {
        return new ArrayList<>(unread);
    }

    static int u16(byte[] octets, int at) {
        return ByteBuffer.wrap(octets).getShort(at) & 0xFFFF;
    }

    static int i32(byte[] octets, int at) {
        return ByteBuffer.wrap(octets).getInt(at);
    }

    static String ascii(byte[] octets) {
        return new String(octets, java.nio.charset.StandardCharsets.US_ASCII);
    }
}
