package dev.kagami.virtio;

import java.util.function.IntConsumer;

/**
 * The configuration space of a device (virtio 1.2, 2.5): little-endian fields, of which the driver may write some. Every
 * change by the device moves the generation on, so that a driver can tell when it has read half of a change. Thread-safe.
 */
public final class DeviceConfig {
    private final byte[] values;
    private final byte[] initial;
    private final boolean[] writable;
    private final boolean[] kept;
    private IntConsumer listener = offset -> {};
    private int generation;

    /**
     * Makes a space filled with zeros.
     *
     * @param size bytes
     */
    public DeviceConfig(int size) {
        values = new byte[size];
        initial = new byte[size];
        writable = new boolean[size];
        kept = new boolean[size];
    }

    /** {@return the size in bytes} */
    public int size() {
        return values.length;
    }

    /** {@return the number of changes by the device; transports show the low bits} */
    public synchronized int generation() {
        return generation;
    }

    /**
     * Lets the driver write a field. Its value goes back to what it was now when the device is reset.
     *
     * @param offset the field
     * @param size bytes
     */
    public synchronized void allowWrites(int offset, int size) {
        for (int i = 0; i < size; i++) {
            writable[offset + i] = true;
            initial[offset + i] = values[offset + i];
        }
    }

    /**
     * Says that drivers read a field once and go by that from then on, so that it must not change when a machine goes on from a
     * snapshot in a device that was given another value. It goes back to what it is now when the device is reset.
     *
     * @param offset the field
     * @param size bytes
     */
    public synchronized void keep(int offset, int size) {
        for (int i = 0; i < size; i++) {
            kept[offset + i] = true;
            initial[offset + i] = values[offset + i];
        }
    }

    /**
     * Sets who hears of writes by the driver.
     *
     * @param newListener takes the offset; called on the virtual CPU's thread, after the write
     */
    public synchronized void setListener(IntConsumer newListener) {
        listener = newListener;
    }

    /**
     * Reads a field.
     *
     * @param offset the field; what lies outside reads as zero
     * @param size bytes, 1 to 8
     * @return the value
     */
    public synchronized long get(int offset, int size) {
        long value = 0;
        for (int i = 0; i < size; i++) {
            if (offset >= 0 && offset + i < values.length) {
                value |= (values[offset + i] & 0xFFL) << 8 * i;
            }
        }
        return value;
    }

    /**
     * Sets a field, as the device. The driver isn't told; that is {@link DeviceContext#configChanged}.
     *
     * @param offset the field
     * @param size bytes, 1 to 8
     * @param value the value
     */
    public synchronized void set(int offset, int size, long value) {
        for (int i = 0; i < size; i++) {
            values[offset + i] = (byte) (value >>> 8 * i);
        }
        generation++;
    }

    /** Writes a field, as the driver; only where that is allowed. */
    void write(int offset, int size, long value) {
        IntConsumer told;
        boolean any = false;
        synchronized (this) {
            for (int i = 0; i < size; i++) {
                if (offset >= 0 && offset + i < values.length && writable[offset + i]) {
                    values[offset + i] = (byte) (value >>> 8 * i);
                    any = true;
                }
            }
            told = listener;
        }
        if (any) {
            told.accept(offset);
        }
    }

    /** {@return a copy of all bytes} */
    synchronized byte[] values() {
        return values.clone();
    }

    /**
     * Sets what the driver can have written, and what it goes by; the rest stays.
     *
     * @param state all bytes
     * @param begun whether a driver has begun to use the device, and so may have read what it goes by
     */
    synchronized void restore(byte[] state, boolean begun) {
        if (state.length != values.length) {
            throw new IllegalArgumentException(
                    "a configuration space of %d bytes, not %d".formatted(values.length, state.length));
        }
        for (int i = 0; i < values.length; i++) {
            if (writable[i] || kept[i] && begun) {
                values[i] = state[i];
            }
        }
    }

    /** Forgets what the driver wrote and what it goes by. */
    synchronized void reset() {
        for (int i = 0; i < values.length; i++) {
            if (writable[i] || kept[i]) {
                values[i] = initial[i];
            }
        }
    }
}
