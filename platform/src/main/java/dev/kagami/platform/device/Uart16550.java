package dev.kagami.platform.device;

import dev.kagami.cpu.Timers;
import dev.kagami.platform.bus.InterruptLine;
import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Objects;

/**
 * A 16550A serial port (National Semiconductor PC16550D datasheet). Eight ports; every access is one byte. The
 * base port must be a multiple of 8.
 *
 * <p>The transmitter is as fast as the host takes bytes: it is empty again when the guest looks, unless the host's buffer
 * is full. The receiver runs at 115,200 baud whatever divisor the guest sets: a slower line would only make its user
 * wait, a faster one would overrun the guest's terminal.
 *
 * <p>The host's characters wait until the guest listens: until it enables the received-data interrupt, or looks at the
 * line status again and again; and clearing the FIFO sends them back to wait. What is typed, or piped in, while a kernel
 * boots would be lost otherwise whenever its driver sets the port up.
 *
 * <p>The interrupt output isn't gated by OUT2, as it would be by the glue logic of a PC, for kernels that forget it.
 */
public final class Uart16550 implements PortDevice, StatefulDevice<UartState>, AutoCloseable {
    /** First port of COM1. */
    public static final int COM1_PORT = 0x3F8;

    /** Number of ports. */
    public static final int PORTS = 8;

    /** Interrupt line of COM1. */
    public static final int COM1_IRQ = 4;

    private static final int FIFO_SIZE = 16;
    private static final int QUEUE_SIZE = 64 << 10;
    /** A start bit, 8 data bits and a stop bit at 115,200 baud. */
    private static final long CHARACTER_NANOS = 86_806;
    /** The receiver tells of a FIFO below its trigger level after this long without a character (datasheet, 8.4.1). */
    private static final long TIMEOUT_NANOS = 4 * CHARACTER_NANOS;

    /** Looks at the line status in a row after which the guest must be waiting for characters. */
    private static final int LISTENING_POLLS = 32;

    private static final int IER_RECEIVED = 0x01;
    private static final int IER_TRANSMITTER_EMPTY = 0x02;
    private static final int IER_LINE_STATUS = 0x04;
    private static final int IER_MODEM_STATUS = 0x08;

    private static final int IIR_MODEM_STATUS = 0x00;
    private static final int IIR_NONE = 0x01;
    private static final int IIR_TRANSMITTER_EMPTY = 0x02;
    private static final int IIR_RECEIVED = 0x04;
    private static final int IIR_LINE_STATUS = 0x06;
    private static final int IIR_TIMEOUT = 0x0C;
    private static final int IIR_FIFO = 0xC0;

    private static final int FCR_ENABLE = 0x01;
    private static final int FCR_CLEAR_RECEIVER = 0x02;
    private static final int[] TRIGGER_LEVELS = {1, 4, 8, 14};

    private static final int LCR_DIVISOR = 0x80;

    private static final int MCR_DTR = 0x01;
    private static final int MCR_RTS = 0x02;
    private static final int MCR_OUT1 = 0x04;
    private static final int MCR_OUT2 = 0x08;
    private static final int MCR_LOOPBACK = 0x10;

    private static final int LSR_DATA_READY = 0x01;
    private static final int LSR_OVERRUN = 0x02;
    private static final int LSR_BREAK = 0x10;
    private static final int LSR_TRANSMITTER_EMPTY = 0x60;
    private static final int LSR_FIFO_ERROR = 0x80;

    private static final int MSR_RING_ENDED = 0x04;
    private static final int MSR_CTS = 0x10;
    private static final int MSR_DSR = 0x20;
    private static final int MSR_RING = 0x40;
    private static final int MSR_DCD = 0x80;
    private static final int MSR_LINES = 0xF0;
    private static final int MSR_DELTAS = 0x0F;

    private final InterruptLine line;
    private final Timers timers;
    private final Timers.Timer paceTimer;
    private final Timers.Timer timeoutTimer;
    private final Timers.Timer transmitTimer;
    private final SerialOutput output;

