package dev.kagami.platform.pci;

import dev.kagami.platform.bus.Device;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.Mapping;
import dev.kagami.platform.bus.MmioDevice;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The configuration space of a type-0 function (PCI 3.0, 6.1) with memory windows and capabilities, and its interrupt pin.
 *
 * <p>Windows and capabilities are added before the function is put on a {@link PciHost}. Thread-safe from then on.
 */
public final class PciFunction implements Device {
    /** Bytes of a conventional configuration space. */
    public static final int SIZE = 256;

    private static final int VENDOR = 0x00;
    private static final int COMMAND = 0x04;
    private static final int STATUS = 0x06;
    private static final int REVISION = 0x08;
    private static final int CACHE_LINE = 0x0C;
    private static final int LATENCY = 0x0D;
    private static final int BARS = 0x10;
    private static final int BARS_END = BARS + 4 * PciBar.COUNT;
    private static final int SUBSYSTEM_VENDOR = 0x2C;
    private static final int CAPABILITIES = 0x34;
    private static final int INTERRUPT_LINE = 0x3C;
    private static final int INTERRUPT_PIN = 0x3D;
    private static final int HEADER_END = 0x40;

    private static final int COMMAND_MEMORY = 1 << 1;
    private static final int COMMAND_MASTER = 1 << 2;
    private static final int COMMAND_PARITY = 1 << 6;
    private static final int COMMAND_SYSTEM_ERROR = 1 << 8;
    private static final int COMMAND_NO_INTERRUPT = 1 << 10;
    private static final int COMMAND_WRITABLE =
            COMMAND_MEMORY | COMMAND_MASTER | COMMAND_PARITY | COMMAND_SYSTEM_ERROR | COMMAND_NO_INTERRUPT;
    private static final int STATUS_INTERRUPT = 1 << 3;
    private static final int STATUS_CAPABILITIES = 1 << 4;
    private static final int BAR_64_BITS = 1 << 2;
    private static final int BAR_PREFETCHABLE = 1 << 3;
    private static final long BAR_FLAGS = 0xF;
    private static final int PIN_A = 1;

    private final Registers registers = new Registers(SIZE);
    private final List<Window> windows = new ArrayList<>();
    private final List<Placed> capabilities = new ArrayList<>();
    private final Runnable deviceReset;
    private final Object pinLock = new Object();
    private Runnable commandListener = () -> {};
    private InterruptLine pin = InterruptLine.UNCONNECTED;
    private boolean pinWanted;
    private boolean pinDisabled;
    private volatile boolean busMaster;
    private @Nullable PciHost host;
    private int capabilitiesEnd = HEADER_END;

    /**
     * Makes a function without windows and capabilities.
     *
     * @param identity what it says it is
     * @param usesPin whether it has the interrupt pin INTA
     * @param deviceReset takes the device behind it back to its state after power-on
     */
    public PciFunction(PciIdentity identity, boolean usesPin, Runnable deviceReset) {
        this.deviceReset = deviceReset;
        registers.define(VENDOR, 4, identity.vendorId() | identity.deviceId() << 16, 0);
        registers.define(COMMAND, 2, 0, COMMAND_WRITABLE);
        registers.define(REVISION, 4, identity.revision() | identity.classCode() << 8, 0);
        registers.define(CACHE_LINE, 1, 0, 0xFF);
        registers.define(LATENCY, 1, 0, 0xFF);
        registers.define(SUBSYSTEM_VENDOR, 4, identity.subsystemVendorId() | identity.subsystemId() << 16, 0);
        registers.define(INTERRUPT_LINE, 1, 0xFF, 0xFF);
        registers.define(INTERRUPT_PIN, 1, usesPin ? PIN_A : 0, 0);
    }

    /**
     * Adds a window.
     *
     * @param bar the window
     * @return this
     * @throws IllegalArgumentException when its register is taken
     */
    public PciFunction add(PciBar bar) {
        for (Window window : windows) {
            int first = window.bar.index();
            if (bar.index() <= first + (window.bar.wide() ? 1 : 0) && first <= bar.index() + (bar.wide() ? 1 : 0)) {
                throw new IllegalArgumentException("base address register " + bar.index() + " is taken");
            }
        }
        windows.add(new Window(bar));
        return this;
    }

