package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** Emits what system software runs often: interrupt flag, selectors, SWAPGS. */
final class SystemCode {
    private static final int INTERRUPT_FLAG = 1 << 9;

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
                case 0xFA -> disableInterrupts();
                case 0xFB -> enableInterrupts();
                default -> Outcome.REFUSED;
            };
        }
        boolean swapsGs =
                in.map == Instruction.MAP_0F && in.opcode == 0x01 && !in.isMemory() && in.reg == 7 && in.rm == 0;
        boolean prefixed = in.operandPrefix || in.rep || in.repne;
        return swapsGs && !prefixed && !block.user ? swapGs() : Outcome.REFUSED;
    }

    /** MOV from a segment register. */
    private Outcome storeSelector() {
        if (in.reg > Instruction.GS || !in.isMemory() && in.operandSize == 2) {
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
        if (to == Assembler.NONE) {
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
        asm.pushFlags();
        asm.pop(Registers.VALUE);
        asm.loadState(Registers.ADDRESS, StateBlock.OTHER_FLAGS);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, 0);
        asm.loadState32(Registers.ADDRESS, StateBlock.INTERRUPT_FLAG);
        asm.lea(Registers.VALUE, Registers.VALUE, Registers.ADDRESS, 0, 0);
        asm.store(Registers.VALUE, Registers.POINTER, 0);
        asm.lea(Registers.STACK, Registers.STACK, Assembler.NONE, 0, -8);
        return Outcome.GOES_ON;
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
        int base = StateBlock.BASES + 8 * (Instruction.GS - Instruction.FS);
        asm.loadState(Registers.VALUE, base);
        asm.loadState(Registers.POINTER, StateBlock.KERNEL_GS_BASE);
        asm.storeState(Registers.POINTER, base);
        asm.storeState(Registers.VALUE, StateBlock.KERNEL_GS_BASE);
        return Outcome.GOES_ON;
    }
}
