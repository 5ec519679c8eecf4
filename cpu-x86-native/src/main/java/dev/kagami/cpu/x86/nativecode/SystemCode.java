package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits what system software runs often: interrupt flag, access control, selectors, SWAPGS, the time-stamp counter. */
final class SystemCode {
    static final int INTERRUPT_FLAG = 1 << 9;
    private static final int DIRECTION_FLAG = 1 << 10;
    private static final int ACCESS_CONTROL = 1 << 18;

    /** The arithmetic flags, the one that is always set, and IF. */
    private static final int USUAL_FLAGS = 0x8D5 | 2 | INTERRUPT_FLAG;

    /** Where flags are, at their places in RFLAGS. */
    private static final int[] SEPARATE_FLAGS = {
        StateBlock.INTERRUPT_FLAG, StateBlock.DIRECTION, StateBlock.ACCESS_CONTROL
    };

    // What IRETQ pops besides the target, and a power of 2 that is as much as all of it at least.
    private static final int CODE_AT = 8;
    private static final int FLAGS_AT = 16;
    private static final int STACK_AT = 24;
    private static final int STACK_SELECTOR_AT = 32;
    private static final int FRAME_BYTES = 64;

    // Extension and opcode of arithmetic instructions, and a condition.
    private static final int AND = 4;
    private static final int OR = 0x09;
    private static final int NOT_EQUAL = 5;

    // Second and third byte of instructions of group 7.
    private static final int CLAC = 0x1CA;
    private static final int STAC = 0x1CB;
    private static final int SWAPGS = 0x1F8;
    private static final int RDTSCP = 0x1F9;

    /** The number of CR2. */
    private static final int PAGE_FAULT_ADDRESS = 2;

    private static final int RDTSC = 0x31;
    private static final int READ_CONTROL = 0x20;
    private static final int SYSTEM_CALL = 0x05;
    private static final int SYSTEM_RETURN = 0x07;

    private final BlockCode block;
    private final Assembler asm;
    private final Instruction in;
    private final MemoryCode memory;

    SystemCode(BlockCode block, MemoryCode memory) {
        this.block = block;
        this.memory = memory;
        asm = block.asm;
        in = block.in;
    }

