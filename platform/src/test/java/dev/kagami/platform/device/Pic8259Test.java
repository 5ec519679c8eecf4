package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Pic8259Test extends DeviceContractTest<Pic8259> {
    private static final int AUTO_EOI = 0x02;
    private static final int SPECIAL_FULLY_NESTED = 0x10;
    private static final int EOI = 0x20;

    private final Pic8259 pic = create();

    @Override
    protected Pic8259 create() {
        return new Pic8259(line);
    }

    @Override
    protected void attach(Pic8259 device, PcBus bus) {
        bus.addPorts(0x20, 2, 1, device);
        bus.addPorts(0xA0, 2, 1, device);
        bus.addPorts(0x4D0, 2, 1, device);
    }

    @Override
    protected List<Integer> ports() {
        return List.of(0x20, 0xA0, 0x4D0);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        return readPorts(bus, 0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1);
    }

    @Override
    protected void disturb(Pic8259 device, Random random) {
        int irq = random.nextInt(16);
        device.setLine(irq, true);
        device.acknowledge();
        device.setLine(irq, false);
    }

    private void initialize(int icw4) {
        for (int port : new int[] {0x20, 0xA0}) {
            pic.write(port, 1, 0x11);
            pic.write(port + 1, 1, port == 0x20 ? 0x20 : 0x28);
            pic.write(port + 1, 1, port == 0x20 ? 4 : 2);
            pic.write(port + 1, 1, icw4 | 1);
        }
    }

    private void pulse(int irq) {
        pic.setLine(irq, false);
        pic.setLine(irq, true);
    }

    @Test
    void lowerInputsComeFirst() {
        initialize(0);
        pulse(4);
        pulse(1);
        pulse(10);
        assertThat(pic.acknowledge()).isEqualTo(0x21);
        assertThat(line.asserted()).as("nothing more urgent").isFalse();
        pic.write(0x20, 1, EOI);
        assertThat(pic.acknowledge()).isEqualTo(0x2A);
        pic.write(0xA0, 1, EOI);
        pic.write(0x20, 1, EOI);
        assertThat(pic.acknowledge()).isEqualTo(0x24);
    }

    @Test
    void moreUrgentInputInterruptsAHandler() {
        initialize(0);
        pulse(4);
        pic.acknowledge();
        pulse(1);
        assertThat(line.asserted()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x21);
        pic.write(0x20, 1, 0x0B);
        assertThat(pic.read(0x20, 1)).as("in service").isEqualTo(0x12);
        pic.write(0x20, 1, EOI);
        assertThat(pic.read(0x20, 1)).isEqualTo(0x10);
        pic.write(0x20, 1, 0x60 | 4);
        assertThat(pic.read(0x20, 1)).isZero();
    }

    @Test
    void edgeCountsOnceAndMaskHoldsItBack() {
        initialize(0);
        pic.write(0x21, 1, 0x10);
        pulse(4);
        assertThat(line.asserted()).isFalse();
        assertThat(pic.read(0x20, 1)).as("requested").isEqualTo(0x10);
        pic.write(0x21, 1, 0);
        assertThat(pic.acknowledge()).isEqualTo(0x24);
        pic.write(0x20, 1, EOI);
        assertThat(line.asserted()).as("still high, but no new edge").isFalse();
    }

    @Test
    void levelComesBackUntilItIsServed() {
        initialize(0);
        pic.write(0x4D1, 1, 0x02);
        pic.setLine(9, true);
        for (int i = 0; i < 2; i++) {
            assertThat(pic.acknowledge()).isEqualTo(0x29);
            pic.write(0xA0, 1, EOI);
            pic.write(0x20, 1, EOI);
        }
        pic.setLine(9, false);
        assertThat(line.asserted()).isFalse();
    }

    @Test
    void edgeLevelRegisterKeepsTheFixedLinesEdgeTriggered() {
        pic.write(0x4D0, 1, 0xFF);
        pic.write(0x4D1, 1, 0xFF);
        assertThat(pic.read(0x4D0, 1)).isEqualTo(0xF8);
        assertThat(pic.read(0x4D1, 1)).isEqualTo(0xDE);
    }

    @Test
    void requestThatWentAwayIsSpurious() {
        initialize(0);
        pulse(3);
        pic.setLine(3, false);
        assertThat(line.asserted()).isFalse();
        assertThat(pic.acknowledge()).isEqualTo(0x27);
        pic.write(0x20, 1, 0x0B);
        assertThat(pic.read(0x20, 1)).as("in service").isZero();
    }

    @Test
    void automaticEndLeavesNothingInService() {
        initialize(AUTO_EOI);
        pulse(5);
        assertThat(pic.acknowledge()).isEqualTo(0x25);
        pulse(6);
        assertThat(line.asserted()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x26);
    }

    @Test
    void rotationMakesTheServedInputTheLeastUrgent() {
        initialize(0);
        pulse(3);
        pic.acknowledge();
        pic.write(0x20, 1, 0xA0);
        pulse(3);
        pulse(4);
        assertThat(pic.acknowledge()).isEqualTo(0x24);
        pic.write(0x20, 1, EOI);
        // Set priority: input 3 lowest, so 4 highest, as after a power-on of 7 lowest.
        pic.write(0x20, 1, 0xC0 | 7);
        pulse(0);
        assertThat(pic.acknowledge()).isEqualTo(0x20);
    }

    @Test
    void specialMaskLetsLessUrgentInputsThrough() {
        initialize(0);
        pulse(1);
        pic.acknowledge();
        pulse(5);
        assertThat(line.asserted()).isFalse();
        pic.write(0x21, 1, 0x02);
        pic.write(0x20, 1, 0x68);
        assertThat(line.asserted()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x25);
    }

    @Test
    void specialFullyNestedMasterTakesAMoreUrgentInputOfTheSlave() {
        initialize(SPECIAL_FULLY_NESTED);
        pulse(12);
        assertThat(pic.acknowledge()).isEqualTo(0x2C);
        pulse(8);
        assertThat(line.asserted()).isTrue();
        assertThat(pic.acknowledge()).isEqualTo(0x28);
        pulse(3);
        assertThat(line.asserted())
                .as("the slave still blocks what is below it")
                .isFalse();
    }

    @Test
    void pollAcknowledges() {
        initialize(0);
        pulse(6);
        pic.write(0x20, 1, 0x0C);
        assertThat(pic.read(0x20, 1)).isEqualTo(0x86);
        assertThat(line.asserted()).isFalse();
        pic.write(0x20, 1, 0x0C);
        assertThat(pic.read(0x20, 1)).isZero();
    }

    @Test
    void maskReadsBack() {
        initialize(0);
        pic.write(0x21, 1, 0xFB);
        pic.write(0xA1, 1, 0x7F);
        assertThat(pic.read(0x21, 1)).isEqualTo(0xFB);
        assertThat(pic.read(0xA1, 1)).isEqualTo(0x7F);
    }
}
