package dev.kagami.cli;

import java.io.PrintWriter;

/** Shows how far a preparation has come: a bar that redraws itself on a terminal, one line a phase elsewhere. */
final class ProgressBar implements AutoCloseable {
    /** The launcher sets it to {@code true} when standard error is a terminal, which Java can't find out. */
    private static final String STANDARD_ERROR_IS_TERMINAL = "kagami.stderr.terminal";

    private static final int WIDTH = 30;
    private static final String ERASE_LINE = "\r\033[K";

    private final PrintWriter out;
    private final boolean terminal;
    private String phase = "";
    private int shownPermille = -1;

    ProgressBar(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** {@return a bar on a writer that ends at standard error} */
    static ProgressBar onStandardError(PrintWriter err) {
        return new ProgressBar(err, Boolean.getBoolean(STANDARD_ERROR_IS_TERMINAL));
    }

    /**
     * Shows progress.
     *
     * @param newPhase what is being done
     * @param fraction how much of it is done, 0 to 1; negative when nobody knows
     */
    void show(String newPhase, double fraction) {
        boolean changed = !newPhase.equals(phase);
        phase = newPhase;
        if (!terminal) {
            if (changed) {
                out.println("kagami: " + newPhase);
                out.flush();
            }
            return;
        }
        int permille = fraction < 0 ? -1 : (int) Math.round(Math.min(fraction, 1) * 1000);
        if (!changed && permille == shownPermille) {
            return;
        }
        shownPermille = permille;
        out.print(ERASE_LINE);
        if (permille >= 0) {
            int done = permille * WIDTH / 1000;
            out.printf("[%s%s] %3d%% %s", "#".repeat(done), " ".repeat(WIDTH - done), permille / 10, newPhase);
        } else {
            out.print(newPhase + " ...");
        }
        out.flush();
    }

    /** Takes the bar off the terminal. */
    @Override
    public void close() {
        if (terminal && !phase.isEmpty()) {
            out.print(ERASE_LINE);
            out.flush();
        }
    }
}
