package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.Aes;
import dev.kagami.cpu.x86.simd.CarrylessMultiply;
import dev.kagami.cpu.x86.simd.GaloisField;
import dev.kagami.cpu.x86.simd.Sha;
import org.jspecify.annotations.Nullable;

/** AES, carry-less multiplication, SHA and the affine maps of GFNI. */
final class CryptoOps {
    private CryptoOps() {}

    /** Creates the op, or returns null when the instruction is none of these. */
    static @Nullable Op create(Instruction in) {
        if (in.pp == Instruction.PP_NONE) {
            return switch (in.mapAndOpcode()) {
                case 0x2C8, 0x2C9, 0x2CA, 0x3CC -> new Sha1(in);
                case 0x2CB -> new Sha256Rounds(in);
                case 0x2CC, 0x2CD -> new Sha256Message(in);
                default -> null;
            };
        }
        if (in.pp != Instruction.PP_66) {
            return null;
        }
        return switch (in.mapAndOpcode()) {
            case 0x2DB -> new AesInverseMixColumns(in);
            case 0x2DC -> new AesEncrypt(in);
            case 0x2DD -> new AesEncryptLast(in);
            case 0x2DE -> new AesDecrypt(in);
            case 0x2DF -> new AesDecryptLast(in);
            case 0x3DF -> new AesKeyAssist(in);
            case 0x344 -> new Multiply(in);
            case 0x3CE, 0x3CF -> new Affine(in);
            default -> null;
        };
    }

    private static final class AesEncrypt extends SimdOp {
        AesEncrypt(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long key = v[s];
            long highKey = v[s + 1];
            v[destination] = Aes.aesencLow(low, high) ^ key;
            v[destination + 1] = Aes.aesencHigh(low, high) ^ highKey;
        }
    }

    private static final class AesEncryptLast extends SimdOp {
        AesEncryptLast(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long key = v[s];
            long highKey = v[s + 1];
            v[destination] = Aes.aesenclastLow(low, high) ^ key;
            v[destination + 1] = Aes.aesenclastHigh(low, high) ^ highKey;
        }
    }

    private static final class AesDecrypt extends SimdOp {
        AesDecrypt(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long key = v[s];
            long highKey = v[s + 1];
            v[destination] = Aes.aesdecLow(low, high) ^ key;
            v[destination + 1] = Aes.aesdecHigh(low, high) ^ highKey;
        }
    }

    private static final class AesDecryptLast extends SimdOp {
        AesDecryptLast(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long key = v[s];
            long highKey = v[s + 1];
            v[destination] = Aes.aesdeclastLow(low, high) ^ key;
            v[destination + 1] = Aes.aesdeclastHigh(low, high) ^ highKey;
        }
    }

    private static final class AesInverseMixColumns extends SimdOp {
        AesInverseMixColumns(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = Aes.aesimc(v[s]);
            v[destination + 1] = Aes.aesimc(v[s + 1]);
        }
    }

    private static final class AesKeyAssist extends SimdOp {
        private final int constant;

        AesKeyAssist(Instruction in) {
            super(in);
            constant = (int) in.immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = Aes.aeskeygenassist(v[s], constant);
            v[destination + 1] = Aes.aeskeygenassist(v[s + 1], constant);
        }
    }

    /** PCLMULQDQ. */
    private static final class Multiply extends SimdOp {
        private final int first;
        private final int second;

        Multiply(Instruction in) {
            super(in);
            first = (int) in.immediate & 1;
            second = (int) in.immediate >> 4 & 1;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long a = v[destination + first];
            long b = v[s + second];
            v[destination] = CarrylessMultiply.low(a, b);
            v[destination + 1] = CarrylessMultiply.high(a, b);
        }
    }

    /** GF2P8AFFINEQB and GF2P8AFFINEINVQB. */
    private static final class Affine extends SimdOp {
        private final boolean inverse;
        private final int constant;

        Affine(Instruction in) {
            super(in);
            inverse = in.opcode == 0xCF;
            constant = (int) in.immediate;
        }

        private long map(long bytes, long matrix) {
            return inverse
                    ? GaloisField.gf2p8affineinvqb(bytes, matrix, constant)
                    : GaloisField.gf2p8affineqb(bytes, matrix, constant);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            v[destination] = map(v[destination], v[s]);
            v[destination + 1] = map(v[destination + 1], v[s + 1]);
        }
    }

    /** SHA1RNDS4, SHA1NEXTE, SHA1MSG1 and SHA1MSG2. */
    private static final class Sha1 extends SimdOp {
        private static final int NEXT_E = 0xC8;
        private static final int MESSAGE_1 = 0xC9;
        private static final int MESSAGE_2 = 0xCA;

        private final int opcode;
        private final int function;

        Sha1(Instruction in) {
            super(in);
            opcode = in.opcode;
            function = (int) in.immediate & 3;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            long otherLow = v[s];
            long otherHigh = v[s + 1];
            switch (opcode) {
                case NEXT_E -> {
                    v[destination] = otherLow;
                    v[destination + 1] = Sha.sha1nexte(high, otherHigh);
                }
                case MESSAGE_1 -> {
                    v[destination] = Sha.sha1msg1(low, otherHigh);
                    v[destination + 1] = Sha.sha1msg1(high, low);
                }
                case MESSAGE_2 -> Sha.sha1msg2(v, destination, low, high, otherLow, otherHigh);
                default -> Sha.sha1rnds4(v, destination, low, high, otherLow, otherHigh, function);
            }
        }
    }

    /** SHA256RNDS2. */
    private static final class Sha256Rounds extends SimdOp {
        Sha256Rounds(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            Sha.sha256rnds2(v, destination, v[destination], v[destination + 1], v[s], v[s + 1], v[0]);
        }
    }

    /** SHA256MSG1 and SHA256MSG2. */
    private static final class Sha256Message extends SimdOp {
        private final boolean second;

        Sha256Message(Instruction in) {
            super(in);
            second = in.opcode == 0xCD;
        }

        @Override
        void execute(Cpu cpu) {
            int s = source(cpu);
            long[] v = cpu.vec;
            long low = v[destination];
            long high = v[destination + 1];
            if (second) {
                Sha.sha256msg2(v, destination, low, high, v[s + 1]);
            } else {
                long otherLow = v[s];
                v[destination] = Sha.sha256msg1(low, high);
                v[destination + 1] = Sha.sha256msg1(high, otherLow);
            }
        }
    }
}
