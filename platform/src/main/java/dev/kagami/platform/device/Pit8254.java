package dev.kagami.platform.device;

import dev.kagami.cpu.Timers;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.ArrayList;
import java.util.List;

/**
 * The 8254 interval timer (Intel 231164-005) with port 0x61, which gates and reads counter 2. Ports 0x40-0x43 and 0x61;
 * every access is one byte. Counter 0 drives interrupt 0.
 *
 * <p>Counters are not stepped: their value and output follow from the time since they were loaded. One simplification:
 * a new count in modes 2 and 3 is loaded at once instead of at the end of the running period.
 */
public final class Pit8254 implements PortDevice, StatefulDevice<PitState> {
    /** Port of counter 0; the control word is at the fourth port. */
    public static final int PORT = 0x40;

    /** System control port B. */
    public static final int CONTROL_PORT = 0x61;

    /** Input clock in Hz. */
    public static final long HERTZ = 1_193_182;

    /** A guest that asks for more interrupts than 20,000 a second loses the rest; the host's timer thread is shared. */
    private static final long MIN_INTERVAL_NANOS = 50_000;

    private static final int CONTROL_GATE = 0x01;
    private static final int CONTROL_WRITABLE = 0x0F;
    private static final int CONTROL_REFRESH = 0x10;
    private static final int CONTROL_OUT = 0x20;
    /** The refresh bit toggles with every refresh request, each 15 µs or 18 ticks. */
    private static final int REFRESH_TICKS = 18;

    private final Timers timers;
    private final InterruptLine line;
    private final Timers.Timer timer;
    /** When the device was made. */
    private long origin;

    private final Counter[] counters = {new Counter(), new Counter(), new Counter()};
    private int control;
    /** When counter 0 has interrupted last, in nanoseconds. */
    private long lastFired;

    /**
     * Makes the timer in its power-on state.
     *
     * @param timers time
     * @param line output of counter 0
     */
    public Pit8254(Timers timers, InterruptLine line) {
        this.timers = timers;
        this.line = line;
        this.origin = timers.nanoTime();
        this.lastFired = origin - MIN_INTERVAL_NANOS;
        this.timer = timers.create(this::expired);
        counters[2].gate = false;
    }

    @Override
    public synchronized void reset() {
        for (int i = 0; i < counters.length; i++) {
            counters[i] = new Counter();
        }
        counters[2].gate = false;
        control = 0;
        timer.disarm();
        line.set(false);
    }

    @Override
    public Class<PitState> stateType() {
        return PitState.class;
    }

    @Override
    public synchronized PitState state() {
        List<PitState.Counter> states = new ArrayList<>();
        for (Counter counter : counters) {
            states.add(counter.state());
        }
        return new PitState(control, now(), timers.nanoTime() - lastFired, states);
    }

    @Override
    public synchronized void setState(PitState state) {
        origin = timers.nanoTime() - Ticks.toNanos(state.ticks(), HERTZ);
        long now = now();
        control = state.control() & CONTROL_WRITABLE;
        lastFired = timers.nanoTime() - state.sinceFired();
        for (int i = 0; i < counters.length; i++) {
            counters[i].setState(state.counters().get(i));
        }
        Counter counter = counters[0];
        line.set(counter.periodic() || counter.output(now));
        if (counter.edge >= 0) {
            armAt(counter.edge);
        }
    }

    @Override
    public synchronized int read(int port, int size) {
        long now = now();
        if (port == CONTROL_PORT) {
            return control
                    | (now / REFRESH_TICKS % 2 == 0 ? 0 : CONTROL_REFRESH)
                    | (counters[2].output(now) ? CONTROL_OUT : 0);
        }
        int index = port & 3;
        return index == 3 ? 0xFF : counters[index].read(now);
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        long now = now();
        if (port == CONTROL_PORT) {
            control = value & CONTROL_WRITABLE;
            counters[2].setGate(now, (value & CONTROL_GATE) != 0);
            return;
        }
        int index = port & 3;
        if (index < 3) {
            counters[index].write(now, value & 0xFF);
            if (index == 0) {
                update(now);
            }
            return;
        }
        int select = value >> 6 & 3;
        if (select == 3) {
            for (int i = 0; i < 3; i++) {
                if ((value & 2 << i) != 0) {
                    counters[i].readBack(now, (value & 0x20) == 0, (value & 0x10) == 0);
                }
            }
            return;
        }
        // Latching must leave the timer alone: an edge that is due but not delivered yet would be lost.
        if (counters[select].writeControl(now, value) && select == 0) {
            update(now);
        }
    }