    private int interruptEnable;
    private int lineControl;
    private int modemControl;
    private int modemStatus;
    private int scratch;
    private int divisor;
    private boolean fifoEnabled;
    private int trigger;
    private boolean overrun;
    private boolean transmitterEmpty;
    private boolean transmitterInterrupt;
    private boolean timeoutInterrupt;

    /** Received characters with their line status bits from bit 8 up. */
    private final int[] fifo = new int[FIFO_SIZE];

    private int fifoHead;
    private int fifoCount;

    /** What the host has sent and the line hasn't carried yet. */
    private byte[] queue = {};

    private int queueHead;
    private int queueCount;
    /** The line is carrying characters; {@link #paceTimer} tells when they have arrived. */
    private boolean pacing;

    /** Looks at the line status since the last other access, up to {@link #LISTENING_POLLS}, where it stays. */
    private int polls;

    private boolean closed;

    /**
     * Makes a port in its power-on state.
     *
     * @param timers time
     * @param line interrupt line
     * @param stream where transmitted bytes go, written and flushed by a thread of the port's own
     */
    public Uart16550(Timers timers, InterruptLine line, OutputStream stream) {
        this.timers = timers;
        this.line = line;
        this.paceTimer = timers.create(this::paced);
        this.timeoutTimer = timers.create(this::timedOut);
        this.transmitTimer = timers.create(this::transmitted);
        this.output = new SerialOutput(stream, this::transmitted);
        powerOn();
    }

    /** Resets the port. What the host has sent and the guest hasn't received stays on its way. */
    @Override
    public synchronized void reset() {
        powerOn();
        timeoutTimer.disarm();
        transmitTimer.disarm();
        // Nobody listens any more; the first one who does starts the line again.
        paceTimer.disarm();
        pacing = false;
        update();
    }

    @Override
    public Class<UartState> stateType() {
        return UartState.class;
    }

    @Override
    public synchronized UartState state() {
        int[] characters = new int[fifoCount];
        for (int i = 0; i < fifoCount; i++) {
            characters[i] = fifo[(fifoHead + i) % FIFO_SIZE];
        }
        byte[] waiting = new byte[queueCount];
        for (int i = 0; i < queueCount; i++) {
            waiting[i] = queue[(queueHead + i) % QUEUE_SIZE];
        }
        return new UartState(
                interruptEnable,
                lineControl,
                modemControl,
                modemStatus,
                scratch,
                divisor,
                fifoEnabled,
                trigger,
                overrun,
                transmitterEmpty,
                transmitterInterrupt,
                timeoutInterrupt,
                characters,
                waiting,
                pacing,
                polls);
    }

    @Override
    public synchronized void setState(UartState state) {
        if (state.fifo().length > FIFO_SIZE || state.queue().length > QUEUE_SIZE) {
            throw new IllegalArgumentException("more characters than a serial port holds");
        }
        interruptEnable = state.interruptEnable() & 0x0F;
        lineControl = state.lineControl() & 0xFF;
        modemControl = state.modemControl() & 0x1F;
        modemStatus = state.modemStatus() & 0xFF;
        scratch = state.scratch() & 0xFF;
        divisor = state.divisor() & 0xFFFF;
        fifoEnabled = state.fifoEnabled();
        trigger = Math.clamp(state.trigger(), 1, FIFO_SIZE);
        overrun = state.overrun();
        transmitterEmpty = state.transmitterEmpty();
        transmitterInterrupt = state.transmitterInterrupt();
        clearReceiver();
        timeoutInterrupt = state.timeoutInterrupt();
        fifoCount = state.fifo().length;
        System.arraycopy(state.fifo(), 0, fifo, 0, fifoCount);
        queueHead = 0;
        queueCount = state.queue().length;
        if (queueCount > 0) {
            System.arraycopy(state.queue(), 0, queue(), 0, queueCount);
        }
        polls = Math.clamp(state.polls(), 0, LISTENING_POLLS);
        if (!timeoutInterrupt) {
            awaitTimeout();
        }
        if (!transmitterEmpty) {
            transmitTimer.arm(timers.nanoTime() + CHARACTER_NANOS);
        }
        if (state.pacing()) {
            pace(1);
        }
        update();
    }

