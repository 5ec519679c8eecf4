package dev.kagami.block.iso;

/**
 * A file in a CD image.
 *
 * @param name as the user wants it
 * @param contents of the file
 */
record IsoFile(String name, byte[] contents) {}
