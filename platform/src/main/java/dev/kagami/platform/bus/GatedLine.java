package dev.kagami.platform.bus;

/** A line that can be cut: while it is, its target sees it idle; when it is joined again, its target sees its state. */
public final class GatedLine implements InterruptLine {
    private final InterruptLine target;
    private boolean asserted;
    private boolean cut;

    /**
     * Makes a joined line.
     *
     * @param target where it leads
     */
    public GatedLine(InterruptLine target) {
        this.target = target;
    }

    @Override
    public synchronized void set(boolean wanted) {
        asserted = wanted;
        target.set(wanted && !cut);
    }

    /**
     * Cuts or joins the line.
     *
     * @param wanted true to cut
     */
    public synchronized void setCut(boolean wanted) {
        cut = wanted;
        target.set(asserted && !wanted);
    }
}
