package dev.kagami.platform;

import java.io.OutputStream;
import java.time.InstantSource;
import java.util.OptionalInt;

/**
 * What a PC is made of.
 *
 * @param processors number of CPUs, 1 to 255
 * @param serialOutput where COM1's output goes; written and flushed by a thread of the machine, never closed
 * @param clock what the real-time clock shows, in UTC
 * @param hpet whether there is a high precision event timer
 * @param debugExitPort first of the four ports that end the machine with a status, if any
 * @param testDevice whether there are the devices that bare-metal test kernels use: the test device, and the firmware
 *     configuration that tells them of CPUs and memory
 */
public record PcConfig(
        int processors,
        OutputStream serialOutput,
        InstantSource clock,
        boolean hpet,
        OptionalInt debugExitPort,
        boolean testDevice) {
    /** Checks the values. */
    public PcConfig {
        if (processors < 1 || processors > 255) {
            throw new IllegalArgumentException("a machine has 1 to 255 CPUs, not " + processors);
        }
        if (debugExitPort.isPresent() && (debugExitPort.getAsInt() < 0 || debugExitPort.getAsInt() > 0xFFFC)) {
            throw new IllegalArgumentException("debug-exit port %#x".formatted(debugExitPort.getAsInt()));
        }
    }

    /**
     * Makes the configuration of a usual PC: with HPET and the host's clock, without devices for tests.
     *
     * @param processors number of CPUs, 1 to 255
     * @param serialOutput where COM1's output goes
     * @return the configuration
     */
    public static PcConfig of(int processors, OutputStream serialOutput) {
        return new PcConfig(processors, serialOutput, InstantSource.system(), true, OptionalInt.empty(), false);
    }

    /**
     * Adds or removes the high precision event timer.
     *
     * @param present whether there is one
     * @return the changed configuration
     */
    public PcConfig withHpet(boolean present) {
        return new PcConfig(processors, serialOutput, clock, present, debugExitPort, testDevice);
    }

    /**
     * Adds the debug-exit port.
     *
     * @param port first of four ports
     * @return the changed configuration
     */
    public PcConfig withDebugExit(int port) {
        return new PcConfig(processors, serialOutput, clock, hpet, OptionalInt.of(port), testDevice);
    }

    /**
     * Adds or removes the devices of bare-metal test kernels.
     *
     * @param present whether they are there
     * @return the changed configuration
     */
    public PcConfig withTestDevice(boolean present) {
        return new PcConfig(processors, serialOutput, clock, hpet, debugExitPort, present);
    }
}
