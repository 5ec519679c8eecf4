package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;

/** The port by which a kernel says that it has panicked (QEMU, docs/specs/pvpanic.rst): {@code pvpanic} in Linux. */
public final class PanicPort implements PortDevice {
    /** The port, found through ACPI. */
    public static final int PORT = 0x505;

    /** The kernel has panicked. Kernels that have loaded another one for the case don't say so, and none is asked to. */
    private static final int PANICKED = 1;

    private final Runnable panicked;

    /**
     * Makes the port.
     *
     * @param panicked called when the guest has panicked
     */
    public PanicPort(Runnable panicked) {
        this.panicked = panicked;
    }

    /** {@return the events that may be told} */
    @Override
    public int read(int port, int size) {
        return PANICKED;
    }

    @Override
    public void write(int port, int size, int value) {
        if ((value & PANICKED) != 0) {
            panicked.run();
        }
    }
}
