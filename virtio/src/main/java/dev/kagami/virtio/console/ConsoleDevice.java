package dev.kagami.virtio.console;

import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Consoles and named byte streams (virtio 1.2, 5.3). Thread-safe. */
public final class ConsoleDevice implements VirtioDevice {
    static final int FEATURE_SIZE = 0;
    static final int FEATURE_MULTIPORT = 1;
    static final int FEATURE_EMERGENCY = 2;

    private static final int DATA_QUEUE_SIZE = 128;
    private static final int CONFIG_SIZE = 12;
    private static final int COLUMNS = 0;
    private static final int ROWS = 2;
    private static final int PORTS = 4;
    private static final int EMERGENCY = 8;

    private final ConsoleConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);
    private final List<ConsolePort> ports = new ArrayList<>();
    private volatile @Nullable ConsoleHandler handler;

    /**
     * Makes the device, with nobody listening on the host's side.
     *
     * @param config what it is made of
     */
    public ConsoleDevice(ConsoleConfig config) {
        this.config = config;
        for (int i = 0; i < config.ports().size(); i++) {
            ports.add(new ConsolePort());
        }
        space.set(COLUMNS, 2, config.columns());
        space.set(ROWS, 2, config.rows());
        space.set(PORTS, 4, ports.size());
        space.allowWrites(EMERGENCY, 4);
        space.setListener(offset -> {
            if (offset == EMERGENCY) {
                byte[] character = {(byte) space.get(EMERGENCY, 1)};
                ports.getFirst().fromGuest().write(MemorySegment.ofArray(character), 0, 1);
            }
        });
    }

    /**
     * Opens the host's side of a port. Reading waits for output of the guest, writing waits for room; neither can be
     * interrupted, but closing the channel ends both. One program at a time can have a port open.
     *
     * @param port the port's number, from 0
     * @return the channel; closing it tells the guest that nobody is there any more
     * @throws IllegalStateException when the port is open already
     */
    public ByteChannel open(int port) {
        return ports.get(port).open(false);
    }

    /**
     * Opens the host's side of a port, as {@link #open} does, for one conversation with one program in the guest: reading
     * comes to an end when that closes the port.
     *
     * @param port the port's number, from 0
     * @return the channel
     * @throws IllegalStateException when the port is open already
     */
    public ByteChannel connect(int port) {
        return ports.get(port).open(true);
    }

    /** Says that the guest will neither write nor read any more. What it wrote can still be read. */
    public void close() {
        for (ConsolePort port : ports) {
            port.fromGuest().end();
            port.toGuest().abandon();
        }
    }

    /**
     * Tells the guest a new size of the terminal on its consoles.
     *
     * @param columns width in characters, 0 to 65535
     * @param rows height in characters, 0 to 65535
     */
    public void resize(int columns, int rows) {
        space.set(COLUMNS, 2, columns);
        space.set(ROWS, 2, rows);
        ConsoleHandler active = handler;
        if (active != null) {
            active.resized();
        }
    }

    ConsoleConfig settings() {
        return config;
    }

    ConsolePort port(int number) {
        return ports.get(number);
    }

    /** {@return the terminal's size: columns in the low, rows in the high 16 bits} */
    int size() {
        return (int) space.get(COLUMNS, 4);
    }

    @Override
    public DeviceType type() {
        return DeviceType.CONSOLE;
    }

    @Override
    public String name() {
        return "console";
    }

    @Override
    public long features() {
        return Features.of(FEATURE_SIZE, FEATURE_MULTIPORT, FEATURE_EMERGENCY);
    }

    @Override
    public int[] queueSizes() {
        int[] sizes = new int[2 * (ports.size() + 1)];
        Arrays.fill(sizes, DATA_QUEUE_SIZE);
        return sizes;
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public Class<? extends Record> stateType() {
        return ConsoleState.class;
    }

    @Override
    public QueueHandler activate(DeviceContext context) {
        ConsoleHandler active = new ConsoleHandler(this, context);
        handler = active;
        return new QueueHandler() {
            @Override
            public void serve(int queue) {
                active.serve(queue);
            }

            @Override
            public Record state() {
                return active.state();
            }

            @Override
            public void setState(Record state) {
                active.setState((ConsoleState) state);
            }

            @Override
            public int held(int queue) {
                return active.held(queue);
            }

            @Override
            public void close() {
                handler = null;
                active.close();
            }
        };
    }
}
