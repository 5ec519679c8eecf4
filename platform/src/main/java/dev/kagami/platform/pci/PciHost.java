package dev.kagami.platform.pci;

import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.InterruptRouter;
import dev.kagami.platform.bus.Mapping;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A PCI host bridge with bus 0: configuration ports (PCI 3.0, 3.2.2.3.2), memory-mapped configuration space, and 31
 * places for functions. The bridge itself is device 0.
 *
 * <p>The doubleword port 0xCF8 shares its addresses with the byte-wide reset control register at 0xCF9, so the bridge
 * passes everything but doublewords on.
 *
 * <p>Thread-safe.
 */
public final class PciHost implements PortDevice, StatefulDevice<PciHostState> {
    /** Port that takes the address of a configuration register. */
    public static final int ADDRESS_PORT = 0xCF8;

    /** First of the four ports that access the register. */
    public static final int DATA_PORT = 0xCFC;

    /** Number of devices on the bus. */
    public static final int SLOTS = 32;

    private static final int PORTS = 4;
    private static final int ADDRESS_ENABLE = 1 << 31;
    private static final int ADDRESS_WRITABLE = ADDRESS_ENABLE | 0xFF_FFFC;
    private static final int FUNCTION_SHIFT = 8;
    private static final int SLOT_SHIFT = 11;
    private static final int BUS_SHIFT = 16;
    private static final int REGISTER_MASK = 0xFC;
    private static final int MMIO_FUNCTION_SHIFT = 12;
    private static final int MMIO_REGISTER_MASK = 0xFFF;

    /** A bridge that no kernel has a workaround for: the generic PCI Express host bridge of virtual machines. */
    private static final PciIdentity IDENTITY = new PciIdentity(0x1B36, 0x0008, 0, 0x06_0000, 0x1AF4, 0x1100);

    private final @Nullable PciFunction[] slots = new PciFunction[SLOTS];
    private final PcBus bus;
    private final InterruptRouter router;
    private final PciLayout layout;
    private final PortDevice narrow;
    private long lowNext;
    private long highNext;
    private int address;

    /**
     * Makes the bridge and puts it on the bus.
     *
     * @param bus where ports and windows go
     * @param router where interrupt pins go
     * @param layout where windows may be
     * @param narrow who answers accesses to {@link #ADDRESS_PORT} and the next three ports that aren't doublewords, byte
     *     by byte
     */
    public PciHost(PcBus bus, InterruptRouter router, PciLayout layout, PortDevice narrow) {
        this.bus = bus;
        this.router = router;
        this.layout = layout;
        this.narrow = narrow;
        this.lowNext = layout.lowStart();
        this.highNext = layout.highStart();
        bus.addPorts(ADDRESS_PORT, PORTS, 4, this);
        bus.addPorts(DATA_PORT, PORTS, 4, this);
        bus.addMmio(PciLayout.CONFIGURATION_START, PciLayout.CONFIGURATION_SIZE, 4, new MappedConfiguration());
        put(0, new PciFunction(IDENTITY, false, () -> {}));
    }

    /** {@return where PCI is in the address space} */
    public PciLayout layout() {
        return layout;
    }

    /**
     * Puts a function into the first free place. Not while the machine runs.
     *
     * @param function the function
     * @return its device number, 1 to 31
     * @throws IllegalStateException when the bus is full, or there are no addresses left for its windows
     */
    public synchronized int add(PciFunction function) {
        for (int slot = 1; slot < SLOTS; slot++) {
            if (slots[slot] == null) {
                put(slot, function);
                return slot;
            }
        }
        throw new IllegalStateException("the PCI bus is full: " + (SLOTS - 1) + " devices");
    }

    private void put(int slot, PciFunction function) {
        int line = PciLayout.interruptOf(slot);
        InterruptLine source = slot == 0 ? InterruptLine.UNCONNECTED : router.source(line);
        function.connect(this, source, line);
        slots[slot] = function;
    }

    /** Gives a window its first address; called while a function is put on the bus. */
    long allocate(PciBar bar) {
        // Narrow kernels can't reach the high window, so only what doesn't fit goes there.
        boolean high = bar.wide() && bar.size() > layout.lowSize() / SLOTS;
        long start = Math.ceilDiv(high ? highNext : lowNext, bar.size()) * bar.size();
        if (!layout.contains(start, bar.size())) {
            throw new IllegalStateException("no addresses left for a PCI window of %#x bytes".formatted(bar.size()));
        }
        if (high) {
            highNext = start + bar.size();
        } else {
            lowNext = start + bar.size();
        }
        return start;
    }

