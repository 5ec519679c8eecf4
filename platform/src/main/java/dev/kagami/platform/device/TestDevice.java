package dev.kagami.platform.device;

import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.Arrays;
import java.util.List;

/**
 * The small device that bare-metal test kernels expect of a virtual PC.
 *
 * <ul>
 *   <li>ports 0xE0-0xE3: a latch of 32 bits, read and written in pieces of 1, 2 or 4 bytes
 *   <li>ports 0xE8-0xEB: the same latch, whose accesses are split into bytes
 *   <li>ports 0xE4-0xE7: takes the guest-physical address of a page whose host mapping is to be dropped and made again. A
 *       guest can't see that it happened, and here nothing has to happen; reads as 0
 *   <li>ports 0x2000-0x2017: write sets the interrupt line of that number to (value is not 0)
 *   <li>64 KiB of plain memory behind memory-mapped I/O at 0xFF000000
 * </ul>
 */
public final class TestDevice implements StatefulDevice<TestDeviceState> {
    /** First port of the latch. */
    public static final int LATCH_PORT = 0xE0;

    /** First port of the page flush. */
    public static final int FLUSH_PORT = 0xE4;

    /** First port of the bytewise latch. */
    public static final int BYTE_LATCH_PORT = 0xE8;

    /** First port of the interrupt lines. */
    public static final int LINES_PORT = 0x2000;

    /** Guest-physical address of the memory. */
    public static final long MEMORY_ADDRESS = 0xFF00_0000L;

    /** Bytes of memory. */
    public static final int MEMORY_SIZE = 64 << 10;

    private final List<InterruptLine> lines;
    private final byte[] memory = new byte[MEMORY_SIZE];
    private int latch;
    /** The lines that are asserted, a bit each. */
    private long asserted;

    /**
     * Makes the device.
     *
     * @param lines the interrupt lines to drive, by number
     */
    public TestDevice(List<InterruptLine> lines) {
        this.lines = List.copyOf(lines);
    }

    /**
     * Puts the device in its places.
     *
     * @param bus where to
     */
    public void attach(PcBus bus) {
        bus.addPorts(LATCH_PORT, 4, 4, new Latch());
        bus.addPorts(BYTE_LATCH_PORT, 4, 1, new Latch());
        bus.addPorts(FLUSH_PORT, 4, 4, new Flush());
        bus.addPorts(LINES_PORT, lines.size(), 1, new Lines());
        bus.addMmio(MEMORY_ADDRESS, MEMORY_SIZE, 8, new Memory());
    }

    @Override
    public synchronized void reset() {
        latch = 0;
        Arrays.fill(memory, (byte) 0);
        setLines(0);
    }

    private void setLines(long set) {
        asserted = set;
        for (int i = 0; i < lines.size(); i++) {
            lines.get(i).set((set >>> i & 1) != 0);
        }
    }

    @Override
    public Class<TestDeviceState> stateType() {
        return TestDeviceState.class;
    }

    @Override
    public synchronized TestDeviceState state() {
        return new TestDeviceState(latch, memory.clone(), asserted);
    }

    @Override
    public synchronized void setState(TestDeviceState state) {
        if (state.memory().length != MEMORY_SIZE) {
            throw new IllegalArgumentException("the test device has 64 KiB, not " + state.memory().length);
        }
        latch = state.latch();
        System.arraycopy(state.memory(), 0, memory, 0, MEMORY_SIZE);
        setLines(state.lines());
    }

    private final class Latch implements PortDevice {
        @Override
        public int read(int port, int size) {
            synchronized (TestDevice.this) {
                return latch >>> 8 * (port & 3);
            }
        }

        @Override
        public void write(int port, int size, int value) {
            int shift = 8 * (port & 3);
            int mask = (int) ((1L << 8 * size) - 1) << shift;
            synchronized (TestDevice.this) {
                latch = latch & ~mask | value << shift & mask;
            }
        }
    }

    private static final class Flush implements PortDevice {
        @Override
        public int read(int port, int size) {
            return 0;
        }

        @Override
        public void write(int port, int size, int value) {
            // Guest memory is one mapping that stays.
        }
    }

    private final class Lines implements PortDevice {
        @Override
        public int read(int port, int size) {
            return 0xFF;
        }

        @Override
        public void write(int port, int size, int value) {
            synchronized (TestDevice.this) {
                long bit = 1L << port - LINES_PORT;
                setLines(value != 0 ? asserted | bit : asserted & ~bit);
            }
        }
    }

    private final class Memory implements MmioDevice {
        @Override
        public long read(long offset, int size) {
            long value = 0;
            synchronized (TestDevice.this) {
                for (int i = 0; i < size; i++) {
                    value |= (memory[(int) offset + i] & 0xFFL) << 8 * i;
                }
            }
            return value;
        }

        @Override
        public void write(long offset, int size, long value) {
            synchronized (TestDevice.this) {
                for (int i = 0; i < size; i++) {
                    memory[(int) offset + i] = (byte) (value >>> 8 * i);
                }
            }
        }
    }
}
