package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * An SSE instruction whose first operand is a vector register, and whose second one is a vector register or memory.
 *
 * <p>Registers are named by their slots, the index of their low quadword in {@link Cpu#vec}. A memory operand is loaded into
 * a slot of its own first, so that a subclass is written once for both forms, as a computation on slots.
 */
abstract class SimdOp extends MemOp {
    /** Quadwords between the slots of two registers. */
    static final int STRIDE = 8;

    /** Slot of the first opmask register; all of them are as long as a vector register. */
    static final int MASKS = 32 * STRIDE;

    /** Slot into which memory operands are loaded; what is before it is state. */
    static final int MEMORY_SLOT = MASKS + STRIDE;

    /** Bytes of an XMM register. */
    static final int BYTES = 16;

    private static final int MISALIGNED = BYTES - 1;

    /** Slot of the register that ModRM.reg names. */
    final int destination;

    /** Slot of the register that ModRM.rm names, or -1 when it names memory. */
    final int source;

    SimdOp(Instruction in, int bytes, boolean write) {
        super(in, bytes, write);
        destination = in.reg * STRIDE;
        source = in.isMemory() ? -1 : in.rm * STRIDE;
    }

    /** Creates an op that reads 128 bits. */
    SimdOp(Instruction in) {
        this(in, BYTES, false);
    }

    /**
     * Checks that SSE instructions may run (SDM 3A 2.5 and table 13-1).
     *
     * @param cpu the CPU
     */
    static void require(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS) | ~cpu.cr4 & Cpu.CR4_OSFXSR) != 0) {
            throw unavailable(cpu);
        }
    }

    private static Fault unavailable(Cpu cpu) {
        if ((cpu.cr0 & Cpu.CR0_EM) != 0 || (cpu.cr4 & Cpu.CR4_OSFXSR) == 0) {
            return cpu.undefined();
        }
        return cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
    }

    /** {@return the slot of the second operand, after all checks and the load of a memory operand that must be aligned} */
    final int source(Cpu cpu) {
        require(cpu);
        return source >= 0 ? source : load(cpu, alignedAddress(cpu));
    }

    /** {@return the slot of the second operand, after the load of a memory operand that may have any alignment} */
    final int unalignedSource(Cpu cpu) {
        require(cpu);
        return source >= 0 ? source : load(cpu, address(cpu));
    }

    /** {@return the linear address of a memory operand that must be aligned} */
    final long alignedAddress(Cpu cpu) {
        long address = address(cpu);
        if ((address & MISALIGNED) != 0) {
            throw cpu.generalProtection();
        }
        return address;
    }

    private static int load(Cpu cpu, long address) {
        cpu.read128(address);
        long[] v = cpu.vec;
        v[MEMORY_SLOT] = cpu.low;
        v[MEMORY_SLOT + 1] = cpu.high;
        return MEMORY_SLOT;
    }

    /** {@return the low quadword of the second operand, of which memory holds 64 bits} */
    final long source64(Cpu cpu) {
        require(cpu);
        return source >= 0 ? cpu.vec[source] : cpu.readLong(address(cpu));
    }
}