    private synchronized void expired() {
        long now = now();
        Counter counter = counters[0];
        if (counter.edge >= 0 && now >= counter.edge) {
            // The output went low and came back since the last edge; ticks that the host slept through are lost.
            lastFired = timers.nanoTime();
            line.set(false);
            line.set(true);
            update(now);
        } else if (counter.edge >= 0) {
            armAt(counter.edge);
        }
    }

    /** Brings the interrupt line and the timer up to date with counter 0. */
    private void update(long now) {
        Counter counter = counters[0];
        // In the periodic modes the low phase carries no information; keeping the line high there saves a timer.
        line.set(counter.periodic() || counter.output(now));
        counter.edge = counter.nextRisingEdge(now);
        if (counter.edge < 0) {
            timer.disarm();
        } else {
            armAt(counter.edge);
        }
    }

    private void armAt(long tick) {
        timer.arm(Math.max(lastFired + MIN_INTERVAL_NANOS, origin + Ticks.toNanos(tick, HERTZ)));
    }

    private long now() {
        return Ticks.fromNanos(timers.nanoTime() - origin, HERTZ);
    }

    /** One counter. Times are in ticks of the input clock since the device was made. */
    private static final class Counter {
        private static final int ACCESS_LATCH = 0;
        private static final int ACCESS_LOW = 1;
        private static final int ACCESS_HIGH = 2;
        private static final int STATUS_OUT = 0x80;
        private static final int STATUS_NULL = 0x40;

        private int mode = 0;
        private boolean bcd;
        private int access = 3;
        /** Counts from here; 1 to 65,536 (10,000 in BCD). */
        private int reload = 0x1_0000;
        /** No count since the control word: the output keeps its initial level. */
        private boolean loaded;
        /** Modes 1 and 5 wait for a trigger at the gate. */
        private boolean triggered;

        private boolean gate = true;
        /** When the count was loaded or, behind a closed gate, resumed. */
        private long start;
        /** Ticks counted before {@link #start}. */
        private long counted;
        /** Next rising edge of the output, or -1; counter 0 only. */
        private long edge = -1;

        private int writtenLow;
        private boolean writeHighNext;
        private boolean readHighNext;
        private boolean countLatched;
        private int latchedCount;
        private boolean statusLatched;
        private int latchedStatus;

        PitState.Counter state() {
            return new PitState.Counter(
                    mode,
                    bcd,
                    access,
                    reload,
                    loaded,
                    triggered,
                    gate,
                    start,
                    counted,
                    edge,
                    writtenLow,
                    writeHighNext,
                    readHighNext,
                    countLatched ? latchedCount : -1,
                    statusLatched ? latchedStatus : -1);
        }

        void setState(PitState.Counter state) {
            mode = state.mode();
            bcd = state.bcd();
            access = state.access();
            reload = state.reload();
            loaded = state.loaded();
            triggered = state.triggered();
            gate = state.gate();
            start = state.start();
            counted = state.counted();
            edge = state.edge();
            writtenLow = state.writtenLow() & 0xFF;
            writeHighNext = state.writeHighNext();
            readHighNext = state.readHighNext();
            countLatched = state.latchedCount() >= 0;
            latchedCount = state.latchedCount();
            statusLatched = state.latchedStatus() >= 0;
            latchedStatus = state.latchedStatus();
        }

        boolean periodic() {
            return mode == 2 || mode == 3;
        }

        private boolean running() {
            return loaded && (mode == 1 || mode == 5 ? triggered : gate);
        }

        private long elapsed(long now) {
            return counted + (running() ? Math.max(0, now - start) : 0);
        }

        boolean output(long now) {
            if (!loaded) {
                return mode != 0;
            }
            long elapsed = elapsed(now);
            return switch (mode) {
                case 0 -> elapsed >= reload;
                case 1 -> !triggered || elapsed >= reload;
                case 2 -> !gate || elapsed % reload != reload - 1;
                // An odd count is high one tick longer than low (datasheet, mode 3).
                case 3 -> !gate || elapsed % reload < (reload + 1) / 2;
                case 4 -> elapsed != reload;
                default -> !triggered || elapsed != reload;
            };
        }

