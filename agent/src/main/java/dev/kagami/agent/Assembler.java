package dev.kagami.agent;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Writes the few x86-64 instructions that {@link AgentProgram} is made of (Intel SDM, volume 2). Operations are 64 bits wide
 * unless their name says otherwise.
 */
final class Assembler {
    /** A general register; the ordinal is its number. */
    enum Register {
        RAX,
        RCX,
        RDX,
        RBX,
        RSP,
        RBP,
        RSI,
        RDI,
        R8,
        R9,
        R10,
        R11,
        R12,
        R13,
        R14,
        R15
    }

    /** A condition; the value is that of the Jcc instructions. */
    enum Condition {
        EQUAL(4),
        NOT_EQUAL(5),
        LESS(0xC),
        GREATER_OR_EQUAL(0xD),
        LESS_OR_EQUAL(0xE),
        GREATER(0xF);

        final int code;

        Condition(int code) {
            this.code = code;
        }
    }

    /** An address: a register and a displacement. */
    record Memory(Register base, int displacement) {
        Memory plus(int bytes) {
            return new Memory(base, displacement + bytes);
        }
    }

    private static final int REX = 0x40;
    private static final int REX_W = 0x48;

    /** Numbers in the opcode's field of ModRM, of the group that starts at 0x80. */
    private static final int ADD = 0;

    private static final int SUBTRACT = 5;
    private static final int COMPARE = 7;

    private final ByteBuffer code = ByteBuffer.allocate(1 << 14).order(ByteOrder.LITTLE_ENDIAN);
    private final Map<String, Integer> labels = new HashMap<>();
    /** Where a distance to a label has to be filled in. */
    private final Map<Integer, String> fixups = new HashMap<>();

    /** {@return the code, with all labels resolved} */
    byte[] finish() {
        fixups.forEach((at, label) -> {
            Integer target = labels.get(label);
            if (target == null) {
                throw new IllegalStateException("no label " + label);
            }
            code.putInt(at, target - (at + Integer.BYTES));
        });
        return Arrays.copyOf(code.array(), code.position());
    }

    void label(String name) {
        if (labels.put(name, code.position()) != null) {
            throw new IllegalStateException("two labels " + name);
        }
    }

    /** Puts a text with a zero behind it. */
    void text(String name, String value) {
        label(name);
        code.put(value.getBytes(StandardCharsets.US_ASCII)).put((byte) 0);
    }

    void move(Register target, Register source) {
        registers(0x89, source, target);
    }

    void move(Register target, long value) {
        int number = target.ordinal();
        if (value >= 0 && value <= Integer.MAX_VALUE) {
            // The upper half becomes zero by itself.
            if (number >= 8) {
                emit(REX | 1);
            }
            emit(0xB8 | number & 7);
        } else if (value == (int) value) {
            emit(REX_W | number >> 3);
            emit(0xC7);
            emit(0xC0 | number & 7);
        } else {
            throw new IllegalArgumentException("not a signed 32-bit value: " + value);
        }
        code.putInt((int) value);
    }

    void load(Register target, Memory source) {
        memory(REX_W, 0x8B, target.ordinal(), source);
    }

    void load32(Register target, Memory source) {
        memory(REX, 0x8B, target.ordinal(), source);
    }

    void store(Memory target, Register source) {
        memory(REX_W, 0x89, source.ordinal(), target);
    }

    void store32(Memory target, Register source) {
        memory(REX, 0x89, source.ordinal(), target);
    }

    void store(Memory target, int value) {
        memory(REX_W, 0xC7, 0, target);
        code.putInt(value);
    }

    void store32(Memory target, int value) {
        memory(REX, 0xC7, 0, target);
        code.putInt(value);
    }

    void store8(Memory target, int value) {
        memory(REX, 0xC6, 0, target);
        emit(value);
    }

    void address(Register target, Memory of) {
        memory(REX_W, 0x8D, target.ordinal(), of);
    }

