/**
 * The memory balloon (virtio 1.2, 5.5): takes memory from a guest and gives it back, and hears of pages that the guest
 * doesn't use.
 *
 * <h2>Giving memory back to the host</h2>
 *
 * <p>Guest RAM is one private mapping of an empty file, so a page that the guest has written is anonymous memory of this
 * process. {@link dev.kagami.memory.GuestMemory#release} drops it by {@link java.lang.foreign.MemorySegment#unload}, which
 * is no restricted method, and on Linux is {@code madvise(MADV_DONTNEED)}: the page then reads as the file does, zeros. On
 * a host where that doesn't work the guest still can't use what was taken, and nothing else changes: the balloon then limits
 * what a guest will use, but doesn't shrink what it has used.
 *
 * <p>A guest must find zeros in what it has reported as free (Linux with {@code init_on_free} counts on it), so RAM that
 * shows a file with contents must not be dropped in this way.
 */
package dev.kagami.virtio.balloon;
