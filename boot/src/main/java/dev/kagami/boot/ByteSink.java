package dev.kagami.boot;

/** Takes the bytes of an image in order, piece by piece, so that nobody needs to hold the whole of it. */
@FunctionalInterface
interface ByteSink {
    /**
     * Takes the next bytes. The array belongs to the caller again on return.
     *
     * @param bytes holds the piece
     * @param offset index of its first byte
     * @param length bytes, may be 0
     */
    void accept(byte[] bytes, int offset, int length);
}
