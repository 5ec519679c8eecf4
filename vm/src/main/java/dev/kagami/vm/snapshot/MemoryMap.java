package dev.kagami.vm.snapshot;

/**
 * What the file has of RAM.
 *
 * @param compressed whether chunks are deflated, one after the other, rather than in their places
 * @param present the pages that aren't all zeros, a bit each
 * @param checksums CRC-32C of the present pages of each chunk
 * @param lengths bytes of each deflated chunk; empty without compression
 */
record MemoryMap(boolean compressed, long[] present, int[] checksums, int[] lengths) {
    /** Pages of a chunk: 2 MiB. */
    static final int CHUNK_PAGES = 512;

    static final int PAGE = 4096;
    static final int CHUNK = CHUNK_PAGES * PAGE;

    static int chunks(long size) {
        return (int) Math.ceilDiv(size, CHUNK);
    }

    boolean isPresent(long page) {
        return (present[(int) (page >> 6)] >>> page & 1) != 0;
    }
}
