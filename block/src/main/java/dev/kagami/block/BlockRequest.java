package dev.kagami.block;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One request to a {@link BlockDevice}: what to do, and the pieces of memory to do it with. Made once for each slot of a
 * queue and used again and again, so that a request allocates nothing.
 *
 * <p>Not thread-safe; belongs to the submitter until {@link BlockDevice#submit}, then to the device until the completion
 * is called.
 */
public final class BlockRequest {
    /** What a request asks for. */
    public enum Operation {
        /** Reads into the pieces. */
        READ,
        /** Writes the pieces. */
        WRITE,
        /** Makes what was written before stable. */
        FLUSH,
        /** Lets go of a range. */
        DISCARD,
        /** Zeroes a range and keeps its space. */
        WRITE_ZEROES,
        /** Zeroes a range and may give its space back. */
        WRITE_ZEROES_UNMAP
    }

    private static final int FIRST_PIECES = 8;

    private final BlockCompletion completion;
    private final AtomicBoolean busy = new AtomicBoolean();
    private long tag;

    private Operation operation = Operation.FLUSH;
    private long offset;
    private long length;
    private @Nullable MemorySegment[] memories = new MemorySegment[FIRST_PIECES];
    private long[] starts = new long[FIRST_PIECES];
    private long[] lengths = new long[FIRST_PIECES];
    private int pieces;

    /** The next one in a device's queue. */
    @Nullable
    BlockRequest next;

    /** The writes that a queued flush waits for, or that this write belongs to. */
    BlockQueue.@Nullable Epoch epoch;

    /**
     * Creates a request that asks for a flush until told otherwise.
     *
     * @param completion hears that it is done, each time
     */
    public BlockRequest(BlockCompletion completion) {
        this.completion = Objects.requireNonNull(completion);
    }

    /** Sets a number that means something to the submitter, such as the head of a descriptor chain. */
    public BlockRequest tag(long newTag) {
        tag = newTag;
        return this;
    }

    /** {@return the submitter's number} */
    public long tag() {
        return tag;
    }

    /** Starts a read of no bytes yet from a byte of the disk; {@link #add} says where to. */
    public BlockRequest read(long from) {
        return start(Operation.READ, from, 0);
    }

    /** Starts a write of no bytes yet to a byte of the disk; {@link #add} says what. */
    public BlockRequest write(long to) {
        return start(Operation.WRITE, to, 0);
    }

    /** Asks for a flush: see {@link BlockDevice#submit} for what it covers. */
    public BlockRequest flush() {
        return start(Operation.FLUSH, 0, 0);
    }

    /** Asks for a discard: see {@link BlockImage#discard}. */
    public BlockRequest discard(long from, long bytes) {
        return start(Operation.DISCARD, from, bytes);
    }

    /** Asks for zeroing: see {@link BlockImage#writeZeroes}. */
    public BlockRequest writeZeroes(long from, long bytes, boolean unmap) {
        return start(unmap ? Operation.WRITE_ZEROES_UNMAP : Operation.WRITE_ZEROES, from, bytes);
    }

    private BlockRequest start(Operation newOperation, long newOffset, long newLength) {
        if (busy.get()) {
            throw new IllegalStateException("the request is in flight");
        }
        operation = newOperation;
        offset = newOffset;
        length = newLength;
        // What the last use left there must not keep guest memory from being freed.
        Arrays.fill(memories, 0, pieces, null);
        pieces = 0;
        return this;
    }

    /**
     * Adds a piece of memory at the end of a read or write. A piece that goes on where the last one ends joins it.
     *
     * @param memory holds the piece; accessible from every thread
     * @param start its first byte in there
     * @param bytes its length
     * @return this
     * @throws IndexOutOfBoundsException when the piece isn't inside of the memory
     */
    public BlockRequest add(MemorySegment memory, long start, long bytes) {
        Objects.checkFromIndexSize(start, bytes, memory.byteSize());
        if (operation != Operation.READ && operation != Operation.WRITE) {
            throw new IllegalStateException("a %s has no memory".formatted(operation));
        }
        length = Math.addExact(length, bytes);
        int last = pieces - 1;
        if (last >= 0 && memories[last] == memory && starts[last] + lengths[last] == start) {
            lengths[last] += bytes;
            return this;
        }
        if (pieces == memories.length) {
            memories = Arrays.copyOf(memories, 2 * pieces);
            starts = Arrays.copyOf(starts, 2 * pieces);
            lengths = Arrays.copyOf(lengths, 2 * pieces);
        }
        memories[pieces] = memory;
        starts[pieces] = start;
        lengths[pieces] = bytes;
        pieces++;
        return this;
    }

    /** {@return what is asked for} */
    public Operation operation() {
        return operation;
    }

    /** {@return the first byte on the disk} */
    public long offset() {
        return offset;
    }

    /** {@return the number of bytes, the sum of the pieces for a read or write} */
    public long length() {
        return length;
    }

    /** {@return the number of pieces of memory} */
    int pieces() {
        return pieces;
    }

    /** {@return the bytes of a piece} */
    long pieceLength(int index) {
        return lengths[index];
    }

    /** {@return a piece as a segment of its own} */
    MemorySegment piece(int index) {
        return Objects.requireNonNull(memories[index]).asSlice(starts[index], lengths[index]);
    }

    /** Takes the request for a device. */
    void begin() {
        if (!busy.compareAndSet(false, true)) {
            throw new IllegalStateException("the request is in flight");
        }
    }

    /** Gives the request back to its submitter, and tells so. */
    void complete(BlockStatus status) {
        busy.set(false);
        completion.completed(this, status);
    }
}
