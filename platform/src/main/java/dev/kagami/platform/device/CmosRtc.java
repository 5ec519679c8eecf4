package dev.kagami.platform.device;

import dev.kagami.cpu.Timers;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.time.InstantSource;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/**
 * The MC146818A real-time clock with its battery-backed memory (Motorola MC146818A datasheet). Ports 0x70 (index) and
 * 0x71 (data); every access is one byte. Interrupt 8.
 *
 * <p>The clock runs on the host's, shifted by what the guest has set. Registers aren't stepped: the time and the periodic,
 * alarm and update events follow from the clock when somebody looks, and a timer looks while an interrupt is enabled.
 */
public final class CmosRtc implements PortDevice, StatefulDevice<RtcState> {
    /** Index port; the data port follows. */
    public static final int PORT = 0x70;

    /** Interrupt line. */
    public static final int IRQ = 8;

    /** Where the century is kept; the FADT says so. */
    public static final int CENTURY = 0x32;

    private static final int REGISTERS = 128;
    private static final int SECONDS = 0;
    private static final int SECONDS_ALARM = 1;
    private static final int MINUTES = 2;
    private static final int MINUTES_ALARM = 3;
    private static final int HOURS = 4;
    private static final int HOURS_ALARM = 5;
    private static final int WEEKDAY = 6;
    private static final int DAY = 7;
    private static final int MONTH = 8;
    private static final int YEAR = 9;
    private static final int REGISTER_A = 10;
    private static final int REGISTER_B = 11;
    private static final int REGISTER_C = 12;
    private static final int REGISTER_D = 13;

    private static final int A_UPDATE_IN_PROGRESS = 0x80;
    private static final int A_DIVIDER = 0x70;
    private static final int A_DIVIDER_RESET = 0x60;
    private static final int A_RATE = 0x0F;
    /** 32,768 Hz time base, 1,024 Hz periodic rate: what a PC's firmware leaves. */
    private static final int A_DEFAULT = 0x26;

    private static final int B_SET = 0x80;
    private static final int B_PERIODIC = 0x40;
    private static final int B_ALARM = 0x20;
    private static final int B_UPDATE = 0x10;
    private static final int B_BINARY = 0x04;
    private static final int B_24_HOURS = 0x02;

    private static final int C_INTERRUPT = 0x80;
    private static final int D_VALID = 0x80;
    private static final int PM = 0x80;
    /** An alarm register with both high bits set matches everything. */
    private static final int DONT_CARE = 0xC0;

    private static final long NANOS = 1_000_000_000L;
    private static final long DAY_SECONDS = 86_400;
    private static final long CRYSTAL_HERTZ = 32_768;
    /** The update bit rises 244 µs before the update, which takes another 1,984 µs (datasheet, table 6). */
    private static final long UPDATE_NANOS = 244_000 + 1_984_000;

    /** Beyond the year 9999, where the guest's clock starts over, on either side. */
    private static final long MAX_SECONDS = 1L << 40;

    private final Timers timers;
    private final InterruptLine line;
    private final InstantSource host;
    private final Timers.Timer timer;
    private final long origin;
    private final byte[] memory = new byte[REGISTERS];

    private int index;
    private int registerA;
    private int registerB;
    /** Event flags: periodic, alarm and update at the places of their enable bits. */
    private int events;
    /** Seconds that the guest's clock is ahead of the host's. */
    private long offset;
    /** The clock as it stood when the guest stopped it with the SET bit, in seconds since 1970. */
    private long stopped;
    /** Up to where update and alarm events have been looked for, in seconds since 1970. */
    private long seenSecond;
    /** Up to where periodic events have been looked for, in periods. */
    private long seenPeriod;

    /**
     * Makes the clock.
     *
     * @param timers for interrupts
     * @param host the host's clock
     * @param line interrupt line
     * @param lowMemory bytes of RAM below 4 GiB, for the memory size registers
     * @param highMemory bytes of RAM above 4 GiB
     */
    public CmosRtc(Timers timers, InstantSource host, InterruptLine line, long lowMemory, long highMemory) {
        this.timers = timers;
        this.origin = timers.nanoTime();
        this.host = host;
        this.line = line;
        this.timer = timers.create(this::expired);
        describeMemory(lowMemory, highMemory);
        powerOn();
    }

    /** Resets what a PC's reset line does: interrupts. Time and memory are on the battery. */
    @Override
    public synchronized void reset() {
        powerOn();
        timer.disarm();
        line.set(false);
    }

    @Override
    public Class<RtcState> stateType() {
        return RtcState.class;
    }

    @Override
    public synchronized RtcState state() {
        collectEvents();
        return new RtcState(memory.clone(), index, registerA, registerB, events, offset, stopped, seenSecond);
    }

