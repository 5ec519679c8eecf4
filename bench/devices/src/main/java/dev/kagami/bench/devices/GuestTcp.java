package dev.kagami.bench.devices;

import dev.kagami.net.Gso;
import dev.kagami.net.MacAddress;
import dev.kagami.net.VirtioNetHeader;
import dev.kagami.net.nat.Nat;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.TestMachine;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.Inet4Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * As little of a guest's TCP as moves data in bulk over a network that loses nothing (RFC 9293): segments of 62 KB for the
 * device to cut up, one acknowledgment for all that has come, no timers. Payload is neither written nor read.
 */
final class GuestTcp {
    private static final int RECEIVE = 0;
    private static final int TRANSMIT = 1;
    private static final int PAGE = 4096;

    /** Offsets in a frame: IPv4 header (RFC 791), TCP header (RFC 9293), payload. */
    private static final int IP = 14;

    private static final int TCP = IP + 20;
    private static final int PAYLOAD = TCP + 20;
    private static final int OPTIONS = 8;
    private static final int CHECKSUM_OFFSET = 16;

    private static final int SEGMENT = 62_000;
    private static final int MAXIMUM_SEGMENT_SIZE = 1460;
    private static final int SYN = 2;
    private static final int ACK = 0x10;
    private static final int WINDOW_SHIFT = 7;
    /** The window that is advertised, before it is shifted: 4 MiB. */
    private static final int WINDOW = 0x8000;

    private static final int LOCAL_PORT = 2000;
    private static final int SLOTS = 64;

    private final TestMachine machine;
    private final MemorySegment ram;
    private final ByteBuffer ramBuffer;
    private final DriverQueue transmit;
    private final DriverQueue receive;
    private final int address;
    private final int gateway;
    private final long[] headers = new long[SLOTS];
    private final long payload;
    private final int[] slotOfHead = new int[1024];
    private final int[] freeSlots = new int[SLOTS];
    private int freeCount;
    private final long[] bufferOfHead = new long[1024];
    private final byte[] ethernet = new byte[IP];

    private int remotePort;
    private boolean established;
    private int sendNext = 1000;
    private int sendUnacknowledged = sendNext;
    private int sendWindow;
    private int sendWindowShift;
    private int receiveNext;
    private long received;
    private boolean owesAcknowledgment;
    /** Buffers of a frame that are still to come. */
    private int buffersLeft;

    GuestTcp(TestMachine machine, SyntheticDriver driver, MacAddress mac, Nat nat) {
        this.machine = machine;
        ram = machine.memory().segment();
        ramBuffer = ram.asByteBuffer().order(ByteOrder.BIG_ENDIAN);
        transmit = driver.queue(TRANSMIT);
        receive = driver.queue(RECEIVE);
        address = number(nat.config().firstGuest());
        gateway = number(nat.config().gateway());
        payload = machine.allocate(SEGMENT, PAGE);
        for (int i = 0; i < SLOTS; i++) {
            headers[i] = machine.allocate(VirtioNetHeader.LENGTH + PAYLOAD + OPTIONS, 16);
            freeSlots[freeCount++] = i;
        }
        ByteBuffer.wrap(ethernet)
                .putLong(0, nat.mac().value() << 16 | mac.value() >>> 32)
                .putInt(8, (int) mac.value())
                .putShort(12, (short) 0x0800);
        long buffers = machine.allocate((long) receive.size() * PAGE, PAGE);
        for (int i = 0; i < receive.size(); i++) {
            long buffer = buffers + (long) i * PAGE;
            bufferOfHead[receive.begin().in(buffer, PAGE).add()] = buffer;
        }
        receive.kick();
    }

    private static int number(Inet4Address address) {
        return ByteBuffer.wrap(address.getAddress()).getInt();
    }

    /** Opens the connection. */
    void connect(int port) {
        remotePort = port;
        segment(SYN, 0);
        sendNext++;
        transmit.kick();
        while (!established) {
            take(Polling.await(receive));
        }
        acknowledge();
    }

