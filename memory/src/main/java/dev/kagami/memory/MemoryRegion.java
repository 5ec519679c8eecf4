package dev.kagami.memory;

/**
 * One line of the guest-physical memory map that a boot loader hands to a kernel (ACPI 6.5, 15: system address map).
 *
 * @param start first guest-physical address
 * @param size bytes, above 0
 * @param type what is there
 */
public record MemoryRegion(long start, long size, Type type) {
    /** What a region of the memory map holds, with the number that the e820 interface gives it. */
    public enum Type {
        /** RAM that the kernel may use. */
        USABLE(1),
        /** Not for the kernel: firmware, device windows. */
        RESERVED(2),
        /** ACPI tables; RAM once the kernel has read them. */
        ACPI_RECLAIMABLE(3),
        /** ACPI memory that must be left alone. */
        ACPI_NVS(4);

        private final int number;

        Type(int number) {
            this.number = number;
        }

        /** {@return the type's number in e820, PVH and multiboot memory maps} */
        public int number() {
            return number;
        }
    }

    /** Checks the values. */
    public MemoryRegion {
        if (start < 0 || size <= 0 || start + size < 0) {
            throw new IllegalArgumentException("memory region of %d bytes at %#x".formatted(size, start));
        }
    }

    /** {@return the first guest-physical address behind the region} */
    public long end() {
        return start + size;
    }
}
