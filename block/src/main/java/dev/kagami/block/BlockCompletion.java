package dev.kagami.block;

/** Hears that a {@link BlockRequest} is done. */
@FunctionalInterface
public interface BlockCompletion {
    /**
     * Called once for each submitted request, on a thread of the {@link BlockDevice} or inside of
     * {@link BlockDevice#submit}. The request may be filled and submitted again from here. Must not block, and must not
     * throw.
     *
     * @param request the request
     * @param status how it ended
     */
    void completed(BlockRequest request, BlockStatus status);
}
