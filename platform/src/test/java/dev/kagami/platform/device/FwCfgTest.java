package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FwCfgTest extends DeviceContractTest<FwCfg> {
    private static final int PROCESSORS = 3;
    private static final long MEMORY = (5L << 30) + (128 << 20);

    @Override
    protected FwCfg create() {
        return new FwCfg(PROCESSORS, MEMORY);
    }

    @Override
    protected void attach(FwCfg device, PcBus bus) {
        bus.addPorts(FwCfg.SELECTOR_PORT, FwCfg.PORTS, 2, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(FwCfg.SELECTOR_PORT);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        List<Long> values = readPorts(bus, 0x511, 0x511, 0x511, 0x511, 0x511);
        for (int key = 0; key < 0x20; key++) {
            values.add(item(bus, key, 8));
        }
        bus.writePort(0x510, 2, 0);
        return values;
    }

    private PcBus bus() {
        PcBus bus = new PcBus();
        attach(create(), bus);
        return bus;
    }

    private static long item(PcBus bus, int key, int size) {
        bus.writePort(0x510, 2, key);
        long value = 0;
        for (int i = 0; i < size; i++) {
            value |= (long) bus.readPort(0x511, 1) << 8 * i;
        }
        return value;
    }

    @Test
    void signsFirst() {
        List<Character> signature = new ArrayList<>();
        PcBus bus = bus();
        for (int i = 0; i < 4; i++) {
            signature.add((char) bus.readPort(0x511, 1));
        }
        assertThat(signature).containsExactly('Q', 'E', 'M', 'U');
    }

    @Test
    void tellsProcessorsMemoryAndThatThereIsNoDma() {
        PcBus bus = bus();
        assertThat(item(bus, 0x05, 2)).isEqualTo(PROCESSORS);
        assertThat(item(bus, 0x0F, 2)).isEqualTo(PROCESSORS);
        assertThat(item(bus, 0x03, 8)).isEqualTo(MEMORY);
        assertThat(item(bus, 0x01, 4)).isEqualTo(1);
    }

    @Test
    void anItemEndsInZeroesAndAnUnknownOneIsEmpty() {
        PcBus bus = bus();
        assertThat(item(bus, 0x05, 8)).isEqualTo(PROCESSORS);
        assertThat(item(bus, 0x19, 8)).isZero();
        assertThat(item(bus, 0xFFFF, 8)).isZero();
    }
}
