package dev.kagami.memory;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The RAM of one guest.
 *
 * <p>Thread-safety: any thread may read and write; plain accesses have no ordering beyond that of the Java memory model.
 * {@link #close} must not be called before every vCPU and device thread has ended.
 */
public final class GuestMemory implements AutoCloseable {
    /** Size of a page in bytes. */
    public static final int PAGE_SIZE = 4096;

    /** log2 of {@link #PAGE_SIZE}. */
    public static final int PAGE_SHIFT = 12;

    /** First guest-physical address of the legacy video window, which is not RAM. */
    public static final long VIDEO_START = 0xA0000L;

    /** First guest-physical address behind the legacy video window. */
    public static final long VIDEO_END = 0xC0000L;

    /** RAM below 4 GiB ends here at the latest; the rest of the first 4 GiB belongs to devices. */
    public static final long LOW_LIMIT = 0xC000_0000L;

    /** RAM that does not fit below {@link #LOW_LIMIT} goes on here. */
    public static final long HIGH_START = 0x1_0000_0000L;

    /** Smallest RAM size in bytes: 2 MiB. */
    public static final long MIN_SIZE = 2L << 20;

    /** Largest RAM size in bytes: 1 TiB. */
    public static final long MAX_SIZE = 1L << 40;

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle WATCHED = MethodHandles.arrayElementVarHandle(byte[].class);

    private final Arena arena;
    /** Whether the mapping reads as zeros where it was not written. */
    private final boolean overZeros;

    private final MemorySegment ram;
    private final long size;
    private final long lowSize;
    /** One byte a page: how many engines' CPUs hold code decoded from it. */
    private final byte[] watched;

    /** The same for {@link #watchedPages}: a look at this takes 14 ns as the JVM's quick compiler has it, one at an array 1 ns. */
    private final MemorySegment watchedCopy;

    private final CopyOnWriteArrayList<CodeWriteListener> listeners = new CopyOnWriteArrayList<>();

    private GuestMemory(Arena arena, MemorySegment ram, long size, boolean overZeros) {
        this.arena = arena;
        this.overZeros = overZeros;
        this.ram = ram;
        this.size = size;
        this.lowSize = Math.min(size, LOW_LIMIT);
        this.watched = new byte[(int) (size >>> PAGE_SHIFT)];
        // Not RAM's arena: whoever forgets code may do so when RAM is closed already.
        this.watchedCopy = Arena.ofAuto().allocate(watched.length);
    }

    /**
     * Allocates RAM. No page is touched, so this takes the same time for every size.
     *
     * @param size bytes, a multiple of {@link #PAGE_SIZE} between {@link #MIN_SIZE} and {@link #MAX_SIZE}
     * @return the memory, reading as zero
     * @throws IllegalArgumentException when the size is out of range
     * @throws UncheckedIOException when the host can't make the mapping
     */
    public static GuestMemory allocate(long size) {
        checkSize(size);
        Arena arena = Arena.ofShared();
        try {
            Path file = Files.createTempFile("kagami-ram", null);
            try (FileChannel channel = FileChannel.open(
                    file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
                channel.write(java.nio.ByteBuffer.allocate(1), size - 1);
                // Private: what the guest writes stays in anonymous memory and never travels to the file's disk.
                MemorySegment ram = channel.map(FileChannel.MapMode.PRIVATE, 0, size, arena);
                return new GuestMemory(arena, ram, size, true);
            }
        } catch (IOException e) {
            arena.close();
            throw new UncheckedIOException(
                    "cannot map %d MiB of guest memory (java.io.tmpdir must allow sparse files)".formatted(size >> 20),
                    e);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Makes RAM of a part of a file, copy-on-write: nothing is read before it is used, and nothing is ever written back.
     *
     * @param file the file; may be closed afterwards, but must not change as long as the memory is in use
     * @param position where RAM begins, a multiple of what the host maps at least
     * @param size bytes, a multiple of {@link #PAGE_SIZE} between {@link #MIN_SIZE} and {@link #MAX_SIZE}
     * @return the memory, with what is in the file
     * @throws IllegalArgumentException when the size is out of range
     * @throws IOException when the host can't make the mapping
     */
    public static GuestMemory map(FileChannel file, long position, long size) throws IOException {
        checkSize(size);
        Arena arena = Arena.ofShared();
        try {
            return new GuestMemory(arena, file.map(FileChannel.MapMode.PRIVATE, position, size, arena), size, false);
        } catch (Throwable e) {
            arena.close();
            throw e;
        }
    }

    private static void checkSize(long size) {
        if (size < MIN_SIZE || size > MAX_SIZE || size % PAGE_SIZE != 0) {
            throw new IllegalArgumentException(
                    "guest memory of %d bytes: must be a multiple of 4 KiB from 2 MiB to 1 TiB".formatted(size));
        }
    }

    /** {@return the amount of RAM in bytes} */
    public long size() {
        return size;
    }

    /** {@return the bytes of RAM below 4 GiB; the guest-physical end of low memory} */
    public long lowSize() {
        return lowSize;
    }

    /** {@return the bytes of RAM at and above {@link #HIGH_START}} */
    public long highSize() {
        return size - lowSize;
    }

    /** {@return the mapping that holds all RAM; index it with {@link #offsetOf}} */
    public MemorySegment segment() {
        return ram;
    }

    /**
     * Translates a guest-physical address into an offset in {@link #segment}.
     *
     * @param address guest-physical address
     * @return the offset, or -1 when no RAM is there
     */
    public long offsetOf(long address) {
        if (address >= 0 && address < lowSize) {
            return address < VIDEO_START || address >= VIDEO_END ? address : -1;
        }
        if (address >= HIGH_START && address - HIGH_START < size - lowSize) {
            return address - HIGH_START + lowSize;
        }
        return -1;
    }

    /**
     * Translates a range.
     *
     * @param address guest-physical address
     * @param length bytes, at least 0
     * @return the offset of the first byte in {@link #segment}; the range is contiguous there
     * @throws GuestAddressException when some byte of the range is not RAM
     */
    public long offsetOf(long address, long length) {
        long first = offsetOf(address);
        if (length < 0 || first < 0) {
            throw new GuestAddressException(address, length);
        }
        if (length > 1) {
            long last = offsetOf(address + length - 1);
            // A range that spans a hole would be shorter in the mapping, or would hide the video window.
            if (last - first != length - 1 || first < VIDEO_START && last >= VIDEO_START) {
                throw new GuestAddressException(address, length);
            }
        }
        return first;
    }

    /**
     * Tells whether a whole range is RAM.
     *
     * @param address guest-physical address
     * @param length bytes
     * @return true when every byte is RAM and the range is contiguous in {@link #segment}
     */
    public boolean isRam(long address, long length) {
        long first = offsetOf(address);
        if (first < 0 || length < 0 || length > size) {
            return false;
        }
        long last = length == 0 ? first : offsetOf(address + length - 1);
        return length == 0 || last - first == length - 1 && !(first < VIDEO_START && last >= VIDEO_START);
    }

    /**
     * Reads a byte.
     *
     * @param address guest-physical address
     * @return the byte, 0 to 255
     * @throws GuestAddressException when it is not RAM
     */
    public int readByte(long address) {
        return ram.get(ValueLayout.JAVA_BYTE, offsetOf(address, 1)) & 0xFF;
    }

    /**
     * Reads a little-endian 16-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @return the value, 0 to 65535
     * @throws GuestAddressException when it is not RAM
     */
    public int readShort(long address) {
        return ram.get(SHORT, offsetOf(address, 2)) & 0xFFFF;
    }

    /**
     * Reads a little-endian 32-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @return the value
     * @throws GuestAddressException when it is not RAM
     */
    public int readInt(long address) {
        return ram.get(INT, offsetOf(address, 4));
    }

    /**
     * Reads a little-endian 64-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @return the value
     * @throws GuestAddressException when it is not RAM
     */
    public long readLong(long address) {
        return ram.get(LONG, offsetOf(address, 8));
    }

    /**
     * Writes a byte.
     *
     * @param address guest-physical address
     * @param value the byte, in the low 8 bits
     * @throws GuestAddressException when it is not RAM
     */
    public void writeByte(long address, int value) {
        long offset = offsetOf(address, 1);
        ram.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
        written(offset, 1);
    }

    /**
     * Writes a little-endian 16-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @param value the value, in the low 16 bits
     * @throws GuestAddressException when it is not RAM
     */
    public void writeShort(long address, int value) {
        long offset = offsetOf(address, 2);
        ram.set(SHORT, offset, (short) value);
        written(offset, 2);
    }

    /**
     * Writes a little-endian 32-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @param value the value
     * @throws GuestAddressException when it is not RAM
     */
    public void writeInt(long address, int value) {
        long offset = offsetOf(address, 4);
        ram.set(INT, offset, value);
        written(offset, 4);
    }

    /**
     * Writes a little-endian 64-bit value.
     *
     * @param address guest-physical address, of any alignment
     * @param value the value
     * @throws GuestAddressException when it is not RAM
     */
    public void writeLong(long address, long value) {
        long offset = offsetOf(address, 8);
        ram.set(LONG, offset, value);
        written(offset, 8);
    }

    /**
     * Copies guest memory out.
     *
     * @param address guest-physical address
     * @param target destination
     * @param targetOffset first index in the destination
     * @param length bytes
     * @throws GuestAddressException when some byte is not RAM; nothing is copied
     */
    public void read(long address, byte[] target, int targetOffset, int length) {
        long offset = offsetOf(address, length);
        MemorySegment.copy(ram, ValueLayout.JAVA_BYTE, offset, target, targetOffset, length);
    }

    /**
     * Copies into guest memory.
     *
     * @param address guest-physical address
     * @param source what to write
     * @param sourceOffset first index in the source
     * @param length bytes
     * @throws GuestAddressException when some byte is not RAM; nothing is copied
     */
    public void write(long address, byte[] source, int sourceOffset, int length) {
        long offset = offsetOf(address, length);
        MemorySegment.copy(source, sourceOffset, ram, ValueLayout.JAVA_BYTE, offset, length);
        written(offset, length);
    }

    /**
     * Copies a whole array into guest memory.
     *
     * @param address guest-physical address
     * @param source what to write
     * @throws GuestAddressException when some byte is not RAM; nothing is copied
     */
    public void write(long address, byte[] source) {
        write(address, source, 0, source.length);
    }

    /**
     * Fills a range with zero bytes.
     *
     * @param address guest-physical address
     * @param length bytes
     * @throws GuestAddressException when some byte is not RAM; nothing is written
     */
    public void clear(long address, long length) {
        long offset = offsetOf(address, length);
        ram.asSlice(offset, length).fill((byte) 0);
        written(offset, length);
    }

    /**
     * Registers a listener for writes by devices to pages marked by {@link #watch}.
     *
     * @param listener called from the writing thread
     */
    public void addCodeWriteListener(CodeWriteListener listener) {
        listeners.add(listener);
    }

    /**
     * Takes a listener away again.
     *
     * @param listener what was given to {@link #addCodeWriteListener}
     */
    public void removeCodeWriteListener(CodeWriteListener listener) {
        listeners.remove(listener);
    }

    /**
     * Marks a page as holding code that a CPU has cached; counts, so each CPU may mark a page once.
     *
     * @param pageNumber offset in {@link #segment} divided by {@link #PAGE_SIZE}
     */
    public void watch(int pageNumber) {
        countWatcher(pageNumber, 1);
    }

    private synchronized void countWatcher(int pageNumber, int more) {
        byte count = (byte) (watched[pageNumber] + more);
        watchedCopy.set(ValueLayout.JAVA_BYTE, pageNumber, count);
        WATCHED.setVolatile(watched, pageNumber, count);
    }

    /**
     * Takes one mark of {@link #watch} back.
     *
     * @param pageNumber offset in {@link #segment} divided by {@link #PAGE_SIZE}
     */
    public void unwatch(int pageNumber) {
        countWatcher(pageNumber, -1);
    }

    /**
     * Tells whether a page is marked by {@link #watch}.
     *
     * @param pageNumber offset in {@link #segment} divided by {@link #PAGE_SIZE}
     * @return true when an engine holds code of that page
     */
    public boolean isWatched(int pageNumber) {
        return (byte) WATCHED.getOpaque(watched, pageNumber) != 0;
    }

    /** {@return a byte for each page: how many CPUs have {@link #watch watched} it; for code that is not Java to read} */
    public MemorySegment watchedPages() {
        return watchedCopy;
    }

    /**
     * Announces a write that was made directly to {@link #segment}, so that cached code of those pages is dropped.
     *
     * @param offset offset of the first byte in {@link #segment}
     * @param length bytes, at least 0
     */
    public void written(long offset, long length) {
        // A CPU marks a page and then reads its code; we write and then look at the mark. So one of us sees the other.
        VarHandle.fullFence();
        int last = (int) ((offset + length - 1) >>> PAGE_SHIFT);
        for (int page = (int) (offset >>> PAGE_SHIFT); page <= last; page++) {
            if ((byte) WATCHED.getVolatile(watched, page) != 0) {
                for (CodeWriteListener listener : listeners) {
                    listener.codeWritten(page);
                }
            }
        }
    }

    /**
     * Gives pages back to the host. Afterwards they read as zeros, and take no memory until they are written. Code that a CPU
     * has cached of them is dropped. Where the host's system or its page size doesn't allow that, nothing happens, nor in RAM
     * that shows the contents of a file, which would come back.
     *
     * @param offset offset in {@link #segment}, a multiple of {@link #PAGE_SIZE}
     * @param length bytes, a multiple of {@link #PAGE_SIZE}
     * @return whether they were given back
     */
    public boolean release(long offset, long length) {
        if (!overZeros || !PageRelease.AVAILABLE) {
            return false;
        }
        ram.asSlice(offset, length).unload();
        written(offset, length);
        return true;
    }

    @Override
    public void close() {
        arena.close();
    }
}
