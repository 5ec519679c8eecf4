package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** An op with a memory operand. */
abstract class MemOp extends Op {
    private final byte base;
    private final byte index;
    private final byte scale;
    /** Displacement; includes the distance from the block's start when the base is the instruction pointer. */
    private long displacement;

    /** Bits that an address has not: 0, 32 or 48. */
    private final byte narrow;

    private final byte segmentSlot;
    /** Segment number when segmentation must be checked, in every mode but 64-bit mode. */
    private final byte checkedSegment;

    /** Bytes accessed, for limit checks outside of 64-bit mode. */
    private final short size;

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
        this.size = (short) size;
        this.write = write;
        scale = (byte) in.scale;
        index = (byte) (in.index == Instruction.NONE ? Cpu.ZERO : in.index);
        if (in.base == Instruction.BASE_RIP) {
            base = Cpu.RIP;
        } else {
            base = (byte) (in.base == Instruction.NONE ? Cpu.ZERO : in.base);
        }
        displacement = in.displacement;
        narrow = (byte) (64 - 8 * in.addressSize);
        int segment = in.segment();
        stackSegment = segment == Instruction.SS;
        if (in.mode == 64) {
            checkedSegment = -1;
            segmentSlot = (byte) (segment >= Instruction.FS ? Cpu.SEGMENT_BASE + segment : Cpu.ZERO);
        } else {
            checkedSegment = (byte) segment;
            segmentSlot = (byte) (Cpu.SEGMENT_BASE + segment);
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
            return cpu.checkedLinear(checkedSegment, offset << narrow >>> narrow, size, write);
        }
        return (offset << narrow >>> narrow) + r[segmentSlot];
    }

    /** {@return the offset of the operand within its segment, as LEA computes it} */
    final long effectiveOffset(Cpu cpu) {
        long[] r = cpu.r;
        long offset = r[base] + (r[index] << scale) + displacement;
        return offset << narrow >>> narrow;
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
        long offset = effectiveOffset(cpu) + distance << narrow >>> narrow;
        if (checkedSegment >= 0) {
            return cpu.checkedLinear(checkedSegment, offset, bytes, write);
        }
        return offset + cpu.r[segmentSlot];
    }
}
