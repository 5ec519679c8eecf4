package dev.kagami.cpu.x86.interpreter;

/** Segment registers: their attributes, limit checks and loads (SDM 3A chapters 3 and 5). */
final class Segmentation {
    // Attribute bits: the descriptor's high doubleword shifted right by 8 (see X86State.Segment).
    static final int TYPE = 0xF;
    static final int ACCESSED = 1;
    static final int WRITABLE = 1 << 1;
    static final int READABLE = 1 << 1;
    static final int EXPAND_DOWN = 1 << 2;
    static final int CONFORMING = 1 << 2;
    static final int CODE = 1 << 3;
    /** Code or data rather than a system segment. */
    static final int S = 1 << 4;

    static final int DPL_SHIFT = 5;
    static final int PRESENT = 1 << 7;
    /** L: 64-bit code. */
    static final int LONG = 1 << 13;
    /** D or B: 32-bit code, stack or expand-down limit. */
    static final int BIG = 1 << 14;

    static final int GRANULARITY = 1 << 15;

    /** D of a code segment: 32-bit operands and addresses by default. */
    static final int DEFAULT_32 = BIG;

    // Types of system segments and gates (SDM 3A 3.5, table 3-2).
    static final int TYPE_TSS16 = 1;
    static final int TYPE_LDT = 2;
    static final int TYPE_TSS16_BUSY = 3;
    static final int TYPE_CALL_GATE16 = 4;
    static final int TYPE_TASK_GATE = 5;
    static final int TYPE_INTERRUPT_GATE16 = 6;
    static final int TYPE_TRAP_GATE16 = 7;
    /** An available TSS of 32 or 64 bits. */
    static final int TYPE_TSS = 9;

    static final int TYPE_TSS_BUSY = 0xB;
    /** A call gate of 32 or 64 bits. */
    static final int TYPE_CALL_GATE = 0xC;

    static final int TYPE_INTERRUPT_GATE = 0xE;
    static final int TYPE_TRAP_GATE = 0xF;

    /** The bit of a TSS descriptor's type that says busy, at its place in the descriptor. */
    static final long DESCRIPTOR_BUSY = 1L << 41;

    // Flat segments as SYSCALL, SYSENTER and their returns set them without reading a descriptor (SDM 2B).
    static final int FLAT_CODE64 = GRANULARITY | LONG | PRESENT | S | CODE | READABLE | ACCESSED;
    static final int FLAT_CODE32 = GRANULARITY | BIG | PRESENT | S | CODE | READABLE | ACCESSED;
    static final int FLAT_DATA = GRANULARITY | BIG | PRESENT | S | WRITABLE | ACCESSED;
    static final int DPL3 = 3 << DPL_SHIFT;

    /** Attributes of every segment in virtual-8086 mode (SDM 3B 20.1.1): present, DPL 3, writable, accessed. */
    static final int ATTRIBUTES_8086 = PRESENT | DPL3 | S | WRITABLE | ACCESSED;

    private static final long DESCRIPTOR_ACCESSED = 1L << 40;

    private Segmentation() {}

    // ---------------------------------------------------------------- descriptors

    /** {@return the attributes of a descriptor, as {@link Cpu#attributes} has them} */
    static int attributes(long descriptor) {
        return (int) (descriptor >>> 40) & 0xF0FF;
    }

    /** {@return the base address of a segment descriptor, 32 bits} */
    static long base(long descriptor) {
        return descriptor >>> 16 & 0xFF_FFFFL | descriptor >>> 32 & 0xFF00_0000L;
    }

    /** {@return the offset of the last byte of a segment, after scaling} */
    static long limit(long descriptor) {
        long limit = descriptor & 0xFFFF | descriptor >>> 32 & 0xF_0000;
        return (descriptor & 1L << 55) != 0 ? limit << 12 | 0xFFF : limit;
    }

    /** {@return the descriptor that a segment register was filled from} */
    static long descriptor(Cpu cpu, int segment) {
        long base = cpu.r[Cpu.SEGMENT_BASE + segment];
        int attributes = cpu.attributes[segment];
        long limit = (attributes & GRANULARITY) != 0 ? cpu.limit[segment] >>> 12 : cpu.limit[segment];
        return limit & 0xFFFF
                | (base & 0xFF_FFFF) << 16
                | (long) attributes << 40
                | (limit & 0xF_0000) << 32
                | (base & 0xFF00_0000L) << 32;
    }

    /** {@return the descriptor of a flat 4 GiB segment} */
    static long flatDescriptor(int attributes) {
        return 0xF_0000_0000_FFFFL | (long) attributes << 40;
    }

    /** {@return the descriptor privilege level in attributes} */
    static int dpl(int attributes) {
        return attributes >> DPL_SHIFT & 3;
    }

