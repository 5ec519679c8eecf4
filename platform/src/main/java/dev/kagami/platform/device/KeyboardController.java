package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/**
 * An 8042 keyboard controller with nothing plugged in (IBM PC/AT Technical Reference, "Keyboard Controller"): what is
 * left of it is its self test, its command byte and the pulse on the processor's reset line. Ports 0x60 and 0x64; every
 * access is one byte.
 */
public final class KeyboardController implements PortDevice, StatefulDevice<KeyboardState> {
    /** Data port. */
    public static final int DATA_PORT = 0x60;

    /** Command and status port. */
    public static final int COMMAND_PORT = 0x64;

    private static final int STATUS_OUTPUT_FULL = 0x01;
    private static final int STATUS_SYSTEM = 0x04;
    private static final int STATUS_COMMAND = 0x08;
    private static final int STATUS_UNLOCKED = 0x10;

    private static final int READ_COMMAND_BYTE = 0x20;
    private static final int WRITE_COMMAND_BYTE = 0x60;
    private static final int DISABLE_MOUSE = 0xA7;
    private static final int ENABLE_MOUSE = 0xA8;
    private static final int TEST_MOUSE_PORT = 0xA9;
    private static final int SELF_TEST = 0xAA;
    private static final int TEST_KEYBOARD_PORT = 0xAB;
    private static final int DISABLE_KEYBOARD = 0xAD;
    private static final int ENABLE_KEYBOARD = 0xAE;
    private static final int READ_OUTPUT_PORT = 0xD0;
    private static final int WRITE_OUTPUT_PORT = 0xD1;
    private static final int PULSE_OUTPUT_PORT = 0xF0;

    private static final int SELF_TEST_PASSED = 0x55;
    private static final int COMMAND_BYTE_SYSTEM = 0x04;
    private static final int COMMAND_BYTE_KEYBOARD_DISABLED = 0x10;
    private static final int COMMAND_BYTE_MOUSE_DISABLED = 0x20;
    /** Reset line (low means reset) and address line 20. */
    private static final int OUTPUT_DEFAULT = 0x03;

    private static final int OUTPUT_NOT_RESET = 0x01;

    private final Runnable resetLine;
    private int commandByte;
    private int outputPort;
    private int output;
    private boolean outputFull;
    private boolean lastWasCommand;
    /** The command that the next data byte belongs to, or 0. */
    private int pending;

    /**
     * Makes the controller in its power-on state.
     *
     * @param resetLine called when the guest pulses the reset line, with the device's lock held
     */
    public KeyboardController(Runnable resetLine) {
        this.resetLine = resetLine;
        powerOn();
    }

    @Override
    public synchronized void reset() {
        powerOn();
    }

    @Override
    public Class<KeyboardState> stateType() {
        return KeyboardState.class;
    }

    @Override
    public synchronized KeyboardState state() {
        return new KeyboardState(commandByte, outputPort, output, outputFull, lastWasCommand, pending);
    }

    @Override
    public synchronized void setState(KeyboardState state) {
        commandByte = state.commandByte() & 0xFF;
        outputPort = state.outputPort() & 0xFF;
        output = state.output() & 0xFF;
        outputFull = state.outputFull();
        lastWasCommand = state.lastWasCommand();
        pending = state.pending() & 0xFF;
    }

    private void powerOn() {
        commandByte = COMMAND_BYTE_SYSTEM | COMMAND_BYTE_KEYBOARD_DISABLED | COMMAND_BYTE_MOUSE_DISABLED;
        outputPort = OUTPUT_DEFAULT;
        output = 0;
        outputFull = false;
        lastWasCommand = false;
        pending = 0;
    }

    @Override
    public synchronized int read(int port, int size) {
        if (port == DATA_PORT) {
            outputFull = false;
            return output;
        }
        return STATUS_UNLOCKED
                | (outputFull ? STATUS_OUTPUT_FULL : 0)
                | (lastWasCommand ? STATUS_COMMAND : 0)
                | commandByte & STATUS_SYSTEM;
    }

    @Override
    public synchronized void write(int port, int size, int value) {
        int octet = value & 0xFF;
        lastWasCommand = port == COMMAND_PORT;
        if (lastWasCommand) {
            command(octet);
            return;
        }
        switch (pending) {
            case WRITE_COMMAND_BYTE -> commandByte = octet;
            case WRITE_OUTPUT_PORT -> {
                outputPort = octet;
                if ((octet & OUTPUT_NOT_RESET) == 0) {
                    resetLine.run();
                }
            }
            default -> {
                // For a keyboard that isn't there.
            }
        }
        pending = 0;
    }

    private void command(int command) {
        pending = 0;
        switch (command) {
            case READ_COMMAND_BYTE -> answer(commandByte);
            case WRITE_COMMAND_BYTE, WRITE_OUTPUT_PORT -> pending = command;
            case DISABLE_MOUSE -> commandByte |= COMMAND_BYTE_MOUSE_DISABLED;
            case ENABLE_MOUSE -> commandByte &= ~COMMAND_BYTE_MOUSE_DISABLED;
            case TEST_MOUSE_PORT, TEST_KEYBOARD_PORT -> answer(0);
            case SELF_TEST -> answer(SELF_TEST_PASSED);
            case DISABLE_KEYBOARD -> commandByte |= COMMAND_BYTE_KEYBOARD_DISABLED;
            case ENABLE_KEYBOARD -> commandByte &= ~COMMAND_BYTE_KEYBOARD_DISABLED;
            case READ_OUTPUT_PORT -> answer(outputPort);
            default -> {
                // Pulses the output port's lines whose bits are clear.
                if ((command & PULSE_OUTPUT_PORT) == PULSE_OUTPUT_PORT && (command & OUTPUT_NOT_RESET) == 0) {
                    resetLine.run();
                }
            }
        }
    }

    private void answer(int value) {
        output = value;
        outputFull = true;
    }
}
