package dev.kagami.boot;

import java.nio.file.Path;

/**
 * A file that is loaded beside the kernel.
 *
 * @param file the file
 * @param arguments the module's arguments; multiboot kernels see the file's name, a space and these
 */
public record BootModule(Path file, String arguments) {}
