package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

/** Drives a virtio device through memory-mapped registers, as Linux's virtio_mmio does. */
public final class MmioTransport implements DriverTransport {
    private final TestMachine machine;
    private final long address;
    private final int line;

    MmioTransport(TestMachine machine, long address, int line) {
        this.machine = machine;
        this.address = address;
        this.line = line;
        assertThat(read(0)).isEqualTo(0x7472_6976L);
        assertThat(read(4)).isEqualTo(2);
    }

    long read(int offset) {
        return machine.bus().readMmio(address + offset, 4);
    }

    void write(int offset, long value) {
        machine.bus().writeMmio(address + offset, 4, value);
    }

    @Override
    public int deviceId() {
        return (int) read(8);
    }

    @Override
    public int status() {
        return (int) read(0x70);
    }

    @Override
    public void setStatus(int status) {
        write(0x70, status);
    }

    @Override
    public long deviceFeatures() {
        write(0x14, 1);
        long high = read(0x10);
        write(0x14, 0);
        return high << 32 | read(0x10);
    }

    @Override
    public void setDriverFeatures(long features) {
        write(0x24, 1);
        write(0x20, features >>> 32);
        write(0x24, 0);
        write(0x20, features & 0xFFFF_FFFFL);
    }

    @Override
    public int queueMax(int queue) {
        write(0x30, queue);
        return (int) read(0x34);
    }

    @Override
    public void setUp(int queue, int size, long descriptors, long available, long used) {
        write(0x30, queue);
        assertThat(read(0x44)).isZero();
        write(0x38, size);
        write(0x80, descriptors & 0xFFFF_FFFFL);
        write(0x84, descriptors >>> 32);
        write(0x90, available & 0xFFFF_FFFFL);
        write(0x94, available >>> 32);
        write(0xA0, used & 0xFFFF_FFFFL);
        write(0xA4, used >>> 32);
        write(0x44, 1);
        assertThat(read(0x44)).isEqualTo(1);
    }

    @Override
    public void notifyQueue(int queue) {
        write(0x50, queue);
    }

    @Override
    public long config(int offset, int size) {
        return machine.bus().readMmio(address + 0x100 + offset, size);
    }

    @Override
    public void setConfig(int offset, int size, long value) {
        machine.bus().writeMmio(address + 0x100 + offset, size, value);
    }

    @Override
    public int configGeneration() {
        return (int) read(0xFC);
    }

    @Override
    public int interrupts(int queue) {
        write(0x64, read(0x60) & 1);
        return machine.assertions(line);
    }

    @Override
    public int configInterrupts() {
        int count = machine.assertions(line);
        write(0x64, read(0x60) & 2);
        return count;
    }
}
