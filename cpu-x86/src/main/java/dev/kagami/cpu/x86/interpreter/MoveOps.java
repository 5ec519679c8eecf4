package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/**
 * MOV, MOVZX, MOVSX, MOVSXD, LEA, CMOVcc, SETcc, XCHG, BSWAP, XLAT and the sign extensions of the accumulator.
 *
 * <p>Loads and stores of 32 and 64 bits with just a base and a displacement, the most frequent memory operands, have a
 * shorter address computation.
 */
final class MoveOps {
    private MoveOps() {}

    static @Nullable Op create(Instruction in) {
        return switch (in.map) {
            case Instruction.MAP_PRIMARY -> primary(in);
            case Instruction.MAP_0F -> secondary(in);
            default -> null;
        };
    }

    private static @Nullable Op primary(Instruction in) {
        int opcode = in.opcode;
        int size = in.operandSize;
        int low = opcode & 7 | in.rexB();
        return switch (opcode) {
            case 0x63 -> in.mode == 64 ? signExtend32(in) : null;
            // With memory it is a locked instruction.
            case 0x86 -> new ExchangeRegister(in, 1, in.rm, in.reg);
            case 0x87 -> new ExchangeRegister(in, size, in.rm, in.reg);
            case 0x88 -> in.isMemory() ? new Store8(in) : new MoveSmall(in, 1, in.rm, in.reg);
            case 0x89 -> store(in);
            case 0x8A -> in.isMemory() ? new LoadSmall(in, 1, in.reg) : new MoveSmall(in, 1, in.reg, in.rm);
            case 0x8B -> load(in);
            case 0x8D -> lea(in);
            case 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97 ->
                low == Cpu.RAX ? nothing(in) : new ExchangeRegister(in, size, Cpu.RAX, low);
            case 0x98 -> new Widen(in);
            case 0x99 -> new SignFill(in);
            case 0xA0 -> new LoadOffset(in, 1);
            case 0xA1 -> new LoadOffset(in, size);
            case 0xA2 -> new StoreOffset(in, 1);
            case 0xA3 -> new StoreOffset(in, size);
            case 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7 -> new MoveConstantSmall(in, 1, low);
            case 0xB8, 0xB9, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF -> moveConstant(in, low);
            case 0xC6, 0xC7 -> in.group() == 0 ? moveImmediate(in, opcode == 0xC6 ? 1 : size) : null;
            case 0xD7 -> {
                in.base = Cpu.RBX;
                yield new Translate(in);
            }
            default -> null;
        };
    }

    private static Op nothing(Instruction in) {
        return in.rep && in.opcode == 0x90 ? new SystemOps.Pause(in) : new Nothing(in);
    }

    private static @Nullable Op secondary(Instruction in) {
        int opcode = in.opcode;
        if (opcode >= 0x40 && opcode <= 0x4F) {
            return in.isMemory() ? new ConditionalLoad(in) : new ConditionalMove(in);
        }
        if (opcode >= 0x90 && opcode <= 0x9F) {
            return in.isMemory() ? new SetMemory(in) : new SetRegister(in);
        }
        if (opcode >= 0xC8) {
            return opcode <= 0xCF ? new ByteSwap(in, opcode & 7 | in.rexB()) : null;
        }
        return switch (opcode) {
            case 0xB6 -> extend(in, 1, false);
            case 0xB7 -> extend(in, 2, false);
            case 0xBE -> extend(in, 1, true);
            case 0xBF -> extend(in, 2, true);
            default -> null;
        };
    }

    private static boolean baseOnly(Instruction in) {
        return in.mode == 64
                && in.addressSize == 8
                && in.base >= 0
                && in.index == Instruction.NONE
                && in.segmentOverride == Instruction.NONE;
    }

    private static Op load(Instruction in) {
        int size = in.operandSize;
        if (!in.isMemory()) {
            return move(in, in.reg, in.rm);
        }
        return switch (size) {
            case 8 -> baseOnly(in) ? new LoadBase64(in) : new Load64(in);
            case 4 -> baseOnly(in) ? new LoadBase32(in) : new Load32(in);
            default -> new LoadSmall(in, 2, in.reg);
        };
    }

