package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Emits memory accesses: the guest address is computed into rcx and looked up in the TLB, which leaves the host address in
 * rdi. All of that leaves the flags alone.
 */
final class MemoryCode {
    /** Sizes of accesses: the powers of 2 from 1 to 64. */
    private static final int KINDS = 7;

    private static final int HOST_REGISTERS = 16;

    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;

    /** How far the memory operand is behind {@link Registers#POINTER}. */
    private int displacement;

    // Up to what alignment a window's beginning is known, and its offset from there: of each window.
    private final int[] alignment = new int[BlockPlan.MAX_WINDOWS];
    private final int[] alignedAt = new int[BlockPlan.MAX_WINDOWS];

    /** The code of each kind of lookup, by the logarithm of its size and whether it is for a write: always the same. */
    private final byte[][] checks = new byte[2 * KINDS * HOST_REGISTERS][];

    MemoryCode(BlockCode block) {
        this.block = block;
        asm = block.asm;
        in = block.in;
    }

    /** Says that code which computes a guest address into {@link Registers#ADDRESS} begins here; it must not jump. */
    void begin() {
        block.releaseScratch();
        block.addressAt = asm.position();
        block.addressEnd = BlockCode.NOWHERE;
        block.addressIn = Registers.ADDRESS;
    }

    /** Finds the guest address of the memory operand in a register that has it, or computes it as {@link #address} does. */
    private void place() {
        boolean simple = in.base >= 0
                && in.index == Instruction.NONE
                && in.displacement == 0
                && in.addressSize == 8
                && in.segmentOverride < Instruction.FS
                && Registers.HOST[in.base] != Assembler.NONE;
        if (simple) {
            begin();
            block.addressIn = Registers.HOST[in.base];
        } else {
            address();
        }
    }

    /**
     * Makes the current instruction's memory operand accessible, as {@link #operand}.
     *
     * @param size bytes accessed
     * @param write whether they are written
     * @param alignmentMask where in the state block the mask of the address bits is that must be 0, or 0 for none
     */
    void locate(int size, boolean write, int alignmentMask) {
        int window = window(size, write);
        displacement = 0;
        if (window == BlockPlan.NONE) {
            if (alignmentMask != 0) {
                address();
                aligned(alignmentMask);
            } else {
                place();
            }
            check(size, write);
            return;
        }
        int offset = block.plan.offset(block.instructions);
        boolean leads = block.plan.leads(block.instructions);
        if (leads) {
            alignment[window] = 1;
        }
        if (alignmentMask != 0 && !knownAligned(window, size, offset)) {
            address();
            block.islands.room(Islands.INSTRUCTION);
            asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, alignmentMask);
            int ok = asm.jumpIfRcxZero();
            block.interpret(asm.jump());
            asm.landShort(ok);
            block.addressAt = BlockCode.NOWHERE;
            alignment[window] = size;
            alignedAt[window] = offset;
        }
        if (leads) {
            block.islands.room(Islands.INSTRUCTION);
            in.displacement -= offset;
            place();
            in.displacement += offset;
        }
        enter(window, size, write);
    }

    /** Makes a quadword at a constant distance from a guest register that is in a host's accessible in the same way. */
    void locate(int register, int distance, boolean write) {
        int window = window(Long.BYTES, write);
        displacement = 0;
        boolean leads = window != BlockPlan.NONE && block.plan.leads(block.instructions);
        if (window == BlockPlan.NONE || leads) {
            begin();
            int offset = leads ? block.plan.offset(block.instructions) : 0;
            if (distance == offset) {
                block.addressIn = register;
            } else {
                asm.lea(Registers.ADDRESS, register, Assembler.NONE, 0, distance - offset);
            }
        }
        if (window == BlockPlan.NONE) {
            check(Long.BYTES, write);
        } else {
            enter(window, Long.BYTES, write);
        }
    }

    /** {@return the window of the current instruction's access, or {@link BlockPlan#NONE}} */
    private int window(int size, boolean write) {
        int window = block.plan.window(block.instructions);
        return window != BlockPlan.NONE && block.plan.agrees(block.instructions, size, write) ? window : BlockPlan.NONE;
    }

    /** {@return whether an operand is aligned to its size because of one before} */
    private boolean knownAligned(int window, int size, int offset) {
        return alignment[window] >= size && (offset - alignedAt[window] & size - 1) == 0;
    }

    /** Looks up a window by its address, if the current instruction is its first, else takes what that has found. */
    private void enter(int window, int size, boolean write) {
        int slot = StateBlock.WINDOWS + Long.BYTES * window;
        if (block.plan.leads(block.instructions)) {
            block.addressEnd = asm.position();
            block.islands.room(Islands.CHECK);
            emitCheck(block.plan.span(window), block.plan.writes(window));
            block.windowMiss(size, write, block.jumpUnlessOne());
            block.islands.room(Islands.OPERATION);
            block.addressAt = BlockCode.NOWHERE;
            asm.storeState(Registers.POINTER, slot);
        } else if (!block.stillPointsTo(window)) {
            asm.loadState(Registers.POINTER, slot);
        }
        block.pointsTo(window);
        displacement = block.plan.offset(block.instructions);
    }

    /** Emits ModRM and what follows it for the operand that was made accessible. */
    void operand(int register) {
        asm.memory(register, Registers.POINTER, Assembler.NONE, 0, displacement);
    }

    /** {@return how far the operand that was made accessible is behind {@link Registers#POINTER}} */
    int displacement() {
        return displacement;
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
        block.islands.room(Islands.INSTRUCTION);
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
        int kind = 2 * Integer.numberOfTrailingZeros(size) + (write ? 1 : 0) + 2 * KINDS * block.addressIn;
        block.islands.room(Islands.CHECK);
        if (checks[kind] == null) {
            int from = asm.position();
            emitCheck(size, write);
            checks[kind] = asm.copyOf(from);
        } else {
            asm.append(checks[kind]);
        }
        block.miss(size, write, block.jumpUnlessOne());
        block.islands.room(Islands.OPERATION);
        block.addressAt = BlockCode.NOWHERE;
    }

    /** Emits the lookup, which leaves 1 in {@link Registers#ADDRESS} if it is a hit. */
    private void emitCheck(int size, boolean write) {
        int address = block.addressIn;
        asm.extractByState(Registers.POINTER, address, StateBlock.TLB_INDEX_MASK);
        asm.loadState(Registers.VALUE, StateBlock.TLB);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.POINTER, 3, 0);
        asm.load(Registers.POINTER, Registers.VALUE, SoftTlb.HOST);
        asm.load(Registers.VALUE, Registers.VALUE, write ? SoftTlb.WRITES : 0);
        asm.lea(Registers.POINTER, Registers.POINTER, address, 0, 0);
        asm.lea(Registers.ADDRESS, address, Registers.VALUE, 0, size - 1);
        asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, StateBlock.PAGE_MASK);
    }
}
