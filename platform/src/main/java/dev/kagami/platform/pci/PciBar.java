package dev.kagami.platform.pci;

import dev.kagami.platform.bus.MmioDevice;

/**
 * A memory window of a function, with its base address register (PCI 3.0, 6.2.5.1).
 *
 * @param index number of the register, 0 to 5; a 64-bit window takes the next register too
 * @param size bytes, a power of two from 16; whole pages keep windows of different functions apart in page tables
 * @param wide true for an address of 64 bits
 * @param prefetchable true when reading has no side effects
 * @param maxAccess widest access that the device takes whole: 1, 2, 4 or 8 bytes
 * @param device who answers
 */
public record PciBar(int index, long size, boolean wide, boolean prefetchable, int maxAccess, MmioDevice device) {
    /** Number of base address registers of a function. */
    public static final int COUNT = 6;

    private static final long MIN_SIZE = 16;
    private static final long MAX_NARROW_SIZE = 1L << 31;

    /** Checks the values. */
    public PciBar {
        if (index < 0 || index + (wide ? 1 : 0) >= COUNT) {
            throw new IllegalArgumentException("base address register " + index);
        }
        if (size < MIN_SIZE || Long.bitCount(size) != 1 || !wide && size > MAX_NARROW_SIZE) {
            throw new IllegalArgumentException("a window of %#x bytes".formatted(size));
        }
    }

    /**
     * Makes a 32-bit window whose reads may have side effects.
     *
     * @param index number of the register, 0 to 5
     * @param size bytes, a power of two from 16
     * @param maxAccess widest access that the device takes whole: 1, 2, 4 or 8 bytes
     * @param device who answers
     * @return the window
     */
    public static PciBar memory32(int index, long size, int maxAccess, MmioDevice device) {
        return new PciBar(index, size, false, false, maxAccess, device);
    }
}
