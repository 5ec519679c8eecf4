package dev.kagami.platform.bus;

/**
 * A device behind I/O ports.
 *
 * <p>Called by any vCPU thread, so implementations lock. They must not throw for any argument the bus can give: a port of
 * their registration and a size of 1, 2 or 4 up to the size they registered with, wholly inside of the registration.
 */
public interface PortDevice {
    /**
     * Reads.
     *
     * @param port absolute port number
     * @param size bytes
     * @return the value; bits above {@code size} bytes are ignored
     */
    int read(int port, int size);

    /**
     * Writes.
     *
     * @param port absolute port number
     * @param size bytes
     * @param value the value, zero-extended from {@code size} bytes
     */
    void write(int port, int size, int value);
}
