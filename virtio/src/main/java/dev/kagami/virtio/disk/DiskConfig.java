package dev.kagami.virtio.disk;

import dev.kagami.block.BlockDevice;
import java.nio.charset.StandardCharsets;

/**
 * What a {@link DiskDevice} is made of.
 *
 * @param disk the disk, which stays the caller's to close
 * @param serial what the guest reads as serial number: up to 20 ASCII characters
 * @param queues number of queues, 1 to 16; one a virtual CPU is usual
 */
public record DiskConfig(BlockDevice disk, String serial, int queues) {
    /** Largest length of a serial number. */
    public static final int MAX_SERIAL = 20;

    /** Largest number of queues. */
    public static final int MAX_QUEUES = 16;

    /** Checks the values. */
    public DiskConfig {
        if (serial.length() > MAX_SERIAL
                || !StandardCharsets.US_ASCII.newEncoder().canEncode(serial)) {
            throw new IllegalArgumentException("a disk's serial number has up to 20 ASCII characters: " + serial);
        }
        if (queues < 1 || queues > MAX_QUEUES) {
            throw new IllegalArgumentException("a disk has 1 to 16 queues, not " + queues);
        }
    }

    /**
     * Makes the configuration of a disk with one queue.
     *
     * @param disk the disk
     * @param serial its serial number
     * @return the configuration
     */
    public static DiskConfig of(BlockDevice disk, String serial) {
        return new DiskConfig(disk, serial, 1);
    }
}
