/**
 * Fetches and assembles what a guest boots from.
 *
 * <p>{@link dev.kagami.image.DefaultGuest#prepare} is the entrance: it returns the newest Debian cloud kernel and an
 * initramfs with a static busybox. The kernel and busybox come from the host's own {@code apt-get}, run as an ordinary
 * user against a private state directory, so that signatures, proxies, mirrors and pins are exactly the host's, and
 * nothing of the host's is changed. {@link dev.kagami.image.DebianKernel} gives other Debian kernels the same way, and
 * {@link dev.kagami.image.TinyBoot} a guest that powers off as soon as it is up.
 *
 * <pre>
 *   DefaultGuest, TinyBoot      what a VM boots: kernel, initramfs, command line
 *     Initramfs, CpioArchive    the root file system, written in Java
 *     DebianKernel              a kernel and its modules
 *       PackageStore            fetch once: lock, digests, atomic replacement
 *         Apt, Subprocess       the host's apt, on a leash
 *         DebPackage            .deb reader; trusts nothing it reads
 * </pre>
 *
 * <p>Everything that can go wrong is an {@link dev.kagami.image.ImageException} with a code, a message and a hint.
 */
package dev.kagami.image;
