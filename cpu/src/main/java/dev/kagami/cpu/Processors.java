package dev.kagami.cpu;

import java.util.List;

/**
 * The processors of one machine with their local APICs. The methods may be called from any thread, except that
 * {@link #close} must come after every {@link Vcpu#run} has returned.
 */
public interface Processors extends AutoCloseable {
    /** {@return the CPUs, by index} */
    List<Vcpu> vcpus();

    /**
     * Delivers an interrupt message (MSI, or what an I/O APIC sends) to the local APICs.
     *
     * @param address the message address: destination in bits 12-19, redirection hint in bit 3, logical mode in bit 2
     *     (SDM 3A 12.11.1)
     * @param data the message data: vector in bits 0-7, delivery mode in bits 8-10, trigger mode in bit 15
     *     (SDM 3A 12.11.2)
     */
    void sendMessage(long address, int data);

    /**
     * Sets the INTR line from the 8259A to LINT0 of the boot processor.
     *
     * @param asserted true while the controller wants an interrupt taken
     */
    void setExternalInterrupt(boolean asserted);

    @Override
    void close();
}
