/**
 * Finds out what a disk's own boot loader would start, without running it: GRUB's script is interpreted, entries of the
 * Boot Loader Specification and of extlinux are read, and where there is nothing of all that, the newest kernel is taken.
 */
package dev.kagami.image.loader;
