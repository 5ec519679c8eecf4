package dev.kagami.boot;

import dev.kagami.zstd.WindowTooLargeException;
import dev.kagami.zstd.ZstdDecoder;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.tukaani.xz.LZMAInputStream;
import org.tukaani.xz.MemoryLimitException;
import org.tukaani.xz.SingleXZInputStream;

/** Unpacks the compressed kernel inside a bzImage. */
final class PayloadUnpacker {
    /** No kernel is larger; ends the work that a small hostile payload can ask for. */
    static final long MAX_SIZE = 1 << 30;

    /** More than any kernel's dictionary (128 MiB). */
    private static final long MAX_DICTIONARY_MEMORY = 256 << 20;

    private static final int BUFFER = 64 << 10;

    private PayloadUnpacker() {}

    /**
     * Unpacks the payload.
     *
     * @param kernel the bzImage
     * @param image its header; has a payload
     * @param format how the payload is compressed
     * @param sink takes the kernel
     * @return false when unpacking needs more memory than the JVM should spend; the sink has got nothing then
     * @throws BootException when the payload is damaged
     */
    static boolean unpack(ImageFile kernel, BzImage image, PayloadFormat format, ByteSink sink) {
        String where = "payload (%s at 0x%x)".formatted(format.title(), image.payloadOffset());
        // The kernel's build puts the unpacked size behind the compressed data; gzip has it there anyway.
        if (image.payloadSize() <= Integer.BYTES) {
            throw BootException.corrupt(kernel.name(), where + " has no room for its size");
        }
        long sizeOffset = image.payloadOffset() + image.payloadSize() - Integer.BYTES;
        long size = LittleEndian.getUnsignedInt(kernel.read(sizeOffset, Integer.BYTES), 0);
        if (size == 0 || size > MAX_SIZE) {
            throw BootException.corrupt(
                    kernel.name(), "%s: unpacked size %d is not from 1 to %d".formatted(where, size, MAX_SIZE));
        }
        InputStream in = kernel.stream(image.payloadOffset(), image.payloadSize());
        try {
            decode(in, format, size, sink);
            return true;
        } catch (MemoryLimitException | WindowTooLargeException e) {
            return false;
        } catch (IOException e) {
            throw BootException.corrupt(kernel.name(), where + ": " + reason(e));
        }
    }

    private static String reason(IOException e) {
        String message = e.getMessage();
        if (e instanceof EOFException && message == null) {
            return "ends early";
        }
        return message == null ? "is damaged" : message;
    }

    private static void decode(InputStream in, PayloadFormat format, long size, ByteSink sink) throws IOException {
        long memoryLimit = Math.min(MAX_DICTIONARY_MEMORY, Runtime.getRuntime().maxMemory() / 2);
        int memoryLimitKibibytes = (int) (memoryLimit >> 10);
        switch (format) {
            case LZ4 -> Lz4LegacyDecoder.decode(in, size, sink);
            case ZSTD -> ZstdDecoder.decode(new BufferedInputStream(in, BUFFER), size, memoryLimit, sink::accept);
            case GZIP -> drain(new GZIPInputStream(in, BUFFER), size, sink);
            case XZ ->
                drain(new SingleXZInputStream(new BufferedInputStream(in, BUFFER), memoryLimitKibibytes), size, sink);
            case LZMA ->
                drain(new LZMAInputStream(new BufferedInputStream(in, BUFFER), memoryLimitKibibytes), size, sink);
        }
    }

    /** Copies everything, so that checksums at the end are checked, but never more than there should be. */
    private static void drain(InputStream in, long size, ByteSink sink) throws IOException {
        byte[] buffer = new byte[BUFFER];
        long total = 0;
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            total += count;
            if (total > size) {
                throw new ZipException("unpacks to more than the declared %d bytes".formatted(size));
            }
            sink.accept(buffer, 0, count);
        }
        if (total < size) {
            throw new ZipException("unpacks to %d bytes, not the declared %d".formatted(total, size));
        }
    }
}
