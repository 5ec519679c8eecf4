package dev.kagami.platform.bus;

/**
 * A device behind a window of guest-physical addresses.
 *
 * <p>Called by any vCPU thread, so implementations lock. They must not throw for any argument the bus can give: any
 * offset, aligned or not, and a size of 1, 2, 4 or 8 up to the size they registered with, wholly inside of the window.
 */
public interface MmioDevice {
    /**
     * Reads.
     *
     * @param offset bytes from the start of the window
     * @param size bytes
     * @return the value; bits above {@code size} bytes are ignored
     */
    long read(long offset, int size);

    /**
     * Writes.
     *
     * @param offset bytes from the start of the window
     * @param size bytes
     * @param value the value, zero-extended from {@code size} bytes
     */
    void write(long offset, int size, long value);
}
