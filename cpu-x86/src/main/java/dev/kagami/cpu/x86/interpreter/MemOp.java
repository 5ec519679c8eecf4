package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** An op with a memory operand. */
abstract class MemOp extends Op {
    private final int base;
    private final int index;
    private final int scale;
    /** Displacement; includes the distance from the block's start when the base is the instruction pointer. */
    private long displacement;

    private final long mask;
    private final int segmentSlot;
    /** Segment number when segmentation must be checked, in every mode but 64-bit mode. */
    private final int checkedSegment;

    /** Bytes accessed, for limit checks outside of 64-bit mode. */
    private final int size;

    private final boolean write;
    private final boolean stackSegment;

    /**
     * Creates the op.
     *
     * @param in the instruction, with a memory operand
     * @param size bytes that the instruction accesses
     * @param write whether it writes them
     */
    MemOp(Instruction in, int size, boolean write) {
        super(in);
        this.size = size;
        this.write = write;
        scale = in.scale;
        index = in.index == Instruction.NONE ? Cpu.ZERO : in.index;
        if (in.base == Instruction.BASE_RIP) {
            base = Cpu.RIP;
        } else {
            base = in.base == Instruction.NONE ? Cpu.ZERO : in.base;
        }
        displacement = in.displacement;
        mask = in.addressSize == 8 ? -1L : in.addressSize == 4 ? 0xFFFF_FFFFL : 0xFFFFL;
        int segment = in.segment();
        stackSegment = segment == Instruction.SS;
        if (in.mode == 64) {
            checkedSegment = -1;
            segmentSlot = segment >= Instruction.FS ? Cpu.SEGMENT_BASE + segment : Cpu.ZERO;
        } else {
            checkedSegment = segment;
            segmentSlot = Cpu.SEGMENT_BASE + segment;
        }
    }

    @Override
    void place(int offset, int ordinal) {
        super.place(offset, ordinal);
        if (base == Cpu.RIP) {
            displacement += offset + length;
        }
    }

    @Override
    boolean usesStack() {
        return stackSegment;
    }

    /** {@return the linear address of the operand, after segmentation} */
    final long address(Cpu cpu) {
        long[] r = cpu.r;
        long offset = r[base] + (r[index] << scale) + displacement;
        if (checkedSegment >= 0) {
            return cpu.checkedLinear(checkedSegment, offset & mask, size, write);
        }
        return (offset & mask) + r[segmentSlot];
    }

    /** {@return the offset of the operand within its segment, as LEA computes it} */
    final long effectiveOffset(Cpu cpu) {
        long[] r = cpu.r;
        long offset = r[base] + (r[index] << scale) + displacement;
        return offset & mask;
    }

    /** {@return the segment of the operand when it is checked, or -1 in 64-bit mode} */
    final int checkedSegment() {
        return checkedSegment;
    }

    /**
     * Computes the linear address of an access at a distance from the operand, for bit strings and multi-part operands.
     *
     * @param cpu the CPU
     * @param distance bytes from the operand's start
     * @param bytes bytes accessed there
     * @param write whether they are written
     * @return the linear address
     */
    final long addressAt(Cpu cpu, long distance, int bytes, boolean write) {
        long offset = effectiveOffset(cpu) + distance & mask;
        if (checkedSegment >= 0) {
            return cpu.checkedLinear(checkedSegment, offset, bytes, write);
        }
        return offset + cpu.r[segmentSlot];
    }
}
