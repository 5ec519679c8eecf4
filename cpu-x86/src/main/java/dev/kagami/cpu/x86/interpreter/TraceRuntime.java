package dev.kagami.cpu.x86.interpreter;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** What the code of a {@link Trace} calls. Most of it is small, to be inlined with the constants that it is called with. */
final class TraceRuntime {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private TraceRuntime() {}

    // ---------------------------------------------------------------- memory

    static long get1(ByteBuffer ram, long offset) {
        return ram.get((int) offset) & 0xFF;
    }

    static long get2(ByteBuffer ram, long offset) {
        return ram.getShort((int) offset) & 0xFFFF;
    }

    static long get4(ByteBuffer ram, long offset) {
        return ram.getInt((int) offset);
    }

    static long get8(ByteBuffer ram, long offset) {
        return ram.getLong((int) offset);
    }

    static void set1(ByteBuffer ram, long offset, long value) {
        ram.put((int) offset, (byte) value);
    }

    static void set2(ByteBuffer ram, long offset, long value) {
        ram.putShort((int) offset, (short) value);
    }

    static void set4(ByteBuffer ram, long offset, long value) {
        ram.putInt((int) offset, (int) value);
    }

    static void set8(ByteBuffer ram, long offset, long value) {
        ram.putLong((int) offset, value);
    }

    static long get1(MemorySegment ram, long offset) {
        return ram.get(ValueLayout.JAVA_BYTE, offset) & 0xFF;
    }

    static long get2(MemorySegment ram, long offset) {
        return ram.get(SHORT, offset) & 0xFFFF;
    }

    static long get4(MemorySegment ram, long offset) {
        return ram.get(INT, offset);
    }

    static long get8(MemorySegment ram, long offset) {
        return ram.get(LONG, offset);
    }

    static void set1(MemorySegment ram, long offset, long value) {
        ram.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
    }

    static void set2(MemorySegment ram, long offset, long value) {
        ram.set(SHORT, offset, (short) value);
    }

    static void set4(MemorySegment ram, long offset, long value) {
        ram.set(INT, offset, (int) value);
    }

    static void set8(MemorySegment ram, long offset, long value) {
        ram.set(LONG, offset, value);
    }

    // Where others can see it, Cpu.retired counts what was retired up to the start of the block that the instruction is
    // in.

    static long readSlow(Cpu cpu, long address, int size, int position, int before) {
        cpu.position = position;
        cpu.retired += before;
        long value = cpu.mmu.readSlow(address, size);
        cpu.retired -= before;
        return switch (size) {
            case 1 -> value & 0xFF;
            case 2 -> value & 0xFFFF;
            case 4 -> (int) value;
            default -> value;
        };
    }

    static void writeSlow(Cpu cpu, long address, long value, int size, int position, int before) {
        cpu.position = position;
        cpu.retired += before;
        cpu.mmu.writeSlow(address, size, value);
        cpu.retired -= before;
    }

    static long readToModifySlow(Cpu cpu, long address, int size, int position, int before) {
        cpu.position = position;
        cpu.retired += before;
        long value = Operands.readToModify(cpu, address, size);
        cpu.retired -= before;
        return value;
    }

    static void modifySlow(Cpu cpu, long value, int size, int before) {
        cpu.retired += before;
        Operands.modify(cpu, size, value);
        cpu.retired -= before;
    }

    // ---------------------------------------------------------------- flags, as Cpu.flagAux has them

    static long addAux(long a, long b, long x, int bits) {
        return aux(a & b | (a | b) & ~x, bits);
    }

    static long subAux(long a, long b, long x, int bits) {
        return aux(~a & b | (~a | b) & x, bits);
    }

    private static long aux(long carries, int bits) {
        return carries << 64 - bits & ShiftOps.CARRIES | carries & 8;
    }

    /** With CF as the lowest bit of {@code carry}. */
    static long carryAux(long aux, long carry) {
        return (aux >>> 63 ^ carry & 1) != 0 ? aux ^ ShiftOps.CARRIES : aux;
    }

    static long shiftLeftAux(long almost) {
        return almost & ShiftOps.CARRIES;
    }

    static long shiftRightAux(long almost, int bits) {
        return almost << 63 | (almost ^ almost >>> bits - 1) << 63 >>> 1;
    }

    static long shiftRightArithmeticAux(long almost) {
        return almost << 63 >> 1 & ShiftOps.CARRIES;
    }

    // ---------------------------------------------------------------- ways out

    /** Stops before an instruction. */
    static void leave(Cpu cpu, long rip, int retired) {
        cpu.r[Cpu.RIP] = rip;
        cpu.retired += retired;
    }

    /** Stops where a conditional jump goes the way that the trace doesn't. */
    static void leave(Cpu cpu, ControlOps.Relative jump, boolean taken, long start, int retired) {
        cpu.r[Cpu.RIP] = start;
        cpu.retired += retired;
        if (taken) {
            jump.take(cpu);
        } else {
            jump.skip(cpu);
        }
    }

    /** Runs the last instruction of a block, behind which the trace stops. */
    static void leave(Cpu cpu, Op last, int position, long start, int before, int retired) {
        execute(cpu, last, position, start, before);
        cpu.retired += retired;
    }

    /** Runs an instruction that has no code of its own. */
    static void execute(Cpu cpu, Op op, int position, long start, int before) {
        cpu.position = position;
        cpu.r[Cpu.RIP] = start;
        cpu.retired += before;
        op.execute(cpu);
        cpu.retired -= before;
    }

    /** {@return whether what the trace was made for still holds behind an instruction that can change it} */
    static boolean goesOn(Cpu cpu, int mode, int epoch) {
        return cpu.codeMode == mode && cpu.code.epoch == epoch && cpu.events() == 0;
    }

    /** {@return the same behind a branch, if it went to where the trace does} */
    static boolean goesOn(Cpu cpu, int mode, int epoch, long rip) {
        if (cpu.r[Cpu.RIP] != rip || !goesOn(cpu, mode, epoch)) {
            return false;
        }
        cpu.next = null;
        cpu.linkFrom = null;
        return true;
    }
}
