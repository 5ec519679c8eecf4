package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;

/**
 * An SSE floating-point instruction: first operand and destination a vector register, second operand a vector register
 * or memory.
 *
 * <p>Registers are named by the index of their low quadword in {@link Cpu#vec}.
 */
abstract class SseFloatOp extends MemOp {
    /** Quadwords of a vector register. */
    static final int STRIDE = 8;

    private static final int MISALIGNED = 15;

    /** Index of the register that ModRM.reg names. */
    final int destination;

    /** Index of the register that ModRM.rm names, or -1 when it names memory. */
    final int source;

    /**
     * Creates the op.
     *
     * @param in the instruction
     * @param bytes size of a memory operand
     */
    SseFloatOp(Instruction in, int bytes) {
        super(in, bytes, false);
        destination = in.reg * STRIDE;
        source = in.isMemory() ? -1 : in.rm * STRIDE;
    }

    /** Checks that SSE instructions may run (SDM 3A 2.5 and 13.1) and prepares the context for MXCSR. */
    static FloatContext begin(Cpu cpu) {
        if ((cpu.cr0 & (Cpu.CR0_EM | Cpu.CR0_TS) | ~cpu.cr4 & Cpu.CR4_OSFXSR) != 0) {
            throw unavailable(cpu);
        }
        FloatContext context = cpu.sse;
        context.useMxcsr(cpu.mxcsr);
        return context;
    }

    private static Fault unavailable(Cpu cpu) {
        if ((cpu.cr0 & Cpu.CR0_EM) != 0 || (cpu.cr4 & Cpu.CR4_OSFXSR) == 0) {
            return cpu.undefined();
        }
        return cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
    }

    /** Makes raised exceptions visible in MXCSR; an unmasked one leaves the instruction before it writes its result. */
    static void finish(Cpu cpu, FloatContext context) {
        if (context.flags != 0) {
            report(cpu, context);
        }
    }

    private static void report(Cpu cpu, FloatContext context) {
        int flags = context.flags;
        int unmasked = context.unmasked();
        if ((unmasked & FloatContext.PRE_COMPUTATION) != 0) {
            // The handler runs before anything is computed, so the other three flags stay (SDM 1 11.5.4).
            flags &= FloatContext.PRE_COMPUTATION;
        }
        cpu.mxcsr |= flags;
        if (unmasked != 0) {
            throw (cpu.cr4 & Cpu.CR4_OSXMMEXCPT) != 0 ? cpu.fault(Vector.SIMD_FLOATING_POINT) : cpu.undefined();
        }
    }

    /** {@return the low 64 bits of the second operand} */
    final long second64(Cpu cpu) {
        return source >= 0 ? cpu.vec[source] : cpu.readLong(address(cpu));
    }

    /** {@return the low 32 bits of the second operand} */
    final int second32(Cpu cpu) {
        return source >= 0 ? (int) cpu.vec[source] : cpu.readInt(address(cpu));
    }

    /** Loads the 128 bits of the second operand into {@link Cpu#low} and {@link Cpu#high}; memory must be aligned. */
    final void second128(Cpu cpu) {
        if (source >= 0) {
            cpu.low = cpu.vec[source];
            cpu.high = cpu.vec[source + 1];
            return;
        }
        long address = address(cpu);
        if ((address & MISALIGNED) != 0) {
            throw cpu.generalProtection();
        }
        cpu.read128(address);
    }

    /** {@return a register with its low 32 bits replaced} */
    static long replaceLow(long quadword, int low) {
        return quadword & 0xFFFF_FFFF_0000_0000L | low & 0xFFFF_FFFFL;
    }

    /** {@return a quadword of two binary32 lanes} */
    static long join(int low, int high) {
        return low & 0xFFFF_FFFFL | (long) high << 32;
    }
}
