package dev.kagami.platform.device;

import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/**
 * The general-purpose events of ACPI, block 0 (ACPI 6.5, 4.8.5.1): eight of them, a status port and an enable port. The methods
 * in {@code \_GPE} say what they mean.
 */
public final class GeneralEvents implements PortDevice, StatefulDevice<GeneralEventsState> {
    /** The status port; the enable port follows. */
    public static final int PORT = 0x620;

    /** Number of ports. */
    public static final int PORTS = 2;

    /** The machine goes on from a snapshot: its generation has changed. */
    public static final int GENERATION = 5;

    private static final int ALL = 0xFF;

    private final InterruptLine line;
    private int status;
    private int enable;

    /**
     * Makes the block.
     *
     * @param line the system control interrupt, level-triggered
     */
    public GeneralEvents(InterruptLine line) {
        this.line = line;
    }

    @Override
    public synchronized void reset() {
        status = 0;
        enable = 0;
        update();
    }

    /**
     * Lets an event happen.
     *
     * @param event its number, 0 to 7
     */
    public synchronized void raise(int event) {
        status |= 1 << event;
        update();
    }

    @Override
    public synchronized int read(int port, int size) {
        return (status | enable << 8) >>> 8 * (port - PORT);
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        for (int i = 0; i < size; i++) {
            int written = value >>> 8 * i & ALL;
            if (port - PORT + i == 0) {
                status &= ~written;
            } else {
                enable = written;
            }
        }
        update();
    }

    private void update() {
        line.set((status & enable) != 0);
    }

    @Override
    public Class<GeneralEventsState> stateType() {
        return GeneralEventsState.class;
    }

    @Override
    public synchronized GeneralEventsState state() {
        return new GeneralEventsState(status, enable);
    }

    @Override
    public synchronized void setState(GeneralEventsState state) {
        status = state.status() & ALL;
        enable = state.enable() & ALL;
        update();
    }
}
