package dev.kagami.virtio.network;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.MacAddress;
import dev.kagami.net.PortListener;
import dev.kagami.net.ReceiveOffload;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.util.EnumSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class NetworkDeviceTest extends VirtioContractTest {
    private static final int HEADER = 12;
    private static final MacAddress MAC = MacAddress.parse("52:54:00:12:34:56");
    private static final byte[] MAC_BYTES = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    private static final byte[] BROADCAST = {-1, -1, -1, -1, -1, -1};
    private static final byte[] GROUP = {1, 0, 0x5E, 0, 0, 1};
    private static final byte[] OTHER = {2, 0, 0, 0, 0, 9};

    private final EthernetLink link = new EthernetLink();
    private final EthernetPort peer = link.second();

    NetworkDeviceTest() {
        peer.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
    }

    @Override
    protected VirtioDevice create() {
        return new NetworkDevice(NetworkConfig.of(link.first(), MAC));
    }

    /** The receive queue is only looked at while a frame waits. */
    @Override
    protected int servedQueue(int number) {
        return Math.max(number, NetworkDevice.TRANSMIT);
    }

    private Frame frame(byte[] destination, int length, long seed) {
        byte[] content = new byte[length];
        new Random(seed).nextBytes(content);
        System.arraycopy(destination, 0, content, 0, 6);
        content[12] = (byte) 0x88;
        content[13] = (byte) 0xB5;
        Frame frame = peer.allocate(length);
        frame.buffer().put(0, content);
        return frame;
    }

    private static byte[] content(Frame frame) {
        byte[] content = new byte[frame.length()];
        frame.buffer().get(0, content);
        return content;
    }

    private byte[] bytes(long address, int length) {
        byte[] bytes = new byte[length];
        machine.memory().read(address, bytes, 0, length);
        return bytes;
    }

    private Frame awaitFrame() {
        SyntheticDriver.await("a frame", () -> peer.receivable() > 0);
        return peer.receive();
    }

    private void drainPeer() {
        Frame frame;
        while ((frame = peer.receive()) != null) {
            frame.release();
        }
    }

    /** Gives the card receive buffers one after the other in memory. */
    private long addBuffers(SyntheticDriver driver, int count, int size) {
        long first = machine.allocate((long) count * size, 16);
        for (int i = 0; i < count; i++) {
            driver.queue(0).begin().in(first + (long) i * size, size).add();
        }
        driver.queue(0).kick();
        return first;
    }

    @Override
    protected void exerciseAgain(SyntheticDriver driver) {
        // Of the four buffers one was used.
        for (int i = 0; i < 3; i++) {
            assertThat(peer.send(frame(MAC_BYTES, 100, i))).isTrue();
            driver.queue(0).await();
        }
        exercise(driver);
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        drainPeer();
        long buffers = addBuffers(driver, 4, 2048);
        Frame sent = frame(MAC_BYTES, 1514, 1);
        byte[] expected = content(sent);
        assertThat(peer.send(sent)).isTrue();
        driver.queue(0).await();
        // Frames from an earlier life of the device may come first.
        while (driver.queue(0).lastLength() != HEADER + 1514) {
            driver.queue(0).await();
        }
        long at = find(buffers, expected);
        assertThat(machine.memory().readShort(at + 10)).isEqualTo(1);

        long packet = machine.allocate(2048, 16);
        machine.memory().write(packet + HEADER, expected);
        driver.queue(1)
                .begin()
                .out(packet, HEADER)
                .out(packet + HEADER, 14)
                .out(packet + 26, 1500)
                .add();
        driver.queue(1).kick();
        driver.queue(1).await();
        Frame received = awaitFrame();
        assertThat(content(received)).isEqualTo(expected);
        received.release();
    }

    private long find(long buffers, byte[] expected) {
        for (int i = 0; i < 4; i++) {
            if (java.util.Arrays.equals(bytes(buffers + 2048L * i + HEADER, expected.length), expected)) {
                return buffers + 2048L * i;
            }
        }
        throw new AssertionError("the frame isn't in any buffer");
    }

    @Test
    void configurationDescribesTheCard() {
        SyntheticDriver driver = new SyntheticDriver(
                        machine, machine.addPci(new NetworkDevice(new NetworkConfig(link.first(), MAC, 9000))))
                .start();
        byte[] mac = new byte[6];
        for (int i = 0; i < 6; i++) {
            mac[i] = (byte) driver.transport().config(i, 1);
        }
        assertThat(mac).isEqualTo(MAC_BYTES);
        assertThat(driver.transport().config(6, 2)).as("link is up").isEqualTo(1);
        assertThat(driver.transport().config(10, 2)).as("MTU").isEqualTo(9000);
    }

    @Test
    void cableTellsTheDriver() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        link.setUp(false);
        assertThat(driver.transport().config(6, 2)).isZero();
        assertThat(driver.transport().configInterrupts()).isEqualTo(1);
        link.setUp(true);
        assertThat(driver.transport().config(6, 2)).isEqualTo(1);
        exercise(driver);
    }

    @Test
    void largeFramesAreSpreadOverBuffers() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Frame sent = tcp(60_000);
        byte[] expected = content(sent);
        assertThat(peer.send(sent)).isTrue();
        long buffers = addBuffers(driver, 10, 1500);
        Thread.onSpinWait();
        assertThat(driver.queue(0).poll()).as("not enough buffers yet").isEqualTo(-1);
        addBuffers(driver, 1, 1500);
        long more = addBuffers(driver, 40, 1500);
        assertThat(more).isGreaterThan(buffers);
        int count = (60_000 + HEADER + 1499) / 1500;
        long total = 0;
        for (int i = 0; i < count; i++) {
            driver.queue(0).await();
            total += driver.queue(0).lastLength();
        }
        assertThat(total).isEqualTo(60_000 + HEADER);
        assertThat(machine.memory().readShort(buffers + 10)).as("buffers").isEqualTo(count);
        assertThat(machine.memory().readByte(buffers)).as("needs checksum").isEqualTo(1);
        assertThat(machine.memory().readByte(buffers + 1)).as("TCP over IPv4").isEqualTo(1);
        assertThat(machine.memory().readShort(buffers + 4)).as("segment size").isEqualTo(1460);
        assertThat(bytes(buffers + HEADER, 1488)).isEqualTo(java.util.Arrays.copyOf(expected, 1488));
    }

    /** A frame that is to be cut into TCP segments. */
    private Frame tcp(int length) {
        Frame frame = peer.allocate(length);
        for (int i = 0; i < length; i++) {
            frame.buffer().put(i, (byte) i);
        }
        frame.buffer().put(0, MAC_BYTES);
        frame.buffer().putShort(12, (short) 0x0800);
        frame.buffer().put(14, (byte) 0x45);
        frame.buffer().putShort(16, (short) (length - 14));
        frame.buffer().putShort(20, (short) 0x4000);
        frame.buffer().put(23, (byte) 6);
        frame.buffer().put(46, (byte) 0x50);
        frame.setPartialChecksum(34, 16);
        frame.setGso(Gso.TCPV4, 1460);
        return frame;
    }

    @Test
    void withoutOffloadsFramesAreCut() {
        long without = Features.of(
                NetworkDevice.FEATURE_GUEST_CHECKSUM,
                NetworkDevice.FEATURE_GUEST_TSO4,
                NetworkDevice.FEATURE_MERGEABLE);
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start(~without, 64);
        long buffers = addBuffers(driver, 10, 2048);
        assertThat(peer.send(tcp(5 * 1460 + 54))).isTrue();
        for (int i = 0; i < 5; i++) {
            driver.queue(0).await();
            assertThat(driver.queue(0).lastLength()).isEqualTo(HEADER + 1514);
            assertThat(machine.memory().readShort(buffers + 2048L * i)).isZero();
            assertThat(machine.memory().readShort(buffers + 2048L * i + 10)).isEqualTo(1);
        }
    }

    @Test
    void guestsSegmentsCrossWhole() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        Frame model = tcp(50_000);
        long packet = machine.allocate(64 << 10, 4096);
        machine.memory().writeByte(packet, 1);
        machine.memory().writeByte(packet + 1, 1);
        machine.memory().writeShort(packet + 2, 54);
        machine.memory().writeShort(packet + 4, 1460);
        machine.memory().writeShort(packet + 6, 34);
        machine.memory().writeShort(packet + 8, 16);
        machine.memory().write(packet + HEADER, content(model));
        driver.queue(1)
                .begin()
                .out(packet, 100)
                .out(packet + 100, 30_000)
                .out(packet + 30_100, 50_012 - 30_100)
                .add();
        driver.queue(1).kick();
        Frame received = awaitFrame();
        assertThat(received.gso()).isEqualTo(Gso.TCPV4);
        assertThat(received.gsoSize()).isEqualTo(1460);
        assertThat(received.isChecksumPartial()).isTrue();
        assertThat(content(received)).isEqualTo(content(model));
    }

    @Test
    void networkWithoutRoomHoldsTheGuestBack() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        long packet = machine.allocate(128, 16);
        DriverQueue queue = driver.queue(1);
        int sent = 0;
        int done = 0;
        long deadline = System.nanoTime() + 300_000_000L;
        while (System.nanoTime() < deadline) {
            while (queue.begin().out(packet, HEADER + 60).add() >= 0) {
                sent++;
            }
            queue.kick();
            while (queue.poll() >= 0) {
                done++;
            }
        }
        assertThat(done).as("stopped").isLessThan(sent).isLessThanOrEqualTo(EthernetLink.QUEUE_FRAMES + 1);
        int received = 0;
        while (received < sent) {
            awaitFrame().release();
            received++;
        }
        while (done < sent) {
            queue.await();
            done++;
        }
        assertThat(peer.receivable()).isZero();
    }

    private boolean command(SyntheticDriver driver, byte[] command) {
        long area = machine.allocate(command.length + 1L, 16);
        machine.memory().write(area, command);
        machine.memory().writeByte(area + command.length, 0xFF);
        driver.queue(2)
                .begin()
                .out(area, 2)
                .out(area + 2, command.length - 2)
                .in(area + command.length, 1)
                .add();
        driver.queue(2).kick();
        driver.queue(2).await();
        return machine.memory().readByte(area + command.length) == 0;
    }

    @Test
    void filterFollowsTheControlQueue() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        addBuffers(driver, 100, 256);
        assertThat(receives(driver, OTHER)).as("promiscuous at first").isTrue();
        assertThat(command(driver, new byte[] {0, 0, 0})).isTrue();
        assertThat(receives(driver, OTHER)).isFalse();
        assertThat(receives(driver, MAC_BYTES)).isTrue();
        assertThat(receives(driver, BROADCAST)).isTrue();
        assertThat(receives(driver, GROUP)).isFalse();
        assertThat(command(driver, new byte[] {0, 1, 1})).as("all multicast").isTrue();
        assertThat(receives(driver, GROUP)).isTrue();
        assertThat(command(driver, new byte[] {0, 1, 0})).isTrue();
        byte[] table = {1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 1, 0, 0x5E, 0, 0, 1};
        assertThat(command(driver, table)).isTrue();
        assertThat(receives(driver, GROUP)).isTrue();
        assertThat(receives(driver, OTHER)).isTrue();
        assertThat(command(driver, new byte[] {1, 0, -1, -1, -1, -1, 0, 0}))
                .as("a wrong count")
                .isFalse();
        assertThat(command(driver, new byte[] {1, 1, 2, 0, 0, 0, 0, 9}))
                .as("address")
                .isTrue();
        assertThat(driver.transport().config(5, 1)).isEqualTo(9);
        assertThat(command(driver, new byte[] {0, 99, 0})).isFalse();
        assertThat(command(driver, new byte[] {99, 0, 0})).isFalse();
        assertThat(command(driver, new byte[] {5, 0, 2, 0, 0, 0, 0, 0, 0, 0}))
                .as("offloads")
                .isTrue();
        assertThat(peer.peerOffloads()).containsExactly(ReceiveOffload.CHECKSUM);
    }

    @Test
    void driverThatHasReadTheAddressKeepsItInARestoredMachine() {
        SyntheticDriver before = new SyntheticDriver(machine, machine.addPci(create()));
        before.negotiate(-1L);
        SyntheticDriver driver = before.movedTo(machine.addPci(
                new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.parse("52:54:00:65:43:21")))));
        machine.moveDevice(0, 1);
        assertThat(driver.transport().config(5, 1)).isEqualTo(0x56);
        driver.setUpQueues(Integer.MAX_VALUE);
        driver.ready();
        addBuffers(driver, 100, 256);
        assertThat(command(driver, new byte[] {0, 0, 0})).as("not promiscuous").isTrue();
        assertThat(receives(driver, MAC_BYTES)).isTrue();
        driver.negotiate(-1L);
        assertThat(driver.transport().config(5, 1)).as("after a reset").isEqualTo(0x21);
        machine.moveDevice(0, 1);
        assertThat(driver.transport().config(5, 1)).isEqualTo(0x56);
    }

    @Test
    void driverThatHasNotBegunSeesTheRestoredMachinesAddress() {
        machine.addPci(create());
        SyntheticDriver driver = new SyntheticDriver(
                machine,
                machine.addPci(
                        new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.parse("52:54:00:65:43:21")))));
        machine.moveDevice(0, 1);
        assertThat(driver.transport().config(5, 1)).isEqualTo(0x21);
    }

    /** {@return whether a frame arrives, before another one that surely does} */
    private boolean receives(SyntheticDriver driver, byte[] destination) {
        peer.send(frame(destination, 60, 1));
        peer.send(frame(BROADCAST, 61, 2));
        driver.queue(0).await();
        if (driver.queue(0).lastLength() == HEADER + 61) {
            return false;
        }
        driver.queue(0).await();
        return true;
    }

    @Test
    void wrongFramesAreDroppedAndTheCardGoesOn() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        long packet = machine.allocate(1 << 20, 16);
        for (int length : new int[] {1, 11, 12, 20, 1 << 20}) {
            driver.queue(1).begin().out(packet, length).add();
            driver.queue(1).kick();
            driver.queue(1).await();
        }
        machine.memory().writeByte(packet + 1, 99);
        driver.queue(1).begin().out(packet, 100).add();
        driver.queue(1).kick();
        driver.queue(1).await();
        assertThat(driver.needsReset()).isFalse();
        exercise(driver);
    }

    @Test
    void receiveBuffersThatCannotBeWrittenNeedAReset() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        driver.queue(0).begin().out(machine.allocate(2048, 16), 2048).add();
        driver.queue(0).kick();
        peer.send(frame(MAC_BYTES, 100, 1));
        SyntheticDriver.await("needs reset", driver::needsReset);
        machine.freeAll();
        exercise(driver.start());
    }

    @Test
    void interruptsAndNotificationsAreFew() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        peer.listen(new PortListener() {
            @Override
            public void readable() {}
        });
        long packet = machine.allocate(128, 16);
        DriverQueue queue = driver.queue(1);
        queue.disableInterrupts();
        int before = driver.transport().interrupts(1);
        for (int i = 0; i < 200; i++) {
            queue.begin().out(packet, 100).add();
            queue.kick();
        }
        for (int i = 0; i < 200; i++) {
            queue.await();
        }
        assertThat(driver.transport().interrupts(1)).isEqualTo(before);
    }
}
