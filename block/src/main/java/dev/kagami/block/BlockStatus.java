package dev.kagami.block;

/** How a {@link BlockRequest} ended. */
public enum BlockStatus {
    /** Done. */
    OK,
    /** The host or the image failed; what was read is undefined. */
    IO_ERROR,
    /** The host's file system is full. */
    NO_SPACE,
    /** The image is read-only. */
    READ_ONLY,
    /** The range is outside of the disk. */
    OUT_OF_RANGE;

    /** {@return the status that tells a guest of an exception} */
    static BlockStatus of(BlockException exception) {
        return switch (exception.code()) {
            case NO_SPACE -> NO_SPACE;
            case READ_ONLY -> READ_ONLY;
            case OUT_OF_RANGE -> OUT_OF_RANGE;
            case NOT_FOUND,
                    ALREADY_EXISTS,
                    ACCESS_DENIED,
                    LOCKED,
                    INVALID_IMAGE,
                    UNSUPPORTED,
                    CORRUPT,
                    BACKING_FILE,
                    IO_ERROR,
                    CLOSED -> IO_ERROR;
        };
    }
}