    /**
     * Adds a capability behind those that are there.
     *
     * @param capability the capability
     * @return its place in the configuration space
     * @throws IllegalArgumentException when there is no room
     */
    public int add(PciCapability capability) {
        int start = capabilitiesEnd;
        int end = start + (capability.length() + 3 & ~3);
        if (end > SIZE) {
            throw new IllegalArgumentException("no room for capability " + capability.id());
        }
        registers.define(start, 2, capability.id(), 0);
        int link = capabilities.isEmpty() ? CAPABILITIES : capabilities.getLast().start + 1;
        registers.define(link, 1, start, 0);
        registers.define(STATUS, 2, STATUS_CAPABILITIES, 0);
        capabilities.add(new Placed(start, capability));
        capabilitiesEnd = end;
        return start;
    }

    /**
     * Sets who hears of changes of the command register.
     *
     * @param listener called with the function's lock held
     */
    public void setCommandListener(Runnable listener) {
        commandListener = listener;
    }

    /** {@return whether the guest lets the function access memory by itself} */
    public boolean isBusMaster() {
        return busMaster;
    }

    /**
     * Sets the interrupt pin. May be called with locks of the device held.
     *
     * @param asserted true while the device wants an interrupt
     */
    public void setInterrupt(boolean asserted) {
        synchronized (pinLock) {
            pinWanted = asserted;
            pin.set(asserted && !pinDisabled);
        }
    }

    /** Called once by the bridge. Firmware's work is done here: addresses, interrupt line, decoding. */
    synchronized void connect(PciHost bridge, InterruptLine line, int lineNumber) {
        if (host != null) {
            throw new IllegalStateException("the function is on a bus already");
        }
        host = bridge;
        pin = line;
        for (Window window : windows) {
            PciBar bar = window.bar;
            long address = bridge.allocate(bar);
            int flags = (bar.wide() ? BAR_64_BITS : 0) | (bar.prefetchable() ? BAR_PREFETCHABLE : 0);
            long mask = -bar.size();
            registers.define(BARS + 4 * bar.index(), 4, (int) address | flags, (int) mask);
            if (bar.wide()) {
                registers.define(BARS + 4 * bar.index() + 4, 4, (int) (address >>> 32), (int) (mask >>> 32));
            }
        }
        if (registers.get(INTERRUPT_PIN, 1) != 0) {
            registers.define(INTERRUPT_LINE, 1, lineNumber, 0xFF);
        }
        registers.define(COMMAND, 2, windows.isEmpty() ? 0 : COMMAND_MEMORY, COMMAND_WRITABLE);
        commandChanged();
    }

    @Override
    public void reset() {
        deviceReset.run();
        synchronized (this) {
            registers.reset();
            for (Placed placed : capabilities) {
                placed.capability.reset();
            }
            commandChanged();
        }
        setInterrupt(false);
    }

    /** {@return a copy of the configuration space and of what is behind capabilities} */
    synchronized PciHostState.Function state(int slot) {
        return new PciHostState.Function(
                slot,
                registers.values(),
                capabilities.stream().map(placed -> placed.capability.state()).toList());
    }

    /** Replaces it, after a reset, and moves the windows to where they are then. */
    synchronized void setState(PciHostState.Function state) {
        if (state.capabilities().size() != capabilities.size()) {
            throw new IllegalArgumentException("a PCI function with %d capabilities, not %d"
                    .formatted(capabilities.size(), state.capabilities().size()));
        }
        registers.restore(state.registers());
        for (int i = 0; i < capabilities.size(); i++) {
            capabilities.get(i).capability.setState(state.capabilities().get(i));
        }
        commandChanged();
    }

    /**
     * Reads from the configuration space.
     *
     * @param offset 0 to 255, aligned
     * @param size bytes: 1, 2 or 4
     * @return the value
     */
    public synchronized int read(int offset, int size) {
        Placed placed = find(offset);
        if (placed != null) {
            int inside = offset - placed.start;
            if (inside >= PciCapability.BODY) {
                return inside + size <= placed.capability.length() ? placed.capability.read(inside, size) : 0;
            }
            return size == 4
                    ? registers.get(offset, 2) | placed.capability.read(PciCapability.BODY, 2) << 16
                    : registers.get(offset, size);
        }
        int value = registers.get(offset, size);
        if (offset <= STATUS && offset + size > STATUS) {
            synchronized (pinLock) {
                value |= pinWanted ? STATUS_INTERRUPT << 8 * (STATUS - offset) : 0;
            }
        }
        return value;
    }

