package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.memory.GuestMemory;

/** Emits the code between Java and translated blocks. */
final class EntryCode {
    /** Registers with something of the guest that a C function may change. */
    private static final int[] CHANGED_BY_CALLS = {
        Assembler.RAX, Assembler.RDX, Assembler.R8, Assembler.R9, Assembler.R10, Assembler.R11
    };

    // Extension and opcode of arithmetic instructions, and a condition.
    private static final int AND = 4;
    private static final int XOR = 6;
    private static final int ADD = 0x01;
    private static final int ZERO = 4;

    /** The flag that is always set. */
    private static final int ALWAYS_SET = 2;

    /** Bytes of a struct timespec. */
    private static final int TIME_BYTES = 16;

    private final Assembler asm;

    /** The guest's vector registers are 32 of 512 bits, with opmask registers. */
    private final boolean widest;

    // Where the common code to leave is, as a position in the code memory: for blocks that hold the guest's vector
    // registers in the host's, and for others.
    private int leaveVectors;
    private int leavePlain;

    // The same with a guest address in rcx that was not found.
    private int missVectors;
    private int missPlain;

    // The same for a miss of the TLB.
    private int walkVectors;
    private int walkPlain;

    // The same for the look at a whole group of the jump cache.
    private int groupVectors;
    private int groupPlain;

    // The same for the code that reads the clock.
    private int clockVectors;
    private int clockPlain;

    // The same for a jump whose target is in rcx, and not known.
    private int missKnown;

    // The same for the second half of SYSCALL, and that of SYSRET.
    private int systemCallVectors;
    private int systemCallPlain;
    private int systemReturn;

    EntryCode(Assembler asm, boolean widest) {
        this.asm = asm;
        this.widest = widest;
    }

    /** {@return the position of the common way out of blocks} */
    int leave(boolean vectors) {
        return vectors ? leaveVectors : leavePlain;
    }

    /** {@return the position of the common way out with a guest address in rcx that was not found} */
    int leaveMiss(boolean vectors) {
        return vectors ? missVectors : missPlain;
    }

    /** {@return the position of what is done at a miss of the TLB, with the guest address in rcx} */
    int walk(boolean vectors) {
        return vectors ? walkVectors : walkPlain;
    }

    /** Emits what is done at a miss of the TLB and remembers that it will stand at a position in the code memory. */
    Translator.Result emitWalk(int position, boolean vectors, GuestMemory memory) {
        if (vectors) {
            walkVectors = position;
        } else {
            walkPlain = position;
        }
        return new PageWalk(asm, memory).emit(position, leaveMiss(vectors));
    }

