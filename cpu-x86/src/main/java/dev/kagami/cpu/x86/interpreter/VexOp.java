package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * A VEX-encoded instruction on vector registers of 128 or 256 bits (SDM 2A 2.3).
 *
 * <p>Registers are named by their slots, as in {@link SimdOp}. What lies above the operand in the destination becomes zero.
 * Memory operands need no alignment, but for the few instructions that ask for it.
 */
abstract class VexOp extends MemOp {
    static final int STRIDE = SimdOp.STRIDE;

    /** Slot into which memory operands are loaded. */
    static final int MEMORY = SimdOp.MEMORY_SLOT;

    // Slots in which instructions are put together; see VexLanes.
    static final int FIRST = MEMORY + STRIDE;
    static final int SECOND = FIRST + STRIDE;
    static final int RESULT = SECOND + STRIDE;

    /** Quadwords that {@link Cpu#vec} has. */
    static final int SLOTS_END = RESULT + STRIDE;

    /** The state components that AVX instructions need in XCR0. */
    static final int COMPONENTS = X87State.COMPONENT_SSE | X87State.COMPONENT_AVX;

    private static final int XMM_BYTES = 16;

    /** Slot of the register that ModRM.reg names. */
    final int destination;

    /** Slot of the register that VEX.vvvv names. */
    final int first;

    /** Slot of the register that ModRM.rm names, or -1 when it names memory. */
    final int source;

    /** Quadwords of a register operand: 2 or 4. */
    final int quadwords;

    /** Bytes of a memory operand. */
    final int bytes;

    VexOp(Instruction in, int bytes, boolean write) {
        super(in, bytes, write);
        this.bytes = bytes;
        destination = in.reg * STRIDE;
        first = in.vvvv * STRIDE;
        source = in.isMemory() ? -1 : in.rm * STRIDE;
        quadwords = in.vectorLength == 0 ? 2 : 4;
    }

    /** Creates an op whose memory operand is as wide as its registers. */
    VexOp(Instruction in) {
        this(in, vectorBytes(in), false);
    }

    /** {@return the bytes of a vector register as the instruction sees it} */
    static int vectorBytes(Instruction in) {
        return in.vectorLength == 0 ? XMM_BYTES : 2 * XMM_BYTES;
    }

    /**
     * Checks that AVX instructions may run (SDM 2A 2.4 and table 2-18).
     *
     * @param cpu the CPU
     */
    static void require(Cpu cpu) {
        if ((~cpu.cr4 & Cpu.CR4_OSXSAVE | cpu.cr0 & Cpu.CR0_TS | ~cpu.xcr0 & COMPONENTS) != 0) {
            throw unavailable(cpu);
        }
    }

    private static Fault unavailable(Cpu cpu) {
        return (cpu.cr4 & Cpu.CR4_OSXSAVE) == 0 || (cpu.xcr0 & COMPONENTS) != COMPONENTS
                ? cpu.undefined()
                : cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
    }

    /** {@return the slot of the operand that ModRM.rm names, after all checks and the load of a memory operand} */
    final int source(Cpu cpu) {
        require(cpu);
        return source >= 0 ? source : load(cpu);
    }

    private int load(Cpu cpu) {
        long address = address(cpu);
        long[] v = cpu.vec;
        if (bytes < XMM_BYTES) {
            v[MEMORY] = cpu.read(address, bytes);
            v[MEMORY + 1] = 0;
            return MEMORY;
        }
        cpu.read128(address);
        v[MEMORY] = cpu.low;
        v[MEMORY + 1] = cpu.high;
        if (bytes > XMM_BYTES) {
            cpu.read128(cpu.wrap(address + XMM_BYTES));
            v[MEMORY + 2] = cpu.low;
            v[MEMORY + 3] = cpu.high;
        }
        return MEMORY;
    }

    /** Stores the quadwords of a register, all or none of them. */
    final void store(Cpu cpu, long address, int slot) {
        long[] v = cpu.vec;
        if (bytes > XMM_BYTES) {
            long second = cpu.wrap(address + XMM_BYTES);
            if ((address & Mmu.PAGE_SIZE - 1) > Mmu.PAGE_SIZE - bytes) {
                cpu.mmu.probe(address, bytes, true);
            }
            cpu.write128(address, v[slot], v[slot + 1]);
            cpu.write128(second, v[slot + 2], v[slot + 3]);
        } else {
            cpu.write128(address, v[slot], v[slot + 1]);
        }
    }

    /** {@return the linear address of a memory operand that must be aligned to its size} */
    final long alignedAddress(Cpu cpu) {
        long address = address(cpu);
        if ((address & bytes - 1) != 0) {
            throw cpu.generalProtection();
        }
        return address;
    }

    /** Clears a register above so many quadwords. */
    static void clearAbove(long[] v, int slot, int quadwords) {
        for (int i = quadwords; i < STRIDE; i++) {
            v[slot + i] = 0;
        }
    }

    /** Copies the result into the destination, and zeros above it. */
    final void finishResult(long[] v) {
        for (int i = 0; i < quadwords; i++) {
            v[destination + i] = v[RESULT + i];
        }
        clearAbove(v, destination, quadwords);
    }

    /** {@return one of the 32-bit elements of a register} */
    static int doubleword(long[] v, int slot, int number) {
        return (int) (v[slot + (number >> 1)] >>> ((number & 1) << 5));
    }
}
