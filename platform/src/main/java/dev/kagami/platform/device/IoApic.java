package dev.kagami.platform.device;

import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.Arrays;

/**
 * An I/O APIC with 24 pins (82093AA datasheet, 290566-001; EOI register of version 0x20 from the ICH datasheets).
 *
 * <p>Pins take the logical state of their line. The polarity bit of an entry is kept for the guest to read, but doesn't
 * invert: whichever polarity a line has, the guest is told the right one or chooses one, and either way an asserted line
 * is a wanted interrupt.
 *
 * <p>An edge on a masked pin is lost, as the datasheet has it.
 */
public final class IoApic implements MmioDevice, StatefulDevice<IoApicState> {
    /** Takes interrupt messages, as {@link dev.kagami.cpu.Processors#sendMessage} does. */
    @FunctionalInterface
    public interface MessageSink {
        /**
         * Takes one message.
         *
         * @param address message address
         * @param data message data
         */
        void send(long address, int data);
    }

    /** Guest-physical address of the register window. */
    public static final long ADDRESS = 0xFEC0_0000L;

    /** Bytes of the register window. */
    public static final int SIZE = 0x1000;

    /** Number of pins. */
    public static final int PINS = 24;

    private static final int REGISTER_SELECT = 0x00;
    private static final int REGISTER_WINDOW = 0x10;
    private static final int REGISTER_EOI = 0x40;

    private static final int INDEX_ID = 0x00;
    private static final int INDEX_VERSION = 0x01;
    private static final int INDEX_ARBITRATION = 0x02;
    private static final int INDEX_TABLE = 0x10;
    private static final int VERSION = 0x20;
    private static final int ID_MASK = 0x0F00_0000;

    private static final long MESSAGE_ADDRESS = 0xFEE0_0000L;
    private static final int MESSAGE_REDIRECTION_HINT = 1 << 3;
    private static final int MESSAGE_LOGICAL = 1 << 2;
    private static final int MESSAGE_ASSERT = 1 << 14;

    private static final long ENTRY_VECTOR = 0xFF;
    private static final long ENTRY_DELIVERY = 0x700;
    private static final int DELIVERY_LOWEST_PRIORITY = 0x100;
    private static final long ENTRY_LOGICAL = 1 << 11;
    private static final long ENTRY_REMOTE_IRR = 1 << 14;
    private static final long ENTRY_LEVEL = 1 << 15;
    private static final long ENTRY_MASKED = 1 << 16;
    /** Vector, delivery mode, destination mode, polarity, trigger and mask; delivery status and remote IRR are ours. */
    private static final long ENTRY_WRITABLE_LOW = 0x1_AFFF;

    private static final int ENTRY_DESTINATION_SHIFT = 56;

    private final MessageSink sink;
    private final long[] table = new long[PINS];
    private int asserted;
    private int id;
    private int selected;

    /**
     * Makes the controller in its power-on state.
     *
     * @param sink where interrupt messages go; called with the controller's lock held
     */
    public IoApic(MessageSink sink) {
        this.sink = sink;
        Arrays.fill(table, ENTRY_MASKED);
    }

    @Override
    public synchronized void reset() {
        // The pins are wires: what drives them resets them.
        Arrays.fill(table, ENTRY_MASKED);
        id = 0;
        selected = 0;
    }

    @Override
    public Class<IoApicState> stateType() {
        return IoApicState.class;
    }

    @Override
    public synchronized IoApicState state() {
        return new IoApicState(table.clone(), id, selected);
    }

    @Override
    public synchronized void setState(IoApicState state) {
        if (state.table().length != PINS) {
            throw new IllegalArgumentException("an I/O APIC has %d pins, not %d".formatted(PINS, state.table().length));
        }
        System.arraycopy(state.table(), 0, table, 0, PINS);
        id = state.id() & ID_MASK;
        selected = state.selected() & 0xFF;
    }

    /**
     * Sets a pin.
     *
     * @param pin 0 to 23
     * @param level true while the line is asserted
     */
    public synchronized void setPin(int pin, boolean level) {
        int bit = 1 << pin;
        boolean was = (asserted & bit) != 0;
        asserted = level ? asserted | bit : asserted & ~bit;
        if (level && !was) {
            deliver(pin, true);
        }
    }