    void address(Register target, String label) {
        emit(REX_W | target.ordinal() >> 3 << 2);
        emit(0x8D);
        // ModRM with mod 0 and r/m 5: relative to the next instruction.
        emit((target.ordinal() & 7) << 3 | 5);
        distance(label);
    }

    void add(Register target, Register source) {
        registers(0x01, source, target);
    }

    void add(Register target, int value) {
        group(ADD, target, value);
    }

    void add(Memory target, Register source) {
        memory(REX_W, 0x01, source.ordinal(), target);
    }

    void subtract(Register target, Register source) {
        registers(0x29, source, target);
    }

    void subtract(Memory target, Register source) {
        memory(REX_W, 0x29, source.ordinal(), target);
    }

    void subtract(Register target, int value) {
        group(SUBTRACT, target, value);
    }

    void negate(Register target) {
        emit(REX_W | target.ordinal() >> 3);
        emit(0xF7);
        emit(0xC0 | 3 << 3 | target.ordinal() & 7);
    }

    void or(Register target, Register source) {
        registers(0x09, source, target);
    }

    void xor(Register target, Memory source) {
        memory(REX_W, 0x33, target.ordinal(), source);
    }

    void compare(Register left, int right) {
        group(COMPARE, left, right);
    }

    void compare(Register left, Register right) {
        registers(0x39, right, left);
    }

    void compare(Memory left, int right) {
        memory(REX_W, 0x81, COMPARE, left);
        code.putInt(right);
    }

    void compare32(Memory left, int right) {
        memory(REX, 0x81, COMPARE, left);
        code.putInt(right);
    }

    /** Compares a register with zero. */
    void test(Register register) {
        registers(0x85, register, register);
    }

    /** Tells by EQUAL whether none of some bits is set. */
    void test16(Memory bits, int mask) {
        emit(0x66);
        memory(REX, 0xF7, 0, bits);
        code.putShort((short) mask);
    }

    void jump(Condition condition, String label) {
        emit(0x0F);
        emit(0x80 | condition.code);
        distance(label);
    }

    void jump(String label) {
        emit(0xE9);
        distance(label);
    }

    void call(String label) {
        emit(0xE8);
        distance(label);
    }

    void ret() {
        emit(0xC3);
    }

    void push(Register register) {
        if (register.ordinal() >= 8) {
            emit(REX | 1);
        }
        emit(0x50 | register.ordinal() & 7);
    }

    void pop(Register register) {
        if (register.ordinal() >= 8) {
            emit(REX | 1);
        }
        emit(0x58 | register.ordinal() & 7);
    }

    /** Calls the kernel, which changes rax, rcx and r11 only; the result in rax is a negative errno when it fails. */
    void system(int number) {
        move(Register.RAX, number);
        emit(0x0F);
        emit(0x05);
    }

    private void group(int operation, Register target, int value) {
        emit(REX_W | target.ordinal() >> 3);
        emit(0x81);
        emit(0xC0 | operation << 3 | target.ordinal() & 7);
        code.putInt(value);
    }

    private void registers(int opcode, Register inReg, Register inRm) {
        emit(REX_W | inReg.ordinal() >> 3 << 2 | inRm.ordinal() >> 3);
        emit(opcode);
        emit(0xC0 | (inReg.ordinal() & 7) << 3 | inRm.ordinal() & 7);
    }

    private void memory(int rex, int opcode, int reg, Memory operand) {
        int base = operand.base().ordinal();
        emit(rex | reg >> 3 << 2 | base >> 3);
        emit(opcode);
        emit(0x80 | (reg & 7) << 3 | base & 7);
        if ((base & 7) == Register.RSP.ordinal()) {
            emit(0x24);
        }
        code.putInt(operand.displacement());
    }

    private void distance(String label) {
        fixups.put(code.position(), label);
        code.putInt(0);
    }

    private void emit(int value) {
        code.put((byte) value);
    }
}
