package dev.kagami.virtio;

/** Numbers of the feature bits that all kinds of devices share (virtio 1.2, 6), and helpers for sets of features. */
public final class Features {
    /** Descriptors may point to tables of descriptors. */
    public static final int INDIRECT_DESCRIPTORS = 28;

    /** Each side says at which index it wants to be told. */
    public static final int EVENT_INDEX = 29;

    /** The device follows virtio 1.0 or later. */
    public static final int VERSION_1 = 32;

    /** What every device offers. */
    static final long COMMON = of(INDIRECT_DESCRIPTORS, EVENT_INDEX, VERSION_1);

    private Features() {}

    /**
     * Makes a set of features.
     *
     * @param bits numbers of bits, 0 to 63
     * @return the set
     */
    public static long of(int... bits) {
        long set = 0;
        for (int bit : bits) {
            set |= 1L << bit;
        }
        return set;
    }

    /**
     * Tells whether a feature is in a set.
     *
     * @param set the set
     * @param bit the feature's number
     * @return whether it is
     */
    public static boolean has(long set, int bit) {
        return (set >>> bit & 1) != 0;
    }
}
