package dev.kagami.block;

import java.util.Locale;

/** A format of disk images. */
public enum ImageFormat {
    /** The bytes of the disk and nothing else. */
    RAW,
    /** QEMU's copy-on-write format, version 2 or 3. */
    QCOW2;

    /** {@return the name as users and backing file references write it} */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public String toString() {
        return id();
    }
}
