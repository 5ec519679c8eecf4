package dev.kagami.virtio.transport;

import dev.kagami.platform.pci.PciBar;
import dev.kagami.platform.pci.PciCapability;
import dev.kagami.platform.pci.PciFunction;
import dev.kagami.platform.pci.PciHostState;
import org.jspecify.annotations.Nullable;

/** The capability through which a driver reaches windows from the PCI configuration space (virtio 1.2, 4.1.4.9). */
final class ConfigurationAccess implements PciCapability {
    private static final int VENDOR = 0x09;
    private static final int TYPE = 5;
    private static final int LENGTH = 20;
    private static final int TYPE_OFFSET = 3;
    private static final int BAR = 4;
    private static final int OFFSET = 8;
    private static final int SIZE = 12;
    private static final int DATA = 16;

    private final PciFunction function;
    private int bar;
    private int offset;
    private int size;

    ConfigurationAccess(PciFunction function) {
        this.function = function;
    }

    @Override
    public int id() {
        return VENDOR;
    }

    @Override
    public int length() {
        return LENGTH;
    }

    @Override
    public int read(int at, int width) {
        int value = switch (at & ~3) {
            case 0 -> LENGTH << 16 | TYPE << 8 * TYPE_OFFSET;
            case BAR -> bar;
            case OFFSET -> offset;
            case SIZE -> size;
            default -> readData();
        };
        return value >>> 8 * (at & 3);
    }

    @Override
    public void write(int at, int width, int value) {
        int shift = 8 * (at & 3);
        int mask = (width == 4 ? -1 : (1 << 8 * width) - 1) << shift;
        int bits = value << shift & mask;
        switch (at & ~3) {
            case BAR -> bar = (bar & ~mask | bits) & 0xFF;
            case OFFSET -> offset = offset & ~mask | bits;
            case SIZE -> size = size & ~mask | bits;
            case DATA -> {
                PciBar window = window();
                if (window != null) {
                    window.device().write(Integer.toUnsignedLong(offset), size, value & 0xFFFF_FFFFL);
                }
            }
            default -> {
                // Read-only.
            }
        }
    }

    private int readData() {
        PciBar window = window();
        return window == null ? 0 : (int) window.device().read(Integer.toUnsignedLong(offset), size);
    }

    /** {@return the window that the registers point into, or null when they make no sense} */
    private @Nullable PciBar window() {
        PciBar window = function.bar(bar);
        long start = Integer.toUnsignedLong(offset);
        boolean sized = size == 1 || size == 2 || size == 4;
        return window != null && sized && start % size == 0 && start + size <= window.size() ? window : null;
    }

    @Override
    public PciHostState.Capability state() {
        return new PciHostState.Capability(new byte[0], new int[] {bar, offset, size}, new long[0]);
    }

    @Override
    public void setState(PciHostState.Capability state) {
        if (state.table().length != 3) {
            throw new IllegalArgumentException("configuration access of %d registers".formatted(state.table().length));
        }
        bar = state.table()[0] & 0xFF;
        offset = state.table()[1];
        size = state.table()[2];
    }

    @Override
    public void reset() {
        bar = 0;
        offset = 0;
        size = 0;
    }
}
