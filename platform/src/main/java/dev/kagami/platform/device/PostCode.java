package dev.kagami.platform.device;

import dev.kagami.platform.bus.PortDevice;
import dev.kagami.platform.bus.StatefulDevice;

/** The diagnostic port 0x80: takes progress codes and, as kernels use it, the time that a port access takes. */
public final class PostCode implements PortDevice, StatefulDevice<PostCodeState> {
    /** The port. */
    public static final int PORT = 0x80;

    private volatile int last;

    /** Makes the port. */
    public PostCode() {}

    @Override
    public void reset() {
        last = 0;
    }

    @Override
    public Class<PostCodeState> stateType() {
        return PostCodeState.class;
    }

    @Override
    public PostCodeState state() {
        return new PostCodeState(last);
    }

    @Override
    public void setState(PostCodeState state) {
        last = state.last() & 0xFF;
    }

    /** {@return the code written last, 0 to 255} */
    public int last() {
        return last;
    }

    @Override
    public int read(int port, int size) {
        return last;
    }

    @Override
    public void write(int port, int size, int value) {
        last = value & 0xFF;
    }
}
