package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Decimal arithmetic: AAA, AAS, AAM, AAD, DAA, DAS, and SALC; none of them exists in 64-bit mode (SDM 2A). */
final class DecimalOps extends Op {
    private final int opcode;
    private final int base;

    private DecimalOps(Instruction in) {
        super(in);
        opcode = in.opcode;
        base = (int) in.immediate & 0xFF;
    }

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY || in.mode == 64) {
            return null;
        }
        return switch (in.opcode) {
            case 0x27, 0x2F, 0x37, 0x3F, 0xD4, 0xD5, 0xD6 -> new DecimalOps(in);
            default -> null;
        };
    }

    @Override
    void execute(Cpu cpu) {
        int al = (int) cpu.r[Cpu.RAX] & 0xFF;
        switch (opcode) {
            case 0x27 -> adjustPacked(cpu, al, 1);
            case 0x2F -> adjustPacked(cpu, al, -1);
            case 0x37 -> adjustUnpacked(cpu, al, 1);
            case 0x3F -> adjustUnpacked(cpu, al, -1);
            case 0xD4 -> {
                if (base == 0) {
                    throw cpu.fault(Vector.DIVIDE_ERROR);
                }
                cpu.setReg16(Cpu.RAX, al / base << 8 | al % base);
                cpu.logic((byte) (al % base));
            }
            case 0xD5 -> {
                int ah = (int) cpu.r[Cpu.RAX] >> 8 & 0xFF;
                int result = al + ah * base & 0xFF;
                cpu.setReg16(Cpu.RAX, result);
                cpu.logic((byte) result);
            }
            default -> cpu.setReg8(Cpu.RAX, false, cpu.carryFlag() ? 0xFF : 0);
        }
    }

    /** DAA (direction 1) and DAS (-1). */
    private static void adjustPacked(Cpu cpu, int al, int direction) {
        boolean low = (al & 0xF) > 9 || cpu.adjustFlag();
        boolean high = al > 0x99 || cpu.carryFlag();
        int value = al;
        boolean carry = high;
        if (low) {
            value += 6 * direction;
            // DAS also borrows when the low correction runs below 0 (SDM 2A, DAS).
            carry |= direction < 0 && value < 0;
        }
        if (high) {
            value += 0x60 * direction;
        }
        cpu.setReg8(Cpu.RAX, false, value);
        cpu.logic((byte) value);
        finish(cpu, carry, low);
    }

    /** AAA (direction 1) and AAS (-1). */
    private static void adjustUnpacked(Cpu cpu, int al, int direction) {
        boolean adjust = (al & 0xF) > 9 || cpu.adjustFlag();
        int ax = (int) cpu.r[Cpu.RAX] & 0xFFFF;
        if (adjust) {
            ax += 0x106 * direction;
        }
        cpu.setReg16(Cpu.RAX, ax & 0xFF0F);
        cpu.logic((byte) (ax & 0xF));
        finish(cpu, adjust, adjust);
    }

    private static void finish(Cpu cpu, boolean carry, boolean adjust) {
        cpu.setCarry(carry);
        // logic left OF clear and setCarry keeps it; AF is bit 3.
        if (adjust) {
            cpu.flagAux |= 8;
        }
    }
}
