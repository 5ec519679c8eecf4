package dev.kagami.platform.device;

/**
 * State of {@link Uart16550}.
 *
 * @param interruptEnable the interrupt enable register
 * @param lineControl the line control register
 * @param modemControl the modem control register
 * @param modemStatus the modem status register
 * @param scratch the scratch register
 * @param divisor the divisor latch
 * @param fifoEnabled whether the FIFOs are on
 * @param trigger characters at which the receiver interrupts
 * @param overrun a character was lost
 * @param transmitterEmpty the transmitter has nothing to send
 * @param transmitterInterrupt and says so
 * @param timeoutInterrupt characters have waited for long
 * @param fifo received characters, oldest first, with their line status bits from bit 8 up
 * @param queue what the host has sent and the line hasn't carried
 * @param pacing the line carries characters right now
 * @param polls looks at the line status in a row
 */
public record UartState(
        int interruptEnable,
        int lineControl,
        int modemControl,
        int modemStatus,
        int scratch,
        int divisor,
        boolean fifoEnabled,
        int trigger,
        boolean overrun,
        boolean transmitterEmpty,
        boolean transmitterInterrupt,
        boolean timeoutInterrupt,
        int[] fifo,
        byte[] queue,
        boolean pacing,
        int polls) {}
