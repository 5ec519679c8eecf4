package dev.kagami.platform.bus;

import dev.kagami.cpu.Bus;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.IntConsumer;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The bus of a PC: 65,536 ports, memory-mapped windows, and the way back to the interrupt controllers.
 *
 * <p>An access goes to a device whole when it lies inside of one registration and isn't wider than the registration
 * says; otherwise it is split in halves, as the bridges of a PC do for narrow devices, low half first. What nobody
 * answers reads as all ones.
 *
 * <p>Thread-safety: everything may be called from any thread, also mappings while vCPUs run.
 */
public final class PcBus implements Bus {
    private static final int PORTS = 0x1_0000;
    /** What an interrupt acknowledge reads from a bus without a controller. */
    private static final int SPURIOUS_VECTOR = 0xFF;

    private static final VarHandle PORT = MethodHandles.arrayElementVarHandle(PortRange[].class);

    /** Ports that share an array of {@link #ports}: most arrays are {@link #NONE}. */
    private static final int ROW = 256;

    private static final VarHandle ROWS = MethodHandles.arrayElementVarHandle(PortRange[][].class);

    /** What no device is attached to. */
    private static final @Nullable PortRange[] NONE = new PortRange[ROW];

    private final @Nullable PortRange[][] ports = new PortRange[PORTS / ROW][];
    private final CopyOnWriteArrayList<IntConsumer> endOfInterruptListeners = new CopyOnWriteArrayList<>();
    private volatile Window[] windows = new Window[0];
    private volatile IntSupplier acknowledge = () -> SPURIOUS_VECTOR;

    /** Makes a bus without devices. */
    public PcBus() {
        Arrays.fill(ports, NONE);
    }

    private @Nullable PortRange range(int port) {
        PortRange[] row = (PortRange[]) ROWS.getAcquire(ports, port / ROW);
        return (PortRange) PORT.getAcquire(row, port % ROW);
    }

    private void set(int port, @Nullable PortRange range) {
        if (ports[port / ROW] == NONE) {
            ROWS.setRelease(ports, port / ROW, new PortRange[ROW]);
        }
        PORT.setVolatile(ports[port / ROW], port % ROW, range);
    }

    /**
     * Attaches a device to ports.
     *
     * @param first first port
     * @param count number of ports
     * @param maxSize widest access that the device takes whole: 1, 2 or 4
     * @param device who answers
     * @return the mapping
     * @throws IllegalArgumentException when the ports don't exist or one is taken
     */
    public Mapping addPorts(int first, int count, int maxSize, PortDevice device) {
        if (first < 0 || count < 1 || count > PORTS - first || maxSize != 1 && maxSize != 2 && maxSize != 4) {
            throw new IllegalArgumentException("%d ports at %#x, %d bytes wide".formatted(count, first, maxSize));
        }
        PortRange range = new PortRange(first + count, maxSize, device);
        synchronized (ports) {
            for (int port = first; port < first + count; port++) {
                if (range(port) != null) {
                    throw new IllegalArgumentException("port %#x is taken".formatted(port));
                }
            }
            for (int port = first; port < first + count; port++) {
                set(port, range);
            }
        }
        return () -> {
            synchronized (ports) {
                for (int port = first; port < first + count; port++) {
                    if (range(port) == range) {
                        set(port, null);
                    }
                }
            }
        };
    }

    /**
     * Attaches a device to a window of guest-physical addresses.
     *
     * @param start first address
     * @param size bytes
     * @param maxSize widest access that the device takes whole: 1, 2, 4 or 8
     * @param device who answers
     * @return the mapping
     * @throws IllegalArgumentException when the window is empty or overlaps another one
     */
    public Mapping addMmio(long start, long size, int maxSize, MmioDevice device) {
        if (start < 0
                || size <= 0
                || start + size < 0
                || maxSize < 1
                || maxSize > 8
                || Integer.bitCount(maxSize) != 1) {
            throw new IllegalArgumentException("%d bytes at %#x, %d bytes wide".formatted(size, start, maxSize));
        }
        Window added = new Window(start, start + size, maxSize, device);
        synchronized (ports) {
            Window[] old = windows;
            for (Window window : old) {
                if (added.start < window.end && window.start < added.end) {
                    throw new IllegalArgumentException("address %#x is taken".formatted(start));
                }
            }
            Window[] changed = Arrays.copyOf(old, old.length + 1);
            changed[old.length] = added;
            Arrays.sort(changed, Comparator.comparingLong(Window::start));
            windows = changed;
        }
        return () -> {
            synchronized (ports) {
                windows = Arrays.stream(windows).filter(w -> w != added).toArray(Window[]::new);
            }
        };
    }

    /**
     * Sets who answers interrupt acknowledge cycles.
     *
     * @param acknowledge gives the vector, 0 to 255
     */
    public void setInterruptAcknowledge(IntSupplier acknowledge) {
        this.acknowledge = acknowledge;
    }

    /**
     * Adds someone who hears of the end of level-triggered interrupts.
     *
     * @param listener takes the vector
     */
    public void addEndOfInterruptListener(IntConsumer listener) {
        endOfInterruptListeners.add(listener);
    }

    @Override
    public int readPort(int port, int size) {
        if (port < 0 || port >= PORTS) {
            return (int) ones(size);
        }
        PortRange range = range(port);
        if (range != null && size <= range.maxSize && port + size <= range.end) {
            return range.device.read(port, size) & (int) ones(size);
        }
        if (size <= 1) {
            return (int) ones(size);
        }
        int half = size >> 1;
        return readPort(port, half) | readPort(port + half, half) << 8 * half;
    }

    @Override
    public void writePort(int port, int size, int value) {
        if (port < 0 || port >= PORTS) {
            return;
        }
        PortRange range = range(port);
        if (range != null && size <= range.maxSize && port + size <= range.end) {
            range.device.write(port, size, value & (int) ones(size));
        } else if (size > 1) {
            int half = size >> 1;
            writePort(port, half, value);
            writePort(port + half, half, value >>> 8 * half);
        }
    }

    @Override
    public long readMmio(long address, int size) {
        Window window = find(address);
        if (window != null && size <= window.maxSize && address + size <= window.end) {
            return window.device.read(address - window.start, size) & ones(size);
        }
        if (size <= 1 || window == null && find(address + size - 1) == null) {
            return ones(size);
        }
        int half = size >> 1;
        return readMmio(address, half) | readMmio(address + half, half) << 8 * half;
    }

    @Override
    public void writeMmio(long address, int size, long value) {
        Window window = find(address);
        if (window != null && size <= window.maxSize && address + size <= window.end) {
            window.device.write(address - window.start, size, value & ones(size));
        } else if (size > 1) {
            int half = size >> 1;
            writeMmio(address, half, value);
            writeMmio(address + half, half, value >>> 8 * half);
        }
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        return acknowledge.getAsInt() & 0xFF;
    }

    @Override
    public void endOfInterrupt(int vector) {
        for (IntConsumer listener : endOfInterruptListeners) {
            listener.accept(vector);
        }
    }

    private @Nullable Window find(long address) {
        Window[] sorted = windows;
        int low = 0;
        int high = sorted.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            Window window = sorted[middle];
            if (address < window.start) {
                high = middle - 1;
            } else if (address >= window.end) {
                low = middle + 1;
            } else {
                return window;
            }
        }
        return null;
    }

    private static long ones(int size) {
        return size >= 8 ? -1 : (1L << 8 * size) - 1;
    }

    private record PortRange(int end, int maxSize, PortDevice device) {}

    private record Window(long start, long end, int maxSize, MmioDevice device) {}
}
