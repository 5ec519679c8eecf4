package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.util.ArrayList;
import java.util.List;

/**
 * Emits the host code of one guest block.
 *
 * <p>A block begins with a look at {@link StateBlock#EVENTS} and the count of its instructions. A memory access computes
 * the guest address into rcx, looks it up in the TLB and leaves the host address in rdi. All of that leaves the flags
 * alone. The way out of a block is a direct jump to the next one (within a page, once it is known), a lookup in the jump
 * cache, or an exit: a number stored in the state block and a jump to common code that saves the registers.
 */
final class Translator {
    /** Entries of the TLB: three tables of this many quadwords, one behind the other. */
    static final int TLB_ENTRIES = 4096;

    /** Offset of the table for writes in a TLB; that for reads is at 0. Entries are minus the guest page's address. */
    static final int TLB_WRITES = 8 * TLB_ENTRIES;

    /** Offset of the table of host page addresses in a TLB. */
    static final int TLB_HOST = 2 * 8 * TLB_ENTRIES;

    /** Entries of the jump cache: minus the guest address, host address. */
    static final int JUMP_ENTRIES = 4096;

    private static final int MAX_INSTRUCTIONS = 64;

    /** Host register of each guest register; NONE for those that stay in the state block. */
    private static final int[] HOST = {
        Assembler.RAX,
        Assembler.R9,
        Assembler.RDX,
        Assembler.RBX,
        Assembler.R15,
        Assembler.RBP,
        Assembler.R11,
        Assembler.R10,
        Assembler.R8,
        Assembler.NONE,
        Assembler.NONE,
        Assembler.NONE,
        Assembler.R12,
        Assembler.R13,
        Assembler.R14,
        Assembler.NONE
    };

    private static final int GUEST_RCX = 1;
    private static final int GUEST_RSP = 4;
    private static final int GUEST_RBP = 5;

    /** Encoding of ch, which would be r9's second byte: that has no name. */
    private static final int HIGH_RCX = 5;

    // Host registers by role.
    private static final int STACK = HOST[GUEST_RSP];
    private static final int ADDRESS = Assembler.RCX;
    private static final int VALUE = Assembler.RSI;
    private static final int POINTER = Assembler.RDI;

    private final Assembler asm = new Assembler();
    private final Decoder decoder = new Decoder();
    private final Instruction in = new Instruction();
    private final ExitTable exits;

    // Where the common code to leave is, as a position in the code memory: for blocks that hold the guest's vector
    // registers in the host's, for others, and for the block being emitted.
    private int leaveVectors;
    private int leavePlain;
    private int leave;

    /** Whether the block being emitted may use the vector registers. */
    private boolean vectors;

    /** The block ended at an instruction that needs the vector registers. */
    private boolean stoppedForVectors;

    /** Position in the code memory where the code being emitted will stand. */
    private int origin;

    private final List<Stub> stubs = new ArrayList<>();
    private byte[] code = new byte[0];
    private long guestStart;
    private int start;

    /** Where the code of the current instruction begins: nothing has changed when a lookup misses, so it may run again. */
    private int begin;

    private int instructions;

    /** A cold piece of code behind the block: an exit, and the jump that leads there. */
    private record Stub(int jumpAt, int exit) {}

    /** Most instructions of a block. */
    private int limit = MAX_INSTRUCTIONS;

    Translator(ExitTable exits) {
        this.exits = exits;
    }

    /** Makes the blocks to come shorter than usual. */
    void limit(int instructions) {
        limit = Math.min(instructions, MAX_INSTRUCTIONS);
    }

    /** The emitted bytes and what they cover. */
    record Result(byte[] host, int length, int guestBytes, int instructions, boolean stoppedForVectors) {}

    // ---------------------------------------------------------------- fixed code