    private void powerOn() {
        interruptEnable = 0;
        lineControl = 0;
        modemControl = 0;
        // The far end is always there and ready.
        modemStatus = MSR_CTS | MSR_DSR | MSR_DCD;
        scratch = 0;
        divisor = 1;
        fifoEnabled = false;
        trigger = 1;
        overrun = false;
        transmitterEmpty = true;
        transmitterInterrupt = false;
        timeoutInterrupt = false;
        clearReceiver();
        polls = 0;
    }

    /** {@return {@link #queue} with room: most machines never get any input} */
    private byte[] queue() {
        if (queue.length == 0) {
            queue = new byte[QUEUE_SIZE];
        }
        return queue;
    }

    /**
     * Sends bytes to the guest.
     *
     * @param bytes what to send
     * @param offset first index
     * @param length number of bytes
     * @return how many were taken; fewer than asked for when the guest doesn't keep up
     */
    public synchronized int send(byte[] bytes, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        int taken = Math.min(length, QUEUE_SIZE - queueCount);
        for (int i = 0; i < taken; i++) {
            queue()[(queueHead + queueCount + i) % QUEUE_SIZE] = bytes[offset + i];
        }
        queueCount += taken;
        receive();
        return taken;
    }

    /** Sends a break to the guest (the magic SysRq key on a serial console). */
    public synchronized void sendBreak() {
        push(LSR_BREAK << 8);
        update();
    }

