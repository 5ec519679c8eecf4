package dev.kagami.platform.device;

import dev.kagami.cpu.Timers;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * A high precision event timer (IA-PC HPET specification 1.0a): a 64-bit counter at 100 MHz and three comparators, all
 * of them 64 bits wide and able to be periodic. Message-signalled interrupts are left out, as in most chip sets.
 */
public final class Hpet implements MmioDevice, StatefulDevice<HpetState> {
    /** Guest-physical address of the registers. */
    public static final long ADDRESS = 0xFED0_0000L;

    /** Bytes of the register window. */
    public static final int SIZE = 0x400;

    /** Shortest time in ticks that periodic mode should be used with; told by the ACPI table. */
    public static final int MIN_TICKS = 10_000;

    /** Revision 1, three comparators, 64 bits, legacy replacement; the low half of the capabilities register. */
    public static final int CAPABILITIES = 0x0001_A201;

    private static final int COMPARATORS = 3;
    private static final int TICK_NANOS = 10;
    private static final long PERIOD_FEMTOSECONDS = TICK_NANOS * 1_000_000L;
    /** A guest that asks for more interrupts than 20,000 a second loses the rest; the host's timer thread is shared. */
    private static final long MIN_INTERVAL_NANOS = 50_000;

    private static final int REGISTER_CAPABILITIES = 0x00;
    private static final int REGISTER_CONFIGURATION = 0x10;
    private static final int REGISTER_STATUS = 0x20;
    private static final int REGISTER_COUNTER = 0xF0;
    private static final int REGISTER_COMPARATORS = 0x100;
    private static final int COMPARATOR_STRIDE = 0x20;

    private static final long CONFIGURATION_ENABLE = 1;
    private static final long CONFIGURATION_LEGACY = 2;

    private static final long TIMER_LEVEL = 1 << 1;
    private static final long TIMER_ENABLE = 1 << 2;
    private static final long TIMER_PERIODIC = 1 << 3;
    private static final long TIMER_PERIODIC_CAPABLE = 1 << 4;
    private static final long TIMER_64_BITS_CAPABLE = 1 << 5;
    private static final long TIMER_SET_VALUE = 1 << 6;
    private static final long TIMER_32_BITS = 1 << 8;
    private static final int TIMER_ROUTE_SHIFT = 9;
    private static final long TIMER_ROUTE = 0x1F << TIMER_ROUTE_SHIFT;
    private static final long TIMER_WRITABLE =
            TIMER_LEVEL | TIMER_ENABLE | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32_BITS | TIMER_ROUTE;
    /** Lines 20 to 23 of the I/O APIC may be chosen. */
    private static final long ROUTES = 0x00F0_0000L;

    private static final int FIRST_ROUTE = 20;
    private static final int LAST_ROUTE = 23;

    private final Timers timers;
    private final Consumer<Boolean> legacy;
    private final Comparator[] comparators = new Comparator[COMPARATORS];
    private long configuration;
    private long status;
    /** Value of the counter at {@link #started}, or while it stands. */
    private long counterBase;

    private long started;
    /**
     * The counter as it was when the access or expiry that is being handled began. Comparators are looked at more than
     * once meanwhile: with a counter that goes on between two looks, the moment at which both are equal could pass
     * unseen, and the next one is a whole round of the counter away.
     */
    private long now;

    /**
     * Makes the timer in its power-on state.
     *
     * @param timers time
     * @param legacyLines the lines of ISA interrupts 0 and 8, for comparators 0 and 1 in legacy replacement mode
     * @param lines for each comparator its own ends of I/O APIC lines 20 to 23
     * @param legacy told when legacy replacement begins (true) and ends: the interval timer and the clock are cut off
     */
    public Hpet(
            Timers timers, List<InterruptLine> legacyLines, List<List<InterruptLine>> lines, Consumer<Boolean> legacy) {
        this.timers = timers;
        this.legacy = legacy;
        for (int i = 0; i < COMPARATORS; i++) {
            InterruptLine legacyLine = i < legacyLines.size() ? legacyLines.get(i) : InterruptLine.UNCONNECTED;
            comparators[i] = new Comparator(1L << i, legacyLine, i < legacyLines.size(), lines.get(i));
        }
    }

    @Override
    public synchronized void reset() {
        for (Comparator comparator : comparators) {
            comparator.reset();
        }
        configuration = 0;
        status = 0;
        counterBase = 0;
        legacy.accept(false);
    }

    @Override
    public Class<HpetState> stateType() {
        return HpetState.class;
    }

