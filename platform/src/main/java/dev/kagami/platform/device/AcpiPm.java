package dev.kagami.platform.device;

import dev.kagami.cpu.Timers;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/**
 * The fixed hardware of ACPI (ACPI 6.5, 4.8.3): PM1a event and control blocks and the power management timer. Always in
 * ACPI mode; there is no SMI command port.
 *
 * <p>Ports from the base: 0 status, 2 enable, 4 control, 8 timer. Accesses of any size and alignment work.
 */
public final class AcpiPm implements PortDevice, StatefulDevice<AcpiPmState> {
    /** First port. */
    public static final int PORT = 0x600;

    /** Number of ports. */
    public static final int PORTS = 12;

    /** Ports from the base to the PM1a control block. */
    public static final int CONTROL_OFFSET = 4;

    /** Ports from the base to the timer. */
    public static final int TIMER_OFFSET = 8;

    /** The system control interrupt. */
    public static final int SCI = 9;

    /** Sleep type that the {@code _S5} object gives for soft off. */
    public static final int SLEEP_TYPE_S5 = 5;

    /** Frequency of the timer in Hz. */
    public static final long HERTZ = 3_579_545;

    private static final int STATUS_TIMER = 0x0001;
    private static final int STATUS_POWER_BUTTON = 0x0100;
    private static final int STATUS_ALL = 0x8731;
    private static final int ENABLE_ALL = 0x0721;

    private static final int CONTROL_SCI_ENABLE = 0x0001;
    private static final int CONTROL_WRITABLE = 0x1C02;
    private static final int CONTROL_SLEEP_TYPE_SHIFT = 10;
    private static final int CONTROL_SLEEP_ENABLE = 0x2000;

    private final Timers timers;
    private final InterruptLine line;
    private final Runnable powerOff;
    private final int timerBits;
    private final Timers.Timer overflow;
    /** When the timer was 0. */
    private long origin;

    private int status;
    private int enable;
    private int control;
    /** How often the timer's top bit had changed at the last look. */
    private long seenChanges;

    /**
     * Makes the hardware.
     *
     * @param timers time
     * @param line the system control interrupt, level-triggered
     * @param timerBits width of the timer: 24 or 32
     * @param powerOff called when the guest enters S5, with the device's lock held
     */
    public AcpiPm(Timers timers, InterruptLine line, int timerBits, Runnable powerOff) {
        if (timerBits != 24 && timerBits != 32) {
            throw new IllegalArgumentException("a power management timer has 24 or 32 bits, not " + timerBits);
        }
        this.timers = timers;
        this.line = line;
        this.timerBits = timerBits;
        this.powerOff = powerOff;
        this.origin = timers.nanoTime();
        this.overflow = timers.create(this::overflowed);
    }

    @Override
    public synchronized void reset() {
        status = 0;
        enable = 0;
        control = 0;
        seenChanges = topBitChanges();
        update();
    }

    @Override
    public Class<AcpiPmState> stateType() {
        return AcpiPmState.class;
    }

    @Override
    public synchronized AcpiPmState state() {
        collect();
        return new AcpiPmState(status, enable, control, ticks(), seenChanges);
    }

    @Override
    public synchronized void setState(AcpiPmState state) {
        status = state.status() & STATUS_ALL;
        enable = state.enable() & ENABLE_ALL;
        control = state.control() & CONTROL_WRITABLE;
        origin = timers.nanoTime() - Ticks.toNanos(state.ticks(), HERTZ);
        seenChanges = topBitChanges();
        update();
    }

    /** Presses the power button: a guest that listens shuts down. */
    public synchronized void pressPowerButton() {
        status |= STATUS_POWER_BUTTON;
        update();
    }

    @Override
    public synchronized int read(int port, int size) {
        int offset = port - PORT;
        collect();
        long low = status | (long) enable << 16 | (long) (control | CONTROL_SCI_ENABLE) << 32;
        if (offset >= TIMER_OFFSET) {
            return (int) (timerValue() >>> 8 * (offset - TIMER_OFFSET));
        }
        return (int) (low >>> 8 * offset);
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        collect();
        int offset = port - PORT;
        for (int i = 0; i < size; i++) {
            writeByte(offset + i, value >>> 8 * i & 0xFF);
        }
        update();
    }

    private void writeByte(int offset, int value) {
        int shift = 8 * (offset & 1);
        int keep = 0xFF00 >> shift;
        switch (offset & ~1) {
            case 0 -> status &= ~(value << shift);
            case 2 -> enable = (enable & keep | value << shift) & ENABLE_ALL;
            case CONTROL_OFFSET -> {
                int written = control & keep | value << shift;
                control = written & CONTROL_WRITABLE;
                boolean sleep = (written & CONTROL_SLEEP_ENABLE) != 0;
                if (sleep && (control >> CONTROL_SLEEP_TYPE_SHIFT & 7) == SLEEP_TYPE_S5) {
                    powerOff.run();
                }
            }
            default -> {
                // The timer is read-only.
            }
        }
        status &= STATUS_ALL;
    }

    private long ticks() {
        return Ticks.fromNanos(timers.nanoTime() - origin, HERTZ);
    }

    private long timerValue() {
        return ticks() & (1L << timerBits) - 1;
    }

    private long topBitChanges() {
        return ticks() >>> timerBits - 1;
    }

    private void collect() {
        long changes = topBitChanges();
        if (changes != seenChanges) {
            seenChanges = changes;
            status |= STATUS_TIMER;
        }
    }

    private void update() {
        line.set((status & enable) != 0);
        if ((enable & ~status & STATUS_TIMER) != 0) {
            overflow.arm(origin + Ticks.toNanos(seenChanges + 1 << timerBits - 1, HERTZ));
        } else {
            overflow.disarm();
        }
    }

    private synchronized void overflowed() {
        collect();
        update();
    }
}