    /**
     * Emits the code by which Java enters: argument is the address to go to.
     *
     * @param state address of the state block
     * @param vectors whether the vector registers are the guest's, too
     */
    Translator.Result emitEnter(long state, boolean vectors) {
        asm.clear();
        asm.push(Assembler.RBX);
        asm.push(Assembler.RBP);
        asm.push(Assembler.R12);
        asm.push(Assembler.R13);
        asm.push(Assembler.R14);
        asm.push(Assembler.R15);
        asm.constant(Assembler.RCX, state + StateBlock.BASE);
        asm.store(Assembler.RSP, Assembler.RCX, StateBlock.HOST_STACK - StateBlock.BASE);
        asm.move(Assembler.RSP, Assembler.RCX);
        asm.pushed(0);
        if (vectors) {
            loadVectors();
        }
        for (int i = 0; i < 16; i++) {
            if (Registers.HOST[i] != Assembler.NONE) {
                asm.loadState(Registers.HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        // Pushes overwrite registers in the state block, which are loaded by now.
        asm.pushState(StateBlock.FLAGS);
        asm.popFlags();
        asm.jumpRegister(Registers.POINTER);
        return new Translator.Result(asm.bytes(), asm.position());
    }

    /** Emits the common way out and remembers that it will stand at a position in the code memory. */
    Translator.Result emitLeave(int position, boolean vectors) {
        asm.clear();
        // Whoever comes here has pushed the exit's position.
        asm.pushed(Long.BYTES);
        asm.storeState(Registers.ADDRESS, StateBlock.ADDRESS);
        int common = position + asm.position();
        asm.popState(StateBlock.EXIT);
        asm.pushFlags();
        asm.popState(StateBlock.FLAGS);
        if (vectors) {
            missVectors = position;
            leaveVectors = common;
            storeVectors();
        } else {
            missPlain = position;
            leavePlain = common;
            storeKeptVectors();
        }
        for (int i = 0; i < 16; i++) {
            if (Registers.HOST[i] != Assembler.NONE) {
                // Some are below the stack pointer, but not farther than signal handlers stay away (System V ABI,
                // 3.2.2).
                asm.storeState(Registers.HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        asm.loadState(Assembler.RSP, StateBlock.HOST_STACK);
        asm.pop(Assembler.R15);
        asm.pop(Assembler.R14);
        asm.pop(Assembler.R13);
        asm.pop(Assembler.R12);
        asm.pop(Assembler.RBP);
        asm.pop(Assembler.RBX);
        asm.ret();
        return new Translator.Result(asm.bytes(), asm.position());
    }

    /** {@return the position of the code that looks at the other places of a group of the jump cache, with the target in rcx} */
    int group(boolean vectors) {
        return vectors ? groupVectors : groupPlain;
    }

    /**
     * Emits the look at the whole group of an address in the {@link JumpCache} and remembers that it will stand at a position in
     * the code memory. Whoever comes here has pushed the position of the exit to leave by.
     */
    Translator.Result emitGroup(int position, boolean vectors) {
        asm.clear();
        asm.pushed(Long.BYTES);
        asm.pushFlags();
        JumpCache.emitPlace(asm);
        asm.arithmeticConstant(AND, Registers.VALUE, -JumpCache.GROUP_BYTES, true);
        int again = asm.position();
        asm.load(Registers.POINTER, Registers.VALUE, 0);
        asm.arithmetic(ADD, Registers.POINTER, Registers.ADDRESS, true);
        int hit = asm.jumpIf(ZERO);
        asm.lea(Registers.VALUE, Registers.VALUE, Assembler.NONE, 0, JumpCache.ENTRY_BYTES);
        asm.move32(Registers.POINTER, Registers.VALUE);
        asm.arithmeticConstant(AND, Registers.POINTER, JumpCache.GROUP_BYTES - 1, false);
        int done = asm.jumpIf(ZERO);
        asm.jumpBack(again);
        asm.land(hit);
        asm.popFlags();
        asm.reserve(-Long.BYTES);
        asm.jumpMemory(Registers.VALUE, 8);
        asm.land(done);
        asm.pushed(2 * Long.BYTES);
        asm.popFlags();
        if (vectors) {
            groupVectors = position;
            asm.jumpTo(position, missVectors);
        } else {
            groupPlain = position;
            asm.jumpTo(position, missPlain);
        }
        return new Translator.Result(asm.bytes(), asm.position());
    }

    /**
     * Emits what stands at position 0, where a jump goes when {@link UserJumps} knows no block at its target.
     */
    Translator.Result emitMiss() {
        asm.clear();
        UserJumps.emitAddressOfMiss(asm);
        missKnown = asm.position();
        asm.storeState(Registers.ADDRESS, StateBlock.ADDRESS);
        asm.pushConstant(0);
        int exitAt = asm.position() - Integer.BYTES;
        asm.loadState32(Assembler.RCX, StateBlock.VECTORS_HERE);
        int plain = asm.jumpIfEcxZero();
        asm.jumpTo(0, leaveVectors);
        asm.landShort(plain);
        asm.jumpTo(0, leavePlain);
        asm.set32(exitAt, asm.position());
        Exit.of(Exit.Kind.INDIRECT, 0).write(asm, asm.position(), 0, 0);
        return new Translator.Result(asm.bytes(), asm.position());
    }

    /** {@return the position of the second half of SYSCALL} */
    int systemCall(boolean vectors) {
        return vectors ? systemCallVectors : systemCallPlain;
    }

    /** {@return the position of the second half of SYSRET} */
    int systemReturn() {
        return systemReturn;
    }

    /**
     * Emits the second half of SYSCALL, which clears all flags, and remembers that it will stand at a position in the code memory. The
     * kernel goes on in code that doesn't use the vector registers: they stay where they are until something else needs the
     * host's, which may not be before SYSRET.
     */
    Translator.Result emitSystemCall(int position, boolean vectors) {
        asm.clear();
        if (vectors) {
            systemCallVectors = position;
            asm.storeState32(StateBlock.VECTORS_HERE, 0);
            asm.storeState32(StateBlock.VECTORS_KEPT, 1);
        } else {
            systemCallPlain = position;
        }
        changePrivilege(0, StateBlock.SYSTEM_CALL_SELECTORS, StateBlock.SUPERVISOR_TLBS, StateBlock.KERNEL_JUMPS);
        asm.storeState32(StateBlock.INTERRUPT_FLAG, 0);
        asm.pushConstant(ALWAYS_SET);
        asm.popFlags();
        asm.loadState(Registers.ADDRESS, StateBlock.SYSTEM_CALL_TARGET);
        JumpCache.emitPlace(asm);
        asm.load(Registers.POINTER, Registers.VALUE, 0);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, 0);
        int hit = asm.jumpIfRcxZero();
        asm.difference(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER);
        asm.jumpTo(position, missKnown);
        asm.landShort(hit);
        asm.jumpMemory(Registers.VALUE, 8);
        return new Translator.Result(asm.bytes(), asm.position());
    }

    /** Emits the second half of SYSRET, and remembers that it will stand at a position in the code memory. */
    Translator.Result emitSystemReturn(int position) {
        asm.clear();
        systemReturn = position;
        changePrivilege(3, StateBlock.SYSTEM_RETURN_SELECTORS, StateBlock.USER_TLB, StateBlock.USER_JUMPS);
        // The flags are about to be loaded.
        asm.loadState32(Registers.VALUE, StateBlock.VECTORS_TAKEN);
        asm.arithmeticConstant(AND, Registers.VALUE, 1, false);
        int notTaken = asm.jumpIf(ZERO);
        asm.loadState32(Registers.VALUE, StateBlock.VECTORS_KEPT);
        asm.arithmeticConstant(XOR, Registers.VALUE, 1, false);
        int kept = asm.jumpIf(ZERO);
        loadVectors();
        asm.land(kept);
        asm.storeState32(StateBlock.VECTORS_KEPT, 0);
        asm.storeState32(StateBlock.VECTORS_HERE, 1);
        asm.loadState(Registers.VALUE, StateBlock.USER_JUMPS + 8);
        asm.storeState(Registers.VALUE, StateBlock.JUMPS);
        asm.land(notTaken);
        asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * Registers.GUEST_R11);
        asm.push(Registers.VALUE);
        asm.arithmeticConstant(AND, Registers.VALUE, SystemCode.INTERRUPT_FLAG, false);
        asm.storeRegister32(Registers.VALUE, StateBlock.INTERRUPT_FLAG);
        asm.popFlags();
        asm.move(Registers.ADDRESS, Registers.HOST[Registers.GUEST_RCX]);
        UserJumps.emitLookup(asm);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, -1);
        int hit = asm.jumpIfRcxZero();
        UserJumps.emitAddress(asm);
        asm.jumpTo(position, missKnown);
        asm.landShort(hit);
        UserJumps.emitGo(asm);
        return new Translator.Result(asm.bytes(), asm.position());
    }

    private void changePrivilege(int level, int selectors, int tlb, int jumps) {
        for (int i = 0; i < 2; i++) {
            asm.loadState(Registers.VALUE, selectors + 8 * i);
            asm.storeState(Registers.VALUE, StateBlock.SELECTORS + 8 * (Instruction.CS + i));
        }
        asm.loadState(Registers.VALUE, tlb);
        asm.storeState(Registers.VALUE, StateBlock.TLB);
        asm.loadState(Registers.VALUE, jumps);
        asm.storeState(Registers.VALUE, StateBlock.JUMPS);
        asm.constant(Registers.VALUE, -SystemCode.INTERRUPT_FLAG);
        asm.storeState(Registers.VALUE, StateBlock.OTHER_FLAGS);
        asm.storeState32(StateBlock.DIRECTION, 0);
        asm.storeState32(StateBlock.ACCESS_CONTROL, 0);
        asm.storeState32(StateBlock.PRIVILEGE, level);
        asm.storeState32(StateBlock.PRIVILEGE_CHANGED, 1);
    }

    /** {@return the position of the code that leaves the guest's time-stamp counter in {@link Registers#VALUE} when it is called} */
    int clock(boolean vectors) {
        return vectors ? clockVectors : clockPlain;
    }

    /**
     * Emits what reads the clock and remembers that it will stand at a position in the code memory. It calls the C library, which
     * may change what the calling convention lets it (System V ABI for x86-64, 3.2.1): all vector registers and half of the
     * general ones.
     */
    Translator.Result emitClock(int position, boolean vectors) {
        asm.clear();
        if (vectors) {
            clockVectors = position;
        } else {
            clockPlain = position;
        }
        asm.pushed(Long.BYTES);
        asm.pushFlags();
        for (int register : CHANGED_BY_CALLS) {
            asm.push(register);
        }
        if (vectors) {
            storeVectors();
        } else {
            storeKeptVectors();
        }
        // The calling convention wants the stack aligned to 16 bytes. StateBlock.BASE isn't, and there are 8 quadwords
        // more on
        // it here.
        asm.reserve(TIME_BYTES + Long.BYTES);
        asm.constant(Assembler.RDI, HostMemory.CLOCK_MONOTONIC);
        asm.move(Assembler.RSI, Assembler.RSP);
        asm.callState(StateBlock.CLOCK_FUNCTION);
        asm.pop(Assembler.RSI);
        asm.multiply(Assembler.RSI, Assembler.RSI, 1_000_000_000);
        asm.pop(Assembler.RDI);
        asm.reserve(-Long.BYTES);
        asm.lea(Assembler.RSI, Assembler.RSI, Assembler.RDI, 0, 0);
        asm.loadState(Assembler.RDI, StateBlock.TIME_OFFSET);
        asm.lea(Assembler.RSI, Assembler.RSI, Assembler.RDI, 0, 0);
        if (vectors) {
            loadVectors();
        }
        for (int i = CHANGED_BY_CALLS.length - 1; i >= 0; i--) {
            asm.pop(CHANGED_BY_CALLS[i]);
        }
        asm.popFlags();
        asm.ret();
        return new Translator.Result(asm.bytes(), asm.position());
    }

    private static int vector(int i) {
        return StateBlock.VECTORS + StateBlock.VECTOR_BYTES * i;
    }

    /** Where an opmask register is. */
    private static int mask(int i) {
        return vector(32) + Long.BYTES * i;
    }

    /**
     * Loads the vector registers. What is above 128 bits of the first 16 and not in use is left clean, without which SSE code is
     * slow.
     */
    private void loadVectors() {
        int toWide = -1;
        if (HostFeatures.AVX) {
            asm.loadState32(Assembler.RCX, StateBlock.UPPER_IN_USE);
            int clean = asm.jumpIfEcxZero();
            toWide = asm.jump();
            asm.landShort(clean);
            asm.zeroUpper();
        }
        for (int i = 0; i < 16; i++) {
            asm.loadVector(i, vector(i));
        }
        if (HostFeatures.AVX) {
            int done = asm.jump();
            asm.land(toWide);
            for (int i = 0; i < 16; i++) {
                if (widest) {
                    asm.loadWidestVector(i, vector(i));
                } else {
                    asm.loadWideVector(i, vector(i));
                }
            }
            asm.land(done);
        }
        if (widest) {
            for (int i = 16; i < 32; i++) {
                asm.loadWidestVector(i, vector(i));
            }
            for (int i = 0; i < 8; i++) {
                asm.loadMask(i, mask(i));
            }
        }
        asm.loadMxcsr(StateBlock.MXCSR);
    }

    /** Stores the vector registers if they are kept in the host's; changes rcx, rsi and flags. */
    private void storeKeptVectors() {
        asm.loadState32(Registers.VALUE, StateBlock.VECTORS_KEPT);
        asm.arithmeticConstant(AND, Registers.VALUE, 1, false);
        int elsewhere = asm.jumpIf(ZERO);
        storeVectors();
        asm.storeState32(StateBlock.VECTORS_KEPT, 0);
        asm.land(elsewhere);
    }

    /** Stores the vector registers, and finds out whether what is above 128 bits is in use; changes rcx and flags. */
    private void storeVectors() {
        if (widest) {
            storeWidestVectors();
        } else {
            storeUsualVectors();
        }
        asm.storeMxcsr(StateBlock.MXCSR);
        asm.loadMxcsr(StateBlock.HOST_MXCSR);
    }

    private void storeWidestVectors() {
        for (int i = 0; i < 32; i++) {
            asm.storeWidestVector(i, vector(i));
        }
        for (int i = 0; i < 8; i++) {
            asm.storeMask(i, mask(i));
        }
        for (int i = 1; i < 16; i++) {
            asm.orWidestVectors(0, i);
        }
        asm.quadwordsNotZero(Assembler.RCX, 0);
        asm.arithmeticConstant(AND, Assembler.RCX, -1 << 2, false);
        asm.storeState(Assembler.RCX, StateBlock.UPPER_IN_USE);
        asm.zeroUpper();
    }

    private void storeUsualVectors() {
        for (int i = 0; i < 16; i++) {
            if (HostFeatures.AVX) {
                asm.storeWideVector(i, vector(i));
            } else {
                asm.storeVector(i, vector(i));
            }
        }
        if (HostFeatures.AVX) {
            for (int i = 1; i < 16; i++) {
                asm.orWideVectors(0, i);
            }
            asm.upperNotZero(Assembler.RCX, 0);
            asm.storeState(Assembler.RCX, StateBlock.UPPER_IN_USE);
            asm.zeroUpper();
        }
    }
}
