package dev.kagami.virtio.disk;

import dev.kagami.block.BlockDevice;
import dev.kagami.block.BlockImage;
import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.Features;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A disk (virtio 1.2, 5.2). Thread-safe. */
public final class DiskDevice implements VirtioDevice {
    static final int FEATURE_SEGMENTS = 2;
    static final int FEATURE_READ_ONLY = 5;
    static final int FEATURE_BLOCK_SIZE = 6;
    static final int FEATURE_FLUSH = 9;
    static final int FEATURE_TOPOLOGY = 10;
    static final int FEATURE_QUEUES = 12;
    static final int FEATURE_DISCARD = 13;
    static final int FEATURE_WRITE_ZEROES = 14;

    /** Segments of a discard or zeroing. */
    static final int MAX_RANGES = 32;

    /** Sectors that one segment may zero: the host may have to write them all. */
    static final int MAX_ZEROED_SECTORS = 1 << 15;

    /** Sectors that one segment may discard. */
    static final int MAX_DISCARDED_SECTORS = 1 << 18;

    private static final int QUEUE_SIZE = 256;
    private static final int CONFIG_SIZE = 60;
    private static final int CAPACITY = 0;
    private static final int SEGMENTS = 12;
    private static final int BLOCK_SIZE = 20;
    private static final int PHYSICAL_BLOCK_EXPONENT = 24;
    private static final int OPTIMAL_SIZE = 28;
    private static final int QUEUES = 34;
    private static final int DISCARD_SECTORS = 36;
    private static final int DISCARD_RANGES = 40;
    private static final int DISCARD_ALIGNMENT = 44;
    private static final int ZEROES_SECTORS = 48;
    private static final int ZEROES_RANGES = 52;
    private static final int ZEROES_MAY_UNMAP = 56;
    /** Physical blocks of 4 KiB: what host file systems and guests' file systems use. */
    private static final int PHYSICAL_BLOCK = 4096;

    private final DiskConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);
    private volatile @Nullable DeviceContext context;

    /**
     * Makes the device.
     *
     * @param config what it is made of
     */
    public DiskDevice(DiskConfig config) {
        this.config = config;
        BlockDevice disk = config.disk();
        int alignment = Math.max(disk.optimalSize(), BlockImage.SECTOR_SIZE) / BlockImage.SECTOR_SIZE;
        space.set(CAPACITY, 8, disk.size() / BlockImage.SECTOR_SIZE);
        space.set(SEGMENTS, 4, QUEUE_SIZE - 2L);
        space.set(BLOCK_SIZE, 4, disk.blockSize());
        int physical = Math.max(PHYSICAL_BLOCK / disk.blockSize(), 1);
        space.set(PHYSICAL_BLOCK_EXPONENT, 1, Integer.numberOfTrailingZeros(physical));
        space.set(OPTIMAL_SIZE, 4, Math.max(disk.optimalSize() / disk.blockSize(), physical));
        space.set(QUEUES, 2, config.queues());
        space.set(DISCARD_SECTORS, 4, MAX_DISCARDED_SECTORS);
        space.set(DISCARD_RANGES, 4, MAX_RANGES);
        space.set(DISCARD_ALIGNMENT, 4, alignment);
        space.set(ZEROES_SECTORS, 4, MAX_ZEROED_SECTORS);
        space.set(ZEROES_RANGES, 4, MAX_RANGES);
        space.set(ZEROES_MAY_UNMAP, 1, 1);
    }

    /** Tells the guest that the disk's size has changed. */
    public void capacityChanged() {
        space.set(CAPACITY, 8, config.disk().size() / BlockImage.SECTOR_SIZE);
        DeviceContext active = context;
        if (active != null) {
            active.configChanged();
        }
    }

    @Override
    public DeviceType type() {
        return DeviceType.BLOCK;
    }

    @Override
    public String name() {
        return "disk " + config.serial();
    }

    @Override
    public long features() {
        long features = Features.of(FEATURE_SEGMENTS, FEATURE_BLOCK_SIZE, FEATURE_FLUSH, FEATURE_TOPOLOGY);
        if (config.disk().readOnly()) {
            features |= Features.of(FEATURE_READ_ONLY);
        } else {
            features |= Features.of(FEATURE_DISCARD, FEATURE_WRITE_ZEROES);
        }
        return config.queues() > 1 ? features | Features.of(FEATURE_QUEUES) : features;
    }

    @Override
    public int[] queueSizes() {
        int[] sizes = new int[config.queues()];
        Arrays.fill(sizes, QUEUE_SIZE);
        return sizes;
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public QueueHandler activate(DeviceContext active) {
        DiskQueue[] queues = new DiskQueue[config.queues()];
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new DiskQueue(config, active, i);
        }
        context = active;
        return new QueueHandler() {
            @Override
            public void serve(int queue) {
                queues[queue].serve();
            }

            @Override
            public void settle() {
                for (DiskQueue queue : queues) {
                    queue.awaitIdle();
                }
            }

            @Override
            public void close() {
                context = null;
                settle();
            }
        };
    }
}
