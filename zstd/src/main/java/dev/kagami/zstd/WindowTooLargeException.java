package dev.kagami.zstd;

import java.io.IOException;

/** A frame can't be decoded in the memory that it was given. */
public final class WindowTooLargeException extends IOException {
    private static final long serialVersionUID = 1L;

    WindowTooLargeException(long needed, long limit) {
        super("the zstd frame's window takes %d bytes of memory, and %d are allowed".formatted(needed, limit));
    }
}
