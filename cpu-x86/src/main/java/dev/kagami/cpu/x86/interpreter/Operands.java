package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/** Operands of any size, for the ops that serve all sizes in one class. Values are zero-extended. */
final class Operands {
    private Operands() {}

    /** {@return whether an 8-bit register number means ah, ch, dh or bh: 4 to 7 without REX} */
    static boolean isHighByte(Instruction in, int register, int size) {
        return size == 1 && !in.rex && (register & ~3) == 4;
    }

    /**
     * Reads a general register.
     *
     * @param cpu the CPU
     * @param register its number
     * @param size bytes: 1, 2, 4 or 8
     * @param highByte whether it is ah, ch, dh or bh
     * @return the value
     */
    static long register(Cpu cpu, int register, int size, boolean highByte) {
        return switch (size) {
            case 1 -> cpu.reg8(register, highByte);
            case 2 -> cpu.r[register] & 0xFFFFL;
            case 4 -> cpu.r[register] & 0xFFFF_FFFFL;
            default -> cpu.r[register];
        };
    }

    /**
     * Writes a general register as an instruction does: 32-bit values clear the upper half, smaller ones keep the rest.
     */
    static void setRegister(Cpu cpu, int register, int size, boolean highByte, long value) {
        switch (size) {
            case 1 -> cpu.setReg8(register, highByte, (int) value);
            case 2 -> cpu.setReg16(register, (int) value);
            case 4 -> cpu.r[register] = value & 0xFFFF_FFFFL;
            default -> cpu.r[register] = value;
        }
    }

    /** Reads memory that {@link #modify} is about to write; see {@link Cpu#readLongToModify}. */
    static long readToModify(Cpu cpu, long address, int size) {
        return switch (size) {
            case 1 -> cpu.readByteToModify(address);
            case 2 -> cpu.readShortToModify(address);
            case 4 -> cpu.readIntToModify(address) & 0xFFFF_FFFFL;
            default -> cpu.readLongToModify(address);
        };
    }

    /** Writes what {@link #readToModify} read. */
    static void modify(Cpu cpu, int size, long value) {
        switch (size) {
            case 1 -> cpu.modifyByte((int) value);
            case 2 -> cpu.modifyShort((int) value);
            case 4 -> cpu.modifyInt((int) value);
            default -> cpu.modifyLong(value);
        }
    }

    /** Compares as CMP does and sets the flags. */
    static void compare(Cpu cpu, int size, long a, long b) {
        switch (size) {
            case 1 -> cpu.sub8((int) a, (int) b);
            case 2 -> cpu.sub16((int) a, (int) b);
            case 4 -> cpu.sub32((int) a, (int) b);
            default -> cpu.sub64(a, b);
        }
    }

    /** Adds as ADD does, sets the flags and returns the sum. */
    static long add(Cpu cpu, int size, long a, long b) {
        return switch (size) {
            case 1 -> cpu.add8((int) a, (int) b);
            case 2 -> cpu.add16((int) a, (int) b);
            case 4 -> cpu.add32((int) a, (int) b);
            default -> cpu.add64(a, b);
        };
    }

    /** {@return the value with the bits above {@code size} bytes copied from its sign} */
    static long signExtend(long value, int size) {
        int unused = 64 - 8 * size;
        return value << unused >> unused;
    }

    /** {@return the bits of a value of {@code size} bytes} */
    static long mask(int size) {
        return -1L >>> 64 - 8 * size;
    }
}
