package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/**
 * The two ports of a PC chip set that reset it: port 0x92 (system control port A) and port 0xCF9 (reset control register
 * of the 82371 and its successors). Every access is one byte. The second lies among the ports of the PCI bridge, which
 * passes bytes on, so other ports around it come here too; nobody answers them.
 */
public final class ResetPorts implements PortDevice, StatefulDevice<ResetPortsState> {
    /** System control port A. */
    public static final int CONTROL_A_PORT = 0x92;

    /** Reset control register. */
    public static final int RESET_PORT = 0xCF9;

    /** What to write to {@link #RESET_PORT} for a hard reset, as the FADT says. */
    public static final int RESET_VALUE = 0x06;

    private static final int CONTROL_A_RESET = 0x01;
    private static final int CONTROL_A_ADDRESS_20 = 0x02;
    private static final int RESET_PROCESSOR = 0x04;
    private static final int RESET_WRITABLE = 0x0E;

    private final Runnable resetLine;
    private int controlA = CONTROL_A_ADDRESS_20;
    private int resetControl;

    /**
     * Makes the ports in their power-on state.
     *
     * @param resetLine called when the guest asks for a reset, with the device's lock held
     */
    public ResetPorts(Runnable resetLine) {
        this.resetLine = resetLine;
    }

    @Override
    public synchronized void reset() {
        controlA = CONTROL_A_ADDRESS_20;
        resetControl = 0;
    }

    @Override
    public Class<ResetPortsState> stateType() {
        return ResetPortsState.class;
    }

    @Override
    public synchronized ResetPortsState state() {
        return new ResetPortsState(controlA, resetControl);
    }

    @Override
    public synchronized void setState(ResetPortsState state) {
        controlA = state.controlA() & (CONTROL_A_RESET | CONTROL_A_ADDRESS_20);
        resetControl = state.resetControl() & RESET_WRITABLE & ~RESET_PROCESSOR;
    }

    @Override
    public synchronized int read(int port, int size) {
        return switch (port) {
            case RESET_PORT -> resetControl;
            case CONTROL_A_PORT -> controlA;
            default -> -1;
        };
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        // Both reset on the rising edge of their bit.
        if (port == RESET_PORT) {
            boolean rises = (value & ~resetControl & RESET_PROCESSOR) != 0;
            resetControl = value & RESET_WRITABLE & ~RESET_PROCESSOR;
            if (rises) {
                resetLine.run();
            }
        } else if (port == CONTROL_A_PORT) {
            boolean rises = (value & ~controlA & CONTROL_A_RESET) != 0;
            controlA = value & (CONTROL_A_RESET | CONTROL_A_ADDRESS_20);
            if (rises) {
                resetLine.run();
            }
        }
    }
}
