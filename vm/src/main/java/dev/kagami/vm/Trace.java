package dev.kagami.vm;

import java.io.PrintStream;

/** What a machine prints about its own work, for debugging. */
public sealed interface Trace {
    /** Nothing. */
    record Off() implements Trace {}

    /**
     * Every executed instruction; thousands of times slower.
     *
     * @param output where to print
     */
    record Instructions(PrintStream output) implements Trace {}

    /**
     * Every access to a port or to memory-mapped I/O, and every other exit.
     *
     * @param output where to print
     */
    record Exits(PrintStream output) implements Trace {}
}
