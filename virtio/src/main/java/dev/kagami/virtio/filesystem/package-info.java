/**
 * The file system device (virtio 1.2, 5.11): a directory of the host, shared with the guest by FUSE (protocol 7.31, as in
 * Linux's {@code include/uapi/linux/fuse.h}).
 *
 * <h2>Confinement</h2>
 *
 * <p>Whatever a guest sends, nothing outside of the shared directory is read, written, created or removed:
 *
 * <ul>
 *   <li>A name is one component: no slash, not {@code .} or {@code ..}, no NUL, valid UTF-8.
 *   <li>Files are reached from open directories, component by component, never following a symbolic link ({@link
 *       java.nio.file.SecureDirectoryStream}, that is {@code openat} with {@code O_NOFOLLOW}). So a directory that somebody
 *       else, perhaps another guest with the same share, replaces by a link in the very moment leads nowhere. The guest
 *       follows links by itself, in its own name space.
 *   <li>The JDK can make directories, symbolic and hard links only by path. They are made in a staging directory directly
 *       in the share, which no guest can name, and moved from there to their place with {@code renameat}. A hard link is
 *       only moved once it is known to lead to the file that the guest meant.
 *   <li>Only regular files are opened. Device nodes, pipes and sockets can't be made, and are never opened here: opening
 *       one is the guest's kernel's own business.
 *   <li>Owners are never changed, and no set-user-id bit is ever set. What the host's user owns the guest sees as owned by
 *       the configured user; other owners are nobody.
 * </ul>
 *
 * <p>The guest's kernel checks permissions for the guest's users. For the host everything is done as the user who runs the
 * virtual machine.
 *
 * <p>All requests are served one after the other on the device's thread.
 */
package dev.kagami.virtio.filesystem;