    /**
     * Writes to the configuration space.
     *
     * @param offset 0 to 255, aligned
     * @param size bytes: 1, 2 or 4
     * @param value the value in the low {@code size} bytes
     */
    public synchronized void write(int offset, int size, int value) {
        Placed placed = find(offset);
        if (placed != null) {
            int inside = offset - placed.start;
            if (inside >= PciCapability.BODY) {
                if (inside + size <= placed.capability.length()) {
                    placed.capability.write(inside, size, size == 4 ? value : value & (1 << 8 * size) - 1);
                }
            } else if (size == 4) {
                placed.capability.write(PciCapability.BODY, 2, value >>> 16);
            }
            return;
        }
        registers.write(offset, size, value);
        if (offset < COMMAND + 2 && offset + size > COMMAND) {
            commandChanged();
        } else if (offset >= BARS && offset < BARS_END) {
            updateWindows();
        }
    }

    private void commandChanged() {
        int command = registers.get(COMMAND, 2);
        boolean master = (command & COMMAND_MASTER) != 0;
        busMaster = master;
        for (Placed placed : capabilities) {
            if (placed.capability instanceof MsiX msiX) {
                msiX.setBusMaster(master);
            } else if (placed.capability instanceof Msi msi) {
                msi.setBusMaster(master);
            }
        }
        synchronized (pinLock) {
            pinDisabled = (command & COMMAND_NO_INTERRUPT) != 0;
            pin.set(pinWanted && !pinDisabled);
        }
        updateWindows();
        commandListener.run();
    }

    private void updateWindows() {
        PciHost bridge = host;
        if (bridge == null) {
            return;
        }
        boolean changed = false;
        for (Window window : windows) {
            long wanted = wanted(window);
            if (window.mapping != null && window.mappedAt != wanted) {
                window.mapping.remove();
                window.mapping = null;
                changed = true;
            }
        }
        mapWindows();
        if (changed) {
            bridge.addressesFreed(this);
        }
    }

    /** Puts windows on the bus that should be there but found their place taken. */
    synchronized void mapWindows() {
        PciHost bridge = host;
        if (bridge == null) {
            return;
        }
        for (Window window : windows) {
            long wanted = wanted(window);
            if (window.mapping == null && wanted != 0) {
                window.mapping = bridge.map(wanted, window.bar);
                window.mappedAt = wanted;
            }
        }
    }

    /** {@return where a window should be, or 0 for nowhere} */
    private long wanted(Window window) {
        if ((registers.get(COMMAND, 2) & COMMAND_MEMORY) == 0) {
            return 0;
        }
        int at = BARS + 4 * window.bar.index();
        long address = registers.get(at, 4) & 0xFFFF_FFFFL & ~BAR_FLAGS;
        return window.bar.wide() ? address | (long) registers.get(at + 4, 4) << 32 : address;
    }

    /**
     * Finds the device behind a window.
     *
     * @param index number of the base address register
     * @return the window, or null when there is none
     */
    public @Nullable PciBar bar(int index) {
        for (Window window : windows) {
            if (window.bar.index() == index) {
                return window.bar;
            }
        }
        return null;
    }

    private @Nullable Placed find(int offset) {
        if (offset >= HEADER_END) {
            for (Placed placed : capabilities) {
                if (offset >= placed.start && offset < placed.start + (placed.capability.length() + 3 & ~3)) {
                    return placed;
                }
            }
        }
        return null;
    }

    private record Placed(int start, PciCapability capability) {}

    private static final class Window {
        final PciBar bar;

        @Nullable
        Mapping mapping;

        long mappedAt;

        Window(PciBar bar) {
            this.bar = bar;
        }
    }

    /**
     * Accesses a window as the bus would, for capabilities that reach windows from the configuration space.
     *
     * @param index number of the base address register
     * @return the device, or null when there is no such window
     */
    public @Nullable MmioDevice device(int index) {
        PciBar bar = bar(index);
        return bar == null ? null : bar.device();
    }
}
