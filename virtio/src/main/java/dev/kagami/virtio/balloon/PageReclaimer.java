package dev.kagami.virtio.balloon;

import dev.kagami.memory.GuestMemory;

/** Gives host memory behind guest pages back to the host: {@link GuestMemory#release}, outside of tests. */
@FunctionalInterface
public interface PageReclaimer {
    /**
     * Drops pages. If it does, they read as zeros afterwards, until they are written. Called on the device's thread, while
     * the guest runs, for pages that the guest has said it doesn't use; it may use them all the same.
     *
     * @param memory the guest's RAM
     * @param offset offset in {@link GuestMemory#segment}, a multiple of {@link GuestMemory#PAGE_SIZE}
     * @param length bytes, a multiple of {@link GuestMemory#PAGE_SIZE}
     * @return whether they were dropped
     */
    boolean reclaim(GuestMemory memory, long offset, long length);
}
