package dev.kagami.block;

/** What happens when an image names a backing file. */
public enum BackingPolicy {
    /** It is opened, wherever it is: right for the user's own images. */
    ALLOW,
    /** The image is refused: right for images from elsewhere, which could name any file of the host. */
    REFUSE
}
