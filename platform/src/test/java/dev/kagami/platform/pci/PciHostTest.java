package dev.kagami.platform.pci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.platform.bus.InterruptRouter;
import dev.kagami.platform.bus.MmioDevice;
import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.device.ResetPorts;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PciHostTest {
    private static final PciLayout LAYOUT = new PciLayout(0xC000_0000L, 0x2000_0000L, 1L << 34, 1L << 34);
    private static final PciIdentity IDENTITY = new PciIdentity(0x1AF4, 0x1042, 1, 0x01_0000, 0x1AF4, 0x0002);
    private static final long ECAM = PciLayout.CONFIGURATION_START;

    private final PcBus bus = new PcBus();
    private final List<String> lines = new ArrayList<>();
    private final List<String> messages = new ArrayList<>();
    private final InterruptRouter router = new InterruptRouter(24, (line, on) -> lines.add(line + (on ? "+" : "-")));
    private int resets;
    private final PciHost host = new PciHost(bus, router, LAYOUT, new ResetPorts(() -> resets++));
    private final Scratch narrow = new Scratch();
    private final Scratch wide = new Scratch();
    private final MsiX msiX = new MsiX(3, 4, (address, data) -> messages.add("%x=%x".formatted(address, data)));
    private final Msi msi = new Msi(4, (address, data) -> messages.add("%x=%x".formatted(address, data)));
    private final PciFunction function = new PciFunction(IDENTITY, true, () -> {})
            .add(PciBar.memory32(0, 0x4000, 4, narrow))
            .add(new PciBar(2, 1L << 32, true, true, 8, wide));
    private final int msiXAt = function.add(msiX);
    private final int msiAt = function.add(msi);

    {
        function.add(msiX.bar());
        host.add(function);
    }

    /** Remembers the last write and tells the offset of a read. */
    private static final class Scratch implements MmioDevice {
        long offset = -1;
        long value;

        @Override
        public long read(long offset, int size) {
            return offset + 0x100;
        }

        @Override
        public void write(long offset, int size, long value) {
            this.offset = offset;
            this.value = value;
        }
    }

    private int read(int slot, int register, int size) {
        bus.writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        return bus.readPort(0xCFC + (register & 3), size);
    }

    private void write(int slot, int register, int size, int value) {
        bus.writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        bus.writePort(0xCFC + (register & 3), size, value);
    }

    @Test
    void functionsAreFoundThroughPortsAndMemory() {
        assertThat(read(0, 0, 4)).isEqualTo(0x0008_1B36);
        assertThat(read(0, 0x0A, 2)).isEqualTo(0x0600);
        assertThat(read(1, 0, 4)).isEqualTo(0x1042_1AF4);
        assertThat(read(1, 2, 2)).isEqualTo(0x1042);
        assertThat(read(1, 8, 4)).isEqualTo(0x0100_0001);
        assertThat(read(1, 0x2C, 4)).isEqualTo(0x0002_1AF4);
        assertThat(read(1, 0x3C, 2)).isEqualTo(0x0100 | 17);
        assertThat(read(2, 0, 4)).isEqualTo(-1);
        assertThat(bus.readMmio(ECAM + (1 << 15), 4)).isEqualTo(0x1042_1AF4);
        assertThat(bus.readMmio(ECAM + (1 << 15) + 1, 2)).isEqualTo(0x421A);
        assertThat(bus.readMmio(ECAM + (1 << 15) + 0x100, 4)).isZero();
        assertThat(bus.readMmio(ECAM + (2 << 15) + 0x100, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(bus.readMmio(ECAM + (1 << 15) + (1 << 12), 4)).isEqualTo(0xFFFF_FFFFL);
    }

    @Test
    void otherBusesAndDisabledConfigurationAnswerNothing() {
        bus.writePort(0xCF8, 4, 0x8001_0000 | 1 << 11);
        assertThat(bus.readPort(0xCFC, 4)).isEqualTo(-1);
        bus.writePort(0xCF8, 4, 1 << 11);
        assertThat(bus.readPort(0xCFC, 4)).isEqualTo(-1);
        assertThat(bus.readPort(0xCF8, 4)).isEqualTo(1 << 11);
    }

    @Test
    void resetControlRegisterSharesThePorts() {
        bus.writePort(0xCF9, 1, 2);
        assertThat(bus.readPort(0xCF9, 1)).isEqualTo(2);
        bus.writePort(0xCF9, 1, 6);
        assertThat(resets).isEqualTo(1);
        bus.writePort(0xCF8, 4, 0x8000_0600);
        assertThat(resets).as("a doubleword is an address").isEqualTo(1);
    }

    @Test
    void windowsAreSizedAsKernelsDo() {
        write(1, 4, 2, 0);
        int original = read(1, 0x10, 4);
        write(1, 0x10, 4, -1);
        assertThat(read(1, 0x10, 4)).isEqualTo(-0x4000);
        write(1, 0x10, 4, original);
        write(1, 0x18, 4, -1);
        write(1, 0x1C, 4, -1);
        assertThat(read(1, 0x18, 4)).as("64 bits, prefetchable").isEqualTo(0xC);
        assertThat(read(1, 0x1C, 4)).isEqualTo(-1);
        write(1, 0x14, 4, -1);
        assertThat(read(1, 0x14, 4)).as("no such window").isZero();
    }

    @Test
    void windowsHaveAddressesAtPowerOnAndMoveWithTheirRegisters() {
        long start = read(1, 0x10, 4) & 0xFFFF_FFF0L;
        assertThat(start).isBetween(0xC000_0000L, 0xDFFF_FFFFL);
        assertThat(bus.readMmio(start + 8, 4)).isEqualTo(0x108);
        long wideStart = (long) read(1, 0x1C, 4) << 32 | read(1, 0x18, 4) & 0xFFFF_FFF0L;
        assertThat(wideStart).isEqualTo(1L << 34);
        bus.writeMmio(wideStart + 0x8000_0000L, 8, -2);
        assertThat(wide.offset).isEqualTo(0x8000_0000L);
        assertThat(wide.value).isEqualTo(-2);

        write(1, 0x10, 4, 0xD000_0000);
        assertThat(bus.readMmio(start + 8, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(bus.readMmio(0xD000_0008L, 4)).isEqualTo(0x108);

        write(1, 4, 2, 4);
        assertThat(bus.readMmio(0xD000_0008L, 4)).isEqualTo(0xFFFF_FFFFL);
        write(1, 4, 2, 6);
        assertThat(bus.readMmio(0xD000_0008L, 4)).isEqualTo(0x108);
        assertThat(function.isBusMaster()).isTrue();

        host.reset();
        assertThat(bus.readMmio(start + 8, 4)).isEqualTo(0x108);
        assertThat(bus.readMmio(0xD000_0008L, 4)).isEqualTo(0xFFFF_FFFFL);
        assertThat(function.isBusMaster()).isFalse();
    }

    @Test
    void windowsOutsideOfTheBridgesOrOnEachOtherAreNotMapped() {
        for (int start : new int[] {0x0010_0000, 0xFEC0_0000, 0xFEE0_0000, 0xE000_0000}) {
            write(1, 0x10, 4, start);
            assertThat(narrow.offset).isEqualTo(-1);
            bus.writeMmio(Integer.toUnsignedLong(start) + 0x10, 4, 1);
        }
        assertThat(narrow.offset).isEqualTo(-1);

        Scratch second = new Scratch();
        host.add(new PciFunction(IDENTITY, false, () -> {}).add(PciBar.memory32(0, 0x4000, 4, second)));
        write(1, 0x10, 4, 0xD000_0000);
        write(2, 0x10, 4, 0xD000_0000);
        bus.writeMmio(0xD000_0010L, 4, 1);
        assertThat(narrow.offset).isEqualTo(0x10);
        assertThat(second.offset).isEqualTo(-1);
        write(1, 0x10, 4, 0xD100_0000);
        bus.writeMmio(0xD000_0020L, 4, 1);
        assertThat(second.offset).as("the other one gets the place now").isEqualTo(0x20);
    }

    @Test
    void capabilitiesFormAList() {
        assertThat(read(1, 6, 2) & 0x10).isNotZero();
        List<Integer> ids = new ArrayList<>();
        for (int at = read(1, 0x34, 1); at != 0; at = read(1, at + 1, 1)) {
            assertThat(at % 4).isZero();
            ids.add(read(1, at, 1));
        }
        assertThat(ids).containsExactly(0x11, 0x05);
        assertThat(read(1, msiXAt, 4)).isEqualTo(0x0002_0000 | msiAt << 8 | 0x11);
        assertThat(read(0, 6, 2) & 0x10).isZero();
    }

    @Test
    void pinFollowsDeviceAndCommand() {
        function.setInterrupt(true);
        assertThat(lines).containsExactly("17+");
        assertThat(read(1, 4, 4) & 1 << 19).isNotZero();
        write(1, 4, 2, 0x402);
        assertThat(lines).containsExactly("17+", "17-");
        assertThat(read(1, 6, 2) & 1 << 3).isNotZero();
        write(1, 4, 2, 2);
        function.setInterrupt(false);
        assertThat(lines).containsExactly("17+", "17-", "17+", "17-");
    }

    @Test
    void extendedMessagesAreSentMaskedAndPending() {
        long table = read(1, 0x20, 4) & 0xFFFF_FFF0L;
        bus.writeMmio(table + 16, 4, 0xFEE0_1000L);
        bus.writeMmio(table + 24, 8, 0x41);
        msiX.trigger(1);
        assertThat(messages).as("disabled").isEmpty();
        write(1, msiXAt + 2, 2, 0x8000);
        msiX.trigger(1);
        assertThat(messages).as("no bus master").isEmpty();
        write(1, 4, 2, 6);
        assertThat(messages).containsExactly("fee01000=41");

        bus.writeMmio(table + 28, 4, 1);
        msiX.trigger(1);
        assertThat(messages).hasSize(1);
        assertThat(bus.readMmio(table + 0x800, 8)).isEqualTo(2);
        bus.writeMmio(table + 28, 4, 0);
        assertThat(messages).hasSize(2);
        assertThat(bus.readMmio(table + 0x800, 8)).isZero();

        write(1, msiXAt + 2, 2, 0xC000);
        msiX.trigger(1);
        msiX.trigger(2);
        msiX.trigger(-1);
        msiX.trigger(3);
        assertThat(messages).hasSize(2);
        assertThat(bus.readMmio(table + 0x800, 4)).isEqualTo(6);
        write(1, msiXAt + 2, 2, 0x8000);
        assertThat(messages).as("vector 2 is still masked by itself").hasSize(3);

        bus.writeMmio(table + 16, 8, 0x1234_5678L);
        msiX.trigger(1);
        assertThat(messages).as("a message to memory isn't an interrupt").hasSize(3);
        host.reset();
        assertThat(bus.readMmio(table + 28, 4)).isEqualTo(1);
        assertThat(msiX.isEnabled()).isFalse();
    }

    @Test
    void messagesAreSentMaskedAndPending() {
        write(1, 4, 2, 6);
        write(1, msiAt + 4, 4, 0xFEE0_2000);
        write(1, msiAt + 12, 2, 0x50);
        write(1, msiAt + 2, 2, 0x0021);
        assertThat(msi.isEnabled()).isTrue();
        msi.trigger(3);
        assertThat(messages).containsExactly("fee02000=53");
        write(1, msiAt + 16, 4, -1);
        assertThat(read(1, msiAt + 16, 4)).isEqualTo(0xF);
        msi.trigger(2);
        assertThat(read(1, msiAt + 20, 4)).isEqualTo(4);
        write(1, msiAt + 16, 4, 0);
        assertThat(messages).containsExactly("fee02000=53", "fee02000=52");
        write(1, msiAt + 2, 2, 0x0001);
        msi.trigger(3);
        assertThat(messages).last().isEqualTo("fee02000=50");
    }

    @Test
    void fullBusAndExhaustedWindowsAreRefused() {
        assertThatThrownBy(() -> host.add(
                        new PciFunction(IDENTITY, false, () -> {}).add(PciBar.memory32(0, 1L << 30, 4, narrow))))
                .isInstanceOf(IllegalStateException.class);
        for (int i = 0; i < 30; i++) {
            host.add(new PciFunction(IDENTITY, false, () -> {}));
        }
        assertThatThrownBy(() -> host.add(new PciFunction(IDENTITY, false, () -> {})))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("full");
    }

    @Test
    void hostileWritesAreHarmlessAndUndoneByReset() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        Scratch second = new Scratch();
        host.add(new PciFunction(IDENTITY, true, () -> {})
                .add(PciBar.memory32(0, 0x1000, 4, second))
                .add(new PciBar(1, 0x1000, true, false, 4, second)));
        List<Integer> fresh = configuration();
        try {
            for (int i = 0; i < 100_000; i++) {
                int size = 1 << random.nextInt(3);
                int register = random.nextInt(0x110);
                int value = random.nextInt(4) == 0 ? -1 : random.nextInt() & -1 << random.nextInt(32);
                if (random.nextBoolean()) {
                    bus.writeMmio(ECAM + ((long) random.nextInt(4) << 15) + register, size, value);
                } else {
                    write(random.nextInt(4), register & 0xFF, size, value);
                }
                if (random.nextInt(16) == 0) {
                    msiX.trigger(random.nextInt(4));
                    msi.trigger(random.nextInt(4));
                    function.setInterrupt(random.nextBoolean());
                    long at = 0xC000_0000L + (random.nextInt() & 0x1FFF_FFFFL);
                    bus.writeMmio(at, size, random.nextLong());
                    bus.readMmio(at, size);
                }
                bus.readMmio(ECAM + ((long) random.nextInt(4) << 15) + register, size);
            }
            host.reset();
            assertThat(configuration()).isEqualTo(fresh);
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    private List<Integer> configuration() {
        List<Integer> all = new ArrayList<>();
        for (int slot = 0; slot < 4; slot++) {
            for (int register = 0; register < 256; register += 4) {
                all.add(read(slot, register, 4));
            }
        }
        return all;
    }
}
