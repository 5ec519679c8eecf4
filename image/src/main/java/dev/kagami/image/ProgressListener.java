package dev.kagami.image;

/**
 * Hears how far a fetch has come.
 *
 * <p>Called on the thread that asked for the fetch, at most a few times a second, and never when everything needed is in
 * the cache already. An exception thrown from it ends the fetch and reaches the caller.
 */
@FunctionalInterface
public interface ProgressListener {

    /** A fraction that says: busy, but nobody knows for how long. */
    double UNKNOWN = -1;

    /**
     * Hears of progress.
     *
     * @param phase what is being done, a few words for people, such as {@code "Fetching linux-image-cloud-amd64"}; a new
     *     phase starts at a new fraction
     * @param fraction how much of this phase is done, 0 to 1, or {@link #UNKNOWN}
     */
    void progress(String phase, double fraction);

    /** Returns a listener that ignores everything. */
    static ProgressListener none() {
        return (phase, fraction) -> {};
    }
}
