package dev.kagami.virtio;

import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The buffers of one request: first those that the device reads, then those that it writes. Filled by {@link
 * Virtqueue#pop} with ranges that are known to be RAM, whatever the driver does to its descriptors afterwards; the bytes in
 * the buffers may still change at any time, so a device reads each of them once.
 *
 * <p>Two cursors walk through the readable and the writable bytes. Meant to be used again for many requests. Not
 * thread-safe.
 */
public final class DescriptorChain {
    /** Largest number of buffers in a chain. */
    public static final int MAX_BUFFERS = 1024;

    private static final int FIRST_BUFFERS = 16;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final GuestMemory memory;
    private final MemorySegment ram;
    private long[] offsets = new long[FIRST_BUFFERS];
    private long[] lengths = new long[FIRST_BUFFERS];
    private int head;
    private int count;
    /** Index of the first buffer that the device writes. */
    private int firstWritable;

    private long readable;
    private long writable;
    private long written;
    private int readIndex;
    private long readPosition;
    private int writeIndex;
    private long writePosition;

    /**
     * Makes an empty chain.
     *
     * @param memory where the buffers of its queues are
     */
    public DescriptorChain(GuestMemory memory) {
        this.memory = memory;
        this.ram = memory.segment();
    }

    /** Empties the chain. */
    void begin(int newHead) {
        head = newHead;
        count = 0;
        firstWritable = 0;
        readable = 0;
        writable = 0;
        written = 0;
        readIndex = 0;
        readPosition = 0;
        writeIndex = 0;
        writePosition = 0;
    }

    void add(long offset, long length, boolean forDevice) {
        if (forDevice) {
            writable += length;
        } else {
            if (firstWritable != count) {
                throw new BrokenQueueException("a readable buffer behind a writable one");
            }
            firstWritable++;
            writeIndex = firstWritable;
            readable += length;
        }
        if (count == offsets.length) {
            offsets = Arrays.copyOf(offsets, 2 * count);
            lengths = Arrays.copyOf(lengths, 2 * count);
        }
        offsets[count] = offset;
        lengths[count] = length;
        count++;
    }

    /** {@return the number of the first descriptor, by which the driver knows the request} */
    public int head() {
        return head;
    }

    /** {@return how many bytes are left to read} */
    public long readable() {
        return readable;
    }

    /** {@return how many bytes are left to write} */
    public long writable() {
        return writable;
    }

    /** {@return how many bytes the write cursor has passed} */
    public long written() {
        return written;
    }

    /** {@return how many bytes at the read cursor are contiguous; 0 at the end} */
    public long readablePiece() {
        return readIndex < firstWritable ? lengths[readIndex] - readPosition : 0;
    }

    /** {@return where in the RAM's segment the read cursor is; undefined at the end} */
    public long readableOffset() {
        return offsets[readIndex] + readPosition;
    }

    /** {@return how many bytes at the write cursor are contiguous; 0 at the end} */
    public long writablePiece() {
        return writeIndex < count ? lengths[writeIndex] - writePosition : 0;
    }

    /** {@return where in the RAM's segment the write cursor is; undefined at the end} */
    public long writableOffset() {
        return offsets[writeIndex] + writePosition;
    }

    /**
     * Moves the read cursor on.
     *
     * @param bytes how far
     * @throws BrokenQueueException when there is less
     */
    public void skipReadable(long bytes) {
        if (bytes > readable) {
            throw new BrokenQueueException("a request that is too short");
        }
        readable -= bytes;
        long rest = bytes;
        while (rest > 0) {
            long step = Math.min(rest, lengths[readIndex] - readPosition);
            readPosition += step;
            rest -= step;
            if (readPosition == lengths[readIndex]) {
                readIndex++;
                readPosition = 0;
            }
        }
    }

    /**
     * Moves the write cursor on; the bytes on the way count as written.
     *
     * @param bytes how far
     * @throws BrokenQueueException when there is less
     */
    public void skipWritable(long bytes) {
        if (bytes > writable) {
            throw new BrokenQueueException("a request without room for its answer");
        }
        writable -= bytes;
        written += bytes;
        long rest = bytes;
        while (rest > 0) {
            long step = Math.min(rest, lengths[writeIndex] - writePosition);
            writePosition += step;
            rest -= step;
            if (writePosition == lengths[writeIndex]) {
                writeIndex++;
                writePosition = 0;
            }
        }
    }

    /** Moves the write cursor back to the first writable byte: for answers whose head is known last. */
    public void restartWriting() {
        writable += written;
        written = 0;
        writeIndex = firstWritable;
        writePosition = 0;
    }

    /**
     * Writes the last byte of the last writable buffer, where many devices have their status. Doesn't move the cursor.
     *
     * @param value the byte, in the low 8 bits
     * @throws BrokenQueueException when there is none
     */
    public void writeLastByte(int value) {
        if (firstWritable == count) {
            throw new BrokenQueueException("a request without room for its answer");
        }
        long at = offsets[count - 1] + lengths[count - 1] - 1;
        ram.set(ValueLayout.JAVA_BYTE, at, (byte) value);
        memory.written(at, 1);
    }

    /** {@return whether {@code bytes} at the read cursor are contiguous} */
    private boolean isReadableAtOnce(long bytes) {
        return readablePiece() >= bytes;
    }

    /**
     * Reads a byte.
     *
     * @return the byte, 0 to 255
     * @throws BrokenQueueException when there is none
     */
    public int readByte() {
        if (readable < 1) {
            throw new BrokenQueueException("a request that is too short");
        }
        int value = ram.get(ValueLayout.JAVA_BYTE, readableOffset()) & 0xFF;
        skipReadable(1);
        return value;
    }

    /**
     * Reads a little-endian 16-bit value.
     *
     * @return the value, 0 to 65535
     * @throws BrokenQueueException when there are fewer bytes
     */
    public int readShort() {
        if (isReadableAtOnce(2)) {
            int value = ram.get(SHORT, readableOffset()) & 0xFFFF;
            skipReadable(2);
            return value;
        }
        int low = readByte();
        return low | readByte() << 8;
    }

    /**
     * Reads a little-endian 32-bit value.
     *
     * @return the value
     * @throws BrokenQueueException when there are fewer bytes
     */
    public int readInt() {
        if (isReadableAtOnce(4)) {
            int value = ram.get(INT, readableOffset());
            skipReadable(4);
            return value;
        }
        int low = readShort();
        return low | readShort() << 16;
    }

    /**
     * Reads a little-endian 64-bit value.
     *
     * @return the value
     * @throws BrokenQueueException when there are fewer bytes
     */
    public long readLong() {
        if (isReadableAtOnce(8)) {
            long value = ram.get(LONG, readableOffset());
            skipReadable(8);
            return value;
        }
        long low = readInt() & 0xFFFF_FFFFL;
        return low | (long) readInt() << 32;
    }

    /**
     * Copies bytes out of the request.
     *
     * @param target destination
     * @param targetOffset first byte in the destination
     * @param length bytes
     * @throws BrokenQueueException when there are fewer
     */
    public void read(MemorySegment target, long targetOffset, long length) {
        if (length > readable) {
            throw new BrokenQueueException("a request that is too short");
        }
        long done = 0;
        while (done < length) {
            long step = Math.min(length - done, readablePiece());
            MemorySegment.copy(ram, readableOffset(), target, targetOffset + done, step);
            skipReadable(step);
            done += step;
        }
    }

    /**
     * Copies bytes out of the request.
     *
     * @param target destination
     * @param targetOffset first index in the destination
     * @param length bytes
     * @throws BrokenQueueException when there are fewer
     */
    public void read(byte[] target, int targetOffset, int length) {
        if (length > readable) {
            throw new BrokenQueueException("a request that is too short");
        }
        int done = 0;
        while (done < length) {
            int step = (int) Math.min(length - done, readablePiece());
            MemorySegment.copy(ram, ValueLayout.JAVA_BYTE, readableOffset(), target, targetOffset + done, step);
            skipReadable(step);
            done += step;
        }
    }

    /**
     * Writes a byte.
     *
     * @param value the byte, in the low 8 bits
     * @throws BrokenQueueException when there is no room
     */
    public void writeByte(int value) {
        if (writable < 1) {
            throw new BrokenQueueException("a request without room for its answer");
        }
        ram.set(ValueLayout.JAVA_BYTE, writableOffset(), (byte) value);
        skipWritable(1);
    }

    /**
     * Writes a little-endian 16-bit value.
     *
     * @param value the value, in the low 16 bits
     * @throws BrokenQueueException when there is no room
     */
    public void writeShort(int value) {
        writeByte(value);
        writeByte(value >>> 8);
    }

    /**
     * Writes a little-endian 32-bit value.
     *
     * @param value the value
     * @throws BrokenQueueException when there is no room
     */
    public void writeInt(int value) {
        if (writablePiece() >= 4) {
            ram.set(INT, writableOffset(), value);
            skipWritable(4);
        } else {
            writeShort(value);
            writeShort(value >>> 16);
        }
    }

    /**
     * Writes a little-endian 64-bit value.
     *
     * @param value the value
     * @throws BrokenQueueException when there is no room
     */
    public void writeLong(long value) {
        if (writablePiece() >= 8) {
            ram.set(LONG, writableOffset(), value);
            skipWritable(8);
        } else {
            writeInt((int) value);
            writeInt((int) (value >>> 32));
        }
    }

    /**
     * Copies bytes into the answer.
     *
     * @param source what to write
     * @param sourceOffset first byte in the source
     * @param length bytes
     * @throws BrokenQueueException when there is no room
     */
    public void write(MemorySegment source, long sourceOffset, long length) {
        if (length > writable) {
            throw new BrokenQueueException("a request without room for its answer");
        }
        long done = 0;
        while (done < length) {
            long step = Math.min(length - done, writablePiece());
            MemorySegment.copy(source, sourceOffset + done, ram, writableOffset(), step);
            skipWritable(step);
            done += step;
        }
    }

    /**
     * Copies bytes into the answer.
     *
     * @param source what to write
     * @param sourceOffset first index in the source
     * @param length bytes
     * @throws BrokenQueueException when there is no room
     */
    public void write(byte[] source, int sourceOffset, int length) {
        if (length > writable) {
            throw new BrokenQueueException("a request without room for its answer");
        }
        int done = 0;
        while (done < length) {
            int step = (int) Math.min(length - done, writablePiece());
            MemorySegment.copy(source, sourceOffset + done, ram, ValueLayout.JAVA_BYTE, writableOffset(), step);
            skipWritable(step);
            done += step;
        }
    }

    /** Tells engines that the first so many writable bytes have changed. */
    void announce(long bytes) {
        long rest = bytes;
        for (int i = firstWritable; i < count && rest > 0; i++) {
            long length = Math.min(rest, lengths[i]);
            memory.written(offsets[i], length);
            rest -= length;
        }
    }
}