    @Override
    public synchronized void setState(RtcState state) {
        if (state.memory().length != REGISTERS) {
            throw new IllegalArgumentException(
                    "this clock has %d registers, not %d".formatted(REGISTERS, state.memory().length));
        }
        System.arraycopy(state.memory(), 0, memory, 0, REGISTERS);
        index = state.index() & 0x7F;
        registerA = state.registerA() & 0xFF & ~A_UPDATE_IN_PROGRESS;
        registerB = state.registerB() & 0xFF;
        events = state.events() & (B_PERIODIC | B_ALARM | B_UPDATE);
        offset = inRange(state.offset());
        stopped = inRange(state.stopped());
        seenSecond = inRange(state.seenSecond());
        seenPeriod = periods();
        update();
    }

    private static long inRange(long seconds) {
        if (Math.abs(seconds) > MAX_SECONDS) {
            throw new IllegalArgumentException("a clock at " + seconds + " s");
        }
        return seconds;
    }

    private void powerOn() {
        if ((registerB & B_SET) != 0) {
            offset = stopped - host.instant().getEpochSecond();
        }
        index = 0;
        registerA = A_DEFAULT;
        registerB = B_24_HOURS;
        events = 0;
        seenSecond = seconds();
        seenPeriod = periods();
    }

    /** Sets the memory size registers of a PC/AT (kilobytes above 1 MiB) and those in 64 KiB above 16 MiB and 4 GiB. */
    private void describeMemory(long low, long high) {
        store(0x15, Math.min(low >> 10, 640), 2);
        long above1 = Math.min(Math.max(0, (low >> 10) - 1024), 0xFFFF);
        store(0x17, above1, 2);
        store(0x30, above1, 2);
        store(0x34, Math.min(Math.max(0, low - (16L << 20)) >> 16, 0xFFFF), 2);
        store(0x5B, Math.min(high >> 16, 0xFF_FFFF), 3);
    }

    private void store(int register, long value, int bytes) {
        for (int i = 0; i < bytes; i++) {
            memory[register + i] = (byte) (value >> 8 * i);
        }
    }

    @Override
    public synchronized int read(int port, int size) {
        if ((port & 1) == 0) {
            // The index is write-only.
            return 0xFF;
        }
        return switch (index) {
            case REGISTER_A -> registerA | (updating() ? A_UPDATE_IN_PROGRESS : 0);
            case REGISTER_B -> registerB;
            case REGISTER_C -> readEvents();
            case REGISTER_D -> D_VALID;
            default -> isTime(index) ? timeRegister(index) : memory[index] & 0xFF;
        };
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        int octet = value & 0xFF;
        if ((port & 1) == 0) {
            // Bit 7 masks non-maskable interrupts, of which this machine has none.
            index = octet & 0x7F;
            return;
        }
        collectEvents();
        switch (index) {
            case REGISTER_A -> {
                registerA = octet & ~A_UPDATE_IN_PROGRESS;
                seenPeriod = periods();
                update();
            }
            case REGISTER_B -> writeRegisterB(octet);
            case REGISTER_C, REGISTER_D -> {
                // Read-only.
            }
            default -> {
                if (isTime(index)) {
                    setTimeRegister(index, octet);
                } else {
                    memory[index] = (byte) octet;
                }
                update();
            }
        }
    }

    private static boolean isTime(int register) {
        return switch (register) {
            case SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY -> true;
            default -> false;
        };
    }

    private void writeRegisterB(int value) {
        int changed = registerB ^ value;
        if ((changed & B_SET) != 0) {
            if ((value & B_SET) != 0) {
                stopped = seconds();
            } else {
                offset = stopped - host.instant().getEpochSecond();
                seenSecond = stopped;
            }
        }
        // Stopping the clock also takes the update interrupt back (datasheet, register B).
        registerB = (value & B_SET) != 0 ? value & ~B_UPDATE : value;
        update();
    }

    private int readEvents() {
        collectEvents();
        int value = events | (interrupting() ? C_INTERRUPT : 0);
        events = 0;
        update();
        return value;
    }

    private boolean interrupting() {
        return (events & registerB & (B_PERIODIC | B_ALARM | B_UPDATE)) != 0;
    }

    private boolean running() {
        return (registerB & B_SET) == 0 && (registerA & A_DIVIDER_RESET) != A_DIVIDER_RESET;
    }

    private boolean updating() {
        return running() && host.instant().getNano() >= NANOS - UPDATE_NANOS;
    }

    private long seconds() {
        return (registerB & B_SET) != 0 ? stopped : host.instant().getEpochSecond() + offset;
    }

    /** {@return the length of a period in ticks of the crystal, or 0 when the rate is off} */
    private long periodTicks() {
        int rate = registerA & A_RATE;
        if (rate == 0 || (registerA & A_DIVIDER) == A_DIVIDER) {
            return 0;
        }
        // Rates 1 and 2 are the same as 8 and 9 with this time base (datasheet, table 5).
        return 1L << (rate <= 2 ? rate + 7 : rate) - 1;
    }