    /**
     * Hears that a processor is done with a level-triggered interrupt: its line is looked at again.
     *
     * @param vector the vector
     */
    public synchronized void endOfInterrupt(int vector) {
        for (int pin = 0; pin < PINS; pin++) {
            long entry = table[pin];
            if ((entry & ENTRY_VECTOR) == vector
                    && (entry & (ENTRY_LEVEL | ENTRY_REMOTE_IRR)) == (ENTRY_LEVEL | ENTRY_REMOTE_IRR)) {
                table[pin] = entry & ~ENTRY_REMOTE_IRR;
                deliver(pin, false);
            }
        }
    }

    @Override
    public synchronized long read(long offset, int size) {
        int register = (int) offset & 0xFC;
        int value = switch (register) {
            case REGISTER_SELECT -> selected;
            case REGISTER_WINDOW -> readIndexed();
            default -> 0;
        };
        return Integer.toUnsignedLong(value) >>> 8 * (offset & 3);
    }

    @Override
    public synchronized void write(long offset, int size, long value) {
        // Registers take aligned doublewords; the index is a byte, so any size does there.
        switch ((int) offset) {
            case REGISTER_SELECT -> selected = (int) value & 0xFF;
            case REGISTER_WINDOW -> {
                if (size == 4) {
                    writeIndexed((int) value);
                }
            }
            case REGISTER_EOI -> endOfInterrupt((int) value & 0xFF);
            default -> {
                // Reserved.
            }
        }
    }

    private int readIndexed() {
        return switch (selected) {
            case INDEX_ID, INDEX_ARBITRATION -> id;
            case INDEX_VERSION -> PINS - 1 << 16 | VERSION;
            default -> {
                int pin = selected - INDEX_TABLE >> 1;
                if (selected < INDEX_TABLE || pin >= PINS) {
                    yield 0;
                }
                yield (int) ((selected & 1) == 0 ? table[pin] : table[pin] >>> 32);
            }
        };
    }

    private void writeIndexed(int value) {
        if (selected == INDEX_ID) {
            id = value & ID_MASK;
            return;
        }
        int pin = selected - INDEX_TABLE >> 1;
        if (selected < INDEX_TABLE || pin >= PINS) {
            return;
        }
        long entry = table[pin];
        if ((selected & 1) != 0) {
            table[pin] = entry & 0xFFFF_FFFFL | (value & 0xFF00_0000L) << 32;
            return;
        }
        entry = entry & ~ENTRY_WRITABLE_LOW | value & ENTRY_WRITABLE_LOW;
        if ((entry & ENTRY_LEVEL) == 0) {
            // Kernels clear a stuck remote IRR by a trip through edge mode.
            entry &= ~ENTRY_REMOTE_IRR;
        }
        table[pin] = entry;
        deliver(pin, false);
    }

    /** Sends the message of a pin when it is due: on an edge, or while a level is asserted and not yet taken. */
    private void deliver(int pin, boolean edge) {
        long entry = table[pin];
        if ((entry & ENTRY_MASKED) != 0) {
            return;
        }
        boolean level = (entry & ENTRY_LEVEL) != 0;
        if (level) {
            if ((asserted & 1 << pin) == 0 || (entry & ENTRY_REMOTE_IRR) != 0) {
                return;
            }
            table[pin] = entry | ENTRY_REMOTE_IRR;
        } else if (!edge) {
            return;
        }
        int delivery = (int) (entry & ENTRY_DELIVERY);
        long address = MESSAGE_ADDRESS | entry >>> ENTRY_DESTINATION_SHIFT << 12;
        if ((entry & ENTRY_LOGICAL) != 0) {
            address |= MESSAGE_LOGICAL;
        }
        if (delivery == DELIVERY_LOWEST_PRIORITY) {
            address |= MESSAGE_REDIRECTION_HINT;
        }
        sink.send(address, (int) (entry & (ENTRY_VECTOR | ENTRY_DELIVERY | ENTRY_LEVEL)) | MESSAGE_ASSERT);
    }
}
