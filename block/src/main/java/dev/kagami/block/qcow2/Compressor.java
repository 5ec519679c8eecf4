package dev.kagami.block.qcow2;

import dev.kagami.zstd.ZstdEncoder;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.zip.Deflater;

/** Packs clusters. Thread-safe. */
@FunctionalInterface
public interface Compressor {
    /**
     * Packs a cluster.
     *
     * @param cluster the contents
     * @return what it packs to; empty when that isn't shorter
     */
    ByteBuffer compress(MemorySegment cluster);

    /** {@return a packer for RFC 1951} */
    static Compressor zlib() {
        return cluster -> {
            ByteBuffer packed = ByteBuffer.allocate((int) cluster.byteSize() - 1);
            Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
            try {
                deflater.setInput(cluster.asByteBuffer());
                deflater.finish();
                while (!deflater.finished() && packed.hasRemaining()) {
                    deflater.deflate(packed);
                }
                return deflater.finished() ? packed.flip() : packed.limit(0);
            } finally {
                deflater.end();
            }
        };
    }

    /** {@return a packer for RFC 8878} */
    static Compressor zstd() {
        return cluster -> {
            byte[] packed = ZstdEncoder.compress(cluster.toArray(ValueLayout.JAVA_BYTE));
            return packed.length < cluster.byteSize() ? ByteBuffer.wrap(packed) : ByteBuffer.allocate(0);
        };
    }
}