    /** Sends so many bytes, until they are acknowledged. */
    void send(long bytes) {
        long left = bytes;
        while (left > 0 || sendNext != sendUnacknowledged) {
            boolean idle = !takeAll();
            while (left > 0 && mayAdd()) {
                int length = (int) Math.min(left, SEGMENT);
                if (sendNext - sendUnacknowledged + length > sendWindow) {
                    break;
                }
                segment(ACK, length);
                sendNext += length;
                left -= length;
                idle = false;
            }
            if (idle) {
                take(Polling.await(receive));
            } else {
                transmit.kick();
            }
        }
    }

    /** Receives at least so many bytes. */
    void receive(long bytes) {
        received = 0;
        while (received < bytes) {
            take(Polling.await(receive));
            takeAll();
            if (owesAcknowledgment && buffersLeft == 0) {
                acknowledge();
            }
        }
    }

    private void acknowledge() {
        owesAcknowledgment = false;
        while (!mayAdd()) {
            Thread.onSpinWait();
        }
        segment(ACK, 0);
        transmit.kick();
    }

    private boolean mayAdd() {
        int head = transmit.poll();
        while (head >= 0) {
            freeSlots[freeCount++] = slotOfHead[head];
            head = transmit.poll();
        }
        return freeCount > 0;
    }

    /** Puts a segment into the ring, its payload in pages as those of a socket's buffer are. */
    private void segment(int flags, int length) {
        int slot = freeSlots[--freeCount];
        int options = (flags & SYN) != 0 ? OPTIONS : 0;
        int at = (int) machine.memory().offsetOf(headers[slot]);
        virtioHeader(at, length);
        int frame = at + VirtioNetHeader.LENGTH;
        MemorySegment.copy(ethernet, 0, ram, ValueLayout.JAVA_BYTE, frame, IP);
        int total = 40 + options + length;
        ramBuffer.putInt(frame + IP, 0x4500_0000 | total).putInt(frame + IP + 4, 0x4000);
        ramBuffer.putInt(frame + IP + 8, 0x4006_0000).putInt(frame + IP + 12, address);
        ramBuffer.putInt(frame + IP + 16, gateway);
        ramBuffer.putShort(frame + IP + 10, (short) ~sum(frame + IP, 20));
        ramBuffer.putInt(frame + TCP, LOCAL_PORT << 16 | remotePort).putInt(frame + TCP + 4, sendNext);
        ramBuffer.putInt(frame + TCP + 8, receiveNext);
        ramBuffer.putInt(frame + TCP + 12, (20 + options) / 4 << 28 | flags << 16 | WINDOW);
        // The device adds the rest to the pseudo header's sum.
        ramBuffer.putInt(frame + TCP + 16, fold(sum(frame + IP + 12, 8) + 6 + total - 20) << 16);
        if (options != 0) {
            ramBuffer.putInt(frame + PAYLOAD, 0x0204_0000 | MAXIMUM_SEGMENT_SIZE);
            ramBuffer.putInt(frame + PAYLOAD + 4, 0x0103_0300 | WINDOW_SHIFT);
        }
        transmit.begin().out(headers[slot], VirtioNetHeader.LENGTH + PAYLOAD + options);
        for (int done = 0; done < length; done += PAGE) {
            transmit.out(payload + done, Math.min(PAGE, length - done));
        }
        slotOfHead[transmit.add()] = slot;
        owesAcknowledgment = false;
    }

    /** The header in front of a frame (virtio 1.2, 5.1.6): the checksum is left to the device, and so is cutting up. */
    private void virtioHeader(int at, int length) {
        boolean large = length > MAXIMUM_SEGMENT_SIZE;
        machine.memory().writeByte(at, 1);
        machine.memory().writeByte(at + 1, large ? Gso.TCPV4.code() : Gso.NONE.code());
        machine.memory().writeShort(at + 2, PAYLOAD);
        machine.memory().writeShort(at + 4, large ? MAXIMUM_SEGMENT_SIZE : 0);
        machine.memory().writeShort(at + 6, TCP);
        machine.memory().writeShort(at + 8, CHECKSUM_OFFSET);
        machine.memory().writeShort(at + 10, 0);
    }

