package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class AcpiPmTest extends DeviceContractTest<AcpiPm> {
    private static final long SECOND = 1_000_000_000L;

    private int poweredOff;
    private final AcpiPm pm = create();

    @Override
    protected AcpiPm create() {
        return new AcpiPm(timers, line, 32, () -> poweredOff++);
    }

    @Override
    protected void attach(AcpiPm device, PcBus bus) {
        bus.addPorts(AcpiPm.PORT, AcpiPm.PORTS, 4, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x601, 0x604, 0x608);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        return List.of((long) bus.readPort(0x600, 2), (long) bus.readPort(0x602, 2), (long) bus.readPort(0x604, 2));
    }

    @Override
    protected void disturb(AcpiPm device, Random random) {
        device.pressPowerButton();
    }

    @Test
    void timerRunsAtItsFrequency() {
        assertThat(pm.read(0x608, 4)).isZero();
        timers.advance(SECOND);
        assertThat(pm.read(0x608, 4)).isEqualTo(3_579_545);
        timers.advance(9 * SECOND);
        assertThat(pm.read(0x608, 4)).isEqualTo(35_795_450);
        assertThat(pm.read(0x609, 1)).isEqualTo(35_795_450 >> 8);
    }

    @Test
    void narrowTimerWraps() {
        AcpiPm narrow = new AcpiPm(timers, line, 24, () -> {});
        timers.advance(10 * SECOND);
        assertThat(narrow.read(0x608, 4)).isEqualTo(35_795_450 & 0xFF_FFFF);
        narrow.write(0x600, 2, 1);
        narrow.write(0x602, 2, 1);
        assertThat(line.asserted()).isFalse();
        timers.advance(3 * SECOND);
        assertThat(line.asserted()).as("top bit changed").isTrue();
        narrow.write(0x600, 2, 1);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void powerButtonInterruptsWhenEnabled() {
        pm.pressPowerButton();
        assertThat(line.asserted()).isFalse();
        assertThat(pm.read(0x600, 2)).isEqualTo(0x100);
        pm.write(0x602, 2, 0x120);
        assertThat(line.asserted()).isTrue();
        pm.write(0x600, 2, 0x100);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void onlySoftOffSwitchesOff() {
        assertThat(pm.read(0x604, 2)).as("always in ACPI mode").isEqualTo(1);
        pm.write(0x604, 2, 1 << 13 | 1 << 10);
        pm.write(0x604, 2, 5 << 10);
        assertThat(poweredOff).isZero();
        pm.write(0x604, 2, 1 << 13 | 5 << 10);
        assertThat(poweredOff).isEqualTo(1);
        assertThat(pm.read(0x604, 2) & 1 << 13).as("reads as zero").isZero();
    }
}
