package dev.kagami.virtio.throughput;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.RawImage;
import dev.kagami.net.EthernetLink;
import dev.kagami.net.EthernetPort;
import dev.kagami.net.Frame;
import dev.kagami.net.Gso;
import dev.kagami.net.MacAddress;
import dev.kagami.net.PortListener;
import dev.kagami.net.ReceiveOffload;
import dev.kagami.virtio.DriverQueue;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.TestMachine;
import dev.kagami.virtio.disk.DiskConfig;
import dev.kagami.virtio.disk.DiskDevice;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * Measures what the devices' own code costs, with a driver in place of a guest: 4 KiB random reads, 1 MiB sequential reads
 * and writes, and TCP-like segments of 64 KiB in both directions. Prints one line a measurement. Not a test.
 */
public final class VirtioThroughput {
    private static final long SECOND = 1_000_000_000L;
    private static final long RUN = 3 * SECOND;
    private static final long DISK = 256L << 20;
    private static final int SMALL = 4096;
    private static final int LARGE = 1 << 20;
    private static final int SMALL_DEPTH = 32;
    private static final int LARGE_DEPTH = 8;
    private static final int SEGMENT = 62_000;
    private static final int HEADER = 12;

    private VirtioThroughput() {}

    /**
     * Runs all measurements.
     *
     * @param arguments a directory for the disk image; by default the one for temporary files
     * @throws IOException when the image can't be made
     */
    public static void main(String[] arguments) throws IOException {
        Path directory = Path.of(arguments.length > 0 ? arguments[0] : System.getProperty("java.io.tmpdir"));
        Path image = Files.createTempFile(directory, "kagami-throughput", ".raw");
        try {
            fill(image);
            for (int round = 0; round < 3; round++) {
                measureDisk(image);
                measureTransmit();
                measureReceive();
            }
        } finally {
            Files.delete(image);
        }
    }

    private static void fill(Path image) throws IOException {
        byte[] block = new byte[LARGE];
        new SplittableRandom(1).nextBytes(block);
        try (var out = Files.newOutputStream(image)) {
            for (long done = 0; done < DISK; done += block.length) {
                out.write(block);
            }
        }
    }

    private static void measureDisk(Path image) {
        try (TestMachine machine = new TestMachine();
                BlockDevice disk = BlockDevice.synchronous(RawImage.open(image, true))) {
            SyntheticDriver driver =
                    new SyntheticDriver(machine, machine.addPci(new DiskDevice(DiskConfig.of(disk, "bench"))));
            driver.start();
            DiskLoad small = new DiskLoad(machine, driver, SMALL, SMALL_DEPTH);
            double reads = small.run(0, true);
            System.out.printf("disk 4k random read    %8.0f IOPS%n", reads);
            double writes = small.run(1, true);
            System.out.printf("disk 4k random write   %8.0f IOPS%n", writes);
            machine.freeAll();
            driver.start();
            DiskLoad large = new DiskLoad(machine, driver, LARGE, LARGE_DEPTH);
            System.out.printf("disk 1M sequential read  %6.2f GB/s%n", large.run(0, false) * LARGE / 1e9);
            System.out.printf("disk 1M sequential write %6.2f GB/s%n", large.run(1, false) * LARGE / 1e9);
        }
    }

    /** A queue kept full of requests. */
    private static final class DiskLoad {
        private final TestMachine machine;
        private final DriverQueue queue;
        private final int size;
        private final int depth;
        private final long[] headers;
        private final long[] data;
        private final long[] status;
        private final int[] slotOfHead = new int[1024];
        private final SplittableRandom random = new SplittableRandom(7);
        private long next;

        DiskLoad(TestMachine machine, SyntheticDriver driver, int size, int depth) {
            this.machine = machine;
            this.queue = driver.queue(0);
            this.size = size;
            this.depth = depth;
            headers = new long[depth];
            data = new long[depth];
            status = new long[depth];
            for (int i = 0; i < depth; i++) {
                headers[i] = machine.allocate(16, 16);
                data[i] = machine.allocate(size, 4096);
                status[i] = machine.allocate(1, 16);
            }
        }

        private void add(int slot, int type, boolean randomly) {
            long block = randomly ? random.nextLong(DISK / size) : next++ % (DISK / size);
            machine.memory().writeInt(headers[slot], type);
            machine.memory().writeLong(headers[slot] + 8, block * size / 512);
            queue.begin().out(headers[slot], 16);
            if (type == 0) {
                queue.in(data[slot], size);
            } else {
                queue.out(data[slot], size);
            }
            slotOfHead[queue.in(status[slot], 1).add()] = slot;
        }

        /** {@return requests a second} */
        double run(int type, boolean randomly) {
            for (int slot = 0; slot < depth; slot++) {
                add(slot, type, randomly);
            }
            queue.kick();
            long start = System.nanoTime();
            long done = 0;
            long now = start;
            int idle = 0;
            while (now - start < RUN) {
                int head = queue.poll();
                if (head < 0) {
                    if (++idle % 64 == 0) {
                        now = System.nanoTime();
                        // There may be no core to spare for waiting.
                        Thread.yield();
                    }
                    Thread.onSpinWait();
                    continue;
                }
                int slot = slotOfHead[head];
                if (machine.memory().readByte(status[slot]) != 0) {
                    throw new AssertionError("a request failed");
                }
                done++;
                add(slot, type, randomly);
                queue.kick();
                if (done % 64 == 0) {
                    now = System.nanoTime();
                }
            }
            for (int rest = 0; rest < depth; rest++) {
                queue.await();
            }
            return done * 1e9 / (now - start);
        }
    }

