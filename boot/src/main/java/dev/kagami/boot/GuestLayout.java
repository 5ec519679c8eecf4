package dev.kagami.boot;

import dev.kagami.boot.BootException.Code;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;

/** Hands out guest memory: keeps what is loaded inside usable RAM and apart from each other. */
final class GuestLayout {
    /** First address beyond what 32-bit fields and the loader's page tables reach. */
    static final long FOUR_GIBIBYTES = 1L << 32;

    /** Where extended memory starts. */
    static final long ONE_MEBIBYTE = 1L << 20;

    /** The first page is left alone: a PC keeps its real-mode interrupt table and BIOS data there. */
    static final long LOWEST = GuestMemory.PAGE_SIZE;

    private final GuestMemory memory;

    /** Start and end of each free range. */
    private final TreeMap<Long, Long> free = new TreeMap<>();

    private final List<Placement> placements = new ArrayList<>();

    /**
     * Starts with all usable regions free.
     *
     * @param memory the guest's memory
     * @param map its memory map
     * @throws IllegalArgumentException when a usable region is not RAM or regions overlap
     */
    GuestLayout(GuestMemory memory, List<MemoryRegion> map) {
        this.memory = memory;
        long lastEnd = 0;
        for (MemoryRegion region : sorted(map)) {
            if (region.start() < lastEnd) {
                throw new IllegalArgumentException(
                        "regions of the memory map overlap at 0x%x".formatted(region.start()));
            }
            lastEnd = region.end();
            if (region.type() != MemoryRegion.Type.USABLE) {
                continue;
            }
            if (!memory.isRam(region.start(), region.size())) {
                throw new IllegalArgumentException("usable region 0x%x-0x%x of the memory map is not RAM"
                        .formatted(region.start(), region.end() - 1));
            }
            long start = Math.max(region.start(), LOWEST);
            if (start < region.end()) {
                addFree(start, region.end());
            }
        }
    }

    private static List<MemoryRegion> sorted(List<MemoryRegion> map) {
        List<MemoryRegion> sorted = new ArrayList<>(map);
        sorted.sort((a, b) -> Long.compare(a.start(), b.start()));
        return sorted;
    }

    private void addFree(long start, long end) {
        Map.Entry<Long, Long> before = free.lowerEntry(start);
        if (before != null && before.getValue() == start) {
            free.put(before.getKey(), end);
        } else {
            free.put(start, end);
        }
    }

    GuestMemory memory() {
        return memory;
    }

    /** {@return what has been handed out so far, in that order} */
    List<Placement> placements() {
        return List.copyOf(placements);
    }

    /**
     * Takes a range at a given address.
     *
     * @param file file to name when it fails
     * @param what what goes there
     * @param start first address
     * @param size bytes; 0 takes nothing
     * @throws BootException when it is not wholly free
     */
    void claim(String file, String what, long start, long size) {
        if (size == 0) {
            return;
        }
        long end = start + size;
        if (start < 0 || size < 0 || end < 0) {
            throw BootException.corrupt(
                    file, "%s has the impossible address 0x%x or size 0x%x".formatted(what, start, size));
        }
        if (!isFree(start, size)) {
            throw refused(file, what, start, size);
        }
        take(what, start, size);
    }

    /** {@return whether a claim of that range would succeed} */
    boolean isFree(long start, long size) {
        Map.Entry<Long, Long> gap = free.floorEntry(start);
        return gap != null && size >= 0 && start < gap.getValue() && gap.getValue() - start >= size;
    }

    /**
     * Takes the lowest range that is free.
     *
     * @param file file to name when it fails
     * @param what what goes there
     * @param size bytes, above 0
     * @param alignment a power of two
     * @param from lowest address
     * @param limit first address beyond the range allowed
     * @return the address
     * @throws BootException when there is none
     */
    long placeLow(String file, String what, long size, long alignment, long from, long limit) {
        for (Map.Entry<Long, Long> gap : free.entrySet()) {
            long start = alignUp(Math.max(gap.getKey(), from), alignment);
            if (fits(start, size, Math.min(gap.getValue(), limit))) {
                take(what, start, size);
                return start;
            }
        }
        throw noRoom(file, what, size, from, limit);
    }

