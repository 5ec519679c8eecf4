package dev.kagami.agent;

import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ByteChannel;

/** Takes frames from a connection. Of one thread. */
final class FrameReader {
    private static final int BUFFER = 64 << 10;

    private final ByteChannel channel;
    private final ByteBuffer header = ByteBuffer.allocate(Protocol.HEADER_SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER).order(ByteOrder.LITTLE_ENDIAN);
    private int type;
    private int left;

    FrameReader(ByteChannel channel) {
        this.channel = channel;
    }

    /**
     * Goes to the next frame; the one before must have been read.
     *
     * @return false when the connection ended before it
     */
    boolean next() throws IOException {
        header.clear();
        while (header.hasRemaining()) {
            if (channel.read(header) < 0) {
                if (header.position() == 0) {
                    return false;
                }
                throw new EOFException("the guest's agent broke off in the middle of a message");
            }
        }
        type = header.getInt(0);
        left = header.getInt(4);
        if (left < 0) {
            throw new IOException("the guest's agent sent a message of %d bytes".formatted(left));
        }
        return true;
    }

    int type() {
        return type;
    }

    int left() {
        return left;
    }

    long readLong() throws IOException {
        fill(Long.BYTES);
        return buffer.getLong(0);
    }

    int readInt() throws IOException {
        fill(Integer.BYTES);
        return buffer.getInt(0);
    }

    /** Reads a frame's bytes to its end. */
    void copyTo(OutputStream target) throws IOException {
        while (left > 0) {
            int piece = Math.min(left, BUFFER);
            fill(piece);
            target.write(buffer.array(), 0, piece);
        }
    }

    private void fill(int bytes) throws IOException {
        buffer.clear().limit(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the guest's agent broke off in the middle of a message");
            }
        }
        left -= bytes;
    }
}
