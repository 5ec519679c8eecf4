package dev.kagami.platform.bus;

/**
 * The wiring between devices and interrupt controllers.
 *
 * <p>Lines are numbered as ACPI numbers them (global system interrupts). Any number of sources may share a line: it is
 * asserted while one of them asserts it. What a change of a line means to the controllers is up to the {@link Target}.
 */
public final class InterruptRouter {
    /** Who hears of changes, called with the router's lock held, so in order. */
    @FunctionalInterface
    public interface Target {
        /**
         * Takes the new state of a line.
         *
         * @param line the line's number
         * @param asserted its state
         */
        void lineChanged(int line, boolean asserted);
    }

    private final Target target;
    /** How many sources assert each line. */
    private final int[] asserting;

    /**
     * Makes a router with every line idle.
     *
     * @param lines number of lines
     * @param target who hears of changes
     */
    public InterruptRouter(int lines, Target target) {
        this.asserting = new int[lines];
        this.target = target;
    }

    /** {@return the number of lines} */
    public int lines() {
        return asserting.length;
    }

    /**
     * Makes a new source on a line.
     *
     * @param line the line's number
     * @return the source's end, not asserted
     * @throws IllegalArgumentException when there is no such line
     */
    public InterruptLine source(int line) {
        if (line < 0 || line >= asserting.length) {
            throw new IllegalArgumentException("no interrupt line " + line);
        }
        return new Source(line);
    }

    private final class Source implements InterruptLine {
        private final int line;
        private boolean asserted;

        Source(int line) {
            this.line = line;
        }

        @Override
        public void set(boolean wanted) {
            synchronized (InterruptRouter.this) {
                if (asserted == wanted) {
                    return;
                }
                asserted = wanted;
                asserting[line] += wanted ? 1 : -1;
                if (asserting[line] == (wanted ? 1 : 0)) {
                    target.lineChanged(line, wanted);
                }
            }
        }
    }
}
