package dev.kagami.virtio.balloon;

import dev.kagami.memory.GuestMemory;
import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A memory balloon (virtio 1.2, 5.5). Thread-safe. */
public final class BalloonDevice implements VirtioDevice {
    static final int FEATURE_STATISTICS = 1;
    static final int FEATURE_DEFLATE_ON_DEMAND = 2;
    static final int FEATURE_REPORTING = 5;

    private static final int QUEUE_SIZE = 128;
    private static final int QUEUES = 4;
    private static final int CONFIG_SIZE = 16;
    private static final int TARGET = 0;
    private static final int ACTUAL = 4;

    private final BalloonConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);
    private final AtomicLong reclaimed = new AtomicLong();
    private volatile Map<BalloonStatistic, Long> statistics = Map.of();
    private volatile @Nullable BalloonHandler handler;

    /**
     * Makes the device, deflated.
     *
     * @param config what it is made of
     */
    public BalloonDevice(BalloonConfig config) {
        this.config = config;
        space.allowWrites(ACTUAL, 4);
    }

    /**
     * Asks the guest to give up memory, or to take it back. It does so in its own time, as far as it can.
     *
     * @param bytes how much the guest shall do without, rounded down to pages
     */
    public void setTarget(long bytes) {
        if (bytes < 0 || bytes > GuestMemory.MAX_SIZE) {
            throw new IllegalArgumentException("a balloon of %d bytes".formatted(bytes));
        }
        space.set(TARGET, 4, bytes >> GuestMemory.PAGE_SHIFT);
        BalloonHandler active = handler;
        if (active != null) {
            active.context().configChanged();
        }
    }

    /** {@return how many bytes the guest does without, as its driver says} */
    public long actual() {
        return space.get(ACTUAL, 4) << GuestMemory.PAGE_SHIFT;
    }

    /** {@return how many bytes were given back to the host since the device exists; a page counts each time} */
    public long reclaimed() {
        return reclaimed.get();
    }

    /** Asks the guest for new statistics. It answers in its own time. */
    public void requestStatistics() {
        BalloonHandler active = handler;
        if (active != null) {
            active.requestStatistics();
        }
    }

    /** {@return the last statistics that the guest has sent; empty if it never has} */
    public Map<BalloonStatistic, Long> statistics() {
        return statistics;
    }

    long targetPages() {
        return space.get(TARGET, 4);
    }

    void restoreTarget(long pages) {
        space.set(TARGET, 4, pages);
    }

    BalloonConfig settings() {
        return config;
    }

    void setStatistics(EnumMap<BalloonStatistic, Long> values) {
        statistics = Map.copyOf(values);
    }

    void addReclaimed(long bytes) {
        reclaimed.addAndGet(bytes);
    }

    @Override
    public DeviceType type() {
        return DeviceType.BALLOON;
    }

    @Override
    public String name() {
        return "balloon";
    }

    @Override
    public long features() {
        long features = Features.of(FEATURE_STATISTICS, FEATURE_REPORTING);
        return config.deflateOnDemand() ? features | Features.of(FEATURE_DEFLATE_ON_DEMAND) : features;
    }

    @Override
    public int[] queueSizes() {
        int[] sizes = new int[QUEUES];
        java.util.Arrays.fill(sizes, QUEUE_SIZE);
        return sizes;
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public Class<? extends Record> stateType() {
        return BalloonState.class;
    }

    @Override
    public QueueHandler activate(DeviceContext context) {
        BalloonHandler active = new BalloonHandler(this, context);
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
                active.setState((BalloonState) state);
            }

            @Override
            public int held(int queue) {
                return active.held(queue);
            }

            @Override
            public void close() {
                handler = null;
            }
        };
    }
}
