/**
 * Guest-physical memory.
 *
 * <p>All RAM of a guest is one private mapping of an empty, already deleted file. Nothing is zero-filled at start: the
 * host hands out pages when the guest first touches them, so a large guest starts as fast as a small one. The mapping
 * lives in one {@link java.lang.foreign.MemorySegment}; engines use that segment and the offsets that
 * {@link dev.kagami.memory.GuestMemory#offsetOf} gives directly, devices use the bounds-checked accessors.
 *
 * <p>Guest-physical layout (as on a PC): RAM from 0 to 640 KiB and from 768 KiB up to at most 3 GiB, the rest from
 * 4 GiB on. What lies between is not RAM and belongs to the bus.
 */
package dev.kagami.memory;
