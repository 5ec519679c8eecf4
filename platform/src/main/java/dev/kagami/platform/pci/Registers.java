package dev.kagami.platform.pci;

/** Little-endian bytes of which some bits can be written. Not thread-safe. */
final class Registers {
    private final byte[] initial;
    private final byte[] values;
    private final byte[] writable;

    Registers(int size) {
        initial = new byte[size];
        values = new byte[size];
        writable = new byte[size];
    }

    /** Defines a register: its value after reset and the bits that a guest can change. */
    void define(int offset, int size, int value, int writableBits) {
        for (int i = 0; i < size; i++) {
            initial[offset + i] = (byte) (value >>> 8 * i);
            values[offset + i] = (byte) (value >>> 8 * i);
            writable[offset + i] = (byte) (writableBits >>> 8 * i);
        }
    }

    int size() {
        return values.length;
    }

    int get(int offset, int size) {
        int value = 0;
        for (int i = 0; i < size; i++) {
            value |= (values[offset + i] & 0xFF) << 8 * i;
        }
        return value;
    }

    /** Sets all bits, as the device itself can. */
    void set(int offset, int size, int value) {
        for (int i = 0; i < size; i++) {
            values[offset + i] = (byte) (value >>> 8 * i);
        }
    }

    /** Sets the bits that a guest can set. */
    void write(int offset, int size, int value) {
        for (int i = 0; i < size; i++) {
            int mask = writable[offset + i];
            values[offset + i] = (byte) (values[offset + i] & ~mask | value >>> 8 * i & mask);
        }
    }

    /** {@return all values} */
    byte[] values() {
        return values.clone();
    }

    /** Sets what a guest or the device can have set; the rest stays. */
    void restore(byte[] state) {
        if (state.length != values.length) {
            throw new IllegalArgumentException("%d bytes of registers, not %d".formatted(values.length, state.length));
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = (byte) (initial[i] & ~writable[i] | state[i] & writable[i]);
        }
    }

    void reset() {
        System.arraycopy(initial, 0, values, 0, values.length);
    }
}