    private static Op store(Instruction in) {
        if (!in.isMemory()) {
            return move(in, in.rm, in.reg);
        }
        return switch (in.operandSize) {
            case 8 -> baseOnly(in) ? new StoreBase64(in) : new Store64(in);
            case 4 -> baseOnly(in) ? new StoreBase32(in) : new Store32(in);
            default -> new Store16(in);
        };
    }

    private static Op move(Instruction in, int d, int s) {
        return switch (in.operandSize) {
            case 8 -> new Move64(in, d, s);
            case 4 -> new Move32(in, d, s);
            default -> new MoveSmall(in, 2, d, s);
        };
    }

    private static Op moveConstant(Instruction in, int d) {
        return switch (in.operandSize) {
            case 8 -> new MoveConstant(in, d, in.immediate);
            case 4 -> new MoveConstant(in, d, in.immediate & 0xFFFF_FFFFL);
            default -> new MoveConstantSmall(in, 2, d);
        };
    }

    private static Op moveImmediate(Instruction in, int size) {
        if (!in.isMemory()) {
            return size == 1 ? new MoveConstantSmall(in, 1, in.rm) : moveConstant(in, in.rm);
        }
        return switch (size) {
            case 8 -> new StoreConstant64(in);
            case 4 -> new StoreConstant32(in);
            case 2 -> new StoreConstant16(in);
            default -> new StoreConstant8(in);
        };
    }

    private static @Nullable Op lea(Instruction in) {
        if (!in.isMemory()) {
            return null;
        }
        return switch (in.operandSize) {
            case 8 ->
                in.addressSize == 8 && in.base >= 0 && in.index == Instruction.NONE ? new LeaBase64(in) : new Lea64(in);
            case 4 -> new Lea32(in);
            default -> new Lea16(in);
        };
    }

    private static Op signExtend32(Instruction in) {
        if (in.operandSize != 8) {
            // Without REX.W it is a plain move.
            return load(in);
        }
        return in.isMemory() ? new LoadSign32To64(in) : new SignExtend32(in);
    }

    private static Op extend(Instruction in, int sourceSize, boolean signed) {
        int size = in.operandSize;
        if (!in.isMemory()) {
            boolean low = in.rex || in.rm < 4;
            return sourceSize == 1 && !signed && size >= 4 && low
                    ? new ZeroExtend8(in)
                    : new ExtendRegister(in, sourceSize, signed);
        }
        if (size == 2) {
            return sourceSize == 2 ? new LoadSmall(in, 2, in.reg) : new ExtendMemory16(in, signed);
        }
        if (!signed) {
            return sourceSize == 1 ? new LoadZero8(in) : new LoadZero16(in);
        }
        if (size == 8) {
            return sourceSize == 1 ? new LoadSign8To64(in) : new LoadSign16To64(in);
        }
        return sourceSize == 1 ? new LoadSign8To32(in) : new LoadSign16To32(in);
    }

    /** Writes a register of 2, 4 (zero-extending) or 8 bytes; 1 means the low byte. */
    static void setSized(Cpu cpu, int d, int size, long value) {
        switch (size) {
            case 8 -> cpu.r[d] = value;
            case 4 -> cpu.r[d] = value & 0xFFFF_FFFFL;
            case 2 -> cpu.setReg16(d, (int) value);
            default -> cpu.setReg8(d, false, (int) value);
        }
    }

    private static long extend(long value, int size, boolean signed) {
        int shift = 64 - 8 * size;
        return signed ? value << shift >> shift : value << shift >>> shift;
    }

    /** An operand of a base register and a displacement in 64-bit mode. */
    private abstract static class BaseOp extends Op {
        final byte base;
        final int displacement;

        BaseOp(Instruction in) {
            super(in);
            base = (byte) in.base;
            displacement = (int) in.displacement;
        }

        @Override
        final boolean usesStack() {
            return base == Cpu.RSP || base == Cpu.RBP;
        }
    }

    private static final class Move64 extends Op {
        private final byte d;
        private final byte s;

        Move64(Instruction in, int d, int s) {
            super(in);
            this.d = (byte) d;
            this.s = (byte) s;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = r[s];
        }
    }

    private static final class Move32 extends Op {
        private final byte d;
        private final byte s;

        Move32(Instruction in, int d, int s) {
            super(in);
            this.d = (byte) d;
            this.s = (byte) s;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = r[s] & 0xFFFF_FFFFL;
        }
    }

    private static final class MoveConstant extends Op {
        private final byte d;
        private final long value;

