package dev.kagami.vm;

/** Hears how far a preparation has come. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * Hears of progress. Called on the thread that asked for the preparation, a few times a second at most.
     *
     * @param phase what is being done, a few words for a person
     * @param fraction how much of this phase is done, 0 to 1; negative when nobody knows
     */
    void progress(String phase, double fraction);
}
