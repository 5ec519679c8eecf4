package dev.kagami.platform.pci;

/**
 * One entry of a function's capabilities list (PCI 3.0, 6.7). Offsets count from the entry's first byte; the function
 * itself answers for the first two bytes, which hold the identifier and the link.
 *
 * <p>Called with the function's lock held. Accesses are aligned, of 1, 2 or 4 bytes, and wholly inside.
 */
public interface PciCapability {
    /** Offset of the first byte that the capability answers for. */
    int BODY = 2;

    /** {@return the identifier, 8 bits} */
    int id();

    /** {@return bytes including identifier and link, at most 192} */
    int length();

    /**
     * Reads.
     *
     * @param offset 2 or more
     * @param size bytes: 1, 2 or 4
     * @return the value; bits above {@code size} bytes are ignored
     */
    int read(int offset, int size);

    /**
     * Writes.
     *
     * @param offset 2 or more
     * @param size bytes: 1, 2 or 4
     * @param value the value, zero-extended from {@code size} bytes
     */
    void write(int offset, int size, int value);

    /** Goes back to the state after power-on. */
    void reset();

    /** {@return a copy of the state; the machine stands still} */
    PciHostState.Capability state();

    /**
     * Replaces the state, after a reset. Sends nothing: whether the function may is decided afterwards.
     *
     * @param state the new state
     * @throws IllegalArgumentException when it is not one that the capability can be in
     */
    void setState(PciHostState.Capability state);
}
