package dev.kagami.platform.pci;

import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.device.IoApic;
import java.util.Arrays;

/**
 * Extended message-signalled interrupts (PCI 3.0, 6.8.2): the capability, and the table and pending bits in a window of
 * their own. A vector that is triggered while masked stays pending until it is unmasked.
 *
 * <p>Thread-safe; {@link #trigger} may be called from any thread with the device's locks held.
 */
public final class MsiX implements PciCapability, MmioDevice {
    /** Largest number of vectors. */
    public static final int MAX_VECTORS = 2048;

    /** The capability's identifier. */
    public static final int ID = 0x11;

    private static final int LENGTH = 12;
    private static final int CONTROL = 2;
    private static final int TABLE = 4;
    private static final int PENDING = 8;
    private static final int CONTROL_ENABLE = 1 << 15;
    private static final int CONTROL_MASK_ALL = 1 << 14;

    private static final int ENTRY_SHIFT = 4;
    private static final int ENTRY_WORDS = 4;
    private static final int ENTRY_DATA = 2;
    private static final int ENTRY_CONTROL = 3;
    private static final int ENTRY_MASKED = 1;
    private static final int MIN_WINDOW = 4096;

    private final Registers registers = new Registers(LENGTH);
    private final MessageSender sender;
    private final int vectors;
    private final int window;
    /** Four words a vector: address low and high, data, control. */
    private final int[] table;

    private final long[] pending;
    private boolean busMaster;

    /**
     * Makes the capability, disabled.
     *
     * @param vectors number of vectors, 1 to 2048
     * @param bar number of the base address register whose window is {@link #bar}
     * @param sink where messages go; called with the capability's lock held
     */
    public MsiX(int vectors, int bar, IoApic.MessageSink sink) {
        if (vectors < 1 || vectors > MAX_VECTORS) {
            throw new IllegalArgumentException(vectors + " interrupt vectors");
        }
        this.vectors = vectors;
        this.sender = new MessageSender(sink);
        this.table = new int[vectors * ENTRY_WORDS];
        this.pending = new long[(vectors + 63) / 64];
        this.window = Math.max(MIN_WINDOW, Integer.highestOneBit(2 * (vectors << ENTRY_SHIFT) - 1) << 1);
        registers.define(CONTROL, 2, vectors - 1, CONTROL_ENABLE | CONTROL_MASK_ALL);
        registers.define(TABLE, 4, bar, 0);
        registers.define(PENDING, 4, window / 2 | bar, 0);
        reset();
    }

    /**
     * Makes the window with the table and the pending bits.
     *
     * @return the window, for the base address register that the constructor was told
     */
    public PciBar bar() {
        return PciBar.memory32(registers.get(TABLE, 1), window, 8, this);
    }

    /** {@return the number of vectors} */
    public int vectors() {
        return vectors;
    }

    /** {@return whether the guest uses these interrupts in place of the interrupt pin} */
    public synchronized boolean isEnabled() {
        return (registers.get(CONTROL, 2) & CONTROL_ENABLE) != 0;
    }

    /**
     * Triggers a vector: sends its message, or leaves it pending while it is masked. Does nothing while disabled or when
     * there is no such vector.
     *
     * @param vector the vector's number
     */
    public synchronized void trigger(int vector) {
        if (vector < 0 || vector >= vectors || (registers.get(CONTROL, 2) & CONTROL_ENABLE) == 0) {
            return;
        }
        pending[vector >> 6] |= 1L << vector;
        deliver(vector);
    }

    /** Tells whether the function may write to memory, which a message is. */
    synchronized void setBusMaster(boolean allowed) {
        busMaster = allowed;
        deliverAll();
    }

    private void deliverAll() {
        for (int word = 0; word < pending.length; word++) {
            for (long rest = pending[word]; rest != 0; rest &= rest - 1) {
                deliver((word << 6) + Long.numberOfTrailingZeros(rest));
            }
        }
    }

    private void deliver(int vector) {
        int entry = vector * ENTRY_WORDS;
        int control = registers.get(CONTROL, 2) & (CONTROL_ENABLE | CONTROL_MASK_ALL);
        if ((pending[vector >> 6] & 1L << vector) == 0
                || control != CONTROL_ENABLE
                || (table[entry + ENTRY_CONTROL] & ENTRY_MASKED) != 0
                || !busMaster) {
            return;
        }
        pending[vector >> 6] &= ~(1L << vector);
        sender.send((long) table[entry + 1] << 32 | table[entry] & 0xFFFF_FFFFL, table[entry + ENTRY_DATA]);
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
        return new PciHostState.Capability(registers.values(), table.clone(), pending.clone());
    }

    @Override
    public synchronized void setState(PciHostState.Capability state) {
        if (state.table().length != table.length || state.pending().length != pending.length) {
            throw new IllegalArgumentException(
                    "an interrupt table of %d words, not %d".formatted(table.length, state.table().length));
        }
        registers.restore(state.registers());
        for (int i = 0; i < table.length; i++) {
            table[i] = writable(i, state.table()[i]);
        }
        System.arraycopy(state.pending(), 0, pending, 0, pending.length);
        if ((vectors & 63) != 0) {
            pending[pending.length - 1] &= (1L << (vectors & 63)) - 1;
        }
    }

    /** {@return the bits of a word of the table that can be set} */
    private static int writable(int index, int value) {
        return (index & 3) == ENTRY_CONTROL ? value & ENTRY_MASKED : (index & 3) == 0 ? value & ~3 : value;
    }

    @Override
    public synchronized void reset() {
        registers.reset();
        Arrays.fill(table, 0);
        for (int entry = 0; entry < table.length; entry += ENTRY_WORDS) {
            table[entry + ENTRY_CONTROL] = ENTRY_MASKED;
        }
        Arrays.fill(pending, 0);
    }

    @Override
    public synchronized long read(long offset, int size) {
        long word = Integer.toUnsignedLong(word((int) offset >> 2));
        if (size == 8) {
            return word | (long) word(((int) offset >> 2) + 1) << 32;
        }
        return word >>> 8 * (offset & 3);
    }

    private int word(int index) {
        int bits = index - (window / 2 >> 2);
        if (bits >= 0) {
            return bits >> 1 < pending.length ? (int) (pending[bits >> 1] >>> 32 * (bits & 1)) : 0;
        }
        return index < table.length ? table[index] : 0;
    }

    @Override
    public synchronized void write(long offset, int size, long value) {
        // Only whole aligned words or pairs of them are defined (PCI 3.0, 6.8.2).
        if (size < 4 || (offset & size - 1) != 0) {
            return;
        }
        int index = (int) offset >> 2;
        setWord(index, (int) value);
        if (size == 8) {
            setWord(index + 1, (int) (value >>> 32));
        }
    }

    private void setWord(int index, int value) {
        if (index >= table.length) {
            return;
        }
        table[index] = writable(index, value);
        deliver(index / ENTRY_WORDS);
    }
}
