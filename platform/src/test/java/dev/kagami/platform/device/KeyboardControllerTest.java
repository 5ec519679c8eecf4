package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import org.junit.jupiter.api.Test;

class KeyboardControllerTest extends DeviceContractTest<KeyboardController> {
    private final PcBus bus = new PcBus();
    private int resets;

    @Override
    protected KeyboardController create() {
        return new KeyboardController(() -> resets++);
    }

    @Override
    protected void attach(KeyboardController device, PcBus to) {
        to.addPorts(0x60, 1, 1, device);
        to.addPorts(0x64, 1, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x61, 0x64);
    }

    @Override
    protected List<Long> visibleState(PcBus of) {
        List<Long> state = readPorts(of, 0x64, 0x60);
        of.writePort(0x64, 1, 0x20);
        state.addAll(readPorts(of, 0x60));
        of.writePort(0x64, 1, 0xD0);
        state.addAll(readPorts(of, 0x60));
        return state;
    }

    @Test
    void testsItself() {
        attach(create(), bus);
        bus.writePort(0x64, 1, 0xAA);
        assertThat(bus.readPort(0x64, 1) & 1).isEqualTo(1);
        assertThat(bus.readPort(0x60, 1)).isEqualTo(0x55);
        assertThat(bus.readPort(0x64, 1) & 1).isZero();
    }

    @Test
    void keepsItsCommandByte() {
        attach(create(), bus);
        bus.writePort(0x64, 1, 0x60);
        bus.writePort(0x60, 1, 0x47);
        bus.writePort(0x64, 1, 0x20);
        assertThat(bus.readPort(0x60, 1)).isEqualTo(0x47);
    }

    @Test
    void pulsesTheResetLine() {
        attach(create(), bus);
        bus.writePort(0x64, 1, 0xFF);
        assertThat(resets).isZero();
        bus.writePort(0x64, 1, 0xFE);
        assertThat(resets).isEqualTo(1);
        bus.writePort(0x64, 1, 0xD1);
        bus.writePort(0x60, 1, 0x02);
        assertThat(resets).isEqualTo(2);
    }
}