    /**
     * Emits the code by which Java enters: argument is the address to go to.
     *
     * @param vectors whether the vector registers are the guest's, too
     */
    Result emitEnter(boolean vectors) {
        asm.clear();
        if (vectors) {
            for (int i = 0; i < 16; i++) {
                asm.loadVector(i, StateBlock.VECTORS + 16 * i);
            }
            asm.loadMxcsr(StateBlock.MXCSR);
        }
        asm.push(Assembler.RBX);
        asm.push(Assembler.RBP);
        asm.push(Assembler.R12);
        asm.push(Assembler.R13);
        asm.push(Assembler.R14);
        asm.push(Assembler.R15);
        asm.pushState(StateBlock.FLAGS);
        asm.popFlags();
        for (int i = 0; i < 16; i++) {
            if (HOST[i] != Assembler.NONE) {
                asm.loadState(HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        asm.jumpRegister(POINTER);
        return new Result(asm.bytes(), asm.position(), 0, 0, false);
    }

    /** Emits the common way out and remembers that it will stand at a position in the code memory. */
    Result emitLeave(int position, boolean vectors) {
        asm.clear();
        if (vectors) {
            leaveVectors = position;
            for (int i = 0; i < 16; i++) {
                asm.storeVector(i, StateBlock.VECTORS + 16 * i);
            }
            asm.storeMxcsr(StateBlock.MXCSR);
            asm.loadMxcsr(StateBlock.HOST_MXCSR);
        } else {
            leavePlain = position;
        }
        for (int i = 0; i < 16; i++) {
            if (HOST[i] != Assembler.NONE) {
                asm.storeState(HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        asm.pushFlags();
        asm.popState(StateBlock.FLAGS);
        asm.pop(Assembler.R15);
        asm.pop(Assembler.R14);
        asm.pop(Assembler.R13);
        asm.pop(Assembler.R12);
        asm.pop(Assembler.RBP);
        asm.pop(Assembler.RBX);
        asm.ret();
        return new Result(asm.bytes(), asm.position(), 0, 0, false);
    }

    /** Emits a jump to an exit, to be written over the start of a block whose code has changed. */
    Result emitDropped(int position, int exit, boolean vectors) {
        asm.clear();
        leave = vectors ? leaveVectors : leavePlain;
        asm.storeState32(StateBlock.EXIT, exit);
        jumpTo(position, leave);
        return new Result(asm.bytes(), asm.position(), 0, 0, false);
    }

    /** Bytes that {@link #emitDropped} takes; every block is at least that long. */
    static final int DROPPED_LENGTH = 18;

    private void jumpTo(int here, int target) {
        int at = asm.jump();
        asm.set32(at, target - (here + at + 4));
    }

    // ---------------------------------------------------------------- blocks

    /**
     * Translates the block at an address.
     *
     * @param bytes guest code from that address to the end of its page at most
     * @param length how many bytes of it there are
     * @param guest linear address
     * @param position where the code will stand in the code memory
     * @param withVectors whether the guest's vector registers are in the host's while it runs
     * @return the code; valid until the next call
     */
    Result translate(byte[] bytes, int length, long guest, int position, boolean withVectors) {
        asm.clear();
        vectors = withVectors;
        leave = vectors ? leaveVectors : leavePlain;
        stoppedForVectors = false;
        stubs.clear();
        code = bytes;
        guestStart = guest;
        origin = position;
        instructions = 0;
        start = 0;
        asm.loadState32(ADDRESS, StateBlock.EVENTS);
        int quiet = asm.jumpIfEcxZero();
        exit(new Exit(Exit.Kind.EVENT, guest, 0, 0));
        asm.landShort(quiet);
        asm.loadState(ADDRESS, StateBlock.RETIRED);
        int countAt = asm.position();
        asm.lea(ADDRESS, ADDRESS, Assembler.NONE, 0, 0x7F);
        asm.storeState(ADDRESS, StateBlock.RETIRED);
        boolean open = true;
        while (open && instructions < limit) {
            if (decoder.decode(bytes, start, length, 64, in) != Decoder.OK) {
                break;
            }
            begin = asm.position();
            int stubsBefore = stubs.size();
            Outcome outcome = instruction();
            if (outcome == Outcome.REFUSED) {
                // Nothing may be left of it: the interpreter does it all.
                asm.truncate(begin);
                while (stubs.size() > stubsBefore) {
                    stubs.removeLast();
                }
                break;
            }
            start += in.length;
            instructions++;
            open = outcome == Outcome.GOES_ON;
        }
        if (open) {
            if (instructions == limit) {
                direct(guest + start);
            } else {
                exit(new Exit(
                        stoppedForVectors ? Exit.Kind.VECTOR : Exit.Kind.INTERPRET, guest + start, instructions, 0));
            }
        }
        asm.set8(countAt + 3, instructions);
        emitStubs();
        return new Result(asm.bytes(), asm.position(), Math.max(start, 1), instructions, stoppedForVectors);
    }

    private enum Outcome {
        /** The next instruction follows. */
        GOES_ON,
        /** The instruction ended the block. */
        ENDED,
        /** The instruction is not translated. */
        REFUSED
    }

    private long next() {
        return guestStart + start + in.length;
    }

    private Outcome instruction() {
        int properties = Plain.classify(in);
        if (properties != Plain.NO) {
            return plain(properties) ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        int form = VectorForm.classify(in);
        if (form != VectorForm.NO) {
            stoppedForVectors = !vectors;
            if (vectors) {
                vector(form);
            }
            return vectors ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock) {
            return Outcome.REFUSED;
        }
        if (in.map == Instruction.MAP_0F) {
            int opcode = in.opcode;
            if (opcode >= 0x80 && opcode <= 0x8F) {
                return conditional();
            }
            // Hints: multi-byte NOP, ENDBR and prefetches.
            boolean hint = opcode >= 0x19 && opcode <= 0x1F || opcode == 0x18 && in.isMemory() || opcode == 0x0D;
            return hint ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        if (in.map != Instruction.MAP_PRIMARY || in.addressSize != 8) {
            return Outcome.REFUSED;
        }
        return primary();
    }

    private Outcome primary() {
        int opcode = in.opcode;
        if (opcode >= 0x70 && opcode <= 0x7F) {
            return conditional();
        }
        if (opcode >= 0x50 && opcode <= 0x5F) {
            return in.operandPrefix ? Outcome.REFUSED : pushOrPop(opcode);
        }
        return switch (opcode) {
            case 0x68, 0x6A -> {
                if (in.operandPrefix) {
                    yield Outcome.REFUSED;
                }
                pushAddress();
                check(8, true);
                storeConstant(in.immediate);
                asm.lea(STACK, STACK, Assembler.NONE, 0, -8);
                yield Outcome.GOES_ON;
            }
            case 0x8D -> lea();
            case 0x90 -> in.rexB() == 0 ? Outcome.GOES_ON : Outcome.REFUSED;
            case 0xC9 -> in.operandPrefix ? Outcome.REFUSED : leaveFrame();
            case 0xE8 -> {
                callStore();
                direct(next() + in.immediate);
                yield Outcome.ENDED;
            }
            case 0xE9, 0xEB -> {
                direct(next() + in.immediate);
                yield Outcome.ENDED;
            }
            case 0xE3 -> {
                asm.move(Assembler.RCX, HOST[GUEST_RCX]);
                int zero = asm.jumpIfRcxZero();
                int notTaken = asm.jump();
                asm.landShort(zero);
                direct(next() + in.immediate);
                asm.land(notTaken);
                direct(next());
                yield Outcome.ENDED;
            }
            case 0xC2, 0xC3 -> {
                asm.lea(ADDRESS, STACK, Assembler.NONE, 0, 0);
                check(8, false);
                asm.load(ADDRESS, POINTER, 0);
                int release = opcode == 0xC2 ? (int) in.immediate & 0xFFFF : 0;
                asm.lea(STACK, STACK, Assembler.NONE, 0, 8 + release);
                indirect(8 + release);
                yield Outcome.ENDED;
            }
            case 0xFF -> indirectBranch();
            default -> Outcome.REFUSED;
        };
    }

    private Outcome lea() {
        if (!in.isMemory() || in.operandSize == 2) {
            return Outcome.REFUSED;
        }
        int segment = in.segmentOverride;
        in.segmentOverride = Instruction.NONE;
        address();
        in.segmentOverride = segment;
        int to = HOST[in.reg];
        if (to == Assembler.NONE) {
            if (in.operandSize == 4) {
                asm.lea32(ADDRESS, ADDRESS, Assembler.NONE, 0, 0);
            }
            asm.storeState(ADDRESS, StateBlock.REGISTERS + 8 * in.reg);
        } else if (in.operandSize == 4) {
            asm.lea32(to, ADDRESS, Assembler.NONE, 0, 0);
        } else {
            asm.move(to, ADDRESS);
        }
        return Outcome.GOES_ON;
    }

    private Outcome pushOrPop(int opcode) {
        int register = opcode & 7 | in.rexB();
        int host = HOST[register];
        if (opcode < 0x58) {
            pushAddress();
            check(8, true);
            if (host == Assembler.NONE) {
                asm.loadState(VALUE, StateBlock.REGISTERS + 8 * register);
                host = VALUE;
            }
            asm.store(host, POINTER, 0);
            asm.lea(STACK, STACK, Assembler.NONE, 0, -8);
        } else {
            asm.move(ADDRESS, STACK);
            check(8, false);
            if (register != GUEST_RSP) {
                asm.lea(STACK, STACK, Assembler.NONE, 0, 8);
            }
            if (host == Assembler.NONE) {
                asm.load(VALUE, POINTER, 0);
                asm.storeState(VALUE, StateBlock.REGISTERS + 8 * register);
            } else {
                asm.load(host, POINTER, 0);
            }
        }
        return Outcome.GOES_ON;
    }

    private Outcome leaveFrame() {
        int frame = HOST[GUEST_RBP];
        asm.move(ADDRESS, frame);
        check(8, false);
        asm.lea(STACK, frame, Assembler.NONE, 0, 8);
        asm.load(frame, POINTER, 0);
        return Outcome.GOES_ON;
    }

    private void pushAddress() {
        asm.lea(ADDRESS, STACK, Assembler.NONE, 0, -8);
    }

    private void storeConstant(long value) {
        asm.constant(VALUE, value);
        asm.store(VALUE, POINTER, 0);
    }

    private void callStore() {
        pushAddress();
        check(8, true);
        storeConstant(next());
        asm.lea(STACK, STACK, Assembler.NONE, 0, -8);
    }

    private Outcome indirectBranch() {
        boolean call = in.group() == 2;
        if (!call && in.group() != 4 || in.operandPrefix) {
            return Outcome.REFUSED;
        }
        if (in.isMemory()) {
            address();
            check(8, false);
            asm.load(VALUE, POINTER, 0);
        } else if (HOST[in.rm] == Assembler.NONE) {
            asm.loadState(VALUE, StateBlock.REGISTERS + 8 * in.rm);
        } else {
            asm.move(VALUE, HOST[in.rm]);
        }
        if (call) {
            // The store below needs the scratch registers.
            asm.storeState(VALUE, StateBlock.TARGET);
            canonical();
            // A miss of the store must not repeat the load: two pages that share a TLB entry would evict each other
            // forever.
            begin = asm.position();
            callStore();
            asm.loadState(ADDRESS, StateBlock.TARGET);
        } else {
            asm.move(ADDRESS, VALUE);
        }
        indirect(call ? Exit.UNCHECKED : 0);
        return Outcome.ENDED;
    }

    private Outcome conditional() {
        int taken = asm.jumpIf(in.opcode & 15);
        direct(next());
        asm.land(taken);
        direct(next() + in.immediate);
        return Outcome.ENDED;
    }

    // ---------------------------------------------------------------- instructions that run as they are

    private boolean plain(int properties) {
        if ((properties & Plain.NO_MODRM) != 0) {
            for (int i = 0; i < in.length; i++) {
                asm.emit(code[start + i]);
            }
            return true;
        }
        if ((properties & (Plain.REGISTER_IN_OPCODE | Plain.BYTE_IN_OPCODE)) != 0) {
            return registerInOpcode((properties & Plain.BYTE_IN_OPCODE) != 0);
        }
        boolean memory = in.isMemory();
        if (memory) {
            address();
            check(Plain.operandBytes(in, properties), (properties & Plain.WRITES) != 0);
        }
        boolean highRegister = (properties & Plain.REGISTER_BYTE) != 0 && !in.rex && in.reg >= 4;
        boolean highOperand = (properties & Plain.OPERAND_BYTE) != 0 && !memory && !in.rex && in.rm >= 4;
        if (highRegister && in.reg == HIGH_RCX || highOperand && in.rm == HIGH_RCX) {
            return false;
        }
        int register = in.reg;
        boolean registerInState = false;
        if ((properties & Plain.REGISTER) != 0) {
            register = byteRegister(in.reg, highRegister);
            registerInState = register == Assembler.NONE;
            if (registerInState) {
                asm.loadState(VALUE, StateBlock.REGISTERS + 8 * in.reg);
                register = VALUE;
            }
        }
        int operand = POINTER;
        boolean operandInState = false;
        if (!memory) {
            operand = byteRegister(in.rm, highOperand);
            operandInState = operand == Assembler.NONE;
            if (operandInState) {
                if (registerInState && in.rm == in.reg) {
                    operand = VALUE;
                } else {
                    asm.loadState(POINTER, StateBlock.REGISTERS + 8 * in.rm);
                    operand = POINTER;
                }
            }
        }
        if ((properties & Plain.COUNT_IN_CL) != 0) {
            asm.move(Assembler.RCX, HOST[GUEST_RCX]);
        }
        if ((properties & Plain.DIVIDES) != 0) {
            divide(memory, operand);
            return true;
        }
        boolean high = highRegister || highOperand;
        boolean bytes = (properties & (Plain.REGISTER_BYTE | Plain.OPERAND_BYTE)) != 0;
        int rex = (in.w ? 8 : 0) | (register & 8) >> 1 | (operand & 8) >> 3;
        if (high
                && (rex != 0
                        || needsRex(register, highRegister, properties & Plain.REGISTER_BYTE)
                        || !memory && needsRex(operand, highOperand, properties & Plain.OPERAND_BYTE))) {
            // ah to bh can't be named together with a register that needs REX.
            return false;
        }
        prefixes();
        if (rex != 0 || bytes && !high) {
            asm.emit(0x40 | rex);
        }
        opcode();
        if (memory) {
            asm.memory(register, POINTER, Assembler.NONE, 0, 0);
        } else {
            asm.emit(0xC0 | (register & 7) << 3 | operand & 7);
        }
        immediateBytes();
        if (registerInState) {
            asm.storeState(VALUE, StateBlock.REGISTERS + 8 * in.reg);
        }
        if (operandInState && operand == POINTER) {
            asm.storeState(POINTER, StateBlock.REGISTERS + 8 * in.rm);
        }
        return true;
    }

    /** {@return whether a byte register other than al to bl is meant, which needs REX} */
    private static boolean needsRex(int register, boolean high, int byteProperty) {
        return byteProperty != 0 && !high && register >= 4;
    }

    /** {@return the host number of a register operand, as encoded; {@link Assembler#NONE} when it is in the state block} */
    private static int byteRegister(int guest, boolean high) {
        if (!high) {
            return HOST[guest];
        }
        // ah, dh and bh stay where they are.
        return guest;
    }

    /** Emits an SSE instruction: vector registers keep their numbers, general ones are renamed. */
    private void vector(int form) {
        boolean memory = in.isMemory();
        if (memory) {
            address();
            if ((form & VectorForm.ALIGNED) != 0) {
                aligned();
            }
            check(form & VectorForm.SIZE, (form & VectorForm.WRITES) != 0);
        }
        int register = in.reg;
        boolean registerInState = false;
        if ((form & VectorForm.GENERAL_REGISTER) != 0) {
            register = HOST[in.reg];
            registerInState = register == Assembler.NONE;
            if (registerInState) {
                asm.loadState(VALUE, StateBlock.REGISTERS + 8 * in.reg);
                register = VALUE;
            }
        }
        int operand = memory ? POINTER : in.rm;
        boolean operandInState = false;
        if (!memory && (form & VectorForm.GENERAL_OPERAND) != 0) {
            operand = HOST[in.rm];
            operandInState = operand == Assembler.NONE;
            if (operandInState) {
                asm.loadState(POINTER, StateBlock.REGISTERS + 8 * in.rm);
                operand = POINTER;
            }
        }
        if (in.pp == Instruction.PP_66) {
            asm.emit(0x66);
        } else if (in.pp == Instruction.PP_F3) {
            asm.emit(0xF3);
        } else if (in.pp == Instruction.PP_F2) {
            asm.emit(0xF2);
        }
        boolean extension = (form & VectorForm.EXTENSION) != 0;
        int rex = (in.w ? 8 : 0) | (extension ? 0 : (register & 8) >> 1) | (operand & 8) >> 3;
        if (rex != 0) {
            asm.emit(0x40 | rex);
        }
        asm.emit(0x0F);
        if (in.map == Instruction.MAP_0F38) {
            asm.emit(0x38);
        } else if (in.map == Instruction.MAP_0F3A) {
            asm.emit(0x3A);
        }
        asm.emit(in.opcode);
        if (memory) {
            asm.memory(register, POINTER, Assembler.NONE, 0, 0);
        } else {
            asm.emit(0xC0 | (register & 7) << 3 | operand & 7);
        }
        immediateBytes();
        if (registerInState) {
            asm.storeState(VALUE, StateBlock.REGISTERS + 8 * in.reg);
        }
        if (operandInState && (form & VectorForm.WRITES) != 0) {
            asm.storeState(POINTER, StateBlock.REGISTERS + 8 * in.rm);
        }
        if ((form & VectorForm.WRITES_ECX) != 0) {
            asm.move32(HOST[GUEST_RCX], Assembler.RCX);
        }
    }

    /** Leaves an instruction whose operand is not aligned to the interpreter, which raises the exception. */
    private void aligned() {
        asm.move(VALUE, ADDRESS);
        asm.extractByState(ADDRESS, ADDRESS, StateBlock.ALIGNMENT_MASK);
        int ok = asm.jumpIfRcxZero();
        stub(new Exit(Exit.Kind.INTERPRET, guestStart + start, instructions, 0), asm.jump());
        asm.landShort(ok);
        asm.move(ADDRESS, VALUE);
    }

    private boolean registerInOpcode(boolean bytes) {
        int guest = in.opcode & 7 | in.rexB();
        boolean high = bytes && !in.rex && guest >= 4;
        int host = high ? guest : HOST[guest];
        if (high && guest == HIGH_RCX) {
            return false;
        }
        boolean inState = host == Assembler.NONE;
        if (inState) {
            asm.loadState(VALUE, StateBlock.REGISTERS + 8 * guest);
            host = VALUE;
        }
        prefixes();
        int rex = (in.w ? 8 : 0) | (host & 8) >> 3;
        if (rex != 0 || bytes && !high) {
            asm.emit(0x40 | rex);
        }
        if (in.map == Instruction.MAP_0F) {
            asm.emit(0x0F);
        }
        asm.emit(in.opcode & ~7 | host & 7);
        immediateBytes();
        if (inState) {
            asm.storeState(VALUE, StateBlock.REGISTERS + 8 * guest);
        }
        return true;
    }

    private void prefixes() {
        if (in.operandPrefix) {
            asm.emit(0x66);
        }
        if (in.rep) {
            asm.emit(0xF3);
        }
        if (in.repne) {
            asm.emit(0xF2);
        }
        if (in.lock) {
            asm.emit(0xF0);
        }
    }

    private void opcode() {
        if (in.map != Instruction.MAP_PRIMARY) {
            asm.emit(0x0F);
        }
        if (in.map == Instruction.MAP_0F38) {
            asm.emit(0x38);
        }
        asm.emit(in.opcode);
    }

    private void immediateBytes() {
        for (int i = in.immediateSize; i > 0; i--) {
            asm.emit(code[start + in.length - i]);
        }
    }

    /**
     * Divides after checking that the host won't trap. What is not surely harmless goes to the interpreter. The checks
     * change flags, which division leaves undefined; if it doesn't come to that, they are restored.
     */
    private void divide(boolean memory, int operand) {
        boolean wide = in.w;
        if (memory) {
            if (wide) {
                asm.load(VALUE, POINTER, 0);
            } else {
                asm.load32(VALUE, POINTER, 0);
            }
        } else if (operand != VALUE) {
            if (wide) {
                asm.move(VALUE, operand);
            } else {
                asm.move32(VALUE, operand);
            }
        }
        asm.pushFlags();
        int first;
        int second = -1;
        if (in.group() == 6) {
            // No overflow if the high half is below the divisor; that also means that the divisor isn't 0.
            asm.compare(Assembler.RDX, VALUE, wide);
            first = asm.jumpIf(3); // not below
        } else {
            // The dividend is a sign-extended rax, and the divisor neither 0 nor -1.
            asm.signOf(Assembler.RCX, Assembler.RAX, wide);
            asm.compare(Assembler.RCX, Assembler.RDX, wide);
            first = asm.jumpIf(5); // not equal
            asm.increment(Assembler.RCX, VALUE, wide);
            asm.compareConstant(Assembler.RCX, 1, wide);
            second = asm.jumpIf(6); // not above
        }
        asm.lea(Assembler.RSP, Assembler.RSP, Assembler.NONE, 0, 8);
        if (wide) {
            asm.emit(0x48);
        }
        asm.emit(0xF7);
        asm.emit(0xC0 | (in.reg & 7) << 3 | VALUE);
        int done = asm.jump();
        asm.land(first);
        if (second >= 0) {
            asm.land(second);
        }
        asm.popFlags();
        stub(new Exit(Exit.Kind.INTERPRET, guestStart + start, instructions, 0), asm.jump());
        asm.land(done);
    }

    // ---------------------------------------------------------------- memory operands

    /** Computes the guest address of the memory operand into {@link #ADDRESS}. */
    private void address() {
        boolean narrow = in.addressSize == 4;
        int displacement = (int) in.displacement;
        if (in.base == Instruction.BASE_RIP) {
            long address = next() + in.displacement;
            asm.constant(ADDRESS, narrow ? address & 0xFFFF_FFFFL : address);
        } else if (in.base == Instruction.NONE && in.index == Instruction.NONE) {
            asm.constant(ADDRESS, narrow ? in.displacement & 0xFFFF_FFFFL : in.displacement);
        } else {
            int base = in.base == Instruction.NONE ? Assembler.NONE : HOST[in.base];
            if (in.base != Instruction.NONE && base == Assembler.NONE) {
                asm.loadState(ADDRESS, StateBlock.REGISTERS + 8 * in.base);
                base = ADDRESS;
            }
            int index = in.index == Instruction.NONE ? Assembler.NONE : HOST[in.index];
            if (in.index != Instruction.NONE && index == Assembler.NONE) {
                asm.loadState(POINTER, StateBlock.REGISTERS + 8 * in.index);
                index = POINTER;
            }
            if (narrow) {
                asm.lea32(ADDRESS, base, index, in.scale, displacement);
            } else {
                asm.lea(ADDRESS, base, index, in.scale, displacement);
            }
        }
        if (in.segmentOverride >= Instruction.FS) {
            asm.loadState(POINTER, StateBlock.BASES + 8 * (in.segmentOverride - Instruction.FS));
            asm.lea(ADDRESS, ADDRESS, POINTER, 0, 0);
        }
    }

    /**
     * Looks {@link #ADDRESS} up in the TLB and leaves the host address in {@link #POINTER}.
     *
     * @param size bytes accessed
     * @param write whether they are written
     */
    private void check(int size, boolean write) {
        // Whoever handles a miss needs the address.
        asm.storeState(ADDRESS, StateBlock.ADDRESS);
        asm.extractByState(POINTER, ADDRESS, StateBlock.TLB_INDEX_MASK);
        asm.loadState(VALUE, StateBlock.TLB);
        asm.lea(POINTER, VALUE, POINTER, 3, 0);
        asm.load(VALUE, POINTER, write ? TLB_WRITES : 0);
        asm.load(POINTER, POINTER, TLB_HOST);
        asm.lea(ADDRESS, ADDRESS, VALUE, 0, size - 1);
        asm.lea(POINTER, POINTER, ADDRESS, 0, 1 - size);
        asm.extractByState(ADDRESS, ADDRESS, StateBlock.PAGE_MASK);
        int hit = asm.jumpIfRcxZero();
        Exit exit = new Exit(write ? Exit.Kind.WRITE : Exit.Kind.READ, guestStart + start, instructions, size);
        exit.host = origin + begin;
        stub(exit, asm.jump());
        asm.landShort(hit);
    }

    // ---------------------------------------------------------------- ways out

    private void stub(Exit exit, int jumpAt) {
        stubs.add(new Stub(jumpAt, exits.add(exit)));
    }

    private void exit(Exit exit) {
        stub(exit, asm.jump());
    }

    /** Goes on at a constant address. */
    private void direct(long target) {
        if (((target ^ guestStart) & -4096L) == 0) {
            int at = asm.jump();
            Exit exit = new Exit(Exit.Kind.DIRECT, target, 0, 0);
            exit.host = origin + at;
            stub(exit, at);
        } else {
            asm.constant(ADDRESS, target);
            indirect(Exit.UNCHECKED);
        }
    }

    /** Leaves a call to the interpreter before it pushes anything, when the address in {@link #VALUE} is not canonical. */
    private void canonical() {
        asm.rotateRight(VALUE, VALUE, 47);
        asm.lea(ADDRESS, VALUE, Assembler.NONE, 0, 1);
        asm.extractByState(ADDRESS, ADDRESS, StateBlock.CANONICAL_MASK);
        int ok = asm.jumpIfRcxZero();
        exit(new Exit(Exit.Kind.INTERPRET, guestStart + start, instructions, 0));
        asm.landShort(ok);
    }

    /**
     * Goes on at the guest address in {@link #ADDRESS}.
     *
     * @param release see {@link Exit#release}
     */
    private void indirect(int release) {
        asm.storeState(ADDRESS, StateBlock.TARGET);
        asm.extractByState(POINTER, ADDRESS, StateBlock.JUMP_INDEX_MASK);
        asm.loadState(VALUE, StateBlock.JUMPS);
        asm.lea(POINTER, POINTER, POINTER, 0, 0);
        asm.lea(VALUE, VALUE, POINTER, 3, 0);
        asm.load(POINTER, VALUE, 0);
        asm.lea(ADDRESS, ADDRESS, POINTER, 0, 0);
        int hit = asm.jumpIfRcxZero();
        Exit exit = new Exit(Exit.Kind.INDIRECT, guestStart + start, 0, 0);
        exit.release = release;
        exit(exit);
        asm.landShort(hit);
        asm.jumpMemory(VALUE, 8);
    }

    private void emitStubs() {
        for (Stub stub : stubs) {
            asm.land(stub.jumpAt);
            asm.storeState32(StateBlock.EXIT, stub.exit);
            jumpTo(origin, leave);
            Exit exit = exits.get(stub.exit);
            switch (exit.kind) {
                case READ, WRITE, INTERPRET, VECTOR -> exit.uncounted = instructions - exit.ordinal;
                case EVENT, DIRECT, INDIRECT, DROPPED -> exit.uncounted = 0;
            }
        }
    }
}