    static boolean isCode(int attributes) {
        return (attributes & (S | CODE)) == (S | CODE);
    }

    static boolean isConforming(int attributes) {
        return (attributes & CONFORMING) != 0;
    }

    /** {@return whether a segment may be a stack} */
    static boolean isWritableData(int attributes) {
        return (attributes & (S | CODE | WRITABLE)) == (S | WRITABLE);
    }

    /** {@return whether a selector is null: index 0 of the GDT} */
    static boolean isNull(int selector) {
        return (selector & 0xFFFC) == 0;
    }

    /** {@return the error code that names a selector; {@code external} is 1 while an event is being delivered} */
    static int error(int selector, int external) {
        return selector & 0xFFFC | external;
    }

    /** Reads the descriptor tables and task states: at supervisor level, and at 64-bit addresses even in compatibility mode. */
    static long readTable(Cpu cpu, long address, int size) {
        if (!cpu.longMode()) {
            return cpu.mmu.readSystem(address & 0xFFFF_FFFFL, size);
        }
        int mode = cpu.mode;
        cpu.mode = 64;
        try {
            return cpu.mmu.readSystem(address, size);
        } finally {
            cpu.mode = mode;
        }
    }

    /** Writes as {@link #readTable} reads. */
    static void writeTable(Cpu cpu, long address, int size, long value) {
        if (!cpu.longMode()) {
            cpu.mmu.writeSystem(address & 0xFFFF_FFFFL, size, value);
            return;
        }
        int mode = cpu.mode;
        cpu.mode = 64;
        try {
            cpu.mmu.writeSystem(address, size, value);
        } finally {
            cpu.mode = mode;
        }
    }

    /**
     * Finds a descriptor in the GDT or LDT.
     *
     * @param selector which; not null
     * @param bytes 8, or 16 for system descriptors in long mode
     * @return its linear address, or -1 when it is outside of its table
     */
    static long descriptorAddress(Cpu cpu, int selector, int bytes) {
        long table;
        long tableLimit;
        if ((selector & 4) == 0) {
            table = cpu.gdtBase;
            tableLimit = cpu.gdtLimit;
        } else {
            if ((cpu.attributes[Cpu.LDTR] & PRESENT) == 0) {
                return -1;
            }
            table = cpu.ldtBase;
            tableLimit = cpu.limit[Cpu.LDTR];
        }
        int offset = selector & 0xFFF8;
        // A table may begin at the top of the address space but never gives -1: descriptors there would wrap.
        return offset + bytes - 1 > tableLimit ? -1 : table + offset;
    }

    /**
     * Reads a descriptor.
     *
     * @param selector which; not null
     * @param vector the fault to raise, with the selector as error code, when it is outside of its table
     * @param external 1 while an event is being delivered, for the error code
     * @return the descriptor
     */
    static long readDescriptor(Cpu cpu, int selector, int vector, int external) {
        long address = descriptorAddress(cpu, selector, 8);
        if (address == -1) {
            throw cpu.fault(vector, error(selector, external));
        }
        return readTable(cpu, address, 8);
    }

    /** Sets the accessed bit of a code or data descriptor in memory if it is clear, and returns the descriptor with it. */
    static long markAccessed(Cpu cpu, int selector, long descriptor) {
        if ((descriptor & DESCRIPTOR_ACCESSED) != 0) {
            return descriptor;
        }
        long marked = descriptor | DESCRIPTOR_ACCESSED;
        writeTable(cpu, descriptorAddress(cpu, selector, 8) + 5, 1, marked >>> 40 & 0xFF);
        return marked;
    }

    // ---------------------------------------------------------------- segment registers

    /** Fills a segment register from a code or data descriptor. */
    static void set(Cpu cpu, int segment, int selector, long descriptor) {
        cpu.selector[segment] = selector;
        cpu.r[Cpu.SEGMENT_BASE + segment] = base(descriptor);
        cpu.limit[segment] = limit(descriptor);
        cpu.attributes[segment] = attributes(descriptor);
    }

    /** Makes a segment register unusable. */
    static void setNull(Cpu cpu, int segment, int selector) {
        cpu.selector[segment] = selector;
        cpu.r[Cpu.SEGMENT_BASE + segment] = 0;
        cpu.limit[segment] = 0;
        cpu.attributes[segment] = 0;
    }

    /** Makes SS null, as 64-bit mode allows below privilege level 3; its DPL still is the privilege level (SDM 3C 24.4.1). */
    static void setNullStack(Cpu cpu, int selector, int cpl) {
        setNull(cpu, Cpu.SS, selector);
        cpu.attributes[Cpu.SS] = cpl << DPL_SHIFT;
    }