        MoveConstant(Instruction in, int d, long value) {
            super(in);
            this.d = (byte) d;
            this.value = value;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = value;
        }
    }

    private static final class Load64 extends MemOp {
        private final byte d;

        Load64(Instruction in) {
            super(in, 8, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = cpu.readLong(address(cpu));
        }
    }

    private static final class Load32 extends MemOp {
        private final byte d;

        Load32(Instruction in) {
            super(in, 4, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = cpu.readInt(address(cpu)) & 0xFFFF_FFFFL;
        }
    }

    private static final class LoadZero8 extends MemOp {
        private final byte d;

        LoadZero8(Instruction in) {
            super(in, 1, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = cpu.readByte(address(cpu));
        }
    }

    private static final class LoadZero16 extends MemOp {
        private final byte d;

        LoadZero16(Instruction in) {
            super(in, 2, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = cpu.readShort(address(cpu));
        }
    }

    private static final class LoadSign32To64 extends MemOp {
        private final byte d;

        LoadSign32To64(Instruction in) {
            super(in, 4, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = cpu.readInt(address(cpu));
        }
    }

    private static final class LoadSign8To64 extends MemOp {
        private final byte d;

        LoadSign8To64(Instruction in) {
            super(in, 1, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = (byte) cpu.readByte(address(cpu));
        }
    }

    private static final class LoadSign16To64 extends MemOp {
        private final byte d;

        LoadSign16To64(Instruction in) {
            super(in, 2, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = (short) cpu.readShort(address(cpu));
        }
    }

    private static final class LoadSign8To32 extends MemOp {
        private final byte d;

        LoadSign8To32(Instruction in) {
            super(in, 1, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = (byte) cpu.readByte(address(cpu)) & 0xFFFF_FFFFL;
        }
    }

    private static final class LoadSign16To32 extends MemOp {
        private final byte d;

        LoadSign16To32(Instruction in) {
            super(in, 2, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = (short) cpu.readShort(address(cpu)) & 0xFFFF_FFFFL;
        }
    }

    private static final class LoadBase64 extends BaseOp {
        private final byte d;

        LoadBase64(Instruction in) {
            super(in);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.readLong(r[base] + displacement);
        }
    }

    private static final class LoadBase32 extends BaseOp {
        private final byte d;

        LoadBase32(Instruction in) {
            super(in);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = cpu.readInt(r[base] + displacement) & 0xFFFF_FFFFL;
        }
    }

    private static final class Store64 extends MemOp {
        private final byte s;

        Store64(Instruction in) {
            super(in, 8, true);
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeLong(address(cpu), cpu.r[s]);
        }
    }

    private static final class StoreBase64 extends BaseOp {
        private final byte s;

        StoreBase64(Instruction in) {
            super(in);
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.writeLong(r[base] + displacement, r[s]);
        }
    }

    private static final class Store32 extends MemOp {
        private final byte s;

        Store32(Instruction in) {
            super(in, 4, true);
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeInt(address(cpu), (int) cpu.r[s]);
        }
    }

    private static final class StoreBase32 extends BaseOp {
        private final byte s;

        StoreBase32(Instruction in) {
            super(in);
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            cpu.writeInt(r[base] + displacement, (int) r[s]);
        }
    }

    private static final class Store16 extends MemOp {
        private final byte s;

        Store16(Instruction in) {
            super(in, 2, true);
            s = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeShort(address(cpu), (int) cpu.r[s]);
        }
    }

    private static final class Store8 extends MemOp {
        private final byte s;
        private final boolean high;

        Store8(Instruction in) {
            super(in, 1, true);
            s = (byte) in.reg;
            high = !in.rex && s >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeByte(address(cpu), cpu.reg8(s, high));
        }
    }

    private static final class StoreConstant64 extends MemOp {
        private final long value;

        StoreConstant64(Instruction in) {
            super(in, 8, true);
            value = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeLong(address(cpu), value);
        }
    }

    private static final class StoreConstant32 extends MemOp {
        private final long value;

        StoreConstant32(Instruction in) {
            super(in, 4, true);
            value = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeInt(address(cpu), (int) value);
        }
    }

    private static final class StoreConstant16 extends MemOp {
        private final long value;

        StoreConstant16(Instruction in) {
            super(in, 2, true);
            value = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeShort(address(cpu), (int) value);
        }
    }

