package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.RecordingLine;
import dev.kagami.platform.bus.PcBus;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LegacyPortsTest {
    private int resets;
    private final PcBus bus = new PcBus();

    @Test
    void keyboardControllerTestsItselfAndResets() {
        KeyboardController controller = new KeyboardController(() -> resets++);
        bus.addPorts(0x60, 1, 1, controller);
        bus.addPorts(0x64, 1, 1, controller);
        bus.writePort(0x64, 1, 0xAA);
        assertThat(bus.readPort(0x64, 1) & 1).isEqualTo(1);
        assertThat(bus.readPort(0x60, 1)).isEqualTo(0x55);
        assertThat(bus.readPort(0x64, 1) & 1).isZero();
        bus.writePort(0x64, 1, 0x60);
        bus.writePort(0x60, 1, 0x47);
        bus.writePort(0x64, 1, 0x20);
        assertThat(bus.readPort(0x60, 1)).isEqualTo(0x47);
        assertThat(resets).isZero();
        bus.writePort(0x64, 1, 0xFE);
        assertThat(resets).isEqualTo(1);
        bus.writePort(0x64, 1, 0xD1);
        bus.writePort(0x60, 1, 0x02);
        assertThat(resets).isEqualTo(2);
        controller.reset();
        bus.writePort(0x64, 1, 0x20);
        assertThat(bus.readPort(0x60, 1)).isEqualTo(0x34);
    }

    @Test
    void resetPortsWantARisingEdge() {
        ResetPorts ports = new ResetPorts(() -> resets++);
        bus.addPorts(0x92, 1, 1, ports);
        bus.addPorts(0xCF9, 1, 1, ports);
        assertThat(bus.readPort(0x92, 1)).isEqualTo(2);
        bus.writePort(0x92, 1, 0x03);
        bus.writePort(0x92, 1, 0x03);
        assertThat(resets).isEqualTo(1);
        bus.writePort(0xCF9, 1, 0x02);
        assertThat(resets).isEqualTo(1);
        assertThat(bus.readPort(0xCF9, 1)).isEqualTo(2);
        bus.writePort(0xCF9, 1, 0x0E);
        assertThat(resets).isEqualTo(2);
    }

    @Test
    void postCodeReadsBack() {
        bus.addPorts(0x80, 1, 1, new PostCode());
        bus.writePort(0x80, 1, 0x42);
        assertThat(bus.readPort(0x80, 1)).isEqualTo(0x42);
    }

    @Test
    void testDeviceHasOneLatchBehindTwoWindows() {
        List<RecordingLine> lines = new ArrayList<>();
        for (int i = 0; i < 24; i++) {
            lines.add(new RecordingLine());
        }
        TestDevice device = new TestDevice(List.copyOf(lines));
        device.attach(bus);
        bus.writePort(0xE0, 4, 0x1234_5678);
        assertThat(bus.readPort(0xE0, 4)).isEqualTo(0x1234_5678);
        assertThat(bus.readPort(0xE2, 2)).isEqualTo(0x1234);
        assertThat(bus.readPort(0xE9, 1)).isEqualTo(0x56);
        bus.writePort(0xE8, 4, 0xAABB_CCDD);
        assertThat(bus.readPort(0xE0, 1)).isEqualTo(0xDD);
        assertThat(bus.readPort(0xE3, 1)).isEqualTo(0xAA);
        bus.writePort(0xE4, 4, 0x0010_0000);
        assertThat(bus.readPort(0xE4, 4)).isZero();
        bus.writePort(0x2000 + 14, 1, 1);
        assertThat(lines.get(14).asserted()).isTrue();
        bus.writePort(0x2000 + 14, 1, 0);
        assertThat(lines.get(14).asserted()).isFalse();
        bus.writeMmio(0xFF00_1234L, 8, 0x0102_0304_0506_0708L);
        assertThat(bus.readMmio(0xFF00_1236L, 2)).isEqualTo(0x0506 & 0xFFFF);
        assertThat(bus.readMmio(0xFF01_0000L, 4)).isEqualTo(0xFFFF_FFFFL);
        device.reset();
        assertThat(bus.readMmio(0xFF00_1234L, 8)).isZero();
    }
}