    /** Fills a segment register with a flat 4 GiB segment. */
    static void setFlat(Cpu cpu, int segment, int selector, int attributes) {
        cpu.selector[segment] = selector;
        cpu.r[Cpu.SEGMENT_BASE + segment] = 0;
        cpu.limit[segment] = 0xFFFF_FFFFL;
        cpu.attributes[segment] = attributes;
    }

    /**
     * Loads a segment register in real or virtual-8086 mode. Real mode leaves limit and attributes as they are, which is
     * what makes "unreal mode" work.
     */
    static void setReal(Cpu cpu, int segment, int selector) {
        cpu.selector[segment] = selector;
        cpu.r[Cpu.SEGMENT_BASE + segment] = (long) selector << 4;
        if (cpu.virtual8086()) {
            cpu.limit[segment] = 0xFFFF;
            cpu.attributes[segment] = ATTRIBUTES_8086;
        }
    }

    /**
     * Loads ES, SS, DS, FS or GS as MOV, POP and LDS do, with all checks (SDM 2B, MOV). The caller must recompute the mode
     * after a load of SS.
     */
    static void load(Cpu cpu, int segment, int selector) {
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            setReal(cpu, segment, selector);
            return;
        }
        if (isNull(selector)) {
            if (segment == Cpu.SS && (cpu.mode != 64 || cpu.cpl == 3 || (selector & 3) != cpu.cpl)) {
                throw cpu.generalProtection();
            }
            if (segment == Cpu.SS) {
                setNullStack(cpu, selector, cpu.cpl);
            } else {
                setNull(cpu, segment, selector);
            }
            return;
        }
        long descriptor = readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        if (segment == Cpu.SS) {
            loadStack(cpu, selector, descriptor);
            return;
        }
        int attributes = attributes(descriptor);
        if (!isLoadable(attributes, selector, cpu.cpl)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, error(selector, 0));
        }
        if ((attributes & PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, error(selector, 0));
        }
        set(cpu, segment, selector, markAccessed(cpu, selector, descriptor));
    }

    /** {@return whether ES, DS, FS or GS may hold a segment: data or readable code, of no higher privilege} */
    static boolean isLoadable(int attributes, int selector, int cpl) {
        boolean readable = (attributes & S) != 0 && (attributes & (CODE | READABLE)) != CODE;
        boolean conformingCode = (attributes & (CODE | CONFORMING)) == (CODE | CONFORMING);
        int dpl = dpl(attributes);
        return readable && (conformingCode || (selector & 3) <= dpl && cpl <= dpl);
    }

    private static void loadStack(Cpu cpu, int selector, long descriptor) {
        int attributes = attributes(descriptor);
        if ((selector & 3) != cpu.cpl || !isWritableData(attributes) || dpl(attributes) != cpu.cpl) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, error(selector, 0));
        }
        if ((attributes & PRESENT) == 0) {
            throw cpu.fault(Vector.STACK_FAULT, error(selector, 0));
        }
        set(cpu, Cpu.SS, selector, markAccessed(cpu, selector, descriptor));
    }

    /** Nulls the data segments that a less privileged level may not use, after a return to it (SDM 3A 5.8.6). */
    static void dropPrivileged(Cpu cpu) {
        for (int segment = Cpu.ES; segment <= Cpu.GS; segment++) {
            if (segment == Cpu.CS || segment == Cpu.SS) {
                continue;
            }
            int attributes = cpu.attributes[segment];
            boolean conformingCode = (attributes & (CODE | CONFORMING)) == (CODE | CONFORMING);
            if ((attributes & PRESENT) != 0 && dpl(attributes) < cpu.cpl && !conformingCode) {
                setNull(cpu, segment, 0);
            }
        }
    }

    // ---------------------------------------------------------------- addresses

    /** Computes a linear address outside of 64-bit mode; see {@link Cpu#checkedLinear}. */
    static long linear(Cpu cpu, int segment, long offset, int size, boolean write) {
        int attributes = cpu.attributes[segment];
        long limit = cpu.limit[segment];
        long last = offset + size - 1;
        boolean ok;
        if ((attributes & CODE) == 0 && (attributes & EXPAND_DOWN) != 0) {
            long top = (attributes & BIG) != 0 ? 0xFFFF_FFFFL : 0xFFFFL;
            ok = offset > limit && last <= top;
        } else {
            ok = last <= limit;
        }
        if (cpu.protectedMode() && !cpu.virtual8086()) {
            ok &= (attributes & PRESENT) != 0;
            if ((attributes & CODE) != 0) {
                ok &= !write && (attributes & READABLE) != 0;
            } else {
                ok &= !write || (attributes & WRITABLE) != 0;
            }
        }
        if (!ok) {
            throw cpu.fault(segment == Cpu.SS ? Vector.STACK_FAULT : Vector.GENERAL_PROTECTION, 0);
        }
        return cpu.r[Cpu.SEGMENT_BASE + segment] + offset & 0xFFFF_FFFFL;
    }
}