    private static final class StoreConstant8 extends MemOp {
        private final long value;

        StoreConstant8(Instruction in) {
            super(in, 1, true);
            value = in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeByte(address(cpu), (int) value);
        }
    }

    private static final class Lea64 extends MemOp {
        private final byte d;

        Lea64(Instruction in) {
            super(in, 0, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = effectiveOffset(cpu);
        }
    }

    private static final class Lea32 extends MemOp {
        private final byte d;

        Lea32(Instruction in) {
            super(in, 0, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[d] = effectiveOffset(cpu) & 0xFFFF_FFFFL;
        }
    }

    private static final class Lea16 extends MemOp {
        private final byte d;

        Lea16(Instruction in) {
            super(in, 0, false);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setReg16(d, (int) effectiveOffset(cpu));
        }
    }

    private static final class LeaBase64 extends BaseOp {
        private final byte d;

        LeaBase64(Instruction in) {
            super(in);
            d = (byte) in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = r[base] + displacement;
        }
    }

    private static final class MoveSmall extends Op {
        private final byte d;
        private final byte s;
        private final boolean byteSize;
        private final boolean highD;
        private final boolean highS;

        MoveSmall(Instruction in, int size, int d, int s) {
            super(in);
            this.d = (byte) d;
            this.s = (byte) s;
            byteSize = size == 1;
            highD = byteSize && !in.rex && d >= 4;
            highS = byteSize && !in.rex && s >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            if (byteSize) {
                cpu.setReg8(d, highD, cpu.reg8(s, highS));
            } else {
                cpu.setReg16(d, (int) cpu.r[s]);
            }
        }
    }

    private static final class MoveConstantSmall extends Op {
        private final byte d;
        private final int value;
        private final boolean byteSize;
        private final boolean high;

        MoveConstantSmall(Instruction in, int size, int d) {
            super(in);
            this.d = (byte) d;
            value = (int) in.immediate;
            byteSize = size == 1;
            high = byteSize && !in.rex && d >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            if (byteSize) {
                cpu.setReg8(d, high, value);
            } else {
                cpu.setReg16(d, value);
            }
        }
    }

    private static final class LoadSmall extends MemOp {
        private final byte d;
        private final boolean byteSize;
        private final boolean high;

        LoadSmall(Instruction in, int size, int d) {
            super(in, size, false);
            this.d = (byte) d;
            byteSize = size == 1;
            high = byteSize && !in.rex && d >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            if (byteSize) {
                cpu.setReg8(d, high, cpu.readByte(address(cpu)));
            } else {
                cpu.setReg16(d, cpu.readShort(address(cpu)));
            }
        }
    }

    private static final class StoreOffset extends MemOp {
        private final byte size;

        StoreOffset(Instruction in, int size) {
            super(in, size, true);
            this.size = (byte) size;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.write(address(cpu), size, cpu.r[Cpu.RAX]);
        }
    }

    private static final class LoadOffset extends MemOp {
        private final byte size;

        LoadOffset(Instruction in, int size) {
            super(in, size, false);
            this.size = (byte) size;
        }

        @Override
        void execute(Cpu cpu) {
            setSized(cpu, Cpu.RAX, size, cpu.read(address(cpu), size));
        }
    }

    private static final class ExtendRegister extends Op {
        private final byte d;
        private final byte s;
        private final byte size;
        private final int sourceSize;
        private final boolean signed;
        private final boolean high;

        ExtendRegister(Instruction in, int sourceSize, boolean signed) {
            super(in);
            d = (byte) in.reg;
            s = (byte) in.rm;
            size = (byte) in.operandSize;
            this.sourceSize = sourceSize;
            this.signed = signed;
            high = sourceSize == 1 && !in.rex && s >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            setSized(cpu, d, size, extend(high ? cpu.r[s - 4] >> 8 : cpu.r[s], sourceSize, signed));
        }
    }

    private static final class ZeroExtend8 extends Op {
        private final byte d;
        private final byte s;

        ZeroExtend8(Instruction in) {
            super(in);
            d = (byte) in.reg;
            s = (byte) in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = r[s] & 0xFF;
        }
    }

    private static final class SignExtend32 extends Op {
        private final byte d;
        private final byte s;

        SignExtend32(Instruction in) {
            super(in);
            d = (byte) in.reg;
            s = (byte) in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            r[d] = (int) r[s];
        }
    }

