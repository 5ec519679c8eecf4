package dev.kagami.image.disk;

import dev.kagami.image.ImageException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** A regular file on a guest's disk. */
public interface GuestFile {

    /** Returns its path, for messages. */
    String path();

    /** Returns its size in bytes, as the file system has it: not to be trusted. */
    long size();

    /**
     * Reads bytes.
     *
     * @param position first byte; with {@code count} not past the end
     * @param target takes them
     * @param from index of the first in the target
     * @param count how many
     */
    void read(long position, byte[] target, int from, int count);

    /**
     * Returns the whole content.
     *
     * @param maxSize how many bytes it may have
     * @throws ImageException if it has more
     */
    default byte[] readAll(int maxSize) {
        checkSize(maxSize);
        byte[] content = new byte[(int) size()];
        read(0, content, 0, content.length);
        return content;
    }

    /**
     * Returns the whole content as text. Boot loaders' files are ASCII or UTF-8; any other byte becomes a replacement
     * character.
     *
     * @param maxSize how many bytes it may have
     * @throws ImageException if it has more
     */
    default String readText(int maxSize) {
        return new String(readAll(maxSize), StandardCharsets.UTF_8);
    }

    /**
     * Copies the whole content.
     *
     * @param target takes it
     * @param maxSize how many bytes it may have
     * @throws IOException if the target fails
     * @throws ImageException if it has more bytes, or can't be read
     */
    default void copyTo(OutputStream target, long maxSize) throws IOException {
        checkSize(maxSize);
        byte[] chunk = new byte[(int) Math.min(1 << 20, size())];
        for (long position = 0; position < size(); position += chunk.length) {
            int count = (int) Math.min(chunk.length, size() - position);
            read(position, chunk, 0, count);
            target.write(chunk, 0, count);
        }
    }

    private void checkSize(long maxSize) {
        if (size() > maxSize) {
            throw ImageException.invalidDisk(
                    "The file " + path() + " has " + size() + " bytes, more than the " + maxSize + " it may have");
        }
    }
}
