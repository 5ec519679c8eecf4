package dev.kagami.virtio.filesystem;

/** Thrown to answer a request with an error number. Has no stack trace: guests cause it all the time. */
final class FuseException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    FuseException(int errno) {
        super("errno " + errno, null, false, false);
        this.errno = errno;
    }

    int errno() {
        return errno;
    }
}
