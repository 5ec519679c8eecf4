package dev.kagami.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** The queues of a link, and what it does for ends that take no offloads. */
class EthernetLinkTest {
    private static final int GUEST = 0x0A00020F;
    private static final int GATEWAY = 0x0A000202;

    private final EthernetLink link = new EthernetLink();

    /** Counts what it is told. */
    private static final class Counter implements PortListener {
        final AtomicInteger readable = new AtomicInteger();
        final AtomicInteger writable = new AtomicInteger();
        final List<Boolean> changes = new ArrayList<>();

        @Override
        public void readable() {
            readable.incrementAndGet();
        }

        @Override
        public void writable() {
            writable.incrementAndGet();
        }

        @Override
        public void linkChanged(boolean up) {
            changes.add(up);
        }
    }

    private static byte[] random(int length) {
        byte[] data = new byte[length];
        new Random(length).nextBytes(data);
        return data;
    }

    private static Frame largeTcp(EthernetPort port, int payload, int mss, boolean version6) {
        byte[] options = Packets.hex("0101080a0000000100000002");
        byte[] segment = Packets.tcp(1000, 80, 0xFFFF_F000L, 77, 0x19, 5000, options, random(payload));
        byte[] packet;
        byte[] addresses;
        if (version6) {
            byte[] a = Packets.hex("fd00000000000000 0000000000000015");
            byte[] b = Packets.hex("fd00000000000000 0000000000000002");
            packet = Packets.ipv6(a, b, 6, segment);
            addresses = Packets.join(a, b);
        } else {
            packet = Packets.ipv4(GUEST, GATEWAY, 6, segment);
            addresses = Packets.join(Packets.u32(GUEST), Packets.u32(GATEWAY));
        }
        byte[] content = Packets.ethernet(0x525400000001L, 0x525400000002L, version6 ? 0x86DD : 0x0800, packet);
        Frame frame = Packets.frame(port, content);
        int transport = 14 + packet.length - segment.length;
        int pseudo = Packets.sum(Packets.join(addresses, Packets.u32(segment.length), Packets.u32(6)));
        frame.buffer().putShort(transport + 16, (short) pseudo);
        frame.setPartialChecksum(transport, 16);
        frame.setGso(version6 ? Gso.TCPV6 : Gso.TCPV4, mss);
        return frame;
    }

    @Test
    void framesArriveInOrderAndTheListenerIsToldOncePerBurst() {
        var counter = new Counter();
        link.second().listen(counter);
        for (int i = 0; i < 10; i++) {
            Frame frame = link.first().allocate(60 + i);
            assertThat(link.first().send(frame)).isTrue();
        }
        assertThat(counter.readable).hasValue(1);
        assertThat(link.second().receivable()).isEqualTo(10);
        for (int i = 0; i < 10; i++) {
            assertThat(link.second().receive().length()).isEqualTo(60 + i);
        }
        assertThat(link.second().receive()).isNull();
        assertThat(link.first().statistics().framesSent()).isEqualTo(10);
        assertThat(link.second().statistics().bytesReceived()).isEqualTo(645);
    }

    @Test
    void aFullQueueRefusesAndSaysWhenThereIsRoom() {
        var counter = new Counter();
        link.first().listen(counter);
        int sent = 0;
        Frame refused;
        while (link.first().send(refused = link.first().allocate(60))) {
            sent++;
        }
        assertThat(sent).isEqualTo(EthernetLink.QUEUE_FRAMES);
        assertThat(link.first().canSend()).isFalse();
        while (counter.writable.get() == 0) {
            link.second().receive().release();
        }
        assertThat(link.second().receivable()).isEqualTo(sent / 2);
        assertThat(link.first().send(refused)).isTrue();
        assertThat(counter.writable).hasValue(1);
    }

    @Test
    void largeFramesFillAQueueByTheirMemory() {
        int sent = 0;
        while (link.first().send(link.first().allocate(60_000))) {
            sent++;
        }
        assertThat(sent * 65_536L).isBetween((long) EthernetLink.QUEUE_BYTES, EthernetLink.QUEUE_BYTES + 200_000L);
    }

