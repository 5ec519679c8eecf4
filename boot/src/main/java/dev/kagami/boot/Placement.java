package dev.kagami.boot;

/**
 * A range of guest memory that the loader has given to something.
 *
 * @param what what is there, for people
 * @param start first guest-physical address
 * @param size bytes, above 0
 */
public record Placement(String what, long start, long size) {
    /** {@return the first guest-physical address behind it} */
    public long end() {
        return start + size;
    }

    @Override
    public String toString() {
        return "%s at 0x%x-0x%x".formatted(what, start, end() - 1);
    }
}
