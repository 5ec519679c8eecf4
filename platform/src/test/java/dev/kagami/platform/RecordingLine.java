package dev.kagami.platform;

import dev.kagami.platform.bus.InterruptLine;

/** An interrupt line that counts its rising edges. */
public final class RecordingLine implements InterruptLine {
    private boolean asserted;
    private int edges;

    public RecordingLine() {}

    @Override
    public synchronized void set(boolean wanted) {
        if (wanted && !asserted) {
            edges++;
        }
        asserted = wanted;
    }

    /** {@return whether the line is asserted} */
    public synchronized boolean asserted() {
        return asserted;
    }

    /** {@return how often the line rose since the last call} */
    public synchronized int takeEdges() {
        int taken = edges;
        edges = 0;
        return taken;
    }
}
