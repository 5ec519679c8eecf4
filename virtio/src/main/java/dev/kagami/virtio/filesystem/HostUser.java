package dev.kagami.virtio.filesystem;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Who this program is on the host.
 *
 * @param uid user
 * @param gid group
 */
record HostUser(int uid, int gid) {
    private static final Logger LOGGER = System.getLogger(HostUser.class.getName());
    private static final Path SELF = Path.of("/proc/self");

    /** {@return the user of this process; where the host doesn't tell, the owner of the shared directory} */
    static HostUser current(FileStatus shared) {
        try {
            if (Files.isDirectory(SELF)) {
                return new HostUser(
                        ((Number) Files.getAttribute(SELF, "unix:uid")).intValue(),
                        ((Number) Files.getAttribute(SELF, "unix:gid")).intValue());
            }
        } catch (IOException | UnsupportedOperationException e) {
            LOGGER.log(Level.DEBUG, "no owner of %s".formatted(SELF), e);
        }
        return new HostUser(shared.uid(), shared.gid());
    }
}
