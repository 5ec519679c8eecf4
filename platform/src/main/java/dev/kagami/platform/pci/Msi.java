package dev.kagami.platform.pci;

import dev.kagami.platform.device.IoApic;

/**
 * Message-signalled interrupts with 64-bit addresses and masks (PCI 3.0, 6.8.1). A vector that is triggered while masked
 * stays pending until it is unmasked.
 *
 * <p>Thread-safe; {@link #trigger} may be called from any thread with the device's locks held.
 */
public final class Msi implements PciCapability {
    /** Largest number of vectors. */
    public static final int MAX_VECTORS = 32;

    /** The capability's identifier. */
    public static final int ID = 0x05;

    private static final int LENGTH = 24;
    private static final int CONTROL = 2;
    private static final int ADDRESS_LOW = 4;
    private static final int ADDRESS_HIGH = 8;
    private static final int DATA = 12;
    private static final int MASK = 16;
    private static final int PENDING = 20;
    private static final int CONTROL_ENABLE = 1;
    private static final int CONTROL_CAPABLE_SHIFT = 1;
    private static final int CONTROL_ALLOCATED_SHIFT = 4;
    private static final int CONTROL_ALLOCATED = 7 << CONTROL_ALLOCATED_SHIFT;
    private static final int CONTROL_64_BITS = 1 << 7;
    private static final int CONTROL_MASKS = 1 << 8;

    private final Registers registers = new Registers(LENGTH);
    private final MessageSender sender;
    private final int vectors;
    private boolean busMaster;

    /**
     * Makes the capability, disabled.
     *
     * @param vectors number of vectors, a power of two from 1 to 32
     * @param sink where messages go; called with the capability's lock held
     */
    public Msi(int vectors, IoApic.MessageSink sink) {
        if (vectors < 1 || vectors > MAX_VECTORS || Integer.bitCount(vectors) != 1) {
            throw new IllegalArgumentException(vectors + " interrupt vectors");
        }
        this.vectors = vectors;
        this.sender = new MessageSender(sink);
        int capable = Integer.numberOfTrailingZeros(vectors) << CONTROL_CAPABLE_SHIFT;
        registers.define(CONTROL, 2, CONTROL_64_BITS | CONTROL_MASKS | capable, CONTROL_ENABLE | CONTROL_ALLOCATED);
        registers.define(ADDRESS_LOW, 4, 0, ~3);
        registers.define(ADDRESS_HIGH, 4, 0, ~0);
        registers.define(DATA, 2, 0, 0xFFFF);
        registers.define(MASK, 4, 0, (int) ((1L << vectors) - 1));
        registers.define(PENDING, 4, 0, 0);
    }

    /** {@return whether the guest uses these interrupts in place of the interrupt pin} */
    public synchronized boolean isEnabled() {
        return (registers.get(CONTROL, 2) & CONTROL_ENABLE) != 0;
    }

    /**
     * Triggers a vector: sends its message, or leaves it pending while it is masked. Does nothing while disabled. Vectors
     * share messages when the guest has allocated fewer than there are.
     *
     * @param vector the vector's number
     */
    public synchronized void trigger(int vector) {
        if (vector < 0 || vector >= vectors || !isEnabled()) {
            return;
        }
        int allocated = (registers.get(CONTROL, 2) & CONTROL_ALLOCATED) >> CONTROL_ALLOCATED_SHIFT;
        int message = vector & (1 << Math.min(allocated, Integer.numberOfTrailingZeros(vectors))) - 1;
        registers.set(PENDING, 4, registers.get(PENDING, 4) | 1 << message);
        deliverAll();
    }

    /** Tells whether the function may write to memory, which a message is. */
    synchronized void setBusMaster(boolean allowed) {
        busMaster = allowed;
        deliverAll();
    }

    private void deliverAll() {
        if (!busMaster || !isEnabled()) {
            return;
        }
        int pending = registers.get(PENDING, 4);
        int masked = registers.get(MASK, 4);
        registers.set(PENDING, 4, pending & masked);
        long address = (long) registers.get(ADDRESS_HIGH, 4) << 32 | registers.get(ADDRESS_LOW, 4) & 0xFFFF_FFFFL;
        for (int rest = pending & ~masked; rest != 0; rest &= rest - 1) {
            sender.send(address, registers.get(DATA, 2) | Integer.numberOfTrailingZeros(rest));
        }
    }

    @Override
    public int id() {
        return ID;
    }

    @Override
    public int length() {
        return LENGTH;
    }

    @Override
    public synchronized int read(int offset, int size) {
        return registers.get(offset, size);
    }

    @Override
    public synchronized void write(int offset, int size, int value) {
        registers.write(offset, size, value);
        deliverAll();
    }

    @Override
    public synchronized PciHostState.Capability state() {
        return PciHostState.Capability.of(registers.values());
    }

    @Override
    public synchronized void setState(PciHostState.Capability state) {
        registers.restore(state.registers());
        // The guest can't write these, but they are state.
        for (int i = PENDING; i < LENGTH; i++) {
            registers.set(i, 1, state.registers()[i]);
        }
    }

    @Override
    public synchronized void reset() {
        registers.reset();
    }
}