    private static void header(TestMachine machine, long at) {
        machine.memory().writeByte(at, 1);
        machine.memory().writeByte(at + 1, 1);
        machine.memory().writeShort(at + 2, 54);
        machine.memory().writeShort(at + 4, 1460);
        machine.memory().writeShort(at + 6, 34);
        machine.memory().writeShort(at + 8, 16);
    }

    private static byte[] packet() {
        byte[] packet = new byte[SEGMENT];
        packet[12] = 8;
        packet[14] = 0x45;
        packet[16] = (byte) (SEGMENT - 14 >> 8);
        packet[17] = (byte) (SEGMENT - 14);
        packet[20] = 0x40;
        packet[23] = 6;
        packet[46] = 0x50;
        return packet;
    }

    private static void measureTransmit() {
        EthernetLink link = new EthernetLink();
        EthernetPort peer = link.second();
        peer.setReceiveOffloads(EnumSet.allOf(ReceiveOffload.class));
        try (TestMachine machine = new TestMachine()) {
            SyntheticDriver driver = new SyntheticDriver(
                    machine, machine.addPci(new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.random()))));
            driver.start();
            Drain drain = new Drain(peer);
            peer.listen(drain);
            drain.start();
            long area = machine.allocate(HEADER + SEGMENT, 4096);
            header(machine, area);
            machine.memory().write(area + HEADER, packet());
            DriverQueue queue = driver.queue(1);
            int outstanding = 0;
            long done = 0;
            long start = System.nanoTime();
            long now = start;
            while (now - start < RUN) {
                while (outstanding < 64 && addPieces(queue, area, HEADER + SEGMENT)) {
                    outstanding++;
                }
                queue.kick();
                while (queue.poll() >= 0) {
                    outstanding--;
                    done++;
                }
                Thread.onSpinWait();
                now = System.nanoTime();
            }
            drain.end();
            System.out.printf("net guest to network   %8.2f Gbit/s%n", done * 8e0 * SEGMENT / (now - start));
        }
    }

    /** Adds a packet in pages, as the pieces of a socket buffer are. */
    private static boolean addPieces(DriverQueue queue, long area, int length) {
        queue.begin();
        for (int done = 0; done < length; done += SMALL) {
            queue.out(area + done, Math.min(SMALL, length - done));
        }
        return queue.add() >= 0;
    }

    /** Takes frames as a NAT would, on a thread of its own. */
    private static final class Drain implements PortListener {
        private final EthernetPort port;
        private final Thread thread = new Thread(this::run, "drain");
        private volatile boolean ended;

        Drain(EthernetPort port) {
            this.port = port;
        }

        void start() {
            thread.start();
        }

        void end() {
            ended = true;
            LockSupport.unpark(thread);
        }

        @Override
        public void readable() {
            LockSupport.unpark(thread);
        }

        private void run() {
            while (!ended) {
                Frame frame = port.receive();
                if (frame == null) {
                    LockSupport.park(this);
                } else {
                    frame.release();
                }
            }
        }
    }

    private static void measureReceive() {
        EthernetLink link = new EthernetLink();
        EthernetPort peer = link.second();
        try (TestMachine machine = new TestMachine()) {
            SyntheticDriver driver = new SyntheticDriver(
                    machine, machine.addPci(new NetworkDevice(NetworkConfig.of(link.first(), MacAddress.random()))));
            driver.start();
            DriverQueue queue = driver.queue(0);
            int count = queue.size();
            long[] bufferOfHead = new long[count];
            long buffers = machine.allocate((long) count * SMALL, SMALL);
            for (int i = 0; i < count; i++) {
                bufferOfHead[queue.begin().in(buffers + (long) i * SMALL, SMALL).add()] = buffers + (long) i * SMALL;
            }
            queue.kick();
            Feed feed = new Feed(peer);
            peer.listen(feed);
            feed.start();
            long bytes = 0;
            long start = System.nanoTime();
            long now = start;
            int idle = 0;
            while (now - start < RUN) {
                int head = queue.poll();
                if (head < 0) {
                    if (++idle % 64 == 0) {
                        Thread.yield();
                    }
                    Thread.onSpinWait();
                } else {
                    bytes += queue.lastLength();
                    long buffer = bufferOfHead[head];
                    bufferOfHead[queue.begin().in(buffer, SMALL).add()] = buffer;
                    queue.kick();
                }
                now = System.nanoTime();
            }
            feed.end();
            System.out.printf("net network to guest   %8.2f Gbit/s%n", bytes * 8e0 / (now - start));
        }
    }

    /** Sends frames as fast as the link takes them. */
    private static final class Feed implements PortListener {
        private final EthernetPort port;
        private final Thread thread = new Thread(this::run, "feed");
        private volatile boolean ended;

        Feed(EthernetPort port) {
            this.port = port;
        }

        void start() {
            thread.start();
        }

        void end() {
            ended = true;
            LockSupport.unpark(thread);
        }

        @Override
        public void readable() {}

        @Override
        public void writable() {
            LockSupport.unpark(thread);
        }

        private void run() {
            byte[] packet = packet();
            while (!ended) {
                if (!port.canSend()) {
                    LockSupport.park(this);
                    continue;
                }
                Frame frame = port.allocate(SEGMENT);
                frame.buffer().put(0, packet);
                frame.setPartialChecksum(34, 16);
                frame.setGso(Gso.TCPV4, 1460);
                port.send(frame);
            }
        }
    }
}