        /** {@return the tick of the next rising edge after now, or -1 when there is none} */
        long nextRisingEdge(long now) {
            if (!running()) {
                return -1;
            }
            long elapsed = elapsed(now);
            long at = switch (mode) {
                case 0, 1 -> elapsed < reload ? reload : -1;
                case 2, 3 -> (elapsed / reload + 1) * reload;
                default -> elapsed <= reload ? reload + 1L : -1;
            };
            return at < 0 ? -1 : start - counted + at;
        }

        private int count(long now) {
            if (!loaded) {
                return 0;
            }
            long elapsed = elapsed(now);
            int modulus = bcd ? 10_000 : 0x1_0000;
            long value = switch (mode) {
                case 2 -> reload - elapsed % reload;
                // Counts down by two, twice a period.
                case 3 -> reload - 2 * elapsed % reload & ~1L;
                default -> Math.floorMod(reload - elapsed, (long) modulus);
            };
            int wrapped = (int) (value % modulus);
            return bcd ? toBcd(wrapped) : wrapped;
        }

        private int status(long now) {
            return (output(now) ? STATUS_OUT : 0)
                    | (loaded ? 0 : STATUS_NULL)
                    | access << 4
                    | mode << 1
                    | (bcd ? 1 : 0);
        }

        /** {@return whether the counter was programmed, and not just latched} */
        boolean writeControl(long now, int value) {
            int newAccess = value >> 4 & 3;
            if (newAccess == ACCESS_LATCH) {
                latchCount(now);
                return false;
            }
            access = newAccess;
            int newMode = value >> 1 & 7;
            mode = newMode > 5 ? newMode & 3 : newMode;
            bcd = (value & 1) != 0;
            loaded = false;
            triggered = false;
            counted = 0;
            writeHighNext = false;
            readHighNext = false;
            countLatched = false;
            statusLatched = false;
            return true;
        }

        void readBack(long now, boolean wantCount, boolean wantStatus) {
            if (wantCount) {
                latchCount(now);
            }
            if (wantStatus && !statusLatched) {
                statusLatched = true;
                latchedStatus = status(now);
            }
        }

        private void latchCount(long now) {
            if (!countLatched) {
                countLatched = true;
                latchedCount = count(now);
            }
        }

        int read(long now) {
            if (statusLatched) {
                statusLatched = false;
                return latchedStatus;
            }
            int value = countLatched ? latchedCount : count(now);
            boolean high = access == ACCESS_HIGH;
            if (access == 3) {
                high = readHighNext;
                readHighNext = !readHighNext;
            }
            // A latched word is held until both of its bytes are read.
            if (access != 3 || high) {
                countLatched = false;
            }
            return high ? value >> 8 : value & 0xFF;
        }

        void write(long now, int value) {
            switch (access) {
                case ACCESS_LOW -> load(now, value);
                case ACCESS_HIGH -> load(now, value << 8);
                default -> {
                    if (writeHighNext) {
                        writeHighNext = false;
                        load(now, writtenLow | value << 8);
                    } else {
                        writtenLow = value;
                        writeHighNext = true;
                        if (mode == 0) {
                            // The first byte stops the counting (datasheet, mode 0).
                            loaded = false;
                        }
                    }
                }
            }
        }

        private void load(long now, int value) {
            int binary = bcd ? fromBcd(value) : value;
            reload = binary == 0 ? bcd ? 10_000 : 0x1_0000 : binary;
            if ((mode == 2 || mode == 3) && reload == 1) {
                // Not allowed by the datasheet; the shortest period that is.
                reload = 2;
            }
            if ((mode == 1 || mode == 5) && loaded) {
                // The new count waits for the next trigger; ours has no use for the old one any more.
                return;
            }
            loaded = true;
            counted = 0;
            start = now;
        }

        void setGate(long now, boolean open) {
            if (open == gate) {
                return;
            }
            switch (mode) {
                case 0, 4 -> {
                    if (open) {
                        gate = true;
                        start = now;
                    } else {
                        counted = elapsed(now);
                        gate = false;
                    }
                }
                case 2, 3 -> {
                    gate = open;
                    counted = 0;
                    start = now;
                }
                default -> {
                    gate = open;
                    if (open) {
                        triggered = loaded;
                        counted = 0;
                        start = now;
                    }
                }
            }
        }

        private static int toBcd(int value) {
            return value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
        }

        private static int fromBcd(int value) {
            return (value >> 12 & 15) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
        }
    }
}
