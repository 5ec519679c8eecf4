package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;

/** What drives the machine that a reference follows: an engine that leaves its run loop when it was told to. */
interface Leader extends AutoCloseable {
    /** {@return the virtual CPU that drives a CPU; to be called once} */
    Vcpu drive(Cpu cpu);

    /**
     * Sets when to leave the run loop the next time.
     *
     * @param count pieces of code, each of which is run as a whole as a rule
     */
    void leaveAfter(int count);

    /** {@return the time in ns within which what it was told to run is done, unless that is an endless loop} */
    long patience();

    @Override
    void close();
}
