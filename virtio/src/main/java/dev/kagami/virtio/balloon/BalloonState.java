package dev.kagami.virtio.balloon;

/**
 * State of an active {@link BalloonDevice}.
 *
 * @param targetPages pages that the guest shall do without
 * @param statisticsHeld the guest's buffer for statistics is here; it is taken anew
 * @param statisticsWanted and to be given back
 */
public record BalloonState(long targetPages, boolean statisticsHeld, boolean statisticsWanted) {}
