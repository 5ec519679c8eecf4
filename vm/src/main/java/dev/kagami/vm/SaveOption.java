package dev.kagami.vm;

/** How to save a machine. */
public enum SaveOption {
    /**
     * Deflate the memory. The file is a third as large or less; but restoring has to read and inflate all of it, in place of
     * mapping it, and machines from it share nothing.
     */
    COMPRESS
}
