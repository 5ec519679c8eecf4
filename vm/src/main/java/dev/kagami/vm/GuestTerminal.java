package dev.kagami.vm;

import dev.kagami.agent.GuestCommand;

/**
 * A terminal that a command in a guest has for its standard input, output and error; {@link ExecOptions#terminal}. One object is
 * for one command. Thread-safe.
 *
 * <p>What is written to such a command is typed, Ctrl-C (3) included; closing its input types Ctrl-D. What it prints comes as its
 * standard output. When it ends, the terminal is hung up, which ends what it has left behind.
 */
public final class GuestTerminal {
    private final String type;
    private Size size;
    private Runnable listener = () -> {};

    /**
     * How large a terminal is.
     *
     * @param columns width in characters, 1 to 65535
     * @param rows height in characters, 1 to 65535
     */
    public record Size(int columns, int rows) {
        /** Checks the numbers. */
        public Size {
            GuestCommand.Window.check(columns, rows);
        }
    }

    /**
     * Describes a terminal.
     *
     * @param type what the command finds in {@code TERM}, for example {@code xterm-256color}
     * @param size how large it is at first
     */
    public GuestTerminal(String type, Size size) {
        this.type = type;
        this.size = size;
    }

    /** {@return what the command finds in {@code TERM}} */
    public String type() {
        return type;
    }

    /** {@return how large it is now} */
    public synchronized Size size() {
        return size;
    }

    /**
     * Changes the size, of which the command hears by SIGWINCH.
     *
     * @param now how large it is now
     */
    public synchronized void resize(Size now) {
        size = now;
        listener.run();
    }

    /**
     * Sets who is told of another size, in place of who was; called at once, and then on the threads that resize.
     *
     * @param changed reads {@link #size}
     */
    public synchronized void onResize(Runnable changed) {
        listener = changed;
        changed.run();
    }
}
