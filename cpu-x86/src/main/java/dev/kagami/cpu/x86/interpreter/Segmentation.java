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

    private Segmentation() {}

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