    @Test
    void aLinkThatIsDownThrowsAwayAndTellsBothEnds() {
        var counter = new Counter();
        link.first().listen(counter);
        link.second().listen(counter);
        assertThat(link.first().send(link.first().allocate(60))).isTrue();
        link.setUp(false);
        link.setUp(false);
        assertThat(link.second().receive()).isNull();
        assertThat(link.first().send(link.first().allocate(60))).isTrue();
        assertThat(link.second().receive()).isNull();
        assertThat(link.first().statistics().discarded()).isEqualTo(2);
        link.setUp(true);
        assertThat(counter.changes).containsExactly(false, false, true, true);
    }

    @Test
    void aLargeSegmentCrossesWholeToAnEndThatTakesIt() {
        link.second().setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        link.first().send(largeTcp(link.first(), 60_000, 1448, false));
        Frame frame = link.second().receive();
        assertThat(frame.gso()).isEqualTo(Gso.TCPV4);
        assertThat(frame.length()).isEqualTo(14 + 20 + 32 + 60_000);
        assertThat(link.second().receive()).isNull();
    }

    @Test
    void aLargeSegmentIsCutForAnEndThatTakesNothing() {
        for (boolean version6 : new boolean[] {false, true}) {
            Frame large = largeTcp(link.first(), 10_000, 1448, version6);
            byte[] data = random(10_000);
            assertThat(link.first().send(large)).isTrue();
            int header = 14 + (version6 ? 40 : 20) + 32;
            long sequence = 0xFFFF_F000L;
            int at = 0;
            Frame frame;
            while ((frame = link.second().receive()) != null) {
                assertThat(frame.isChecksumPartial()).isFalse();
                byte[] content = Packets.take(frame);
                assertThat(Packets.faultOf(content)).isNull();
                int payload = content.length - header;
                assertThat(payload).isEqualTo(Math.min(1448, 10_000 - at));
                assertThat(Arrays.copyOfRange(content, header, content.length))
                        .isEqualTo(Arrays.copyOfRange(data, at, at + payload));
                var buffer = java.nio.ByteBuffer.wrap(content);
                assertThat(buffer.getInt(header - 32 + 4)).isEqualTo((int) sequence);
                // FIN and PSH are the last one's.
                assertThat(content[header - 32 + 13]).isEqualTo((byte) (at + payload == 10_000 ? 0x19 : 0x10));
                at += payload;
                sequence += payload;
            }
            assertThat(at).isEqualTo(10_000);
        }
    }

    @Test
    void aLargeDatagramIsCutIntoDatagrams() {
        byte[] packet = Packets.udp4(GUEST, 5, GATEWAY, 6, random(5_000));
        Frame frame = Packets.frame(link.first(), Packets.ethernet(1, 2, 0x0800, packet));
        byte[] addresses = Packets.join(Packets.u32(GUEST), Packets.u32(GATEWAY));
        frame.buffer().putShort(14 + 20 + 6, (short)
                Packets.sum(Packets.join(addresses, Packets.u32(5_008), Packets.u32(17))));
        frame.setPartialChecksum(34, 6);
        frame.setGso(Gso.UDP, 1_200);
        link.first().send(frame);
        var sizes = new ArrayList<Integer>();
        while ((frame = link.second().receive()) != null) {
            byte[] content = Packets.take(frame);
            assertThat(Packets.faultOf(content)).isNull();
            sizes.add(content.length - 42);
        }
        assertThat(sizes).containsExactly(1200, 1200, 1200, 1200, 200);
    }

    @Test
    void onlyThePartialChecksumIsLeftWhenAnEndTakesThat() {
        link.second().setReceiveOffloads(Set.of(ReceiveOffload.CHECKSUM));
        link.first().send(largeTcp(link.first(), 3_000, 1448, false));
        for (int i = 0; i < 3; i++) {
            Frame frame = link.second().receive();
            assertThat(frame.isChecksumPartial()).isTrue();
            assertThat(frame.gso()).isEqualTo(Gso.NONE);
            Segmenter.completeChecksum(frame);
            assertThat(Packets.faultOf(Packets.take(frame))).isNull();
        }
    }

