package dev.kagami.platform.pci;

import dev.kagami.platform.device.IoApic;

/** Passes on the messages of message-signalled interrupts that really are interrupts. */
final class MessageSender {
    /** Messages to these addresses are interrupts (SDM 3A 12.11.1); others would be writes to memory. */
    private static final long INTERRUPT_ADDRESSES = 0xFEE0_0000L;

    private static final long INTERRUPT_ADDRESS_MASK = ~0xF_FFFFL;

    private final IoApic.MessageSink sink;

    MessageSender(IoApic.MessageSink sink) {
        this.sink = sink;
    }

    void send(long address, int data) {
        if ((address & INTERRUPT_ADDRESS_MASK) == INTERRUPT_ADDRESSES) {
            sink.send(address, data);
        }
    }
}