    private static final class ExtendMemory16 extends MemOp {
        private final byte d;
        private final boolean signed;

        ExtendMemory16(Instruction in, boolean signed) {
            super(in, 1, false);
            d = (byte) in.reg;
            this.signed = signed;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setReg16(d, (int) extend(cpu.readByte(address(cpu)), 1, signed));
        }
    }

    private static final class ConditionalMove extends Op {
        private final byte d;
        private final byte s;
        private final int condition;
        private final byte size;

        ConditionalMove(Instruction in) {
            super(in);
            d = (byte) in.reg;
            s = (byte) in.rm;
            condition = in.opcode & 15;
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            boolean holds = cpu.condition(condition);
            // A 32-bit destination is zero-extended even when nothing moves.
            if (holds || size == 4) {
                setSized(cpu, d, size, cpu.r[holds ? s : d]);
            }
        }
    }

    private static final class ConditionalLoad extends MemOp {
        private final byte d;
        private final int condition;
        private final byte size;

        ConditionalLoad(Instruction in) {
            super(in, in.operandSize, false);
            d = (byte) in.reg;
            condition = in.opcode & 15;
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            // The operand is read, and may fault, whether it is used or not.
            long value = cpu.read(address(cpu), size);
            boolean holds = cpu.condition(condition);
            if (holds || size == 4) {
                setSized(cpu, d, size, holds ? value : cpu.r[d]);
            }
        }
    }

    private static final class SetRegister extends Op {
        private final byte d;
        private final int condition;
        private final boolean high;

        SetRegister(Instruction in) {
            super(in);
            d = (byte) in.rm;
            condition = in.opcode & 15;
            high = !in.rex && d >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setReg8(d, high, cpu.condition(condition) ? 1 : 0);
        }
    }

    private static final class SetMemory extends MemOp {
        private final int condition;

        SetMemory(Instruction in) {
            super(in, 1, true);
            condition = in.opcode & 15;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.writeByte(address(cpu), cpu.condition(condition) ? 1 : 0);
        }
    }

    private static final class ExchangeRegister extends Op {
        private final int a;
        private final int b;
        private final byte size;
        private final boolean highA;
        private final boolean highB;

        ExchangeRegister(Instruction in, int size, int a, int b) {
            super(in);
            this.a = a;
            this.b = b;
            this.size = (byte) size;
            highA = size == 1 && !in.rex && a >= 4;
            highB = size == 1 && !in.rex && b >= 4;
        }

        @Override
        void execute(Cpu cpu) {
            if (size == 1) {
                int x = cpu.reg8(a, highA);
                cpu.setReg8(a, highA, cpu.reg8(b, highB));
                cpu.setReg8(b, highB, x);
                return;
            }
            long x = cpu.r[a];
            setSized(cpu, a, size, cpu.r[b]);
            setSized(cpu, b, size, x);
        }
    }

    private static final class ByteSwap extends Op {
        private final byte d;
        private final byte size;

        ByteSwap(Instruction in, int d) {
            super(in);
            this.d = (byte) d;
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            long x = cpu.r[d];
            // With a 16-bit operand the result is undefined; processors write 0.
            setSized(cpu, d, size, size == 8 ? Long.reverseBytes(x) : size == 4 ? Integer.reverseBytes((int) x) : 0);
        }
    }

    private static final class Widen extends Op {
        private final byte size;

        Widen(Instruction in) {
            super(in);
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            // CBW, CWDE, CDQE
            setSized(cpu, Cpu.RAX, size, extend(cpu.r[Cpu.RAX], size / 2, true));
        }
    }

    private static final class SignFill extends Op {
        private final byte size;

        SignFill(Instruction in) {
            super(in);
            size = (byte) in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            // CWD, CDQ, CQO
            setSized(cpu, Cpu.RDX, size, extend(cpu.r[Cpu.RAX], size, true) >> 63);
        }
    }

    private static final class Translate extends MemOp {
        Translate(Instruction in) {
            super(in, 1, false);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.setReg8(Cpu.RAX, false, cpu.readByte(addressAt(cpu, cpu.r[Cpu.RAX] & 0xFF, 1, false)));
        }
    }

    /** NOP, prefetches, ENDBR, and the NOPs that are reserved for hints. Blocks leave them out. */
    static final class Nothing extends Op {
        Nothing(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {}
    }
}
