/**
 * The memory balloon (virtio 1.2, 5.5): takes memory from a guest and gives it back, and hears of pages that the guest
 * doesn't use.
 *
 * <h2>Giving memory back to the host</h2>
 *
 * <p>Guest RAM is one private mapping of an empty file, so a page that the guest has written is anonymous memory of this
 * process. The JDK has no call that drops a page of a mapping: there is neither {@code madvise} nor a way to map at a fixed
 * address or to punch a hole into a file. What was considered and doesn't work without native calls:
 *
 * <ul>
 *   <li>Shared instead of private mapping, and truncating the file: frees only the end of the file, and an access in
 *       between ends in a bus error, which a guest could provoke.
 *   <li>One mapping for each few megabytes, unmapped and mapped again: RAM would no longer be one segment, and engines would
 *       pay for that at every miss of their TLB.
 *   <li>A file on disk, shared, left to the host's page cache: costs writing every page to the disk once.
 * </ul>
 *
 * <p>So the device says which pages are free, and a {@link dev.kagami.virtio.balloon.PageReclaimer} drops them.
 * An engine module with native access has one: {@code madvise(MADV_DONTNEED)} on the range of the segment, after which a
 * private mapping reads as the file does, zeros. Without one the guest still can't use what was taken, and nothing else
 * changes: the balloon then limits what a guest will use, but doesn't shrink what it has used.
 */
package dev.kagami.virtio.balloon;
