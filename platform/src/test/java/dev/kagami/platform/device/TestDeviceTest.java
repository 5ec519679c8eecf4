package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PcBus;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TestDeviceTest extends DeviceContractTest<TestDevice> {
    private static final int LINE = 14;

    private final PcBus bus = new PcBus();
    private final TestDevice device = create();

    @Override
    protected TestDevice create() {
        List<InterruptLine> lines = new ArrayList<>(Collections.nCopies(24, InterruptLine.UNCONNECTED));
        lines.set(LINE, line);
        return new TestDevice(lines);
    }

    @Override
    protected void attach(TestDevice added, PcBus to) {
        added.attach(to);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0xE0, 0xE6, 0x2000, 0x2000 + LINE, 0x2017);
    }

    @Override
    protected List<Long> addresses() {
        return List.of(0xFF00_0000L, 0xFF00_FFC0L);
    }

    @Override
    protected List<Long> visibleState(PcBus of) {
        return List.of((long) of.readPort(0xE0, 4), of.readMmio(0xFF00_0000L, 8), of.readMmio(0xFF00_FFF8L, 8));
    }

    @BeforeEach
    void attachIt() {
        device.attach(bus);
    }

    @Test
    void bothWindowsShowOneLatch() {
        bus.writePort(0xE0, 4, 0x1234_5678);
        assertThat(bus.readPort(0xE0, 4)).isEqualTo(0x1234_5678);
        assertThat(bus.readPort(0xE2, 2)).isEqualTo(0x1234);
        assertThat(bus.readPort(0xE9, 1)).isEqualTo(0x56);
        bus.writePort(0xE8, 4, 0xAABB_CCDD);
        assertThat(bus.readPort(0xE0, 1)).isEqualTo(0xDD);
        assertThat(bus.readPort(0xE3, 1)).isEqualTo(0xAA);
    }

    @Test
    void pageFlushIsTaken() {
        bus.writePort(0xE4, 4, 0x0010_0000);
        assertThat(bus.readPort(0xE4, 4)).isZero();
    }

    @Test
    void portsDriveTheirLines() {
        bus.writePort(0x2000 + LINE, 1, 1);
        assertThat(line.asserted()).isTrue();
        bus.writePort(0x2000 + LINE, 1, 0);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void memoryHoldsWhatItIsGiven() {
        bus.writeMmio(0xFF00_1234L, 8, 0x0102_0304_0506_0708L);
        assertThat(bus.readMmio(0xFF00_1236L, 2)).isEqualTo(0x0506);
        assertThat(bus.readMmio(0xFF01_0000L, 4)).isEqualTo(0xFFFF_FFFFL);
    }
}
