package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.List;

/**
 * What a boot loader would start.
 *
 * @param title the entry's title
 * @param kernel the kernel
 * @param initrds files that, one after the other, are the initramfs; may be empty
 * @param commandLine the kernel's command line
 */
public record BootEntry(String title, GuestFile kernel, List<GuestFile> initrds, String commandLine) {}
