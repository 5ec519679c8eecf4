package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits branches, the stack's instructions and the rest that is translated in ways of its own. */
final class BranchCode {
    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    BranchCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /** Emits the current instruction, of the primary opcode map. */
    Outcome primary() {
        int opcode = in.opcode;
        if (opcode >= 0x70 && opcode <= 0x7F) {
            return conditional();
        }
        if (opcode >= 0x50 && opcode <= 0x5F) {
            return in.operandPrefix ? Outcome.REFUSED : pushOrPop(opcode);
        }
        if (opcode == 0x8D) {
            return lea();
        }
        if (opcode >= 0x90 && opcode <= 0x97) {
            return exchange();
        }
        block.releaseScratch();
        return switch (opcode) {
            case 0x68, 0x6A -> {
                if (in.operandPrefix) {
                    yield Outcome.REFUSED;
                }
                memory.locate(Registers.STACK, -8, true);
                asm.constant(Registers.VALUE, in.immediate);
                asm.store(Registers.VALUE, Registers.POINTER, memory.displacement());
                asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
                yield Outcome.GOES_ON;
            }
            case 0xC9 -> in.operandPrefix ? Outcome.REFUSED : leaveFrame();
            case 0xE8 -> {
                callStore();
                block.direct(block.next() + in.immediate);
                yield Outcome.ENDED;
            }
            case 0xE9, 0xEB -> {
                block.direct(block.next() + in.immediate);
                yield Outcome.ENDED;
            }
            case 0xE3 -> {
                asm.move(Assembler.RCX, Registers.HOST[Registers.GUEST_RCX]);
                int zero = asm.jumpIfRcxZero();
                int notTaken = asm.jump();
                asm.landShort(zero);
                block.direct(block.next() + in.immediate);
                asm.land(notTaken);
                block.direct(block.next());
                yield Outcome.ENDED;
            }
            case 0xC2, 0xC3 -> {
                memory.locate(Registers.STACK, 0, false);
                asm.load(Registers.ADDRESS, Registers.POINTER, memory.displacement());
                int release = opcode == 0xC2 ? (int) in.immediate & 0xFFFF : 0;
                asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, 8 + release);
                block.indirect(8 + release);
                yield Outcome.ENDED;
            }
            case 0xFF -> group5();
            default -> Outcome.REFUSED;
        };
    }

    /** XCHG with the accumulator. */
    private Outcome exchange() {
        int other = Registers.HOST[in.opcode & 7 | in.rexB()];
        // With REP, 90h is PAUSE.
        if (in.operandPrefix || in.rep || other == Assembler.NONE) {
            return Outcome.REFUSED;
        }
        // With itself it is a NOP, which clears no upper half: REPNE NOP comes here.
        if (other != Assembler.RAX) {
            asm.exchange(Assembler.RAX, other, in.w);
        }
        return Outcome.GOES_ON;
    }

    private Outcome lea() {
        if (!in.isMemory() || in.operandSize == 2) {
            return Outcome.REFUSED;
        }
        boolean narrow = in.operandSize == 4 || in.addressSize == 4;
        int displacement = (int) in.displacement;
        if (in.base == Instruction.BASE_RIP) {
            int to = block.scratch.use(in.reg, false, true);
            block.address(to, block.next() + in.displacement);
            if (narrow) {
                asm.lea32(to, to, Assembler.NONE, 0, 0);
            }
            return Outcome.GOES_ON;
        }
        int base = in.base == Instruction.NONE ? Assembler.NONE : block.scratch.use(in.base, true, false);
        int index = in.index == Instruction.NONE ? Assembler.NONE : block.scratch.use(in.index, true, false);
        // A third one takes the place of a source.
        int to = Registers.HOST[in.reg];
        boolean third = to == Assembler.NONE && block.scratch.full(in.reg);
        if (third) {
            to = Registers.POINTER;
        } else if (to == Assembler.NONE) {
            to = block.scratch.use(in.reg, false, true);
        }
        if (narrow) {
            asm.lea32(to, base, index, in.scale, displacement);
        } else {
            asm.lea(to, base, index, in.scale, displacement);
        }
        if (third) {
            asm.storeState(to, StateBlock.REGISTERS + 8 * in.reg);
        }
        return Outcome.GOES_ON;
    }

    private Outcome pushOrPop(int opcode) {
        int register = opcode & 7 | in.rexB();
        if (opcode < 0x58) {
            memory.locate(Registers.STACK, -8, true);
            asm.store(block.scratch.use(register, true, false), Registers.POINTER, memory.displacement());
            asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
        } else {
            memory.locate(Registers.STACK, 0, false);
            if (register != Registers.GUEST_RSP) {
                asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, 8);
            }
            asm.load(block.scratch.use(register, false, true), Registers.POINTER, memory.displacement());
        }
        return Outcome.GOES_ON;
    }

    private Outcome leaveFrame() {
        int frame = Registers.HOST[Registers.GUEST_RBP];
        memory.locate(frame, 0, false);
        asm.lea(Registers.STACK, frame, Assembler.NONE, 0, 8);
        asm.load(frame, Registers.POINTER, memory.displacement());
        return Outcome.GOES_ON;
    }

    private void callStore() {
        block.islands.room(Islands.INSTRUCTION);
        memory.locate(Registers.STACK, -8, true);
        block.address(Registers.VALUE, block.next());
        asm.store(Registers.VALUE, Registers.POINTER, memory.displacement());
        asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
    }

    /** CALL, JMP and PUSH with a register or memory operand. */
    private Outcome group5() {
        boolean push = in.group() == 6;
        boolean call = in.group() == 2;
        if (!call && !push && in.group() != 4 || in.operandPrefix) {
            return Outcome.REFUSED;
        }
        if (in.isMemory()) {
            memory.address();
            memory.check(8, false);
            asm.load(Registers.VALUE, Registers.POINTER, 0);
        } else if (Registers.HOST[in.rm] == Assembler.NONE) {
            asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.rm);
        } else {
            asm.move(Registers.VALUE, Registers.HOST[in.rm]);
        }
        if (push) {
            asm.storeState(Registers.VALUE, StateBlock.TARGET);
            block.begin = asm.position();
            memory.locate(Registers.STACK, -8, true);
            asm.loadState(Registers.VALUE, StateBlock.TARGET);
            asm.store(Registers.VALUE, Registers.POINTER, memory.displacement());
            asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
            return Outcome.GOES_ON;
        }
        if (call) {
            // The store below needs the scratch registers.
            asm.storeState(Registers.VALUE, StateBlock.TARGET);
            canonical();
            // A miss of the store must not repeat the load: two pages that share a TLB entry would evict each other
            // forever.
            block.begin = asm.position();
            callStore();
            asm.loadState(Registers.ADDRESS, StateBlock.TARGET);
        } else {
            asm.move(Registers.ADDRESS, Registers.VALUE);
        }
        block.indirect(call ? Exit.UNCHECKED : 0);
        return Outcome.ENDED;
    }

    /** Emits the current instruction, a conditional jump. */
    Outcome conditional() {
        long target = block.next() + in.immediate;
        block.scratch.flush();
        if (block.plan.repeats(block.instructions)) {
            block.side(asm.jumpIf(in.opcode & 15 ^ 1), block.next());
            return Outcome.REPEATS;
        }
        int taken = asm.jumpIf(in.opcode & 15);
        if (target > block.guest()) {
            // Not a loop: what comes next comes next most of the time.
            block.side(taken, target);
            return Outcome.GOES_ON;
        }
        block.direct(block.next());
        block.direct(taken, target);
        return Outcome.ENDED;
    }

    /** Leaves a call to the interpreter before it pushes anything, when the address in {@link Registers#VALUE} is not canonical. */
    private void canonical() {
        int ok = block.jumpIfCanonical();
        block.interpret(asm.jump());
        asm.landShort(ok);
    }
}
