package dev.kagami.vm;

import dev.kagami.block.BlockImage;
import dev.kagami.block.Overlay;
import org.jspecify.annotations.Nullable;

/** A disk image that nobody writes any more, under the disks of several machines. Closed with its last user. Thread-safe. */
final class SharedDisk {
    private final BlockImage image;
    /** What the image is based on. */
    private final @Nullable SharedDisk below;

    private int users = 1;

    /**
     * Takes an image over.
     *
     * @param image the image
     * @param below what it is based on, of which it has been a user; or null
     */
    SharedDisk(BlockImage image, @Nullable SharedDisk below) {
        this.image = image;
        this.below = below;
    }

    /** {@return the image itself} */
    BlockImage image() {
        return image;
    }

    /** {@return what the image is based on, if that is shared too} */
    @Nullable
    SharedDisk below() {
        return below;
    }

    /** {@return a view for one more user, who has to {@link #release} it} */
    synchronized BlockImage acquire() {
        if (users == 0) {
            throw new IllegalStateException("the snapshot is closed");
        }
        users++;
        return Overlay.frozen(image);
    }

    /** Says that a user is gone. */
    void release() {
        synchronized (this) {
            if (--users > 0) {
                return;
            }
        }
        image.close();
        if (below != null) {
            below.release();
        }
    }
}
