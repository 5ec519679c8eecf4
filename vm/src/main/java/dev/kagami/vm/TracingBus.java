package dev.kagami.vm;

import dev.kagami.cpu.Bus;
import java.io.PrintStream;

/** Prints every access that passes through. */
final class TracingBus implements Bus {
    private final Bus bus;
    private final PrintStream output;

    TracingBus(Bus bus, PrintStream output) {
        this.bus = bus;
        this.output = output;
    }

    @Override
    public int readPort(int port, int size) {
        int value = bus.readPort(port, size);
        output.printf("port read  %d at %#06x = %#x%n", size, port, value);
        return value;
    }

    @Override
    public void writePort(int port, int size, int value) {
        output.printf("port write %d at %#06x = %#x%n", size, port, value & (int) ones(size));
        bus.writePort(port, size, value);
    }

    @Override
    public long readMmio(long address, int size) {
        long value = bus.readMmio(address, size);
        output.printf("mmio read  %d at %#012x = %#x%n", size, address, value);
        return value;
    }

    @Override
    public void writeMmio(long address, int size, long value) {
        output.printf("mmio write %d at %#012x = %#x%n", size, address, value & ones(size));
        bus.writeMmio(address, size, value);
    }

    @Override
    public int acknowledgeExternalInterrupt() {
        int vector = bus.acknowledgeExternalInterrupt();
        output.printf("interrupt acknowledge  = %#x%n", vector);
        return vector;
    }

    @Override
    public void endOfInterrupt(int vector) {
        output.printf("end of interrupt       = %#x%n", vector);
        bus.endOfInterrupt(vector);
    }

    private static long ones(int size) {
        return size >= Long.BYTES ? -1 : (1L << 8 * size) - 1;
    }
}
