package dev.kagami.image;

/**
 * A kernel module.
 *
 * @param name its name, with underscores, as {@code lsmod} tells it
 * @param path where it goes in a root file system, without a leading slash
 * @param content its ELF file, decompressed; not to be changed
 */
public record KernelModule(String name, String path, byte[] content) {}