    private int sum(int at, int length) {
        int sum = 0;
        for (int i = 0; i < length; i += 2) {
            sum += ramBuffer.getShort(at + i) & 0xFFFF;
        }
        return fold(sum);
    }

    private static int fold(int sum) {
        int once = (sum & 0xFFFF) + (sum >>> 16);
        return (once & 0xFFFF) + (once >>> 16);
    }

    /** {@return whether anything had come} */
    private boolean takeAll() {
        boolean any = false;
        int head = receive.poll();
        while (head >= 0) {
            take(head);
            any = true;
            head = receive.poll();
        }
        return any;
    }

    /** Takes a buffer of a frame and gives it back to the device. */
    private void take(int head) {
        long buffer = bufferOfHead[head];
        if (buffersLeft > 0) {
            buffersLeft--;
        } else {
            int at = (int) machine.memory().offsetOf(buffer);
            buffersLeft = (machine.memory().readShort(buffer + 10) & 0xFFFF) - 1;
            int frame = at + VirtioNetHeader.LENGTH;
            if (ramBuffer.getShort(frame + 12) == 0x0806) {
                answerArp(frame);
            } else if (ramBuffer.getShort(frame + 12) == 0x0800 && ramBuffer.get(frame + IP + 9) == 6) {
                takeSegment(frame);
            }
        }
        bufferOfHead[receive.begin().in(buffer, PAGE).add()] = buffer;
        receive.kick();
    }

    private void takeSegment(int frame) {
        int flags = ramBuffer.getInt(frame + TCP + 12);
        int length = (ramBuffer.getShort(frame + IP + 2) & 0xFFFF) - 20 - (flags >>> 28) * 4;
        int sequence = ramBuffer.getInt(frame + TCP + 4);
        if ((flags >> 16 & SYN) != 0) {
            receiveNext = sequence + 1;
            for (int option = frame + PAYLOAD; option < frame + TCP + (flags >>> 28) * 4; ) {
                int kind = ramBuffer.get(option);
                if (kind == 3) {
                    sendWindowShift = ramBuffer.get(option + 2);
                }
                option += kind <= 1 ? 1 : ramBuffer.get(option + 1);
            }
            established = true;
            sendWindow = flags & 0xFFFF;
        } else {
            if (sequence != receiveNext) {
                throw new IllegalStateException("a segment was lost");
            }
            receiveNext += length;
            received += length;
            owesAcknowledgment |= length > 0;
            sendWindow = (flags & 0xFFFF) << sendWindowShift;
        }
        sendUnacknowledged = ramBuffer.getInt(frame + TCP + 8);
    }

    /** Says where the guest is (RFC 826); the answer is made of the question. */
    private void answerArp(int question) {
        if (ramBuffer.getInt(question + 38) != address || !mayAdd()) {
            return;
        }
        int slot = freeSlots[--freeCount];
        int at = (int) machine.memory().offsetOf(headers[slot]);
        ram.asSlice(at, VirtioNetHeader.LENGTH).fill((byte) 0);
        int frame = at + VirtioNetHeader.LENGTH;
        MemorySegment.copy(ethernet, 0, ram, ValueLayout.JAVA_BYTE, frame, IP);
        ramBuffer.putShort(frame + 12, (short) 0x0806);
        ramBuffer.putLong(frame + 14, 0x0001_0800_0604_0002L);
        MemorySegment.copy(ethernet, 6, ram, ValueLayout.JAVA_BYTE, frame + 22, 6);
        ramBuffer.putInt(frame + 28, address);
        MemorySegment.copy(ram, question + 22, ram, frame + 32, 10);
        slotOfHead[
                transmit.begin().out(headers[slot], VirtioNetHeader.LENGTH + 42).add()] = slot;
        transmit.kick();
    }
}
