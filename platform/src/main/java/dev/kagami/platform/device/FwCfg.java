package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The firmware configuration device, as far as bare-metal test kernels read it: how many CPUs and how much memory there
 * are (QEMU, docs/specs/fw_cfg.rst). A guest writes an item's key to port 0x510, 16 bits wide, and reads the item byte by
 * byte at port 0x511; after its last byte, and for keys that there aren't, it reads zeroes. There are neither files nor
 * DMA, which item 1 says.
 */
public final class FwCfg implements PortDevice, StatefulDevice<FwCfgState> {
    /** Where the key is written. */
    public static final int SELECTOR_PORT = 0x510;

    /** Where the item is read. */
    public static final int DATA_PORT = 0x511;

    /** Number of ports. */
    public static final int PORTS = 2;

    private static final int SIGNATURE = 0x00;
    private static final int INTERFACE = 0x01;
    private static final int MEMORY_SIZE = 0x03;
    private static final int PROCESSORS = 0x05;
    private static final int MAX_PROCESSORS = 0x0F;

    /** Item 1, bit 0: there are these two ports; bit 1, the DMA interface, is clear. */
    private static final int PORTS_ONLY = 1;

    private static final byte[] NOTHING = {};

    private final int processors;
    private final long memory;
    private int selected;
    private byte[] item = NOTHING;
    private int position;

    /**
     * Makes the device.
     *
     * @param processors number of CPUs
     * @param memory bytes of RAM, wherever it lies
     */
    public FwCfg(int processors, long memory) {
        this.processors = processors;
        this.memory = memory;
        reset();
    }

    @Override
    public synchronized void reset() {
        select(SIGNATURE);
    }

    @Override
    public Class<FwCfgState> stateType() {
        return FwCfgState.class;
    }

    @Override
    public synchronized FwCfgState state() {
        return new FwCfgState(selected, position);
    }

    @Override
    public synchronized void setState(FwCfgState state) {
        select(state.key());
        position = Math.clamp(state.position(), 0, item.length);
    }

    @Override
    public synchronized int read(int port, int size) {
        if (port != DATA_PORT || position >= item.length) {
            return 0;
        }
        return item[position++];
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        // The key is one word; a single byte at either port is nothing.
        if (size == Short.BYTES) {
            select(value);
        }
    }

    private void select(int key) {
        selected = key & 0xFFFF;
        item = content(selected);
        position = 0;
    }

    private byte[] content(int key) {
        return switch (key) {
            case SIGNATURE -> "QEMU".getBytes(StandardCharsets.US_ASCII);
            case INTERFACE -> number(Integer.BYTES, PORTS_ONLY);
            case MEMORY_SIZE -> number(Long.BYTES, memory);
            case PROCESSORS, MAX_PROCESSORS -> number(Short.BYTES, processors);
            default -> NOTHING;
        };
    }

    private static byte[] number(int size, long value) {
        byte[] bytes = ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
        return Arrays.copyOf(bytes, size);
    }
}
