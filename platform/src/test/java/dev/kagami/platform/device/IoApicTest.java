package dev.kagami.platform.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.DeviceContractTest;
import dev.kagami.platform.bus.PcBus;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class IoApicTest extends DeviceContractTest<IoApic> {
    private static final int LEVEL = 1 << 15;
    private static final int MASKED = 1 << 16;
    private static final int REMOTE_IRR = 1 << 14;

    private final List<String> messages = new ArrayList<>();
    private final IoApic ioApic = create();
    private int pins;

    @Override
    protected IoApic create() {
        return new IoApic((address, data) -> messages.add("%x %x".formatted(address, data)));
    }

    @Override
    protected void attach(IoApic device, PcBus bus) {
        bus.addMmio(IoApic.ADDRESS, IoApic.SIZE, 4, device);
    }

    @Override
    protected List<Long> addresses() {
        return List.of(IoApic.ADDRESS);
    }

    @Override
    protected List<Long> visibleState(PcBus bus) {
        List<Long> state = new ArrayList<>();
        state.add(bus.readMmio(IoApic.ADDRESS, 4));
        for (int register = 0; register < 0x40; register++) {
            bus.writeMmio(IoApic.ADDRESS, 4, register);
            state.add(bus.readMmio(IoApic.ADDRESS + 0x10, 4));
        }
        bus.writeMmio(IoApic.ADDRESS, 4, 0);
        return state;
    }

    @Override
    protected void disturb(IoApic device, Random random) {
        int pin = random.nextInt(IoApic.PINS);
        boolean level = random.nextBoolean();
        pins = level ? pins | 1 << pin : pins & ~(1 << pin);
        device.setPin(pin, level);
        device.endOfInterrupt(random.nextInt(256));
    }

    @Override
    protected void connect(IoApic copy) {
        for (int pin = 0; pin < IoApic.PINS; pin++) {
            copy.setPin(pin, (pins >> pin & 1) != 0);
        }
    }

    private void write(int index, int value) {
        ioApic.write(0, 4, index);
        ioApic.write(0x10, 4, Integer.toUnsignedLong(value));
    }

    private int read(int index) {
        ioApic.write(0, 4, index);
        return (int) ioApic.read(0x10, 4);
    }

    @Test
    void versionTellsTwentyFourPins() {
        assertThat(read(1)).isEqualTo(0x0017_0020);
        write(0, 0xFFFF_FFFF);
        assertThat(read(0)).isEqualTo(0x0F00_0000);
        assertThat(read(0x10)).as("masked after power-on").isEqualTo(MASKED);
    }

    @Test
    void edgeSendsOneMessageToItsDestination() {
        write(0x10 + 2 * 4 + 1, 0x0300_0000);
        write(0x10 + 2 * 4, 0x34);
        ioApic.setPin(4, true);
        ioApic.setPin(4, true);
        assertThat(messages).containsExactly("fee03000 4034");
        ioApic.setPin(4, false);
        ioApic.setPin(4, true);
        assertThat(messages).hasSize(2);
    }

    @Test
    void logicalLowestPriorityIsEncoded() {
        write(0x10 + 2 * 4 + 1, 0xFF00_0000);
        write(0x10 + 2 * 4, 0x0951);
        ioApic.setPin(4, true);
        assertThat(messages).containsExactly("feeff00c 4151");
    }

    @Test
    void edgeOnAMaskedPinIsLost() {
        write(0x10, 0x30 | MASKED);
        ioApic.setPin(0, true);
        write(0x10, 0x30);
        assertThat(messages).isEmpty();
    }

    @Test
    void levelIsSentAgainAfterItsEndWhileAsserted() {
        write(0x10 + 2 * 9, 0x41 | LEVEL);
        ioApic.setPin(9, true);
        assertThat(messages).containsExactly("fee00000 c041");
        assertThat(read(0x10 + 2 * 9) & REMOTE_IRR).isNotZero();
        ioApic.setPin(9, false);
        ioApic.setPin(9, true);
        assertThat(messages).as("not before the end").hasSize(1);
        ioApic.endOfInterrupt(0x42);
        assertThat(messages).hasSize(1);
        ioApic.endOfInterrupt(0x41);
        assertThat(messages).hasSize(2);
        ioApic.setPin(9, false);
        ioApic.endOfInterrupt(0x41);
        assertThat(messages).hasSize(2);
        assertThat(read(0x10 + 2 * 9) & REMOTE_IRR).isZero();
    }

    @Test
    void levelOnAMaskedPinIsSentWhenUnmasked() {
        write(0x10 + 2 * 9, 0x41 | LEVEL | MASKED);
        ioApic.setPin(9, true);
        assertThat(messages).isEmpty();
        write(0x10 + 2 * 9, 0x41 | LEVEL);
        assertThat(messages).hasSize(1);
    }

    @Test
    void endOfInterruptRegisterAndEdgeModeClearRemoteIrr() {
        write(0x10 + 2 * 9, 0x41 | LEVEL);
        ioApic.setPin(9, true);
        ioApic.setPin(9, false);
        ioApic.write(0x40, 4, 0x41);
        assertThat(read(0x10 + 2 * 9) & REMOTE_IRR).isZero();
        ioApic.setPin(9, true);
        write(0x10 + 2 * 9, 0x41 | MASKED);
        assertThat(read(0x10 + 2 * 9) & REMOTE_IRR).isZero();
    }
}