    @Override
    public synchronized HpetState state() {
        List<HpetState.Comparator> states = new ArrayList<>();
        for (Comparator comparator : comparators) {
            states.add(comparator.state());
        }
        return new HpetState(configuration, status, counter(), states);
    }

    @Override
    public synchronized void setState(HpetState state) {
        if (state.comparators().size() != COMPARATORS) {
            throw new IllegalArgumentException("this timer has %d comparators, not %d"
                    .formatted(COMPARATORS, state.comparators().size()));
        }
        configuration = state.configuration() & (CONFIGURATION_ENABLE | CONFIGURATION_LEGACY);
        status = state.status() & (1 << COMPARATORS) - 1;
        counterBase = state.counter();
        started = timers.nanoTime();
        now = counterBase;
        legacy.accept((configuration & CONFIGURATION_LEGACY) != 0);
        for (int i = 0; i < COMPARATORS; i++) {
            comparators[i].setState(state.comparators().get(i));
        }
    }

    @Override
    public synchronized long read(long offset, int size) {
        return read((int) offset & ~7) >>> 8 * (offset & 7);
    }

    @Override
    public synchronized void write(long offset, int size, long value) {
        // Registers take aligned doublewords and quadwords (specification, 2.3).
        if (size < 4 || (offset & size - 1) != 0) {
            return;
        }
        now = counter();
        for (Comparator comparator : comparators) {
            comparator.catchUp();
        }
        int register = (int) offset & ~7;
        if (size == 8) {
            write(register, value, -1L);
        } else {
            int shift = 8 * (int) (offset & 7);
            write(register, value << shift, 0xFFFF_FFFFL << shift);
        }
    }

    private long read(int register) {
        return switch (register) {
            case REGISTER_CAPABILITIES -> PERIOD_FEMTOSECONDS << 32 | CAPABILITIES;
            case REGISTER_CONFIGURATION -> configuration;
            case REGISTER_STATUS -> status;
            case REGISTER_COUNTER -> counter();
            default -> {
                int index = (register - REGISTER_COMPARATORS) / COMPARATOR_STRIDE;
                if (register < REGISTER_COMPARATORS || index >= COMPARATORS) {
                    yield 0;
                }
                Comparator comparator = comparators[index];
                yield switch (register % COMPARATOR_STRIDE) {
                    case 0 -> comparator.config | TIMER_PERIODIC_CAPABLE | TIMER_64_BITS_CAPABLE | ROUTES << 32;
                    case 8 -> comparator.value;
                    default -> 0;
                };
            }
        };
    }

    private void write(int register, long value, long mask) {
        switch (register) {
            case REGISTER_CAPABILITIES -> {
                // Read-only.
            }
            case REGISTER_CONFIGURATION -> writeConfiguration(configuration & ~mask | value & mask);
            case REGISTER_STATUS -> {
                status &= ~(value & mask);
                updateAll();
            }
            case REGISTER_COUNTER -> {
                counterBase = now & ~mask | value & mask;
                started = timers.nanoTime();
                now = counterBase;
                updateAll();
            }
            default -> {
                int index = (register - REGISTER_COMPARATORS) / COMPARATOR_STRIDE;
                if (register < REGISTER_COMPARATORS || index >= COMPARATORS) {
                    return;
                }
                Comparator comparator = comparators[index];
                switch (register % COMPARATOR_STRIDE) {
                    case 0 -> comparator.writeConfig(comparator.config & ~mask | value & mask);
                    case 8 -> comparator.writeValue(value, mask);
                    default -> {
                        // No message-signalled interrupts.
                    }
                }
            }
        }
    }

    private void writeConfiguration(long value) {
        long changed = value ^ configuration;
        if ((changed & CONFIGURATION_ENABLE) != 0) {
            counterBase = now;
            started = timers.nanoTime();
        }
        if ((changed & CONFIGURATION_LEGACY) != 0) {
            for (Comparator comparator : comparators) {
                comparator.line().set(false);
            }
            legacy.accept((value & CONFIGURATION_LEGACY) != 0);
        }
        configuration = value & (CONFIGURATION_ENABLE | CONFIGURATION_LEGACY);
        updateAll();
    }

    private boolean enabled() {
        return (configuration & CONFIGURATION_ENABLE) != 0;
    }

    private long counter() {
        return enabled() ? counterBase + (timers.nanoTime() - started) / TICK_NANOS : counterBase;
    }

    private void updateAll() {
        for (Comparator comparator : comparators) {
            comparator.update();
        }
    }

    /** One comparator. */
    private final class Comparator {
        private final long statusBit;
        private final InterruptLine legacyLine;
        private final boolean hasLegacyLine;
        private final List<InterruptLine> lines;
        private final Timers.Timer timer;
        private long config = (long) FIRST_ROUTE << TIMER_ROUTE_SHIFT;
        private long value = -1;
        private long period;
        /** The counter's value at which the armed timer fires. */
        private long target;

