package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.RecordingLine;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import org.junit.jupiter.api.Test;

class GeneralEventsTest extends DeviceContractTest<GeneralEvents> {
    private final RecordingLine line = new RecordingLine();

    @Override
    protected GeneralEvents create() {
        return new GeneralEvents(line);
    }

    @Override
    protected void attach(GeneralEvents device, PcBus to) {
        to.addPorts(GeneralEvents.PORT, GeneralEvents.PORTS, 2, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x620, 0x621);
    }

    @Override
    protected List<Long> visibleState(PcBus of) {
        return readPorts(of, 0x620, 0x621);
    }

    @Test
    void anEnabledEventInterruptsUntilItIsCleared() {
        PcBus bus = new PcBus();
        GeneralEvents events = create();
        attach(events, bus);
        events.raise(5);
        assertThat(line.asserted()).isFalse();
        bus.writePort(0x621, 1, 0x20);
        assertThat(line.asserted()).isTrue();
        assertThat(bus.readPort(0x620, 1)).isEqualTo(0x20);
        bus.writePort(0x620, 1, 0xDF);
        assertThat(line.asserted()).isTrue();
        bus.writePort(0x620, 1, 0x20);
        assertThat(line.asserted()).isFalse();
    }
}
