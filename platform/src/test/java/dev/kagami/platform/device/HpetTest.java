package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.RecordingLine;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PcBus;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HpetTest extends DeviceContractTest<Hpet> {
    private static final int CONFIGURATION = 0x10;
    private static final int STATUS = 0x20;
    private static final int COUNTER = 0xF0;
    private static final int TIMER0 = 0x100;
    private static final int TIMER1 = 0x120;

    private final RecordingLine clockLine = new RecordingLine();
    private final RecordingLine routed = new RecordingLine();
    private boolean legacy;
    private final Hpet hpet = create();

    @Override
    protected Hpet create() {
        List<InterruptLine> routes = List.of(routed, routed, routed, routed);
        return new Hpet(timers, List.of(line, clockLine), List.of(routes, routes, routes), on -> legacy = on);
    }

    @Override
    protected void attach(Hpet device, PcBus bus) {
        bus.addMmio(Hpet.ADDRESS, Hpet.SIZE, 8, device);
    }

    @Override
    protected List<Long> addresses() {
        return List.of(Hpet.ADDRESS, Hpet.ADDRESS + 0xE0, Hpet.ADDRESS + TIMER0);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        List<Long> state = new ArrayList<>();
        for (int offset = 0; offset < Hpet.SIZE; offset += 8) {
            state.add(bus.readMmio(Hpet.ADDRESS + offset, 8));
        }
        return state;
    }

    @Test
    void capabilitiesAreAsTheTableSays() {
        assertThat((int) hpet.read(0, 4)).isEqualTo(Hpet.CAPABILITIES);
        assertThat(hpet.read(4, 4)).as("femtoseconds").isEqualTo(10_000_000);
    }

    @Test
    void counterRunsWhileEnabled() {
        timers.advance(1000);
        assertThat(hpet.read(COUNTER, 8)).isZero();
        hpet.write(CONFIGURATION, 8, 1);
        timers.advance(1000);
        assertThat(hpet.read(COUNTER, 8)).isEqualTo(100);
        hpet.write(CONFIGURATION, 8, 0);
        timers.advance(1000);
        hpet.write(COUNTER + 4, 4, 1);
        assertThat(hpet.read(COUNTER, 8)).isEqualTo(1L << 32 | 100);
    }

    @Test
    void oneShotFiresOnceOnItsLegacyLine() {
        hpet.write(TIMER0, 8, 0x104);
        hpet.write(TIMER0 + 8, 4, 100_000);
        hpet.write(CONFIGURATION, 8, 3);
        assertThat(legacy).isTrue();
        timers.advance(999_000);
        assertThat(line.takeEdges()).isZero();
        timers.advance(2_000);
        assertThat(line.takeEdges()).isEqualTo(1);
        timers.advance(10_000_000);
        assertThat(line.takeEdges()).isZero();
        hpet.write(CONFIGURATION, 8, 1);
        assertThat(legacy).isFalse();
        assertThat(line.asserted()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 7, 10, 33, 400, 5000})
    void noMatchIsMissedWhileTimeGoesOn(long drift) {
        timers.setDrift(drift);
        hpet.write(CONFIGURATION, 8, 3);
        hpet.write(TIMER0, 8, 0x104);
        for (int round = 0; round < 1000; round++) {
            long target = hpet.read(COUNTER, 4) + 1000 + round;
            hpet.write(TIMER0 + 8, 4, target & 0xFFFF_FFFFL);
            while (hpet.read(COUNTER, 4) < target - 20) {
                timers.advance(10);
            }
            // Writes at about the time of the match, to a register that has nothing to do with it.
            for (int i = 0; i < 20; i++) {
                hpet.write(STATUS, 4, 1);
            }
            timers.advance(200_000);
            assertThat(line.takeEdges()).as("round %d", round).isEqualTo(1);
        }
    }

    @Test
    void periodicFiresAtItsPeriod() {
        hpet.write(TIMER1, 8, 0x14C);
        hpet.write(TIMER1 + 8, 4, 50_000);
        hpet.write(TIMER1 + 8, 4, 100_000);
        hpet.write(CONFIGURATION, 8, 3);
        timers.advance(10_000_000);
        assertThat(clockLine.takeEdges()).isEqualTo(10);
    }

    @Test
    void levelStaysUntilItsStatusIsCleared() {
        hpet.write(TIMER0, 8, 0x06 | 21 << 9);
        hpet.write(TIMER0 + 8, 8, 100_000);
        hpet.write(CONFIGURATION, 8, 1);
        timers.advance(2_000_000);
        assertThat(routed.asserted()).isTrue();
        assertThat(hpet.read(STATUS, 4)).isEqualTo(1);
        hpet.write(STATUS, 4, 1);
        assertThat(routed.asserted()).isFalse();
        assertThat(hpet.read(STATUS, 4)).isZero();
    }
}
