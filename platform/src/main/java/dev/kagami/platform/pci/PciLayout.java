package dev.kagami.platform.pci;

import dev.kagami.memory.GuestMemory;

/**
 * Where PCI is in the guest-physical address space.
 *
 * @param lowStart first address of the window for 32-bit base address registers
 * @param lowSize bytes of that window
 * @param highStart first address of the window for 64-bit base address registers, above RAM
 * @param highSize bytes of that window
 */
public record PciLayout(long lowStart, long lowSize, long highStart, long highSize) {
    /** First address of the memory-mapped configuration space of bus 0. */
    public static final long CONFIGURATION_START = 0xE000_0000L;

    /** Bytes of the memory-mapped configuration space of one bus. */
    public static final long CONFIGURATION_SIZE = 1L << 20;

    /** First interrupt line of PCI; pins of functions hang on this and the next ones in turn. */
    public static final int FIRST_INTERRUPT = 16;

    /** Number of interrupt lines of PCI. */
    public static final int INTERRUPTS = 4;

    /** The high window's size and alignment: small enough to be reachable with 36 address bits beside small RAM. */
    private static final long HIGH_WINDOW = 16L << 30;

    /**
     * Lays PCI out around RAM.
     *
     * @param memory the RAM
     * @return the layout
     */
    public static PciLayout around(GuestMemory memory) {
        long ramEnd = GuestMemory.HIGH_START + memory.highSize();
        long high = Math.ceilDiv(ramEnd, HIGH_WINDOW) * HIGH_WINDOW;
        return new PciLayout(GuestMemory.LOW_LIMIT, CONFIGURATION_START - GuestMemory.LOW_LIMIT, high, HIGH_WINDOW);
    }

    /**
     * Tells whether a range lies in one of the windows.
     *
     * @param start first address
     * @param size bytes
     * @return true when the bridge passes it on to functions
     */
    public boolean contains(long start, long size) {
        return within(start, size, lowStart, lowSize) || within(start, size, highStart, highSize);
    }

    private static boolean within(long start, long size, long windowStart, long windowSize) {
        return start >= windowStart && start - windowStart <= windowSize - size;
    }

    /**
     * Gives the interrupt line of a function's pin INTA.
     *
     * @param slot the device number, 0 to 31
     * @return the line's number
     */
    public static int interruptOf(int slot) {
        return FIRST_INTERRUPT + slot % INTERRUPTS;
    }
}