    /** Emits the current instruction, if it is one of these. */
    Outcome emit() {
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock || in.addressSize != 8) {
            return Outcome.REFUSED;
        }
        if (in.map == Instruction.MAP_PRIMARY) {
            return switch (in.opcode) {
                case 0x8C -> storeSelector();
                case 0x9C -> pushFlags();
                case 0xCF -> interruptReturn();
                case 0xFA -> disableInterrupts();
                case 0xFB -> enableInterrupts();
                case 0xFC -> direction(0);
                case 0xFD -> direction(DIRECTION_FLAG);
                default -> Outcome.REFUSED;
            };
        }
        if (in.map == Instruction.MAP_0F && in.opcode == 0xAE && !in.isMemory()) {
            return in.rep ? segmentBase() : fence();
        }
        if (in.map != Instruction.MAP_0F || in.operandPrefix || in.rep || in.repne) {
            return Outcome.REFUSED;
        }
        boolean group7 = in.opcode == 0x01 && !in.isMemory();
        return switch (group7 ? 0x1C0 | (in.reg & 7) << 3 | in.rm & 7 : in.opcode) {
            case CLAC -> accessControl(0);
            case STAC -> accessControl(ACCESS_CONTROL);
            case SWAPGS -> swapGs();
            case READ_CONTROL -> readControl();
            case SYSTEM_CALL -> systemCall();
            case SYSTEM_RETURN -> systemReturn();
            case RDTSC -> readTime(false);
            case RDTSCP -> readTime(true);
            default -> Outcome.REFUSED;
        };
    }

    /** CLAC and STAC: with SMAP, each has a TLB of its own. */
    private Outcome accessControl(int flag) {
        if (block.user) {
            return Outcome.REFUSED;
        }
        asm.storeState32(StateBlock.ACCESS_CONTROL, flag);
        asm.loadState(Registers.VALUE, StateBlock.SUPERVISOR_TLBS + (flag == 0 ? 0 : 8));
        asm.storeState(Registers.VALUE, StateBlock.TLB);
        return Outcome.GOES_ON;
    }

    /** LFENCE, MFENCE and SFENCE, which are the host's. */
    private Outcome fence() {
        if (in.operandPrefix || in.repne || (in.reg & 7) < 5) {
            return Outcome.REFUSED;
        }
        asm.emit(0x0F);
        asm.emit(0xAE);
        asm.emit(0xC0 | (in.reg & 7) << 3);
        return Outcome.GOES_ON;
    }

    /** RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE. */
    private Outcome segmentBase() {
        int group = in.reg & 7;
        if (group > 3 || in.operandPrefix || in.repne) {
            return Outcome.REFUSED;
        }
        asm.loadState32(Registers.ADDRESS, StateBlock.BASES_REFUSED);
        int here = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(here);
        int base = StateBlock.BASES + 8 * (group & 1);
        if (group < 2) {
            loadBase(base);
        } else {
            storeBase(base);
        }
        return Outcome.GOES_ON;
    }

    private void loadBase(int base) {
        int to = Registers.HOST[in.rm];
        int register = to == Assembler.NONE ? Registers.VALUE : to;
        asm.loadState(register, base);
        if (!in.w) {
            asm.move32(register, register);
        }
        if (to == Assembler.NONE) {
            asm.storeState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.rm);
        }
    }

    private void storeBase(int base) {
        int from = Registers.HOST[in.rm];
        if (from == Assembler.NONE) {
            asm.loadState(Registers.POINTER, StateBlock.REGISTERS + 8 * in.rm);
        } else {
            asm.move(Registers.POINTER, from);
        }
        if (in.w) {
            asm.move(Registers.VALUE, Registers.POINTER);
            int canonical = block.jumpIfCanonical();
            block.interpret(asm.jump());
            asm.landShort(canonical);
        } else {
            asm.move32(Registers.POINTER, Registers.POINTER);
        }
        asm.storeState(Registers.POINTER, base);
    }

    /** MOV from CR2. */
    private Outcome readControl() {
        int to = Registers.HOST[in.rm];
        if (block.user || in.isMemory() || in.reg != PAGE_FAULT_ADDRESS || to == Assembler.NONE) {
            return Outcome.REFUSED;
        }
        asm.loadState(to, StateBlock.PAGE_FAULT_ADDRESS);
        return Outcome.GOES_ON;
    }

    /** CLD and STD. */
    private Outcome direction(int flag) {
        asm.storeState32(StateBlock.DIRECTION, flag);
        return Outcome.GOES_ON;
    }

    /** RDTSC and RDTSCP. */
    private Outcome readTime(boolean withProcessor) {
        asm.loadState32(Registers.ADDRESS, StateBlock.TIME_INTERPRETED);
        int here = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(here);
        block.readClock();
        asm.rotateRight(Registers.POINTER, Registers.VALUE, 32);
        asm.move32(Assembler.RAX, Registers.VALUE);
        asm.move32(Assembler.RDX, Registers.POINTER);
        if (withProcessor) {
            asm.loadState32(Registers.VALUE, StateBlock.TIME_AUXILIARY);
            asm.move(Registers.HOST[Registers.GUEST_RCX], Registers.VALUE);
        }
        return Outcome.GOES_ON;
    }

    /** MOV from a segment register. */
    private Outcome storeSelector() {
        boolean narrow = !in.isMemory() && in.operandSize == 2;
        if (in.reg > Instruction.GS || narrow && Registers.HOST[in.rm] == Assembler.NONE) {
            return Outcome.REFUSED;
        }
        int selector = StateBlock.SELECTORS + 8 * in.reg;
        if (in.isMemory()) {
            memory.address();
            memory.check(2, true);
            asm.loadState32(Registers.VALUE, selector);
            asm.store16(Registers.VALUE, Registers.POINTER, 0);
            return Outcome.GOES_ON;
        }
        int to = Registers.HOST[in.rm];
        if (narrow) {
            asm.loadState(Registers.VALUE, selector);
            asm.move16(to, Registers.VALUE);
        } else if (to == Assembler.NONE) {
            asm.loadState(Registers.VALUE, selector);
            asm.storeState(Registers.VALUE, StateBlock.REGISTERS + 8 * in.rm);
        } else {
            asm.loadState(to, selector);
        }
        return Outcome.GOES_ON;
    }

    /** PUSHF. The host's flags are those of the guest in arithmetic, bit 1 and IF. */
    private Outcome pushFlags() {
        if (in.operandPrefix) {
            return Outcome.REFUSED;
        }
        memory.begin();
        asm.lea(Registers.ADDRESS, Registers.STACK, Assembler.NONE, 0, -8);
        memory.check(8, true);
        flags();
        asm.store(Registers.VALUE, Registers.POINTER, 0);
        asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
        return Outcome.GOES_ON;
    }

    /** Leaves the guest's flags in {@link Registers#VALUE}. */
    private void flags() {
        asm.pushFlags();
        asm.pop(Registers.VALUE);
        asm.loadState(Registers.ADDRESS, StateBlock.OTHER_FLAGS);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, 0);
        for (int flag : SEPARATE_FLAGS) {
            asm.loadState32(Registers.ADDRESS, flag);
            asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, 0);
        }
    }

    /** SYSCALL of a user, to a kernel that has it clear all flags. */
    private Outcome systemCall() {
        if (!block.user) {
            return Outcome.REFUSED;
        }
        asm.loadState32(Registers.ADDRESS, StateBlock.SYSTEM_CALL_REFUSED);
        int here = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(here);
        flags();
        asm.storeState(Registers.VALUE, StateBlock.REGISTERS + 8 * Registers.GUEST_R11);
        block.address(Registers.HOST[Registers.GUEST_RCX], block.next());
        block.systemCall();
        return Outcome.ENDED;
    }

    /** SYSRET to 64-bit code, with no other flags than most code has. All else is the interpreter's. */
    private Outcome systemReturn() {
        if (block.user || block.vectors || !in.w) {
            return Outcome.REFUSED;
        }
        asm.loadState32(Registers.ADDRESS, StateBlock.SYSTEM_RETURN_REFUSED);
        int here = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(here);
        asm.pushFlags();
        asm.loadState(Registers.VALUE, StateBlock.REGISTERS + 8 * Registers.GUEST_R11);
        asm.arithmeticConstant(AND, Registers.VALUE, ~USUAL_FLAGS, true);
        int otherFlags = asm.jumpIf(NOT_EQUAL);
        asm.move(Registers.VALUE, Registers.HOST[Registers.GUEST_RCX]);
        int canonical = block.jumpIfCanonical();
        asm.land(otherFlags);
        asm.popFlags();
        block.interpret(asm.jump());
        asm.landShort(canonical);
        asm.pushed(Long.BYTES);
        asm.reserve(-Long.BYTES);
        block.systemReturn();
        return Outcome.ENDED;
    }

    /**
     * IRETQ within the kernel: to the same segments, with no other flags than most code has. All else is the interpreter's. Linux
     * returns so from interrupts of the kernel, and serializes by it.
     */
    private Outcome interruptReturn() {
        if (block.user || in.operandSize != 8 || in.rep || in.repne) {
            return Outcome.REFUSED;
        }
        asm.loadState32(Registers.ADDRESS, StateBlock.RETURN_INTERPRETED);
        int here = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(here);
        memory.begin();
        asm.move(Registers.ADDRESS, Registers.STACK);
        memory.check(FRAME_BYTES, false);
        asm.storeState(Registers.POINTER, StateBlock.SPARE);
        // Two pages that share a TLB entry would evict each other forever if a miss went back to the start.
        block.begin = asm.position();
        memory.begin();
        asm.loadState(Registers.ADDRESS, StateBlock.DESCRIPTOR_ADDRESSES);
        memory.check(8, false);
        asm.load(Registers.VALUE, Registers.POINTER, 0);
        asm.storeState(Registers.VALUE, StateBlock.TARGET);
        block.begin = asm.position();
        memory.begin();
        asm.loadState(Registers.ADDRESS, StateBlock.DESCRIPTOR_ADDRESSES + 8);
        memory.check(8, false);
        asm.load(Registers.VALUE, Registers.POINTER, 0);
        asm.pushFlags();
        int stackChanged = unlessEqual(StateBlock.DESCRIPTORS + 8);
        asm.loadState(Registers.VALUE, StateBlock.TARGET);
        int codeChanged = unlessEqual(StateBlock.DESCRIPTORS);
        asm.loadState(Registers.POINTER, StateBlock.SPARE);
        asm.load(Registers.VALUE, Registers.POINTER, CODE_AT);
        int otherCode = unlessEqual(StateBlock.SELECTORS + 8 * Instruction.CS);
        asm.load(Registers.VALUE, Registers.POINTER, STACK_SELECTOR_AT);
        int otherStack = unlessEqual(StateBlock.SELECTORS + 8 * Instruction.SS);
        asm.loadState(Registers.VALUE, StateBlock.OTHER_FLAGS);
        asm.loadState32(Registers.ADDRESS, StateBlock.ACCESS_CONTROL);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, INTERRUPT_FLAG);
        asm.loadState32(Registers.ADDRESS, StateBlock.DIRECTION);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, 0);
        asm.load(Registers.ADDRESS, Registers.POINTER, FLAGS_AT);
        asm.arithmeticConstant(AND, Registers.ADDRESS, ~USUAL_FLAGS, true);
        asm.arithmetic(OR, Registers.VALUE, Registers.ADDRESS, true);
        int otherFlags = asm.jumpIf(NOT_EQUAL);
        asm.load(Registers.VALUE, Registers.POINTER, 0);
        int canonical = block.jumpIfCanonical();
        asm.land(stackChanged);
        asm.land(codeChanged);
        asm.land(otherCode);
        asm.land(otherStack);
        asm.land(otherFlags);
        asm.popFlags();
        block.interpret(asm.jump());
        asm.landShort(canonical);
        asm.pushed(Long.BYTES);
        asm.reserve(-Long.BYTES);
        asm.load(Registers.VALUE, Registers.POINTER, FLAGS_AT);
        asm.push(Registers.VALUE);
        asm.arithmeticConstant(AND, Registers.VALUE, INTERRUPT_FLAG, false);
        asm.storeRegister32(Registers.VALUE, StateBlock.INTERRUPT_FLAG);
        asm.load(Registers.STACK, Registers.POINTER, STACK_AT);
        asm.load(Registers.ADDRESS, Registers.POINTER, 0);
        asm.popFlags();
        block.indirect(Exit.UNCHECKED);
        return Outcome.ENDED;
    }

    /** Compares {@link Registers#VALUE} with a quadword of the state block; {@return the jump that is taken when they differ} */
    private int unlessEqual(int offset) {
        asm.loadState(Registers.ADDRESS, offset);
        asm.compare(Registers.VALUE, Registers.ADDRESS, true);
        return asm.jumpIf(NOT_EQUAL);
    }

    private Outcome disableInterrupts() {
        if (block.user) {
            return Outcome.REFUSED;
        }
        asm.storeState32(StateBlock.INTERRUPT_FLAG, 0);
        return Outcome.GOES_ON;
    }

    /** STI. Nobody looks at events between it and the next instruction, which is what the interrupt shadow asks for. */
    private Outcome enableInterrupts() {
        if (block.user) {
            return Outcome.REFUSED;
        }
        asm.loadState32(Registers.ADDRESS, StateBlock.INTERRUPT_WAITING);
        int none = asm.jumpIfEcxZero();
        block.interpret(asm.jump());
        asm.landShort(none);
        asm.storeState32(StateBlock.INTERRUPT_FLAG, INTERRUPT_FLAG);
        block.shadow = true;
        return Outcome.GOES_ON;
    }

    private Outcome swapGs() {
        if (block.user) {
            return Outcome.REFUSED;
        }
        int base = StateBlock.BASES + 8 * (Instruction.GS - Instruction.FS);
        asm.loadState(Registers.VALUE, base);
        asm.loadState(Registers.POINTER, StateBlock.KERNEL_GS_BASE);
        asm.storeState(Registers.POINTER, base);
        asm.storeState(Registers.VALUE, StateBlock.KERNEL_GS_BASE);
        return Outcome.GOES_ON;
    }
}
