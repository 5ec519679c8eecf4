package dev.kagami.platform.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PcBusTest {
    private final List<String> log = new ArrayList<>();
    private final PcBus bus = new PcBus();

    private PortDevice logging(int value) {
        return new PortDevice() {
            @Override
            public int read(int port, int size) {
                log.add("r%x/%d".formatted(port, size));
                return value;
            }

            @Override
            public void write(int port, int size, int value) {
                log.add("w%x/%d=%x".formatted(port, size, value));
            }
        };
    }

    private MmioDevice window() {
        return new MmioDevice() {
            @Override
            public long read(long offset, int size) {
                log.add("r%x/%d".formatted(offset, size));
                return 0;
            }

            @Override
            public void write(long offset, int size, long value) {
                log.add("w%x/%d=%x".formatted(offset, size, value));
            }
        };
    }

    @Test
    void nobodyAnswersWithOnes() {
        assertThat(bus.readPort(0x1234, 1)).isEqualTo(0xFF);
        assertThat(bus.readPort(0x1234, 2)).isEqualTo(0xFFFF);
        assertThat(bus.readPort(0xFFFF, 4)).isEqualTo(-1);
        assertThat(bus.readMmio(0xD000_0000L, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(bus.readMmio(-1, 8)).isEqualTo(-1L);
        bus.writePort(0xFFFF, 4, 0);
        bus.writeMmio(Long.MAX_VALUE, 8, 0);
    }

    @Test
    void wideAccessesAreSplitLowHalfFirst() {
        bus.addPorts(0x20, 2, 1, logging(0xAB));
        bus.writePort(0x20, 4, 0x1122_3344);
        assertThat(log).containsExactly("w20/1=44", "w21/1=33");
        assertThat(bus.readPort(0x1F, 4)).isEqualTo(0xFFAB_ABFF);
    }

    @Test
    void accessThatFitsIsWhole() {
        bus.addPorts(0xE0, 4, 4, logging(-1));
        assertThat(bus.readPort(0xE0, 2)).isEqualTo(0xFFFF);
        bus.writePort(0xE1, 2, 0xFFFF_8001);
        bus.writePort(0xE2, 4, 0x0403_0201);
        assertThat(log).containsExactly("re0/2", "we1/2=8001", "we2/2=201");
    }

    @Test
    void windowsAreFoundAndSplitAtTheirEnds() {
        bus.addMmio(0xFEC0_0000L, 0x1000, 4, window());
        Mapping removed = bus.addMmio(0xFED0_0000L, 0x400, 8, window());
        bus.addMmio(0xC000_0000L, 8, 8, window());
        bus.writeMmio(0xFEC0_0010L, 8, 0x1_0000_0002L);
        bus.writeMmio(0xFED0_03FCL, 8, 5);
        bus.readMmio(0xC000_0007L, 1);
        assertThat(log).containsExactly("w10/4=2", "w14/4=1", "w3fc/4=5", "r7/1");
        removed.remove();
        assertThat(bus.readMmio(0xFED0_0000L, 4)).isEqualTo(0xFFFF_FFFFL);
    }

    @Test
    void placesAreTakenOnce() {
        Mapping mapping = bus.addPorts(0x3F8, 8, 1, logging(0));
        assertThatThrownBy(() -> bus.addPorts(0x3FF, 2, 1, logging(0))).isInstanceOf(IllegalArgumentException.class);
        mapping.remove();
        bus.addPorts(0x3FF, 2, 1, logging(0));
        bus.addMmio(0x1_0000_0000L, 0x1000, 4, window());
        assertThatThrownBy(() -> bus.addMmio(0x1_0000_0FFFL, 1, 1, window()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void sharedLineIsAssertedWhileAnySourceAssertsIt() {
        InterruptRouter router = new InterruptRouter(24, (line, asserted) -> log.add(line + "=" + asserted));
        InterruptLine first = router.source(11);
        InterruptLine second = router.source(11);
        first.set(true);
        second.set(true);
        second.set(true);
        first.set(false);
        second.set(false);
        assertThat(log).containsExactly("11=true", "11=false");
    }
}