    @Test
    void offloadsThatContradictTheFrameAreRefused() {
        link.second().setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        Frame tooShort = link.first().allocate(13);
        Frame checksumOutside = link.first().allocate(60);
        checksumOutside.setPartialChecksum(50, 9);
        Frame inEthernetHeader = link.first().allocate(60);
        inEthernetHeader.setPartialChecksum(4, 0);
        Frame notTcp = link.first().allocate(200);
        notTcp.setPartialChecksum(34, 16);
        notTcp.setGso(Gso.TCPV4, 100);
        Frame tiny = largeTcp(link.first(), 10_000, 1, false);
        Frame otherVersion = largeTcp(link.first(), 10_000, 1448, true);
        otherVersion.setGso(Gso.TCPV4, 1448);
        for (Frame frame : List.of(tooShort, checksumOutside, inEthernetHeader, notTcp, tiny, otherVersion)) {
            assertThat(link.first().send(frame)).isTrue();
        }
        assertThat(link.second().receive()).isNull();
        assertThat(link.first().statistics().malformed()).isEqualTo(6);
    }

    @Test
    void randomHeadersAndFramesNeverThrow() {
        var random = new Random(42);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment header = arena.allocate(VirtioNetHeader.LENGTH);
            for (int i = 0; i < 300_000; i++) {
                Frame frame;
                if (random.nextInt(3) == 0) {
                    frame = largeTcp(link.first(), random.nextInt(3_000), 1448, random.nextBoolean());
                } else {
                    frame = link.first().allocate(random.nextInt(200));
                    for (int at = 0; at < frame.length(); at++) {
                        frame.buffer().put(at, (byte) random.nextInt());
                    }
                }
                int changes = random.nextInt(4);
                if (random.nextInt(3) > 0) {
                    VirtioNetHeader.write(frame, header, 0, 1);
                } else {
                    header.asByteBuffer().putInt(0, random.nextInt() & 0xFF070103);
                    header.asByteBuffer().putLong(4, random.nextLong() & 0x07FF00FF00FF00FFL);
                }
                for (int c = 0; c < changes; c++) {
                    header.set(java.lang.foreign.ValueLayout.JAVA_BYTE, random.nextInt(VirtioNetHeader.LENGTH), (byte)
                            random.nextInt(random.nextBoolean() ? 8 : 256));
                    if (frame.length() > 60) {
                        frame.buffer().put(12 + random.nextInt(48), (byte) random.nextInt());
                    }
                }
                if (random.nextInt(10) == 0) {
                    link.second()
                            .setReceiveOffloads(random.nextBoolean() ? Set.of() : EnumSet.allOf(ReceiveOffload.class));
                }
                if (VirtioNetHeader.read(header, 0, frame)) {
                    assertThat(link.first().send(frame)).isTrue();
                } else {
                    frame.release();
                }
                while ((frame = link.second().receive()) != null) {
                    VirtioNetHeader.write(frame, header, 0, 1);
                    frame.release();
                }
            }
        }
    }

    @Test
    void twoThreadsPassAMillionFramesWithoutLoss() throws InterruptedException {
        int frames = 1_000_000;
        Thread receiver = new Thread(() -> {
            int next = 0;
            while (next < frames) {
                Frame frame = link.second().receive();
                if (frame == null) {
                    LockSupport.parkNanos(1_000_000);
                } else {
                    assertThat(frame.buffer().getInt(20)).isEqualTo(next++);
                    frame.release();
                }
            }
        });
        Thread sender = Thread.currentThread();
        link.second().listen(() -> LockSupport.unpark(receiver));
        link.first().listen(new PortListener() {
            @Override
            public void readable() {}

            @Override
            public void writable() {
                LockSupport.unpark(sender);
            }
        });
        receiver.start();
        for (int i = 0; i < frames; i++) {
            Frame frame = link.first().allocate(60);
            frame.buffer().putInt(20, i);
            while (!link.first().send(frame)) {
                LockSupport.parkNanos(100_000_000);
            }
        }
        receiver.join(20_000);
        assertThat(receiver.isAlive()).isFalse();
    }
}
