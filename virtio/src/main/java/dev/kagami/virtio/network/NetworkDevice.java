package dev.kagami.virtio.network;

import dev.kagami.net.PortListener;
import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import org.jspecify.annotations.Nullable;

/** A network card with one pair of queues and a control queue (virtio 1.2, 5.1). Thread-safe. */
public final class NetworkDevice implements VirtioDevice {
    static final int RECEIVE = 0;
    static final int TRANSMIT = 1;
    static final int CONTROL = 2;

    static final int FEATURE_CHECKSUM = 0;
    static final int FEATURE_GUEST_CHECKSUM = 1;
    static final int FEATURE_CONTROL_OFFLOADS = 2;
    static final int FEATURE_MTU = 3;
    static final int FEATURE_MAC = 5;
    static final int FEATURE_GUEST_TSO4 = 7;
    static final int FEATURE_GUEST_TSO6 = 8;
    static final int FEATURE_GUEST_ECN = 9;
    static final int FEATURE_HOST_TSO4 = 11;
    static final int FEATURE_HOST_TSO6 = 12;
    static final int FEATURE_HOST_ECN = 13;
    static final int FEATURE_MERGEABLE = 15;
    static final int FEATURE_STATUS = 16;
    static final int FEATURE_CONTROL = 17;
    static final int FEATURE_CONTROL_RECEIVE = 18;
    static final int FEATURE_CONTROL_RECEIVE_EXTRA = 20;
    static final int FEATURE_CONTROL_MAC = 23;
    static final int FEATURE_GUEST_USO4 = 54;
    static final int FEATURE_GUEST_USO6 = 55;
    static final int FEATURE_HOST_USO = 56;

    private static final int RECEIVE_SIZE = 512;
    private static final int TRANSMIT_SIZE = 256;
    private static final int CONTROL_SIZE = 64;
    private static final int CONFIG_SIZE = 12;
    private static final int STATUS = 6;
    private static final int PAIRS = 8;
    private static final int MTU = 10;
    private static final int STATUS_UP = 1;
    private static final int MAC_OCTETS = 6;

    private final NetworkConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);
    private volatile @Nullable DeviceContext context;
    /** The features that decide what the guest receives whole; used on the device's thread. */
    private long offloads;

    /**
     * Makes the device.
     *
     * @param config what it is made of
     */
    public NetworkDevice(NetworkConfig config) {
        this.config = config;
        setMac(config.mac().value());
        space.keep(0, MAC_OCTETS);
        space.set(STATUS, 2, config.port().isUp() ? STATUS_UP : 0);
        space.set(PAIRS, 2, 1);
        space.set(MTU, 2, config.mtu());
        config.port().listen(new Listener());
    }

    NetworkConfig settings() {
        return config;
    }

    void setOffloads(long features) {
        offloads = features;
        config.port().setReceiveOffloads(Offloads.of(features));
    }

    /** Shows an address in the configuration space, in the order of the wire. */
    void setMac(long mac) {
        space.set(0, MAC_OCTETS, Long.reverseBytes(mac << 16));
    }

    /** {@return the address in the configuration space, which is the one that the guest has} */
    private long mac() {
        return Long.reverseBytes(space.get(0, MAC_OCTETS)) >>> 16;
    }

    @Override
    public DeviceType type() {
        return DeviceType.NETWORK;
    }

    @Override
    public String name() {
        return "net " + config.mac();
    }

    @Override
    public long features() {
        long features = Features.of(
                FEATURE_CHECKSUM,
                FEATURE_GUEST_CHECKSUM,
                FEATURE_CONTROL_OFFLOADS,
                FEATURE_MAC,
                FEATURE_GUEST_TSO4,
                FEATURE_GUEST_TSO6,
                FEATURE_GUEST_ECN,
                FEATURE_HOST_TSO4,
                FEATURE_HOST_TSO6,
                FEATURE_HOST_ECN,
                FEATURE_MERGEABLE,
                FEATURE_STATUS,
                FEATURE_CONTROL,
                FEATURE_CONTROL_RECEIVE,
                FEATURE_CONTROL_RECEIVE_EXTRA,
                FEATURE_CONTROL_MAC,
                FEATURE_GUEST_USO4,
                FEATURE_GUEST_USO6,
                FEATURE_HOST_USO);
        return config.mtu() != 0 ? features | Features.of(FEATURE_MTU) : features;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {RECEIVE_SIZE, TRANSMIT_SIZE, CONTROL_SIZE};
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public Class<? extends Record> stateType() {
        return NetworkState.class;
    }

    @Override
    public QueueHandler activate(DeviceContext active) {
        ReceiveFilter filter = new ReceiveFilter(mac());
        Receiver receiver = new Receiver(config.port(), active, filter);
        Transmitter transmitter = new Transmitter(config.port(), active);
        ControlQueue control = new ControlQueue(this, active, filter);
        setOffloads(Offloads.negotiated(active));
        context = active;
        return new QueueHandler() {
            @Override
            public void serve(int queue) {
                switch (queue) {
                    case RECEIVE -> receiver.serve();
                    case TRANSMIT -> transmitter.serve();
                    default -> control.serve();
                }
            }

            @Override
            public Record state() {
                return filter.state(offloads);
            }

            @Override
            public void setState(Record state) {
                NetworkState saved = (NetworkState) state;
                filter.setState(saved);
                setMac(saved.mac());
                setOffloads(saved.offloads());
            }

            @Override
            public void close() {
                context = null;
                receiver.close();
                transmitter.close();
                config.port().setReceiveOffloads(java.util.Set.of());
            }
        };
    }

    /** Passes on what the cable says; called on other devices' threads. */
    private final class Listener implements PortListener {
        @Override
        public void readable() {
            wake(RECEIVE);
        }

        @Override
        public void writable() {
            wake(TRANSMIT);
        }

        private void wake(int queue) {
            DeviceContext active = context;
            if (active != null) {
                active.wake(queue);
            }
        }

        @Override
        public void linkChanged(boolean up) {
            space.set(STATUS, 2, up ? STATUS_UP : 0);
            DeviceContext active = context;
            if (active != null) {
                active.configChanged();
            }
        }
    }
}
