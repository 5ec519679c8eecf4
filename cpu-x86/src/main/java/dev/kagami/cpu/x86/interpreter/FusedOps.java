package dev.kagami.cpu.x86.interpreter;

/**
 * Pairs of CMP or TEST and the conditional jump behind it, run as one op: the most frequent pair of instructions there is,
 * and the comparison itself decides without going through the flags. They are still set, because code behind may look.
 *
 * <p>Neither half can fault, so the pair needs no state in between.
 */
final class FusedOps {
    private FusedOps() {}

    /**
     * Fuses two placed ops.
     *
     * @param first what comes before the jump
     * @param jump the jump
     * @return the pair, or null when they don't fuse
     */
    static @org.jspecify.annotations.Nullable Op fuse(Op first, ControlOps.Jcc jump) {
        int condition = jump.condition;
        // Overflow and parity need the flags; and a jump that may fault does so at its own address.
        if (condition < 2 || (condition | 1) == 11 || jump.mayFault()) {
            return null;
        }
        return switch (first) {
            case AluOps.CompareRegister64 c -> new Compare64(c, jump, c.s, 0);
            case AluOps.CompareImmediate64 c -> new Compare64(c, jump, Cpu.ZERO, c.immediate);
            case AluOps.CompareRegister32 c -> new Compare32(c, jump, c.s, 0);
            case AluOps.CompareImmediate32 c -> new Compare32(c, jump, Cpu.ZERO, c.immediate);
            case AluOps.TestRegister64 c -> new Test64(c, jump, c.s, 0);
            case AluOps.TestImmediate64 c -> new Test64(c, jump, Cpu.ZERO, c.immediate);
            case AluOps.TestRegister32 c -> new Test32(c, jump, c.s, 0);
            case AluOps.TestImmediate32 c -> new Test32(c, jump, Cpu.ZERO, c.immediate);
            default -> null;
        };
    }

    private abstract static class Pair extends ControlOps.Relative {
        final byte condition;
        final byte d;
        final byte s;

        Pair(Op first, int d, int s, ControlOps.Jcc jump) {
            super(first, jump);
            this.d = (byte) d;
            this.s = (byte) s;
            condition = jump.condition;
        }

        @Override
        final int instructions() {
            return 2;
        }

        final void decide(Cpu cpu, boolean holds) {
            if (holds) {
                take(cpu);
            } else {
                skip(cpu);
            }
        }
    }

    static boolean holds64(int condition, long a, long b) {
        return switch (condition) {
            case 2 -> Long.compareUnsigned(a, b) < 0;
            case 3 -> Long.compareUnsigned(a, b) >= 0;
            case 4 -> a == b;
            case 5 -> a != b;
            case 6 -> Long.compareUnsigned(a, b) <= 0;
            case 7 -> Long.compareUnsigned(a, b) > 0;
            case 8 -> a - b < 0;
            case 9 -> a - b >= 0;
            case 12 -> a < b;
            case 13 -> a >= b;
            case 14 -> a <= b;
            default -> a > b;
        };
    }

    /** Decides after TEST: a comparison of the result with 0, where nothing carries. */
    private static boolean holdsTest(int condition, long x) {
        return switch (condition) {
            case 2 -> false;
            case 3 -> true;
            case 4, 6 -> x == 0;
            case 5, 7 -> x != 0;
            case 8, 12 -> x < 0;
            case 9, 13 -> x >= 0;
            case 14 -> x <= 0;
            default -> x > 0;
        };
    }

    private static final class Compare64 extends Pair {
        private final long immediate;

        Compare64(AluOps.RegReg first, ControlOps.Jcc jump, int s, long immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        Compare64(AluOps.RegImm first, ControlOps.Jcc jump, int s, long immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        @Override
        void execute(Cpu cpu) {
            long a = cpu.r[d];
            long b = cpu.r[s] + immediate;
            cpu.sub64(a, b);
            decide(cpu, holds64(condition, a, b));
        }
    }

    private static final class Compare32 extends Pair {
        private final int immediate;

        Compare32(AluOps.RegReg first, ControlOps.Jcc jump, int s, int immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        Compare32(AluOps.RegImm first, ControlOps.Jcc jump, int s, int immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int a = (int) cpu.r[d];
            int b = (int) cpu.r[s] + immediate;
            cpu.sub32(a, b);
            decide(cpu, holds32(condition, a, b));
        }
    }

    private static boolean holds32(int condition, int a, int b) {
        return switch (condition) {
            case 2 -> Integer.compareUnsigned(a, b) < 0;
            case 3 -> Integer.compareUnsigned(a, b) >= 0;
            case 4 -> a == b;
            case 5 -> a != b;
            case 6 -> Integer.compareUnsigned(a, b) <= 0;
            case 7 -> Integer.compareUnsigned(a, b) > 0;
            case 8 -> a - b < 0;
            case 9 -> a - b >= 0;
            case 12 -> a < b;
            case 13 -> a >= b;
            case 14 -> a <= b;
            default -> a > b;
        };
    }

    private static final class Test64 extends Pair {
        private final long immediate;

        Test64(AluOps.RegReg first, ControlOps.Jcc jump, int s, long immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        Test64(AluOps.RegImm first, ControlOps.Jcc jump, int s, long immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        @Override
        void execute(Cpu cpu) {
            long x = cpu.r[d] & (cpu.r[s] | immediate);
            cpu.logic(x);
            decide(cpu, holdsTest(condition, x));
        }
    }

    private static final class Test32 extends Pair {
        private final int immediate;

        Test32(AluOps.RegReg first, ControlOps.Jcc jump, int s, int immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        Test32(AluOps.RegImm first, ControlOps.Jcc jump, int s, int immediate) {
            super(first, first.d, s, jump);
            this.immediate = immediate;
        }

        @Override
        void execute(Cpu cpu) {
            int x = (int) cpu.r[d] & ((int) cpu.r[s] | immediate);
            cpu.logic(x);
            decide(cpu, holdsTest(condition, x));
        }
    }
}
