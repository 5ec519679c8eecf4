package dev.kagami.cpu;

/**
 * What a virtual CPU sees of the machine: everything that is not RAM.
 *
 * <p>Called by vCPU threads, several at a time. Implementations must not throw for any address, size or value a guest
 * can choose: reads that nothing answers give all ones, writes that nothing takes are dropped.
 */
public interface Bus {
    /**
     * Reads an I/O port.
     *
     * @param port port number, 0 to 0xFFFF
     * @param size bytes: 1, 2 or 4
     * @return the value, zero-extended from {@code size} bytes
     */
    int readPort(int port, int size);

    /**
     * Writes an I/O port.
     *
     * @param port port number, 0 to 0xFFFF
     * @param size bytes: 1, 2 or 4
     * @param value the value in the low {@code size} bytes; higher bits are ignored
     */
    void writePort(int port, int size, int value);

    /**
     * Reads memory-mapped I/O.
     *
     * @param address guest-physical address, outside of RAM
     * @param size bytes: 1, 2, 4 or 8; the access doesn't cross a page
     * @return the value, zero-extended from {@code size} bytes
     */
    long readMmio(long address, int size);

    /**
     * Writes memory-mapped I/O.
     *
     * @param address guest-physical address, outside of RAM
     * @param size bytes: 1, 2, 4 or 8; the access doesn't cross a page
     * @param value the value in the low {@code size} bytes; higher bits are ignored
     */
    void writeMmio(long address, int size, long value);

    /**
     * Acknowledges the external interrupt controller (the INTA cycle of the 8259A).
     *
     * @return the vector, 0 to 255
     */
    int acknowledgeExternalInterrupt();

    /**
     * Announces the end of a level-triggered interrupt to the I/O APICs.
     *
     * @param vector the vector, 16 to 255
     */
    void endOfInterrupt(int vector);
}
