package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;
import java.util.function.IntConsumer;

/** A port that ends the machine with a status, for test kernels. Writing v makes the status {@code (v << 1) | 1}. */
public final class DebugExit implements PortDevice {
    /** Number of ports, so that one doubleword can be written. */
    public static final int PORTS = 4;

    private final IntConsumer exit;

    /**
     * Makes the port.
     *
     * @param exit takes the status; never 0, and a process keeps its low 8 bits only
     */
    public DebugExit(IntConsumer exit) {
        this.exit = exit;
    }

    @Override
    public int read(int port, int size) {
        return 0;
    }

    @Override
    public void write(int port, int size, int value) {
        exit.accept(value << 1 | 1);
    }
}
