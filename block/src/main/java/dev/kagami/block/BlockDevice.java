package dev.kagami.block;

/**
 * A disk as a device model uses it: asynchronous requests with scattered memory.
 *
 * <p>Thread-safe: several queues may submit at the same time.
 */
public interface BlockDevice extends AutoCloseable {
    /** {@return the image behind the device} */
    BlockImage image();

    /** {@return the size of the disk in bytes} */
    default long size() {
        return image().size();
    }

    /** {@return whether writes fail} */
    default boolean readOnly() {
        return image().readOnly();
    }

    /** {@return the logical block size in bytes: what guests address} */
    default int blockSize() {
        return BlockImage.SECTOR_SIZE;
    }

    /** {@return the size and alignment in bytes at which discards give space back and writes are cheapest} */
    default int optimalSize() {
        return image().clusterSize();
    }

    /**
     * Starts a request. Its completion is called exactly once, perhaps before this returns. Requests may complete in any
     * order. A flush covers every write, discard and zeroing that had completed when it was submitted (virtio 1.2, 5.2.6.2);
     * with {@link #threaded} also those that were only submitted.
     *
     * @param request what to do
     * @throws IllegalStateException when the request is in flight already; after {@link #close} the request completes with
     *     {@link BlockStatus#IO_ERROR} instead
     */
    void submit(BlockRequest request);

    /** Waits for all requests, flushes, and closes the image. Not to be called by a completion. */
    @Override
    void close();

    /**
     * Returns a device that does each request on the submitter's thread, before {@link #submit} returns. For submitters
     * that have a thread to spare: nothing is faster while the host's page cache holds the data.
     *
     * @param image the image; closed with the device
     */
    static BlockDevice synchronous(BlockImage image) {
        return new SynchronousBlockDevice(image);
    }

    /**
     * Returns a device with threads of its own.
     *
     * @param image the image; closed with the device
     * @param name of the threads
     * @param threads how many requests are done at the same time, 1 to 64
     */
    static BlockDevice threaded(BlockImage image, String name, int threads) {
        return new BlockQueue(image, name, threads);
    }
}
