package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResetPortsTest extends DeviceContractTest<ResetPorts> {
    private final PcBus bus = new PcBus();
    private int resets;

    @Override
    protected ResetPorts create() {
        return new ResetPorts(() -> resets++);
    }

    @Override
    protected void attach(ResetPorts device, PcBus to) {
        to.addPorts(0x92, 1, 1, device);
        to.addPorts(0xCF9, 1, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x92, 0xCF9);
    }

    @Override
    protected List<Long> visibleState(PcBus of) {
        return readPorts(of, 0x92, 0xCF9);
    }

    @Test
    void controlPortResetsOnARisingEdge() {
        attach(create(), bus);
        assertThat(bus.readPort(0x92, 1)).as("address line 20 is on").isEqualTo(2);
        bus.writePort(0x92, 1, 0x03);
        bus.writePort(0x92, 1, 0x03);
        assertThat(resets).isEqualTo(1);
    }

    @Test
    void resetRegisterResetsOnItsProcessorBit() {
        attach(create(), bus);
        bus.writePort(0xCF9, 1, 0x02);
        assertThat(resets).isZero();
        assertThat(bus.readPort(0xCF9, 1)).isEqualTo(2);
        bus.writePort(0xCF9, 1, 0x0E);
        assertThat(resets).isEqualTo(1);
    }
}
