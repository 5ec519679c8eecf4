package dev.kagami.image;

import java.nio.file.Path;

/**
 * Names what a Linux guest boots from.
 *
 * @param kernel an x86-64 bzImage
 * @param initrd an initramfs
 * @param commandLine the kernel's command line; append to it after a space, for example what {@link GuestParameters}
 *     returns
 */
public record BootFiles(Path kernel, Path initrd, String commandLine) {}
