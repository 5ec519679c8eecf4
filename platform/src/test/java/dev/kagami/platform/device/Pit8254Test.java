package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import org.junit.jupiter.api.Test;

class Pit8254Test extends DeviceContractTest<Pit8254> {
    private final Pit8254 pit = create();

    @Override
    protected Pit8254 create() {
        return new Pit8254(timers, line);
    }

    @Override
    protected void attach(Pit8254 device, PcBus bus) {
        bus.addPorts(0x40, 4, 1, device);
        bus.addPorts(0x61, 1, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x42, 0x61);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        bus.writePort(0x43, 1, 0xEE);
        return List.of(
                (long) bus.readPort(0x40, 1),
                (long) bus.readPort(0x41, 1),
                (long) bus.readPort(0x42, 1),
                // Without the refresh bit, which toggles.
                (long) bus.readPort(0x61, 1) & 0xEF);
    }

    private void load(int counter, int mode, int count) {
        pit.write(0x43, 1, counter << 6 | 0x30 | mode << 1);
        pit.write(0x40 + counter, 1, count & 0xFF);
        pit.write(0x40 + counter, 1, count >> 8);
    }

    private int count(int counter) {
        pit.write(0x43, 1, counter << 6);
        return pit.read(0x40 + counter, 1) | pit.read(0x40 + counter, 1) << 8;
    }

    private void advanceTicks(long ticks) {
        long done = Ticks.fromNanos(timers.nanoTime() - 1_000, Pit8254.HERTZ);
        timers.advance(Ticks.toNanos(done + ticks, Pit8254.HERTZ) + 1_000 - timers.nanoTime());
    }

    private boolean output2() {
        return (pit.read(0x61, 1) & 0x20) != 0;
    }

    @Test
    void terminalCountRaisesTheLineOnce() {
        load(0, 0, 1000);
        assertThat(line.asserted()).isFalse();
        advanceTicks(999);
        assertThat(line.asserted()).isFalse();
        assertThat(count(0)).isEqualTo(1);
        advanceTicks(1);
        assertThat(line.asserted()).isTrue();
        advanceTicks(10);
        assertThat(count(0)).as("goes on counting").isEqualTo(0x1_0000 - 10);
        assertThat(timers.armedCount()).isZero();
    }

    @Test
    void rateGeneratorTicksAtItsRate() {
        load(0, 2, 11_932);
        line.takeEdges();
        advanceTicks(11_932L * 100);
        assertThat(line.takeEdges()).isEqualTo(100);
        assertThat(count(0)).isEqualTo(11_932);
        advanceTicks(932);
        assertThat(count(0)).isEqualTo(11_000);
    }

    @Test
    void squareWaveCountsByTwo() {
        load(0, 3, 1000);
        line.takeEdges();
        advanceTicks(100);
        assertThat(count(0)).isEqualTo(800);
        advanceTicks(500);
        assertThat(count(0)).isEqualTo(800);
        advanceTicks(400);
        assertThat(line.takeEdges()).isEqualTo(1);
    }

    @Test
    void interruptsFasterThanTheHostCanTakeAreThinnedOut() {
        load(0, 2, 2);
        line.takeEdges();
        timers.advance(10_000_000);
        assertThat(line.takeEdges()).isBetween(100, 200);
    }

    @Test
    void counterTwoCountsBehindItsGateAsCalibrationExpects() {
        pit.write(0x61, 1, 0x00);
        load(2, 0, 0x2000);
        advanceTicks(100);
        assertThat(count(2)).as("gate closed").isEqualTo(0x2000);
        pit.write(0x61, 1, 0x01);
        advanceTicks(0x1000);
        assertThat(count(2)).isEqualTo(0x1000);
        assertThat(output2()).isFalse();
        pit.write(0x61, 1, 0x00);
        advanceTicks(500);
        pit.write(0x61, 1, 0x01);
        assertThat(count(2)).isEqualTo(0x1000);
        advanceTicks(0x1000);
        assertThat(output2()).isTrue();
    }

    @Test
    void oneShotStartsAtTheGate() {
        load(2, 1, 100);
        assertThat(output2()).isTrue();
        pit.write(0x61, 1, 0x01);
        assertThat(output2()).isFalse();
        advanceTicks(100);
        assertThat(output2()).isTrue();
    }

    @Test
    void latchHoldsBothBytes() {
        load(0, 2, 0x1234);
        pit.write(0x43, 1, 0x00);
        advanceTicks(0x1000);
        assertThat(pit.read(0x40, 1)).isEqualTo(0x34);
        assertThat(pit.read(0x40, 1)).isEqualTo(0x12);
        assertThat(count(0)).isEqualTo(0x0234);
    }

    @Test
    void readBackGivesStatusThenCount() {
        load(0, 2, 0x0400);
        pit.write(0x43, 1, 0xC2);
        assertThat(pit.read(0x40, 1)).as("output high, two bytes, mode 2").isEqualTo(0xB4);
        assertThat(pit.read(0x40, 1)).isZero();
        assertThat(pit.read(0x40, 1)).isEqualTo(0x04);
        pit.write(0x43, 1, 0x34);
        pit.write(0x43, 1, 0xE2);
        assertThat(pit.read(0x40, 1) & 0x40).as("null count").isNotZero();
    }

    @Test
    void decimalCounts() {
        pit.write(0x43, 1, 0x31);
        pit.write(0x40, 1, 0x00);
        pit.write(0x40, 1, 0x10);
        advanceTicks(1);
        pit.write(0x43, 1, 0x00);
        assertThat(pit.read(0x40, 1)).isEqualTo(0x99);
        assertThat(pit.read(0x40, 1)).isEqualTo(0x09);
    }

    @Test
    void zeroIsTheLargestCount() {
        load(0, 0, 0);
        advanceTicks(0xFFFF);
        assertThat(line.asserted()).isFalse();
        advanceTicks(1);
        assertThat(line.asserted()).isTrue();
    }
}
