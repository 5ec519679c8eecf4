package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

/** Finds a virtio device in PCI configuration space as Linux's virtio_pci does, and drives it with MSI-X. */
public final class PciTransport implements DriverTransport {
    private static final int CONFIG_VECTOR_MESSAGE = 0xF0;
    private static final int FIRST_QUEUE_MESSAGE = 0x40;

    private final TestMachine machine;
    private final int slot;
    private long common;
    private long notify;
    private int multiplier;
    private long isr;
    private long config;
    private int accessCapability;

    PciTransport(TestMachine machine, int slot) {
        this.machine = machine;
        this.slot = slot;
        probe();
    }

    private int readPci(int register, int size) {
        machine.bus().writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        return machine.bus().readPort(0xCFC + (register & 3), size);
    }

    private void writePci(int register, int size, int value) {
        machine.bus().writePort(0xCF8, 4, 0x8000_0000 | slot << 11 | register & 0xFC);
        machine.bus().writePort(0xCFC + (register & 3), size, value);
    }

    /** Walks the capabilities, and enables memory, bus master and MSI-X; again after a reset of the machine. */
    void probe() {
        assertThat(readPci(0, 2)).isEqualTo(0x1AF4);
        int table = 0;
        int tableBar = 0;
        for (int at = readPci(0x34, 1); at != 0; at = readPci(at + 1, 1)) {
            int id = readPci(at, 1);
            if (id == 0x11) {
                table = at;
                tableBar = readPci(at + 4, 4) & 7;
            } else if (id == 0x09) {
                long start = bar(readPci(at + 4, 1)) + Integer.toUnsignedLong(readPci(at + 8, 4));
                switch (readPci(at + 3, 1)) {
                    case 1 -> common = start;
                    case 2 -> {
                        notify = start;
                        multiplier = readPci(at + 16, 4);
                    }
                    case 3 -> isr = start;
                    case 4 -> config = start;
                    case 5 -> accessCapability = at;
                    default -> throw new AssertionError("capability type");
                }
            }
        }
        writePci(4, 2, readPci(4, 2) | 6);
        long entries = bar(tableBar);
        int count = (readPci(table + 2, 2) & 0x7FF) + 1;
        for (int i = 0; i < count; i++) {
            int data = i == 0 ? CONFIG_VECTOR_MESSAGE : FIRST_QUEUE_MESSAGE + i - 1;
            machine.bus().writeMmio(entries + 16L * i, 4, 0xFEE0_0000L);
            machine.bus().writeMmio(entries + 16L * i + 4, 4, 0);
            machine.bus().writeMmio(entries + 16L * i + 8, 4, data);
            machine.bus().writeMmio(entries + 16L * i + 12, 4, 0);
        }
        writePci(table + 2, 2, 0x8000);
    }

    private long bar(int index) {
        return readPci(0x10 + 4 * index, 4) & 0xFFFF_FFF0L;
    }

    int command() {
        return readPci(4, 2);
    }

    void setCommand(int command) {
        writePci(4, 2, command);
    }

    long commonAddress() {
        return common;
    }

    long isrAddress() {
        return isr;
    }

    /** Reads a register of the common structure through the configuration space. */
    int readThroughConfiguration(int offset, int size) {
        writePci(accessCapability + 4, 1, 0);
        writePci(accessCapability + 8, 4, offset);
        writePci(accessCapability + 12, 4, size);
        return readPci(accessCapability + 16, size);
    }

    long read(int offset, int size) {
        return machine.bus().readMmio(common + offset, size);
    }

    void write(int offset, int size, long value) {
        machine.bus().writeMmio(common + offset, size, value);
    }

    @Override
    public int deviceId() {
        return readPci(2, 2) - 0x1040;
    }

    @Override
    public int status() {
        return (int) read(0x14, 1);
    }

    @Override
    public void setStatus(int status) {
        write(0x14, 1, status);
        if (status == 0) {
            assertThat(status()).isZero();
        } else {
            write(0x10, 2, 0);
        }
    }

    @Override
    public long deviceFeatures() {
        write(0, 4, 1);
        long high = read(4, 4);
        write(0, 4, 0);
        return high << 32 | read(4, 4);
    }

    @Override
    public void setDriverFeatures(long features) {
        write(8, 4, 0);
        write(0xC, 4, features & 0xFFFF_FFFFL);
        write(8, 4, 1);
        write(0xC, 4, features >>> 32);
    }

    @Override
    public int queueMax(int queue) {
        write(0x16, 2, queue);
        return (int) read(0x18, 2);
    }

    @Override
    public void setUp(int queue, int size, long descriptors, long available, long used) {
        write(0x16, 2, queue);
        write(0x18, 2, size);
        write(0x20, 8, descriptors);
        write(0x28, 8, available);
        write(0x30, 4, used & 0xFFFF_FFFFL);
        write(0x34, 4, used >>> 32);
        write(0x1A, 2, queue + 1);
        assertThat(read(0x1A, 2)).isEqualTo(queue + 1);
        write(0x1C, 2, 1);
    }

    @Override
    public void notifyQueue(int queue) {
        machine.bus().writeMmio(notify + (long) queue * multiplier, 2, queue);
    }

    @Override
    public long config(int offset, int size) {
        return machine.bus().readMmio(config + offset, size);
    }

    @Override
    public void setConfig(int offset, int size, long value) {
        machine.bus().writeMmio(config + offset, size, value);
    }

    @Override
    public int configGeneration() {
        return (int) read(0x15, 1);
    }

    @Override
    public int interrupts(int queue) {
        return machine.messages(FIRST_QUEUE_MESSAGE + queue);
    }

    @Override
    public int configInterrupts() {
        return machine.messages(CONFIG_VECTOR_MESSAGE);
    }
}