    /** {@return the mapping of a window, or null when its addresses aren't the bridge's or are taken} */
    @Nullable
    Mapping map(long start, PciBar bar) {
        if (!layout.contains(start, bar.size())) {
            return null;
        }
        try {
            return bus.addMmio(start, bar.size(), bar.maxAccess(), bar.device());
        } catch (IllegalArgumentException e) {
            // The guest has put two windows on one place. The first keeps it until one of them moves.
            return null;
        }
    }

    /** Looks for windows that found their place taken. */
    synchronized void addressesFreed(PciFunction by) {
        for (PciFunction function : slots) {
            if (function != null && function != by) {
                function.mapWindows();
            }
        }
    }

    @Override
    public synchronized void reset() {
        address = 0;
        for (PciFunction function : slots) {
            if (function != null) {
                function.reset();
            }
        }
    }

    @Override
    public Class<PciHostState> stateType() {
        return PciHostState.class;
    }

    @Override
    public synchronized PciHostState state() {
        List<PciHostState.Function> functions = new ArrayList<>();
        for (int slot = 0; slot < SLOTS; slot++) {
            PciFunction function = slots[slot];
            if (function != null) {
                functions.add(function.state(slot));
            }
        }
        return new PciHostState(address, functions);
    }

    @Override
    public synchronized void setState(PciHostState state) {
        long present = Arrays.stream(slots).filter(Objects::nonNull).count();
        if (state.functions().size() != present) {
            throw new IllegalArgumentException("%d PCI functions, not %d"
                    .formatted(present, state.functions().size()));
        }
        address = state.address() & ADDRESS_WRITABLE;
        for (PciHostState.Function saved : state.functions()) {
            PciFunction function = saved.slot() >= 0 && saved.slot() < SLOTS ? slots[saved.slot()] : null;
            if (function == null) {
                throw new IllegalArgumentException("a PCI function in place " + saved.slot());
            }
            function.setState(saved);
        }
    }

    @Override
    public synchronized int read(int port, int size) {
        if (port >= DATA_PORT) {
            return (address & ADDRESS_ENABLE) == 0
                    ? -1
                    : readRegister(address >> FUNCTION_SHIFT & 0xFFFF, address & REGISTER_MASK | port & 3, size);
        }
        if (size == 4) {
            return address;
        }
        int value = 0;
        for (int i = 0; i < size; i++) {
            value |= (narrow.read(port + i, 1) & 0xFF) << 8 * i;
        }
        return value;
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        if (port >= DATA_PORT) {
            if ((address & ADDRESS_ENABLE) != 0) {
                writeRegister(address >> FUNCTION_SHIFT & 0xFFFF, address & REGISTER_MASK | port & 3, size, value);
            }
        } else if (size == 4) {
            address = value & ADDRESS_WRITABLE;
        } else {
            for (int i = 0; i < size; i++) {
                narrow.write(port + i, 1, value >>> 8 * i & 0xFF);
            }
        }
    }

    private @Nullable PciFunction find(int busDeviceFunction) {
        // One bus, one function a device.
        boolean exists = busDeviceFunction >> BUS_SHIFT - FUNCTION_SHIFT == 0 && (busDeviceFunction & 7) == 0;
        return exists ? slots[busDeviceFunction >> SLOT_SHIFT - FUNCTION_SHIFT] : null;
    }

    private synchronized int readRegister(int busDeviceFunction, int register, int size) {
        PciFunction function = find(busDeviceFunction);
        if (function == null) {
            return -1;
        }
        if (register + size > PciFunction.SIZE) {
            // No function has extended capabilities.
            return 0;
        }
        if ((register & size - 1) == 0) {
            return function.read(register, size);
        }
        int value = 0;
        for (int i = 0; i < size; i++) {
            value |= (function.read(register + i, 1) & 0xFF) << 8 * i;
        }
        return value;
    }

    private synchronized void writeRegister(int busDeviceFunction, int register, int size, int value) {
        PciFunction function = find(busDeviceFunction);
        if (function == null || register + size > PciFunction.SIZE) {
            return;
        }
        if ((register & size - 1) == 0) {
            function.write(register, size, value);
            return;
        }
        for (int i = 0; i < size; i++) {
            function.write(register + i, 1, value >>> 8 * i);
        }
    }

    /** The memory-mapped configuration space: 4 KiB a function (PCI Express 2.0, 7.2.2). */
    private final class MappedConfiguration implements MmioDevice {
        @Override
        public long read(long offset, int size) {
            return readRegister((int) offset >> MMIO_FUNCTION_SHIFT, (int) offset & MMIO_REGISTER_MASK, size);
        }

        @Override
        public void write(long offset, int size, long value) {
            writeRegister((int) offset >> MMIO_FUNCTION_SHIFT, (int) offset & MMIO_REGISTER_MASK, size, (int) value);
        }
    }
}
