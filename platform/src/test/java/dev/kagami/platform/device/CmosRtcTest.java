package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class CmosRtcTest extends DeviceContractTest<CmosRtc> {
    private static final long SECOND = 1_000_000_000L;
    /** A Saturday. */
    private Instant start = Instant.parse("2026-11-21T13:45:56.100Z");

    private final CmosRtc clock = create();

    @Override
    protected CmosRtc create() {
        return new CmosRtc(timers, () -> start.plusNanos(timers.nanoTime() - 1_000), line, 3L << 30, 5L << 30);
    }

    @Override
    protected void attach(CmosRtc device, PcBus bus) {
        bus.addPorts(0x70, 2, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x70);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        List<Long> state = new ArrayList<>();
        for (int register = 10; register < 14; register++) {
            bus.writePort(0x70, 1, register);
            // Without the update bit, which comes and goes; time and memory are on the battery.
            state.add((long) bus.readPort(0x71, 1) & (register == 10 ? 0x7F : 0xFF));
        }
        return state;
    }

    private int read(int register) {
        clock.write(0x70, 1, register);
        return clock.read(0x71, 1);
    }

    private void write(int register, int value) {
        clock.write(0x70, 1, register);
        clock.write(0x71, 1, value);
    }

    @Test
    void showsUniversalTimeInDecimal() {
        assertThat(read(0)).isEqualTo(0x56);
        assertThat(read(2)).isEqualTo(0x45);
        assertThat(read(4)).isEqualTo(0x13);
        assertThat(read(6)).as("Saturday").isEqualTo(7);
        assertThat(read(7)).isEqualTo(0x21);
        assertThat(read(8)).isEqualTo(0x11);
        assertThat(read(9)).isEqualTo(0x26);
        assertThat(read(0x32)).isEqualTo(0x20);
        assertThat(read(13)).isEqualTo(0x80);
        timers.advance(5 * SECOND);
        assertThat(read(0)).isEqualTo(0x01);
        assertThat(read(2)).isEqualTo(0x46);
    }

    @Test
    void showsBinaryAndTwelveHours() {
        write(11, 0x06);
        assertThat(read(0)).isEqualTo(56);
        assertThat(read(4)).isEqualTo(13);
        write(11, 0x00);
        assertThat(read(4)).isEqualTo(0x81);
        timers.advance(11 * 3600 * SECOND);
        assertThat(read(4)).as("half past midnight").isEqualTo(0x12);
    }

    @Test
    void takesANewTimeWhileStopped() {
        write(11, 0x82);
        write(9, 0x31);
        write(8, 0x02);
        write(7, 0x28);
        write(4, 0x23);
        write(2, 0x59);
        write(0, 0x58);
        timers.advance(10 * SECOND);
        assertThat(read(0)).isEqualTo(0x58);
        write(11, 0x02);
        timers.advance(3 * SECOND);
        assertThat(read(0)).isEqualTo(0x01);
        assertThat(read(4)).isZero();
        assertThat(read(7)).isEqualTo(0x01);
        assertThat(read(8)).isEqualTo(0x03);
        assertThat(read(9)).isEqualTo(0x31);
    }

    @Test
    void updateInterruptComesEverySecond() {
        write(11, 0x12);
        timers.advance(SECOND);
        assertThat(line.asserted()).isTrue();
        assertThat(read(12) & 0xB0).isEqualTo(0x90);
        assertThat(line.asserted()).isFalse();
        assertThat(read(12)).isZero();
        timers.advance(SECOND);
        assertThat(line.asserted()).isTrue();
    }

    @Test
    void alarmComesAtItsTime() {
        write(1, 0x10);
        write(3, 0x46);
        write(5, 0x13);
        write(11, 0x22);
        timers.advance(13 * SECOND);
        assertThat(line.asserted()).isFalse();
        timers.advance(SECOND);
        assertThat(line.asserted()).isTrue();
        assertThat(read(12) & 0xA0).isEqualTo(0xA0);
        // Any hour, any minute.
        write(3, 0xFF);
        write(5, 0xC0);
        timers.advance(60 * SECOND);
        assertThat(line.asserted()).isTrue();
    }

    @Test
    void periodicInterruptHasItsRate() {
        write(10, 0x2F);
        write(11, 0x42);
        int interrupts = 0;
        for (int i = 0; i < 100; i++) {
            timers.advance(SECOND / 100);
            if (line.asserted()) {
                interrupts++;
                assertThat(read(12) & 0xC0).isEqualTo(0xC0);
            }
        }
        assertThat(interrupts).isEqualTo(2);
    }

    @Test
    void eventsShowWithoutInterrupts() {
        read(12);
        timers.advance(SECOND);
        assertThat(read(12) & 0x50).isEqualTo(0x50);
        assertThat(line.takeEdges()).isZero();
    }

    @Test
    void updateBitWarnsBeforeTheSecondChanges() {
        assertThat(read(10) & 0x80).isZero();
        timers.advance(899 * SECOND / 1000);
        assertThat(read(10) & 0x80).isNotZero();
    }

    @Test
    void memoryKeepsWhatItIsGivenAndTellsTheSizes() {
        write(0x40, 0x5A);
        clock.reset();
        assertThat(read(0x40)).isEqualTo(0x5A);
        assertThat(read(0x34) | read(0x35) << 8).isEqualTo(((3 << 10) - 16) << 4);
        assertThat(read(0x5B) | read(0x5C) << 8 | read(0x5D) << 16).isEqualTo(5 << 14);
    }
}
