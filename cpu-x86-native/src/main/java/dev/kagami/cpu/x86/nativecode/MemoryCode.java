package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Emits memory accesses: the guest address is computed into rcx and looked up in the TLB, which leaves the host address in
 * rdi. All of that leaves the flags alone.
 */
final class MemoryCode {
    /** Bytes at the end of a jump that say how far. */
    private static final int JUMP_DISPLACEMENT = 4;

    /** Sizes of accesses: the powers of 2 from 1 to 64. */
    private static final int KINDS = 7;

    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;

    /** The code of each kind of lookup, by the logarithm of its size and whether it is for a write: always the same. */
    private final byte[][] checks = new byte[2 * KINDS][];

    MemoryCode(BlockCode block) {
        this.block = block;
        asm = block.asm;
        in = block.in;
    }

    /** Says that code which computes a guest address into {@link Registers#ADDRESS} begins here; it must not jump. */
    void begin() {
        block.addressAt = asm.position();
        block.addressEnd = BlockCode.NOWHERE;
    }

    /** Computes the guest address of the memory operand into {@link Registers#ADDRESS}. */
    void address() {
        if (block.addressAt == BlockCode.NOWHERE) {
            begin();
        }
        boolean narrow = in.addressSize == 4;
        int displacement = (int) in.displacement;
        if (in.base == Instruction.BASE_RIP) {
            long address = block.next() + in.displacement;
            block.address(Registers.ADDRESS, address);
            if (narrow) {
                asm.lea32(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, 0);
            }
        } else if (in.base == Instruction.NONE && in.index == Instruction.NONE) {
            asm.constant(Registers.ADDRESS, narrow ? in.displacement & 0xFFFF_FFFFL : in.displacement);
        } else {
            int base = in.base == Instruction.NONE ? Assembler.NONE : Registers.HOST[in.base];
            if (in.base != Instruction.NONE && base == Assembler.NONE) {
                asm.loadState(Registers.ADDRESS, StateBlock.REGISTERS + 8 * in.base);
                base = Registers.ADDRESS;
            }
            int index = in.index == Instruction.NONE ? Assembler.NONE : Registers.HOST[in.index];
            if (in.index != Instruction.NONE && index == Assembler.NONE) {
                asm.loadState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.index);
                index = Registers.POINTER;
            }
            if (narrow) {
                asm.lea32(Registers.ADDRESS, base, index, in.scale, displacement);
            } else {
                asm.lea(Registers.ADDRESS, base, index, in.scale, displacement);
            }
        }
        if (in.segmentOverride >= Instruction.FS) {
            asm.loadState(Registers.POINTER, StateBlock.BASES + 8 * (in.segmentOverride - Instruction.FS));
            asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, 0);
        }
    }

    /**
     * Leaves an instruction whose operand is not aligned to the interpreter, which raises the exception.
     *
     * @param mask where in the state block the mask of the bits is that must be 0
     */
    void aligned(int mask) {
        block.addressEnd = asm.position();
        asm.move(Registers.VALUE, Registers.ADDRESS);
        asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, mask);
        int ok = asm.jumpIfRcxZero();
        block.interpret(asm.jump());
        asm.landShort(ok);
        asm.move(Registers.ADDRESS, Registers.VALUE);
    }

    /**
     * Looks {@link Registers#ADDRESS} up in the TLB and leaves the host address in {@link #Registers.POINTER}.
     *
     * @param size bytes accessed
     * @param write whether they are written
     */
    void check(int size, boolean write) {
        if (block.addressAt == BlockCode.NOWHERE) {
            throw new AssertionError("an address without begin");
        }
        if (block.addressEnd == BlockCode.NOWHERE) {
            block.addressEnd = asm.position();
        }
        if (Integer.bitCount(size) != 1) {
            throw new AssertionError("an access of %d bytes".formatted(size));
        }
        int kind = 2 * Integer.numberOfTrailingZeros(size) + (write ? 1 : 0);
        if (checks[kind] == null) {
            int from = asm.position();
            emitCheck(size, write);
            checks[kind] = asm.copyOf(from);
        } else {
            asm.append(checks[kind]);
        }
        block.miss(size, write, asm.position() - JUMP_DISPLACEMENT);
        block.addressAt = BlockCode.NOWHERE;
    }

    /** Emits the lookup, with a jump at its end to be filled in that is taken at a miss. */
    private void emitCheck(int size, boolean write) {
        asm.extractByState(Registers.POINTER, Registers.ADDRESS, StateBlock.TLB_INDEX_MASK);
        asm.loadState(Registers.VALUE, StateBlock.TLB);
        asm.lea(Registers.POINTER, Registers.VALUE, Registers.POINTER, 3, 0);
        asm.load(Registers.VALUE, Registers.POINTER, write ? SoftTlb.WRITES : 0);
        asm.load(Registers.POINTER, Registers.POINTER, SoftTlb.HOST);
        asm.lea(Registers.POINTER, Registers.POINTER, Registers.ADDRESS, 0, 0);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.VALUE, 0, size - 1);
        asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, StateBlock.PAGE_MASK);
        int hit = asm.jumpIfRcxZero();
        asm.jump();
        asm.landShort(hit);
    }
}
