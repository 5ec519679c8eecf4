package dev.kagami.cpu.x86.nativecode;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The few system calls of Linux that the translator needs, through java.lang.foreign. */
final class HostMemory {
    private static final int PROT_READ = 1;
    private static final int PROT_WRITE = 2;
    private static final int PROT_EXEC = 4;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MFD_CLOEXEC = 1;
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_REMOVE = 9;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MEMFD_CREATE =
            function("memfd_create", ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
    private static final MethodHandle FTRUNCATE =
            function("ftruncate", ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG);
    private static final MethodHandle MMAP = function(
            "mmap",
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle MUNMAP =
            function("munmap", ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    private static final MethodHandle MADVISE = function(
            "madvise", ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT);
    private static final MethodHandle CLOSE = function("close", ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);

    /** CLOCK_MONOTONIC, which is what {@link System#nanoTime} reads on Linux. */
    static final int CLOCK_MONOTONIC = 1;

    private HostMemory() {}

    /** {@return the address of the C library's clock_gettime} */
    static long clockFunction() {
        return find("clock_gettime").address();
    }

    private static MemorySegment find(String name) {
        return LINKER.defaultLookup()
                .find(name)
                .orElseThrow(() -> new UnsatisfiedLinkError("the C library has no " + name));
    }

    private static MethodHandle function(
            String name, java.lang.foreign.MemoryLayout result, java.lang.foreign.MemoryLayout... parameters) {
        return LINKER.downcallHandle(find(name), FunctionDescriptor.of(result, parameters));
    }

    /**
     * Code memory: one file, seen writable at one place and executable at another.
     *
     * @param writable the view to write code through
     * @param executable address of the view that runs
     */
    record CodeMemory(MemorySegment writable, long executable) {
        /** Gives the memory from a position on back to the host; it is zero then. */
        void empty(long from) {
            advise(writable.address() + from, writable.byteSize() - from, MADV_REMOVE);
        }

        void unmap() {
            HostMemory.unmap(writable);
            HostMemory.unmap(executable, writable.byteSize());
        }
    }

    /**
     * Maps memory for code.
     *
     * @param size bytes, a multiple of the page size
     * @return the two views
     * @throws UnsupportedOperationException when the host refuses
     */
    static CodeMemory mapCode(long size) {
        try (Arena arena = Arena.ofConfined()) {
            int file = (int) MEMFD_CREATE.invokeExact(arena.allocateFrom("kagami-code"), MFD_CLOEXEC);
            if (file < 0 || (int) FTRUNCATE.invokeExact(file, size) != 0) {
                throw new UnsupportedOperationException("memfd_create failed");
            }
            long writable = (long) MMAP.invokeExact(0L, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0L);
            long executable = (long) MMAP.invokeExact(0L, size, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0L);
            int closed = (int) CLOSE.invokeExact(file);
            if (writable == -1 || executable == -1 || closed != 0) {
                throw new UnsupportedOperationException("the host refuses executable memory");
            }
            return new CodeMemory(MemorySegment.ofAddress(writable).reinterpret(size), executable);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Maps memory for data: zero, and the host's only where it is touched.
     *
     * @param size bytes, a multiple of the page size
     * @throws UnsupportedOperationException when the host refuses
     */
    static MemorySegment mapData(long size) {
        try {
            int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
            long address = (long) MMAP.invokeExact(0L, size, PROT_READ | PROT_WRITE, flags, -1, 0L);
            if (address == -1) {
                throw new UnsupportedOperationException("the host refuses %d bytes of memory".formatted(size));
            }
            return MemorySegment.ofAddress(address).reinterpret(size);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** {@return memory as a buffer in the host's byte order, for which the JVM's quick compiler makes better code} */
    static ByteBuffer buffer(MemorySegment memory) {
        return memory.asByteBuffer().order(ByteOrder.nativeOrder());
    }

    /** Gives what {@link #mapData} has mapped back to the host; it is zero then. */
    static void empty(MemorySegment memory) {
        advise(memory.address(), memory.byteSize(), MADV_DONTNEED);
    }

    private static void advise(long address, long size, int advice) {
        try {
            if ((int) MADVISE.invokeExact(address, size, advice) != 0) {
                throw new IllegalStateException("madvise failed");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Frees what {@link #mapData} has mapped. */
    static void unmap(MemorySegment memory) {
        unmap(memory.address(), memory.byteSize());
    }

    private static void unmap(long address, long size) {
        try {
            if ((int) MUNMAP.invokeExact(address, size) != 0) {
                throw new IllegalStateException("munmap failed");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Makes a handle that calls emitted code.
     *
     * @return a handle of type (MemorySegment function, long argument) to void
     */
    static MethodHandle entry() {
        return LINKER.downcallHandle(FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));
    }
}
