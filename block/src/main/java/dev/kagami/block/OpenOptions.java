package dev.kagami.block;

import org.jspecify.annotations.Nullable;

/**
 * How to open an image.
 *
 * @param format the format, or null to look what it is
 * @param writable whether it may be written; its backing files are never written
 * @param backing what to do about a backing file
 */
public record OpenOptions(@Nullable ImageFormat format, boolean writable, BackingPolicy backing) {
    /** {@return options to read an image of any format} */
    public static OpenOptions readOnly() {
        return new OpenOptions(null, false, BackingPolicy.ALLOW);
    }

    /** {@return options to read and write an image of any format} */
    public static OpenOptions readWrite() {
        return new OpenOptions(null, true, BackingPolicy.ALLOW);
    }

    /** {@return the same with a known format, or null} */
    public OpenOptions withFormat(@Nullable ImageFormat newFormat) {
        return new OpenOptions(newFormat, writable, backing);
    }

    /** {@return the same with another policy} */
    public OpenOptions withBacking(BackingPolicy newBacking) {
        return new OpenOptions(format, writable, newBacking);
    }
}