    /** {@return a stream to the guest; writes block while the guest doesn't keep up, and fail when the port is closed} */
    public OutputStream input() {
        return new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                write(new byte[] {(byte) value}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) throws IOException {
                sendAll(bytes, offset, length);
            }
        };
    }

    private synchronized void sendAll(byte[] bytes, int offset, int length) throws IOException {
        int sent = 0;
        while (sent < length) {
            if (closed) {
                throw new IOException("the serial port is closed");
            }
            sent += send(bytes, offset + sent, length - sent);
            if (sent < length) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new InterruptedIOException("interrupted while the guest didn't take input");
                }
            }
        }
    }

    /** Waits until what the guest has written is in the stream, but not long for a stream that takes nothing. */
    public void drain() {
        output.drain();
    }

    /** Drains the output and ends the port's thread. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            paceTimer.disarm();
            timeoutTimer.disarm();
            transmitTimer.disarm();
            notifyAll();
        }
        output.close();
    }

    @Override
    public synchronized int read(int port, int size) {
        finishTransmission();
        int value = switch (port & 7) {
            case 0 -> (lineControl & LCR_DIVISOR) != 0 ? divisor & 0xFF : readReceiver();
            case 1 -> (lineControl & LCR_DIVISOR) != 0 ? divisor >> 8 : interruptEnable;
            case 2 -> readIdentification();
            case 3 -> lineControl;
            case 4 -> modemControl;
            case 5 -> readLineStatus();
            case 6 -> readModemStatus();
            default -> scratch;
        };
        update();
        return value;
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        int register = port & 7;
        int octet = value & 0xFF;
        boolean selectsDivisor = (lineControl & LCR_DIVISOR) != 0;
        if (register == 0 && !selectsDivisor) {
            transmit(octet);
            return;
        }
        finishTransmission();
        switch (register) {
            case 0 -> divisor = divisor & 0xFF00 | octet;
            case 1 -> {
                if (selectsDivisor) {
                    divisor = divisor & 0xFF | octet << 8;
                } else {
                    writeInterruptEnable(octet & 0x0F);
                }
            }
            case 2 -> writeFifoControl(octet);
            case 3 -> lineControl = octet;
            case 4 -> writeModemControl(octet & 0x1F);
            case 7 -> scratch = octet;
            default -> {
                // The line status is for factory tests only, the modem status is read-only.
            }
        }
        update();
    }

    private void transmit(int octet) {
        boolean first = transmitterEmpty;
        transmitterEmpty = false;
        transmitterInterrupt = false;
        if (polls < LISTENING_POLLS) {
            polls = 0;
        }
        if ((modemControl & MCR_LOOPBACK) != 0) {
            push(octet);
        } else {
            output.write(octet);
        }
        update();
        // A guest that polls sees the transmitter empty when it looks; one that waits needs to be told.
        if (first && (interruptEnable & IER_TRANSMITTER_EMPTY) != 0) {
            transmitTimer.arm(timers.nanoTime() + CHARACTER_NANOS);
        }
    }

    private void finishTransmission() {
        if (!transmitterEmpty && ((modemControl & MCR_LOOPBACK) != 0 || output.hasRoom())) {
            transmitterEmpty = true;
            transmitterInterrupt = true;
        }
    }

    private synchronized void transmitted() {
        finishTransmission();
        update();
    }

    private void writeInterruptEnable(int value) {
        if ((value & ~interruptEnable & IER_TRANSMITTER_EMPTY) != 0 && transmitterEmpty) {
            // Enabling the interrupt while the transmitter is empty raises it (datasheet, 8.6.4).
            transmitterInterrupt = true;
        }
        if ((value & IER_TRANSMITTER_EMPTY) != 0 && !transmitterEmpty) {
            transmitTimer.arm(timers.nanoTime() + CHARACTER_NANOS);
        }
        boolean listened = listening();
        interruptEnable = value;
        if (!listened && listening() && !pacing) {
            // The first character takes its time on the line: drivers enable the interrupt for a moment to probe for
            // it.
            pace(1);
        }
    }

    private void writeFifoControl(int value) {
        boolean enable = (value & FCR_ENABLE) != 0;
        if (enable != fifoEnabled || enable && (value & FCR_CLEAR_RECEIVER) != 0) {
            takeBack();
            clearReceiver();
            timeoutTimer.disarm();
        }
        fifoEnabled = enable;
        polls = 0;
        trigger = enable ? TRIGGER_LEVELS[value >> 6 & 3] : 1;
        receive();
    }

    private void writeModemControl(int value) {
        modemControl = value;
        int lines = MSR_CTS | MSR_DSR | MSR_DCD;
        if ((value & MCR_LOOPBACK) != 0) {
            lines = ((value & MCR_RTS) != 0 ? MSR_CTS : 0)
                    | ((value & MCR_DTR) != 0 ? MSR_DSR : 0)
                    | ((value & MCR_OUT1) != 0 ? MSR_RING : 0)
                    | ((value & MCR_OUT2) != 0 ? MSR_DCD : 0);
        }
        // A delta bit is four below its line's bit, except that only the end of a ring counts.
        int changes = (lines ^ modemStatus) & MSR_LINES;
        int deltas = (changes & ~MSR_RING) >> 4;
        if ((changes & modemStatus & MSR_RING) != 0) {
            deltas |= MSR_RING_ENDED;
        }
        modemStatus = lines | modemStatus & MSR_DELTAS | deltas;
        receive();
    }

    private int readReceiver() {
        if (fifoCount == 0) {
            return 0;
        }
        int value = fifo[fifoHead] & 0xFF;
        fifoHead = (fifoHead + 1) % FIFO_SIZE;
        fifoCount--;
        timeoutInterrupt = false;
        awaitTimeout();
        if (queueCount > 0 && !pacing) {
            pace(1);
        }
        return value;
    }

    private int readIdentification() {
        int reason = interruptReason();
        if (reason == IIR_TRANSMITTER_EMPTY) {
            transmitterInterrupt = false;
        }
        return reason | (fifoEnabled ? IIR_FIFO : 0);
    }

    /** Notes a look at the line status; many in a row are a guest that waits for characters without interrupts. */
    private void polled() {
        if (polls < LISTENING_POLLS && ++polls == LISTENING_POLLS) {
            receive();
        }
    }

    /** {@return whether the guest takes characters, rather than sets up or probes the port} */
    private boolean listening() {
        return (interruptEnable & IER_RECEIVED) != 0 || polls == LISTENING_POLLS;
    }

    private int readLineStatus() {
        polled();
        int value =
                (fifoCount > 0 ? LSR_DATA_READY : 0) | lineErrors() | (transmitterEmpty ? LSR_TRANSMITTER_EMPTY : 0);
        if (fifoEnabled) {
            for (int i = 0; i < fifoCount; i++) {
                if (fifo[(fifoHead + i) % FIFO_SIZE] >> 8 != 0) {
                    value |= LSR_FIFO_ERROR;
                }
            }
        }
        overrun = false;
        if (fifoCount > 0) {
            fifo[fifoHead] &= 0xFF;
        }
        return value;
    }

    private int readModemStatus() {
        int value = modemStatus;
        modemStatus &= ~MSR_DELTAS;
        return value;
    }

    /** The errors of the oldest character, and the overrun. */
    private int lineErrors() {
        return (overrun ? LSR_OVERRUN : 0) | (fifoCount > 0 ? fifo[fifoHead] >> 8 : 0);
    }

    /** Most urgent first (datasheet, table IV). */
    private int interruptReason() {
        if ((interruptEnable & IER_LINE_STATUS) != 0 && lineErrors() != 0) {
            return IIR_LINE_STATUS;
        }
        if ((interruptEnable & IER_RECEIVED) != 0 && fifoCount >= trigger) {
            return IIR_RECEIVED;
        }
        if ((interruptEnable & IER_RECEIVED) != 0 && timeoutInterrupt) {
            return IIR_TIMEOUT;
        }
        if ((interruptEnable & IER_TRANSMITTER_EMPTY) != 0 && transmitterInterrupt) {
            return IIR_TRANSMITTER_EMPTY;
        }
        if ((interruptEnable & IER_MODEM_STATUS) != 0 && (modemStatus & MSR_DELTAS) != 0) {
            return IIR_MODEM_STATUS;
        }
        return IIR_NONE;
    }

    private void update() {
        line.set(interruptReason() != IIR_NONE);
    }

    /**
     * Puts characters that the guest is about to clear unread at the head of what the host sends: a driver that sets the
     * port up clears what it can't know to be someone's input.
     */
    private void takeBack() {
        for (int i = fifoCount - 1; i >= 0 && queueCount < QUEUE_SIZE; i--) {
            int character = fifo[(fifoHead + i) % FIFO_SIZE];
            if (character >> 8 == 0 && (modemControl & MCR_LOOPBACK) == 0) {
                queueHead = (queueHead + QUEUE_SIZE - 1) % QUEUE_SIZE;
                queue()[queueHead] = (byte) character;
                queueCount++;
            }
        }
    }

    private void clearReceiver() {
        Arrays.fill(fifo, 0);
        fifoHead = 0;
        fifoCount = 0;
        timeoutInterrupt = false;
    }

    private void push(int character) {
        int capacity = fifoEnabled ? FIFO_SIZE : 1;
        if (fifoCount == capacity) {
            overrun = true;
            return;
        }
        fifo[(fifoHead + fifoCount) % FIFO_SIZE] = character;
        fifoCount++;
        awaitTimeout();
    }

    private void awaitTimeout() {
        if (fifoEnabled && fifoCount > 0) {
            timeoutTimer.arm(timers.nanoTime() + TIMEOUT_NANOS);
        } else {
            timeoutTimer.disarm();
        }
    }

    private synchronized void timedOut() {
        if (fifoEnabled && fifoCount > 0) {
            timeoutInterrupt = true;
            update();
        }
    }

    /** Lets the line carry what the host has sent, as far as the FIFO has room. */
    private void receive() {
        if (pacing || queueCount == 0 || closed || (modemControl & MCR_LOOPBACK) != 0 || !listening()) {
            return;
        }
        int moved = 0;
        int capacity = fifoEnabled ? FIFO_SIZE : 1;
        while (queueCount > 0 && fifoCount < capacity) {
            push(queue[queueHead] & 0xFF);
            queueHead = (queueHead + 1) % QUEUE_SIZE;
            queueCount--;
            moved++;
        }
        if (moved > 0) {
            notifyAll();
            if (queueCount > 0) {
                pace(moved);
            }
            update();
        }
    }

    private void pace(int characters) {
        pacing = true;
        paceTimer.arm(timers.nanoTime() + characters * CHARACTER_NANOS);
    }

    private synchronized void paced() {
        pacing = false;
        receive();
    }
}