    private long periods() {
        long ticks = periodTicks();
        return ticks == 0 ? 0 : Ticks.fromNanos(timers.nanoTime() - origin, CRYSTAL_HERTZ) / ticks;
    }

    /** Finds the events since the last look. */
    private void collectEvents() {
        long period = periods();
        if (period != seenPeriod) {
            seenPeriod = period;
            events |= B_PERIODIC;
        }
        if (!running()) {
            return;
        }
        long now = seconds();
        if (now == seenSecond) {
            return;
        }
        events |= B_UPDATE;
        // The alarm has no date, so that one day says it all; a clock that the host set back is seen anew.
        long first = Math.max(seenSecond + 1, now - DAY_SECONDS + 1);
        for (long second = first; second <= now && (events & B_ALARM) == 0; second++) {
            if (alarmAt(second)) {
                events |= B_ALARM;
            }
        }
        seenSecond = now;
    }

    private boolean alarmAt(long second) {
        int ofDay = (int) Math.floorMod(second, DAY_SECONDS);
        return alarmMatches(SECONDS_ALARM, encode(ofDay % 60))
                && alarmMatches(MINUTES_ALARM, encode(ofDay / 60 % 60))
                && alarmMatches(HOURS_ALARM, encodeHour(ofDay / 3600));
    }

    private boolean alarmMatches(int register, int value) {
        int wanted = memory[register] & 0xFF;
        return (wanted & DONT_CARE) == DONT_CARE || wanted == value;
    }

    private synchronized void expired() {
        collectEvents();
        update();
    }

    /** Sets the interrupt line and arms the timer for the next event that could raise it. */
    private void update() {
        line.set(interrupting());
        long now = timers.nanoTime();
        long next = Long.MAX_VALUE;
        long ticks = periodTicks();
        if ((registerB & B_PERIODIC) != 0 && ticks != 0 && (events & B_PERIODIC) == 0) {
            next = origin + Ticks.toNanos((periods() + 1) * ticks, CRYSTAL_HERTZ);
        }
        if ((registerB & (B_ALARM | B_UPDATE) & ~events) != 0 && running()) {
            next = Math.min(next, now + NANOS - host.instant().getNano());
        }
        if (next == Long.MAX_VALUE) {
            timer.disarm();
        } else {
            timer.arm(next);
        }
    }

    private LocalDateTime time() {
        return LocalDateTime.ofEpochSecond(seconds(), 0, ZoneOffset.UTC);
    }

    private int timeRegister(int register) {
        LocalDateTime time = time();
        return switch (register) {
            case SECONDS -> encode(time.getSecond());
            case MINUTES -> encode(time.getMinute());
            case HOURS -> encodeHour(time.getHour());
            // Sunday is 1 here and 7 in ISO 8601.
            case WEEKDAY -> encode(time.getDayOfWeek().getValue() % 7 + 1);
            case DAY -> encode(time.getDayOfMonth());
            case MONTH -> encode(time.getMonthValue());
            case YEAR -> encode(Math.floorMod(time.getYear(), 100));
            default -> encode(Math.floorMod(Math.floorDiv(time.getYear(), 100), 100));
        };
    }

    /** Moves the clock so that one register has a new value; fields out of range carry into the next one. */
    private void setTimeRegister(int register, int value) {
        LocalDateTime time = time();
        int number = decode(value);
        LocalDateTime changed = switch (register) {
            case SECONDS -> time.plusSeconds(number - time.getSecond());
            case MINUTES -> time.plusMinutes(number - time.getMinute());
            case HOURS -> time.plusHours(decodeHour(value) - time.getHour());
            case DAY -> time.plusDays(number - time.getDayOfMonth());
            case MONTH -> time.plusMonths(number - time.getMonthValue());
            case YEAR -> time.plusYears(number - Math.floorMod(time.getYear(), 100));
            case CENTURY -> time.plusYears(100L * (number - Math.floorDiv(time.getYear(), 100)));
            // The day of the week follows from the date.
            default -> time;
        };
        // The century register has two digits, so the clock starts over after 9999.
        long second = changed.withYear(Math.floorMod(changed.getYear(), 10_000)).toEpochSecond(ZoneOffset.UTC);
        if ((registerB & B_SET) != 0) {
            stopped = second;
        } else {
            offset += second - seconds();
        }
        seenSecond = second;
    }

    private int encode(int value) {
        return (registerB & B_BINARY) != 0 ? value : value / 10 << 4 | value % 10;
    }

    private int decode(int value) {
        return (registerB & B_BINARY) != 0 ? value : (value >> 4) * 10 + (value & 15);
    }

    private int encodeHour(int hour) {
        if ((registerB & B_24_HOURS) != 0) {
            return encode(hour);
        }
        return encode((hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0);
    }

    private int decodeHour(int value) {
        if ((registerB & B_24_HOURS) != 0) {
            return decode(value);
        }
        return decode(value & ~PM) % 12 + ((value & PM) != 0 ? 12 : 0);
    }
}
