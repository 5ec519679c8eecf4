package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * Emits REP MOVS and REP STOS: the host's own, for as many elements as are within the pages at hand, again and again. An
 * element that straddles pages, and a set DF, are left to the interpreter.
 */
final class StringCode {
    private static final int GUEST_RSI = 6;
    private static final int GUEST_RDI = 7;
    private static final int SOURCE = Registers.HOST[GUEST_RSI];
    private static final int DESTINATION = Registers.HOST[GUEST_RDI];
    private static final int COUNT = Registers.HOST[Registers.GUEST_RCX];

    private static final int PAGE_MASK = 0xFFF;
    private static final int PAGE_SIZE = 0x1000;

    // Opcodes and extensions of arithmetic instructions, and conditions.
    private static final int AND = 4;
    private static final int SHIFT_RIGHT = 5;
    private static final int ADD = 0;
    private static final int SUB = 0x29;
    private static final int TEST = 0x85;
    private static final int BELOW = 2;
    private static final int EQUAL = 4;
    private static final int ABOVE = 7;

    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    StringCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /** {@return whether the current instruction is one of these} */
    boolean handles() {
        boolean string = in.opcode == 0xA4 || in.opcode == 0xA5 || in.opcode == 0xAA || in.opcode == 0xAB;
        return in.encoding == Instruction.ENCODING_LEGACY
                && in.map == Instruction.MAP_PRIMARY
                && string
                && in.rep
                && !in.lock
                && in.addressSize == 8
                && in.segmentOverride < Instruction.FS;
    }

    /** Emits the current instruction. */
    void emit() {
        boolean moves = in.opcode < 0xAA;
        int size = (in.opcode & 1) == 0 ? 1 : in.operandSize;
        int again = asm.position();
        asm.loadState32(Registers.ADDRESS, StateBlock.DIRECTION);
        int forward = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(forward);
        asm.move(Assembler.RCX, COUNT);
        int some = asm.jumpIfRcxZero();
        int work = asm.jump();
        asm.landShort(some);
        int nothing = asm.jump();
        asm.land(work);
        if (moves) {
            // The source comes first: should it fault, the destination's page must not be marked dirty.
            memory.begin();
            asm.move(Registers.ADDRESS, SOURCE);
            memory.check(size, false);
            asm.storeState(Registers.POINTER, StateBlock.SPARE);
            // Two pages that share a TLB entry would evict each other forever.
            block.begin = asm.position();
        }
        memory.begin();
        asm.move(Registers.ADDRESS, DESTINATION);
        memory.check(size, true);
        asm.pushFlags();
        room(moves, size);
        asm.compare(Assembler.RCX, COUNT, true);
        asm.moveIf(ABOVE, Assembler.RCX, COUNT, true);
        int scale = Integer.numberOfTrailingZeros(size);
        asm.lea(DESTINATION, DESTINATION, Assembler.RCX, scale, 0);
        if (moves) {
            asm.lea(SOURCE, SOURCE, Assembler.RCX, scale, 0);
            asm.loadState(Registers.VALUE, StateBlock.SPARE);
        }
        asm.arithmetic(SUB, COUNT, Assembler.RCX, true);
        asm.repeat(in.opcode, size);
        asm.arithmetic(TEST, COUNT, COUNT, true);
        int done = asm.jumpIf(EQUAL);
        asm.popFlags();
        asm.loadState32(Registers.ADDRESS, StateBlock.EVENTS);
        int event = asm.jumpIfRcxZero();
        asm.jumpBack(again);
        asm.landShort(event);
        block.interpret(asm.jump());
        asm.land(done);
        asm.pushed(Long.BYTES);
        asm.popFlags();
        asm.land(nothing);
    }

    /** Computes into rcx how many elements there is room for until the end of a page. */
    private void room(boolean moves, int size) {
        asm.move32(Assembler.RCX, DESTINATION);
        asm.arithmeticConstant(AND, Assembler.RCX, PAGE_MASK, false);
        if (moves) {
            asm.move32(Registers.VALUE, SOURCE);
            asm.arithmeticConstant(AND, Registers.VALUE, PAGE_MASK, false);
            asm.compare(Assembler.RCX, Registers.VALUE, false);
            asm.moveIf(BELOW, Assembler.RCX, Registers.VALUE, false);
        }
        asm.negate32(Assembler.RCX);
        asm.arithmeticConstant(ADD, Assembler.RCX, PAGE_SIZE, false);
        if (size > 1) {
            asm.shift(SHIFT_RIGHT, Assembler.RCX, Integer.numberOfTrailingZeros(size), false);
        }
    }
}
