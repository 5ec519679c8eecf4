package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG and NOT in all sizes and forms.
 *
 * <p>The 32- and 64-bit register forms, most of what runs, have a class each. Forms with a memory operand share one class a
 * size, and 8- and 16-bit forms one for all: there the operation is a switch on a final field.
 */
final class AluOps {
    // Operation numbers as in bits 3-5 of the opcode and in ModRM.reg of group 1.
    static final int ADD = 0;
    static final int OR = 1;
    static final int ADC = 2;
    static final int SBB = 3;
    static final int AND = 4;
    static final int SUB = 5;
    static final int XOR = 6;
    static final int CMP = 7;
    // Further operations of the same shapes.
    static final int TEST = 8;
    static final int INC = 9;
    static final int DEC = 10;
    static final int NOT = 11;
    static final int NEG = 12;

    private AluOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        int opcode = in.opcode;
        if (opcode < 0x40) {
            int operation = opcode >> 3;
            return switch (opcode & 7) {
                case 0 -> modRmReg(in, operation, 1);
                case 1 -> modRmReg(in, operation, in.operandSize);
                case 2 -> regModRm(in, operation, 1);
                case 3 -> regModRm(in, operation, in.operandSize);
                case 4 -> registerImmediate(in, operation, 1, Cpu.RAX);
                case 5 -> registerImmediate(in, operation, in.operandSize, Cpu.RAX);
                default -> null;
            };
        }
        return switch (opcode) {
            case 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47 -> registerUnary(in, INC, in.operandSize, opcode & 7);
            case 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F -> registerUnary(in, DEC, in.operandSize, opcode & 7);
            case 0x80, 0x82 -> modRmImmediate(in, in.group(), 1);
            case 0x81, 0x83 -> modRmImmediate(in, in.group(), in.operandSize);
            case 0x84 -> modRmReg(in, TEST, 1);
            case 0x85 -> modRmReg(in, TEST, in.operandSize);
            case 0xA8 -> registerImmediate(in, TEST, 1, Cpu.RAX);
            case 0xA9 -> registerImmediate(in, TEST, in.operandSize, Cpu.RAX);
            case 0xF6, 0xF7 -> {
                int size = opcode == 0xF6 ? 1 : in.operandSize;
                yield switch (in.group()) {
                    case 0, 1 -> modRmImmediate(in, TEST, size);
                    case 2 -> unary(in, NOT, size);
                    case 3 -> unary(in, NEG, size);
                    default -> null;
                };
            }
            case 0xFE, 0xFF ->
                in.group() < 2 ? unary(in, in.group() == 0 ? INC : DEC, opcode == 0xFE ? 1 : in.operandSize) : null;
            default -> null;
        };
    }

    // ---------------------------------------------------------------- choice of class

    private static Op modRmReg(Instruction in, int operation, int size) {
        if (!in.isMemory()) {
            return registerRegister(in, operation, size, in.rm, in.reg);
        }
        return switch (size) {
            case 8 -> new MemoryRegister64(in, operation);
            case 4 -> new MemoryRegister32(in, operation);
            default -> new MemorySmall(in, operation, size, in.reg, 0);
        };
    }

    private static Op regModRm(Instruction in, int operation, int size) {
        if (!in.isMemory()) {
            return registerRegister(in, operation, size, in.reg, in.rm);
        }
        return switch (size) {
            case 8 -> operation == CMP ? new CompareRegisterMemory64(in) : new RegisterMemory64(in, operation);
            case 4 -> operation == CMP ? new CompareRegisterMemory32(in) : new RegisterMemory32(in, operation);
            default -> new RegisterMemorySmall(in, operation, size);
        };
    }

    private static Op modRmImmediate(Instruction in, int operation, int size) {
        if (!in.isMemory()) {
            return registerImmediate(in, operation, size, in.rm);
        }
        return switch (size) {
            case 8 -> new MemoryImmediate64(in, operation);
            case 4 -> new MemoryImmediate32(in, operation);
            default -> new MemorySmall(in, operation, size, -1, (int) in.immediate);
        };
    }

    private static Op unary(Instruction in, int operation, int size) {
        if (!in.isMemory()) {
            return registerUnary(in, operation, size, in.rm);
        }
        return switch (size) {
            case 8 -> new MemoryImmediate64(in, operation);
            case 4 -> new MemoryImmediate32(in, operation);
            default -> new MemorySmall(in, operation, size, -1, 0);
        };
    }

    private static Op registerRegister(Instruction in, int operation, int size, int d, int s) {
        if (size == 8) {
            return switch (operation) {
                case ADD -> new AddRegister64(in, d, s);
                case SUB -> d == s ? new Zero(in, d) : new SubRegister64(in, d, s);
                case AND -> new AndRegister64(in, d, s);
                case OR -> new OrRegister64(in, d, s);
                case XOR -> d == s ? new Zero(in, d) : new XorRegister64(in, d, s);
                case CMP -> new CompareRegister64(in, d, s);
                case TEST -> new TestRegister64(in, d, s);
                default -> new Register64(in, operation, d, s);
            };
        }
        if (size == 4) {
            return switch (operation) {
                case ADD -> new AddRegister32(in, d, s);
                case SUB -> d == s ? new Zero(in, d) : new SubRegister32(in, d, s);
                case AND -> new AndRegister32(in, d, s);
                case OR -> new OrRegister32(in, d, s);
                case XOR -> d == s ? new Zero(in, d) : new XorRegister32(in, d, s);
                case CMP -> new CompareRegister32(in, d, s);
                case TEST -> new TestRegister32(in, d, s);
                default -> new Register32(in, operation, d, s);
            };
        }
        return new RegisterSmall(in, operation, size, d, s, 0);
    }

    private static Op registerImmediate(Instruction in, int operation, int size, int d) {
        if (size == 8) {
            return switch (operation) {
                case ADD -> new AddImmediate64(in, d);
                case SUB -> new SubImmediate64(in, d);
                case AND -> new AndImmediate64(in, d);
                case CMP -> new CompareImmediate64(in, d);
                case TEST -> new TestImmediate64(in, d);
                default -> new Immediate64(in, operation, d);
            };
        }
        if (size == 4) {
            return switch (operation) {
                case ADD -> new AddImmediate32(in, d);
                case SUB -> new SubImmediate32(in, d);
                case AND -> new AndImmediate32(in, d);
                case CMP -> new CompareImmediate32(in, d);
                case TEST -> new TestImmediate32(in, d);
                default -> new Immediate32(in, operation, d);
            };
        }
        return new RegisterSmall(in, operation, size, d, -1, (int) in.immediate);
    }

    private static Op registerUnary(Instruction in, int operation, int size, int d) {
        if (size == 8) {
            return switch (operation) {
                case INC -> new Increment64(in, d);
                case DEC -> new Decrement64(in, d);
                default -> new Immediate64(in, operation, d);
            };
        }
        if (size == 4) {
            return switch (operation) {
                case INC -> new Increment32(in, d);
                case DEC -> new Decrement32(in, d);
                default -> new Immediate32(in, operation, d);
            };
        }
        return new RegisterSmall(in, operation, size, d, -1, 0);
    }

    /** {@return whether an operation only sets flags} */
    private static boolean flagsOnly(int operation) {
        return operation == CMP || operation == TEST;
    }

    // ---------------------------------------------------------------- semantics by switch

    static long compute64(Cpu cpu, int operation, long a, long b) {
        return switch (operation) {
            case ADD -> cpu.add64(a, b);
            case OR -> logic64(cpu, a | b);
            case ADC -> cpu.adc(64, a, b);
            case SBB -> cpu.sbb(64, a, b);
            case AND, TEST -> logic64(cpu, a & b);
            case SUB, CMP -> cpu.sub64(a, b);
            case XOR -> logic64(cpu, a ^ b);
            case INC -> {
                cpu.flagsInc(64, a + 1);
                yield a + 1;
            }
            case DEC -> {
                cpu.flagsDec(64, a - 1);
                yield a - 1;
            }
            case NOT -> ~a;
            default -> cpu.sub64(0, a);
        };
    }

    static long compute32(Cpu cpu, int operation, int a, int b) {
        return switch (operation) {
            case ADD -> cpu.add32(a, b);
            case OR -> logic32(cpu, a | b);
            case ADC -> cpu.adc(32, a, b);
            case SBB -> cpu.sbb(32, a, b);
            case AND, TEST -> logic32(cpu, a & b);
            case SUB, CMP -> cpu.sub32(a, b);
            case XOR -> logic32(cpu, a ^ b);
            case INC -> {
                cpu.flagsInc(32, a + 1);
                yield a + 1 & 0xFFFF_FFFFL;
            }
            case DEC -> {
                cpu.flagsDec(32, a - 1);
                yield a - 1 & 0xFFFF_FFFFL;
            }
            case NOT -> ~a & 0xFFFF_FFFFL;
            default -> cpu.sub32(0, a);
        };
    }

    /** Computes 8- and 16-bit operations; the result may hold garbage above its size. */
    static int computeSmall(Cpu cpu, int operation, int size, int a, int b) {
        int bits = 8 * size;
        boolean byteSize = size == 1;
        return switch (operation) {
            case ADD -> byteSize ? cpu.add8(a, b) : cpu.add16(a, b);
            case OR -> logicSmall(cpu, byteSize, a | b);
            case ADC -> (int) cpu.adc(bits, a, b);
            case SBB -> (int) cpu.sbb(bits, a, b);
            case AND, TEST -> logicSmall(cpu, byteSize, a & b);
            case SUB, CMP -> byteSize ? cpu.sub8(a, b) : cpu.sub16(a, b);
            case XOR -> logicSmall(cpu, byteSize, a ^ b);
            case INC -> {
                int x = a + 1;
                cpu.flagsInc(bits, byteSize ? (byte) x : (short) x);
                yield x;
            }
            case DEC -> {
                int x = a - 1;
                cpu.flagsDec(bits, byteSize ? (byte) x : (short) x);
                yield x;
            }
            case NOT -> ~a;
            default -> byteSize ? cpu.sub8(0, a) : cpu.sub16(0, a);
        };
    }

    private static long logic64(Cpu cpu, long x) {
        cpu.logic(x);
        return x;
    }

    private static long logic32(Cpu cpu, int x) {
        cpu.logic(x);
        return x & 0xFFFF_FFFFL;
    }

    private static int logicSmall(Cpu cpu, boolean byteSize, int x) {
        cpu.logic(byteSize ? (byte) x : (short) x);
        return x;
    }

    // ---------------------------------------------------------------- register forms

    /** Two registers. */
    abstract static class RegReg extends Op {
        final byte d;
        final byte s;

        RegReg(Instruction in, int d, int s) {
            super(in);
            this.d = (byte) d;
            this.s = (byte) s;
        }
    }

    /** A register and an immediate. */
    abstract static class RegImm extends Op {
        final byte d;
        final int immediate;

        RegImm(Instruction in, int d) {
            super(in);
            this.d = (byte) d;
            immediate = (int) in.immediate;
        }
    }

    private static final class AddRegister64 extends RegReg {
        AddRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.add64(r[d], r[s]);
        }
    }

    private static final class SubRegister64 extends RegReg {
        SubRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.sub64(r[d], r[s]);
        }
    }

    private static final class AndRegister64 extends RegReg {
        AndRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long x = r[d] & r[s];
            r[d] = x;
            cpu.logic(x);
        }
    }

    private static final class OrRegister64 extends RegReg {
        OrRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long x = r[d] | r[s];
            r[d] = x;
            cpu.logic(x);
        }
    }

    private static final class XorRegister64 extends RegReg {
        XorRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            long x = r[d] ^ r[s];
            r[d] = x;
            cpu.logic(x);
        }
    }

    static final class CompareRegister64 extends RegReg {
        CompareRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.sub64(r[d], r[s]);
        }
    }

    static final class TestRegister64 extends RegReg {
        TestRegister64(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.logic(r[d] & r[s]);
        }
    }

    private static final class AddImmediate64 extends RegImm {
        AddImmediate64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.add64(r[d], immediate);
        }
    }

    private static final class SubImmediate64 extends RegImm {
        SubImmediate64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.sub64(r[d], immediate);
        }
    }

    private static final class AndImmediate64 extends RegImm {
        AndImmediate64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long x = cpu.r[d] & immediate;
            cpu.r[d] = x;
            cpu.logic(x);
        }
    }

    static final class CompareImmediate64 extends RegImm {
        CompareImmediate64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.sub64(cpu.r[d], immediate);
        }
    }

    static final class TestImmediate64 extends RegImm {
        TestImmediate64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.logic(cpu.r[d] & immediate);
        }
    }

    private static final class AddRegister32 extends RegReg {
        AddRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.add32((int) r[d], (int) r[s]);
        }
    }

    private static final class SubRegister32 extends RegReg {
        SubRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.sub32((int) r[d], (int) r[s]);
        }
    }

    private static final class AndRegister32 extends RegReg {
        AndRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            int x = (int) (r[d] & r[s]);
            r[d] = x & 0xFFFF_FFFFL;
            cpu.logic(x);
        }
    }

    private static final class OrRegister32 extends RegReg {
        OrRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            int x = (int) (r[d] | r[s]);
            r[d] = x & 0xFFFF_FFFFL;
            cpu.logic(x);
        }
    }

    private static final class XorRegister32 extends RegReg {
        XorRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            int x = (int) (r[d] ^ r[s]);
            r[d] = x & 0xFFFF_FFFFL;
            cpu.logic(x);
        }
    }

    static final class CompareRegister32 extends RegReg {
        CompareRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.sub32((int) r[d], (int) r[s]);
        }
    }

    static final class TestRegister32 extends RegReg {
        TestRegister32(Instruction in, int d, int s) {
            super(in, d, s);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.logic((int) (r[d] & r[s]));
        }
    }

    private static final class AddImmediate32 extends RegImm {
        AddImmediate32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.add32((int) r[d], immediate);
        }
    }

    private static final class SubImmediate32 extends RegImm {
        SubImmediate32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.sub32((int) r[d], immediate);
        }
    }

    private static final class AndImmediate32 extends RegImm {
        AndImmediate32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            int x = (int) (cpu.r[d] & immediate);
            cpu.r[d] = x & 0xFFFF_FFFFL;
            cpu.logic(x);
        }
    }

    static final class CompareImmediate32 extends RegImm {
        CompareImmediate32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.sub32((int) cpu.r[d], immediate);
        }
    }

    static final class TestImmediate32 extends RegImm {
        TestImmediate32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.logic((int) (cpu.r[d] & immediate));
        }
    }

    /** XOR or SUB of a register with itself. */
    private static final class Zero extends Op {
        private final byte d;

        Zero(Instruction in, int d) {
            super(in);
            this.d = (byte) d;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = 0;
            cpu.logic(0);
        }
    }

    /** The rarer operations on two 64-bit registers. */
    private static final class Register64 extends RegReg {
        private final byte operation;

        Register64(Instruction in, int operation, int d, int s) {
            super(in, d, s);
            this.operation = (byte) operation;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = compute64(cpu, operation, cpu.r[d], cpu.r[s]);
        }
    }

    /** The rarer operations on two 32-bit registers. */
    private static final class Register32 extends RegReg {
        private final byte operation;

        Register32(Instruction in, int operation, int d, int s) {
            super(in, d, s);
            this.operation = (byte) operation;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = compute32(cpu, operation, (int) cpu.r[d], (int) cpu.r[s]);
        }
    }

    /** The rarer operations on a 64-bit register, with an immediate or unary. */
    private static final class Immediate64 extends RegImm {
        private final byte operation;

        Immediate64(Instruction in, int operation, int d) {
            super(in, d);
            this.operation = (byte) operation;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = compute64(cpu, operation, cpu.r[d], immediate);
        }
    }

    /** The rarer operations on a 32-bit register, with an immediate or unary. */
    private static final class Immediate32 extends RegImm {
        private final byte operation;

        Immediate32(Instruction in, int operation, int d) {
            super(in, d);
            this.operation = (byte) operation;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = compute32(cpu, operation, (int) cpu.r[d], immediate);
        }
    }

    private static final class Increment64 extends RegImm {
        Increment64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long x = cpu.r[d] + 1;
            cpu.r[d] = x;
            cpu.flagsInc(64, x);
        }
    }

    private static final class Increment32 extends RegImm {
        Increment32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            int x = (int) cpu.r[d] + 1;
            cpu.r[d] = x & 0xFFFF_FFFFL;
            cpu.flagsInc(32, x);
        }
    }

    private static final class Decrement64 extends RegImm {
        Decrement64(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            long x = cpu.r[d] - 1;
            cpu.r[d] = x;
            cpu.flagsDec(64, x);
        }
    }

    private static final class Decrement32 extends RegImm {
        Decrement32(Instruction in, int d) {
            super(in, d);
        }

        @Override
        void execute(Cpu cpu) {
            int x = (int) cpu.r[d] - 1;
            cpu.r[d] = x & 0xFFFF_FFFFL;
            cpu.flagsDec(32, x);
        }
    }

    /** 8- and 16-bit operations on registers; the source is an immediate when {@code s} is negative. */
    private static final class RegisterSmall extends Op {
        private final byte operation;
        private final byte size;
        private final byte d;
        private final byte s;
        private final int immediate;
        private final boolean highD;
        private final boolean highS;

        RegisterSmall(Instruction in, int operation, int size, int d, int s, int immediate) {
            super(in);
            this.operation = (byte) operation;
            this.size = (byte) size;
            this.d = (byte) d;
            this.s = (byte) s;
            this.immediate = immediate;
            highD = size == 1 && !in.rex && d >= 4;
            highS = size == 1 && !in.rex && s >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            if (size == 1) {
                int b = s < 0 ? immediate : cpu.reg8(s, highS);
                int x = computeSmall(cpu, operation, 1, cpu.reg8(d, highD), b);
                if (!flagsOnly(operation)) {
                    cpu.setReg8(d, highD, x);
                }
            } else {
                int b = s < 0 ? immediate : (int) cpu.r[s];
                int x = computeSmall(cpu, operation, 2, (int) cpu.r[d], b);
                if (!flagsOnly(operation)) {
                    cpu.setReg16(d, x);
                }
            }
        }
    }

    // ---------------------------------------------------------------- memory forms

    private static final class CompareRegisterMemory64 extends MemOp {
        private final byte d;

        CompareRegisterMemory64(Instruction in) {
            super(in, 8, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.sub64(cpu.r[d], cpu.readLong(address(cpu)));
        }
    }

    private static final class CompareRegisterMemory32 extends MemOp {
        private final byte d;

        CompareRegisterMemory32(Instruction in) {
            super(in, 4, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.sub32((int) cpu.r[d], cpu.readInt(address(cpu)));
        }
    }

    private static final class RegisterMemory64 extends MemOp {
        private final byte operation;
        private final byte d;

        RegisterMemory64(Instruction in, int operation) {
            super(in, 8, false);
            this.operation = (byte) operation;
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long b = cpu.readLong(address(cpu));
            cpu.r[d] = compute64(cpu, operation, cpu.r[d], b);
        }
    }

    private static final class RegisterMemory32 extends MemOp {
        private final byte operation;
        private final byte d;

        RegisterMemory32(Instruction in, int operation) {
            super(in, 4, false);
            this.operation = (byte) operation;
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            int b = cpu.readInt(address(cpu));
            cpu.r[d] = compute32(cpu, operation, (int) cpu.r[d], b);
        }
    }

    private static final class RegisterMemorySmall extends MemOp {
        private final byte operation;
        private final byte size;
        private final byte d;
        private final boolean high;

        RegisterMemorySmall(Instruction in, int operation, int size) {
            super(in, size, false);
            this.operation = (byte) operation;
            this.size = (byte) size;
            d = (byte) in.reg;
            high = size == 1 && !in.rex && d >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            if (size == 1) {
                int x = computeSmall(cpu, operation, 1, cpu.reg8(d, high), cpu.readByte(address));
                if (operation != CMP) {
                    cpu.setReg8(d, high, x);
                }
            } else {
                int x = computeSmall(cpu, operation, 2, (int) cpu.r[d], cpu.readShort(address));
                if (operation != CMP) {
                    cpu.setReg16(d, x);
                }
            }
        }
    }

    private static final class MemoryRegister64 extends MemOp {
        private final byte operation;
        private final byte s;

        MemoryRegister64(Instruction in, int operation) {
            super(in, 8, !flagsOnly(operation));
            this.operation = (byte) operation;
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            modify64(cpu, address(cpu), operation, cpu.r[s]);
        }
    }

    private static final class MemoryRegister32 extends MemOp {
        private final byte operation;
        private final byte s;

        MemoryRegister32(Instruction in, int operation) {
            super(in, 4, !flagsOnly(operation));
            this.operation = (byte) operation;
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            modify32(cpu, address(cpu), operation, (int) cpu.r[s]);
        }
    }

    private static final class MemoryImmediate64 extends MemOp {
        private final byte operation;
        private final long immediate;

        MemoryImmediate64(Instruction in, int operation) {
            super(in, 8, !flagsOnly(operation));
            this.operation = (byte) operation;
            immediate = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            modify64(cpu, address(cpu), operation, immediate);
        }
    }

    private static final class MemoryImmediate32 extends MemOp {
        private final byte operation;
        private final int immediate;

        MemoryImmediate32(Instruction in, int operation) {
            super(in, 4, !flagsOnly(operation));
            this.operation = (byte) operation;
            immediate = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            modify32(cpu, address(cpu), operation, immediate);
        }
    }

    private static void modify64(Cpu cpu, long address, int operation, long b) {
        if (flagsOnly(operation)) {
            compute64(cpu, operation, cpu.readLong(address), b);
        } else {
            long a = cpu.readLongToModify(address);
            cpu.modifyLong(compute64(cpu, operation, a, b));
        }
    }

    private static void modify32(Cpu cpu, long address, int operation, int b) {
        if (flagsOnly(operation)) {
            compute32(cpu, operation, cpu.readInt(address), b);
        } else {
            int a = cpu.readIntToModify(address);
            cpu.modifyInt((int) compute32(cpu, operation, a, b));
        }
    }

    /** 8- and 16-bit operations on memory; the source is an immediate when {@code s} is negative. */
    private static final class MemorySmall extends MemOp {
        private final byte operation;
        private final byte size;
        private final byte s;
        private final int immediate;
        private final boolean high;

        MemorySmall(Instruction in, int operation, int size, int s, int immediate) {
            super(in, size, !flagsOnly(operation));
            this.operation = (byte) operation;
            this.size = (byte) size;
            this.s = (byte) s;
            this.immediate = immediate;
            high = size == 1 && !in.rex && s >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            long address = address(cpu);
            if (size == 1) {
                int b = s < 0 ? immediate : cpu.reg8(s, high);
                if (flagsOnly(operation)) {
                    computeSmall(cpu, operation, 1, cpu.readByte(address), b);
                } else {
                    int a = cpu.readByteToModify(address);
                    cpu.modifyByte(computeSmall(cpu, operation, 1, a, b));
                }
            } else {
                int b = s < 0 ? immediate : (int) cpu.r[s];
                if (flagsOnly(operation)) {
                    computeSmall(cpu, operation, 2, cpu.readShort(address), b);
                } else {
                    int a = cpu.readShortToModify(address);
                    cpu.modifyShort(computeSmall(cpu, operation, 2, a, b));
                }
            }
        }
    }
}