        private boolean armed;
        /** When the comparator has fired last, in nanoseconds. */
        private long lastFired = timers.nanoTime() - MIN_INTERVAL_NANOS;

        Comparator(long statusBit, InterruptLine legacyLine, boolean hasLegacyLine, List<InterruptLine> lines) {
            this.statusBit = statusBit;
            this.legacyLine = legacyLine;
            this.hasLegacyLine = hasLegacyLine;
            this.lines = List.copyOf(lines);
            this.timer = timers.create(this::expired);
        }

        void reset() {
            line().set(false);
            config = (long) FIRST_ROUTE << TIMER_ROUTE_SHIFT;
            value = -1;
            period = 0;
            armed = false;
            timer.disarm();
        }

        HpetState.Comparator state() {
            return new HpetState.Comparator(config, value, period, target, armed, timers.nanoTime() - lastFired);
        }

        void setState(HpetState.Comparator state) {
            config = state.config() & TIMER_WRITABLE;
            value = state.value() & mask();
            period = state.period() & mask();
            target = state.target();
            armed = state.armed();
            lastFired = timers.nanoTime() - state.sinceFired();
            if ((config & TIMER_LEVEL) != 0) {
                line().set((config & TIMER_ENABLE) != 0 && (status & statusBit) != 0);
            }
            if (armed) {
                // What is due expires at once.
                long distance = Math.clamp(target - now, 0, Long.MAX_VALUE / TICK_NANOS / 2);
                timer.arm(Math.max(lastFired + MIN_INTERVAL_NANOS, timers.nanoTime() + distance * TICK_NANOS));
            }
        }

        InterruptLine line() {
            if ((configuration & CONFIGURATION_LEGACY) != 0 && hasLegacyLine) {
                return legacyLine;
            }
            int route = (int) (config >> TIMER_ROUTE_SHIFT & 0x1F);
            return route < FIRST_ROUTE || route > LAST_ROUTE
                    ? InterruptLine.UNCONNECTED
                    : lines.get(route - FIRST_ROUTE);
        }

        private long mask() {
            return (config & TIMER_32_BITS) != 0 ? 0xFFFF_FFFFL : -1L;
        }

        private boolean periodic() {
            return (config & TIMER_PERIODIC) != 0;
        }

        void writeConfig(long written) {
            line().set(false);
            config = written & TIMER_WRITABLE;
            if ((config & TIMER_32_BITS) != 0) {
                value &= mask();
                period &= mask();
            }
            update();
        }

        void writeValue(long written, long bits) {
            // In periodic mode a write sets the period, and the comparator only after SET_VALUE (2.3.9.2.2).
            if (!periodic() || (config & TIMER_SET_VALUE) != 0) {
                value = (value & ~bits | written & bits) & mask();
            }
            if (periodic()) {
                period = (period & ~bits | written & bits) & mask();
            }
            config &= ~TIMER_SET_VALUE;
            update();
        }

        void update() {
            boolean interrupts = (config & TIMER_ENABLE) != 0;
            if ((config & TIMER_LEVEL) != 0 || !interrupts) {
                line().set(interrupts && (status & statusBit) != 0);
            }
            // Without an interrupt only a level-triggered comparator shows that it has fired.
            armed = false;
            if (enabled() && (interrupts || (config & TIMER_LEVEL) != 0)) {
                long distance = value - now & mask();
                if (distance > 0 && distance <= Long.MAX_VALUE / TICK_NANOS / 2) {
                    armed = true;
                    target = now + distance;
                    timer.arm(Math.max(lastFired + MIN_INTERVAL_NANOS, timers.nanoTime() + distance * TICK_NANOS));
                    return;
                }
            }
            timer.disarm();
        }

        private void expired() {
            synchronized (Hpet.this) {
                now = counter();
                if (armed && !catchUp()) {
                    update();
                }
            }
        }

        /** Fires when that is due, which it may be before the timer says so; {@return whether it was} */
        boolean catchUp() {
            long late = now - target;
            if (!armed || late < 0) {
                return false;
            }
            lastFired = timers.nanoTime();
            if (periodic() && period != 0) {
                // Periods that the host slept through are lost.
                value = target + Long.divideUnsigned(late, period) * period + period & mask();
            }
            if ((config & TIMER_LEVEL) != 0) {
                status |= statusBit;
            } else if ((config & TIMER_ENABLE) != 0) {
                line().set(false);
                line().set(true);
            }
            update();
            return true;
        }
    }
}