    /**
     * Takes the highest range that is free; parameters and failure as {@link #placeLow}.
     *
     * @return the address
     */
    long placeHigh(String file, String what, long size, long alignment, long from, long limit) {
        OptionalLong start = tryPlaceHigh(what, size, alignment, from, limit);
        return start.orElseThrow(() -> noRoom(file, what, size, from, limit));
    }

    /**
     * Takes the highest range that is free, if there is one; parameters as {@link #placeLow}.
     *
     * @return the address, or empty
     */
    OptionalLong tryPlaceHigh(String what, long size, long alignment, long from, long limit) {
        for (Map.Entry<Long, Long> gap : free.descendingMap().entrySet()) {
            long end = Math.min(gap.getValue(), limit);
            long start = (end - size) & -alignment;
            if (size <= end && start >= Math.max(gap.getKey(), from)) {
                take(what, start, size);
                return OptionalLong.of(start);
            }
        }
        return OptionalLong.empty();
    }

    private static boolean fits(long start, long size, long end) {
        return start >= 0 && start < end && size <= end - start;
    }

    private void take(String what, long start, long size) {
        Map.Entry<Long, Long> gap = free.floorEntry(start);
        long gapStart = gap.getKey();
        long gapEnd = gap.getValue();
        free.remove(gapStart);
        if (gapStart < start) {
            free.put(gapStart, start);
        }
        if (start + size < gapEnd) {
            free.put(start + size, gapEnd);
        }
        placements.add(new Placement(what, start, size));
    }

    private BootException refused(String file, String what, long start, long size) {
        long end = start + size;
        for (Placement other : placements) {
            if (start < other.end() && other.start() < end) {
                return new BootException(
                        Code.ADDRESS_UNAVAILABLE,
                        "%s: %s at 0x%x-0x%x overlaps %s".formatted(file, what, start, end - 1, other),
                        "the addresses in this image contradict each other; it cannot be booted here");
            }
        }
        long required = sizeThatReaches(end);
        if (required > memory.size()) {
            return new BootException(
                    Code.MEMORY_TOO_SMALL,
                    "%s: %s needs guest memory up to 0x%x, that is %s; the guest has %s"
                            .formatted(file, what, end - 1, mebibytes(required), mebibytes(memory.size())),
                    "give the guest at least " + mebibytes(required));
        }
        return new BootException(
                Code.ADDRESS_UNAVAILABLE,
                "%s: %s must be at 0x%x-0x%x, which is not usable RAM of this machine"
                        .formatted(file, what, start, end - 1),
                "the image is for another memory layout; it cannot be booted here");
    }

    private BootException noRoom(String file, String what, long size, long from, long limit) {
        long largest = 0;
        for (Map.Entry<Long, Long> gap : free.entrySet()) {
            long start = Math.max(gap.getKey(), from);
            largest = Math.max(largest, Math.min(gap.getValue(), limit) - start);
        }
        // What is missing, and a page for alignment. More RAM helps only while it lies below the limit.
        long required = memory.size() + (size - largest) + GuestMemory.PAGE_SIZE;
        String hint = required > 0 && required <= Math.min(limit, GuestMemory.MAX_SIZE)
                ? "give the guest about " + mebibytes(required)
                : "use a smaller file";
        return new BootException(
                Code.MEMORY_TOO_SMALL,
                "%s: no room for %s of %s between 0x%x and 0x%x; the largest free range has %s, the guest has %s"
                        .formatted(
                                file,
                                what,
                                mebibytes(size),
                                from,
                                limit - 1,
                                mebibytes(largest),
                                mebibytes(memory.size())),
                hint);
    }

    /** {@return how much RAM a guest must have so that RAM ends at or above the address} */
    private static long sizeThatReaches(long end) {
        if (end <= GuestMemory.LOW_LIMIT) {
            return end;
        }
        return Math.max(end, GuestMemory.HIGH_START) - (GuestMemory.HIGH_START - GuestMemory.LOW_LIMIT);
    }

    private static String mebibytes(long bytes) {
        long whole = (bytes >>> 20) + ((bytes & (ONE_MEBIBYTE - 1)) == 0 ? 0 : 1);
        return whole + " MiB";
    }

    static long alignUp(long value, long alignment) {
        return value + alignment - 1 & -alignment;
    }
}
