package dev.kagami.block;

/**
 * What a new image is to be like.
 *
 * @param format raw or qcow2; what follows is for qcow2 only
 * @param version 2 or 3
 * @param clusterSize bytes, a power of two from 512 to 2 MiB
 * @param refcountBits a power of two from 1 to 64; 16 in version 2
 * @param compression what compressed clusters use. When converting, whether to compress at all
 */
public record ImageOptions(
        ImageFormat format, int version, int clusterSize, int refcountBits, Compression compression) {
    private static final int MIN_CLUSTER = 512;
    private static final int MAX_CLUSTER = 2 << 20;
    private static final int DEFAULT_CLUSTER = 64 << 10;
    private static final int MAX_REFCOUNT_BITS = 64;
    private static final int DEFAULT_REFCOUNT_BITS = 16;

    /** Checks the values. */
    public ImageOptions {
        if (version != 2 && version != 3) {
            throw invalid("qcow2 version %d".formatted(version), "Use 2 or 3.");
        }
        if (Integer.bitCount(clusterSize) != 1 || clusterSize < MIN_CLUSTER || clusterSize > MAX_CLUSTER) {
            throw invalid(
                    "a cluster size of %d bytes".formatted(clusterSize), "Use a power of two from 512 to 2097152.");
        }
        if (Integer.bitCount(refcountBits) != 1 || refcountBits < 1 || refcountBits > MAX_REFCOUNT_BITS) {
            throw invalid("refcounts of %d bits".formatted(refcountBits), "Use a power of two from 1 to 64.");
        }
        if (version == 2 && refcountBits != DEFAULT_REFCOUNT_BITS) {
            throw invalid("refcounts of %d bits in version 2".formatted(refcountBits), "Use 16, or version 3.");
        }
        if (version == 2 && compression == Compression.ZSTD) {
            throw invalid("zstd in version 2", "Use zlib, or version 3.");
        }
        if (format == ImageFormat.RAW && compression != Compression.NONE) {
            throw invalid("compression in a raw image", "Use qcow2.");
        }
    }

    private static BlockException invalid(String what, String hint) {
        return new BlockException(BlockException.Code.UNSUPPORTED, "An image can't have " + what, hint);
    }

    /** {@return a raw image} */
    public static ImageOptions raw() {
        return qcow2().withFormat(ImageFormat.RAW);
    }

    /** {@return a qcow2 image of version 3 with clusters of 64 KiB and refcounts of 16 bits, as QEMU makes them} */
    public static ImageOptions qcow2() {
        return new ImageOptions(ImageFormat.QCOW2, 3, DEFAULT_CLUSTER, DEFAULT_REFCOUNT_BITS, Compression.NONE);
    }

    /** {@return the same with another format} */
    public ImageOptions withFormat(ImageFormat newFormat) {
        return new ImageOptions(newFormat, version, clusterSize, refcountBits, compression);
    }

    /** {@return the same with another version} */
    public ImageOptions withVersion(int newVersion) {
        return new ImageOptions(format, newVersion, clusterSize, refcountBits, compression);
    }

    /** {@return the same with another cluster size} */
    public ImageOptions withClusterSize(int newClusterSize) {
        return new ImageOptions(format, version, newClusterSize, refcountBits, compression);
    }

    /** {@return the same with another width of refcounts} */
    public ImageOptions withRefcountBits(int newRefcountBits) {
        return new ImageOptions(format, version, clusterSize, newRefcountBits, compression);
    }

    /** {@return the same with another compression} */
    public ImageOptions withCompression(Compression newCompression) {
        return new ImageOptions(format, version, clusterSize, refcountBits, newCompression);
    }
}
