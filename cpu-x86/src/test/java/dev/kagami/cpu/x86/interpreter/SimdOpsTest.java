package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import java.util.List;
import java.util.function.LongBinaryOperator;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Checks which instruction does what to which operand, and the faults; the arithmetic itself has its own tests. */
final class SimdOpsTest {
    private static final long SEED = 0xC0FFEE;
    private static final HexFormat HEX = HexFormat.of();

    private final SnippetMachine machine = new SnippetMachine();
    private final MachineState state = new MachineState();
    private final RandomGenerator random =
            RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);

    @AfterEach
    void close() {
        machine.close();
    }

    /**
     * A packed operation between elements of the same number.
     *
     * @param name mnemonic
     * @param opcode opcode bytes behind the mandatory prefix
     * @param mmx whether there is a form for MMX registers
     * @param bits size of an element
     * @param signed whether elements are sign-extended for {@code element}
     * @param element the operation
     */
    private record Elementwise(
            String name, String opcode, boolean mmx, int bits, boolean signed, LongBinaryOperator element) {
        long apply(long a, long b) {
            long result = 0;
            for (int shift = 0; shift < 64; shift += bits) {
                long x = extend(a >>> shift);
                long y = extend(b >>> shift);
                result |= (element.applyAsLong(x, y) & -1L >>> 64 - bits) << shift;
            }
            return result;
        }

        private long extend(long value) {
            return signed ? value << 64 - bits >> 64 - bits : value & -1L >>> 64 - bits;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static long clamp(long value, long minimum, long maximum) {
        return Math.min(Math.max(value, minimum), maximum);
    }

    private static Elementwise signed(String name, String opcode, boolean mmx, int bits, LongBinaryOperator element) {
        return new Elementwise(name, opcode, mmx, bits, true, element);
    }

    private static Elementwise unsigned(String name, String opcode, boolean mmx, int bits, LongBinaryOperator element) {
        return new Elementwise(name, opcode, mmx, bits, false, element);
    }

    static List<Elementwise> elementwise() {
        return List.of(
                signed("paddb", "0ffc", true, 8, Long::sum),
                signed("paddw", "0ffd", true, 16, Long::sum),
                signed("paddd", "0ffe", true, 32, Long::sum),
                signed("paddq", "0fd4", true, 64, Long::sum),
                signed("psubb", "0ff8", true, 8, (x, y) -> x - y),
                signed("psubw", "0ff9", true, 16, (x, y) -> x - y),
                signed("psubd", "0ffa", true, 32, (x, y) -> x - y),
                signed("psubq", "0ffb", true, 64, (x, y) -> x - y),
                signed("pand", "0fdb", true, 64, (x, y) -> x & y),
                signed("pandn", "0fdf", true, 64, (x, y) -> ~x & y),
                signed("por", "0feb", true, 64, (x, y) -> x | y),
                signed("pxor", "0fef", true, 64, (x, y) -> x ^ y),
                signed("andps", "0f54", false, 64, (x, y) -> x & y),
                signed("andnps", "0f55", false, 64, (x, y) -> ~x & y),
                signed("orps", "0f56", false, 64, (x, y) -> x | y),
                signed("xorps", "0f57", false, 64, (x, y) -> x ^ y),
                signed("paddsb", "0fec", true, 8, (x, y) -> clamp(x + y, -0x80, 0x7F)),
                signed("paddsw", "0fed", true, 16, (x, y) -> clamp(x + y, -0x8000, 0x7FFF)),
                signed("psubsb", "0fe8", true, 8, (x, y) -> clamp(x - y, -0x80, 0x7F)),
                signed("psubsw", "0fe9", true, 16, (x, y) -> clamp(x - y, -0x8000, 0x7FFF)),
                unsigned("paddusb", "0fdc", true, 8, (x, y) -> clamp(x + y, 0, 0xFF)),
                unsigned("paddusw", "0fdd", true, 16, (x, y) -> clamp(x + y, 0, 0xFFFF)),
                unsigned("psubusb", "0fd8", true, 8, (x, y) -> clamp(x - y, 0, 0xFF)),
                unsigned("psubusw", "0fd9", true, 16, (x, y) -> clamp(x - y, 0, 0xFFFF)),
                unsigned("pavgb", "0fe0", true, 8, (x, y) -> x + y + 1 >> 1),
                unsigned("pavgw", "0fe3", true, 16, (x, y) -> x + y + 1 >> 1),
                signed("pcmpeqb", "0f74", true, 8, (x, y) -> x == y ? -1 : 0),
                signed("pcmpeqw", "0f75", true, 16, (x, y) -> x == y ? -1 : 0),
                signed("pcmpeqd", "0f76", true, 32, (x, y) -> x == y ? -1 : 0),
                signed("pcmpeqq", "0f3829", false, 64, (x, y) -> x == y ? -1 : 0),
                signed("pcmpgtb", "0f64", true, 8, (x, y) -> x > y ? -1 : 0),
                signed("pcmpgtw", "0f65", true, 16, (x, y) -> x > y ? -1 : 0),
                signed("pcmpgtd", "0f66", true, 32, (x, y) -> x > y ? -1 : 0),
                signed("pcmpgtq", "0f3837", false, 64, (x, y) -> x > y ? -1 : 0),
                unsigned("pminub", "0fda", true, 8, Math::min),
                unsigned("pmaxub", "0fde", true, 8, Math::max),
                signed("pminsw", "0fea", true, 16, Math::min),
                signed("pmaxsw", "0fee", true, 16, Math::max),
                signed("pminsb", "0f3838", false, 8, Math::min),
                signed("pminsd", "0f3839", false, 32, Math::min),
                unsigned("pminuw", "0f383a", false, 16, Math::min),
                unsigned("pminud", "0f383b", false, 32, Math::min),
                signed("pmaxsb", "0f383c", false, 8, Math::max),
                signed("pmaxsd", "0f383d", false, 32, Math::max),
                unsigned("pmaxuw", "0f383e", false, 16, Math::max),
                unsigned("pmaxud", "0f383f", false, 32, Math::max),
                signed("pmullw", "0fd5", true, 16, (x, y) -> x * y),
                signed("pmulhw", "0fe5", true, 16, (x, y) -> x * y >> 16),
                unsigned("pmulhuw", "0fe4", true, 16, (x, y) -> x * y >> 16),
                signed("pmulhrsw", "0f380b", true, 16, (x, y) -> (x * y >> 14) + 1 >> 1),
                signed("pmulld", "0f3840", false, 32, (x, y) -> x * y),
                signed("pmuldq", "0f3828", false, 64, (x, y) -> (long) (int) x * (int) y),
                signed("pmuludq", "0ff4", true, 64, (x, y) -> (x & 0xFFFF_FFFFL) * (y & 0xFFFF_FFFFL)),
                signed("pmaddwd", "0ff5", true, 32, (x, y) -> (short) x * (short) y + (x >> 16) * (y >> 16)),
                signed("pabsb", "0f381c", true, 8, (x, y) -> Math.abs(y)),
                signed("pabsw", "0f381d", true, 16, (x, y) -> Math.abs(y)),
                signed("pabsd", "0f381e", true, 32, (x, y) -> Math.abs(y)),
                signed("psignb", "0f3808", true, 8, (x, y) -> x * Long.signum(y)),
                signed("psignw", "0f3809", true, 16, (x, y) -> x * Long.signum(y)),
                signed("psignd", "0f380a", true, 32, (x, y) -> x * Long.signum(y)));
    }

    private void randomize() {
        state.reset();
        for (int i = 0; i < 16; i++) {
            state.xmmLow[i] = random.nextLong() & random.nextLong();
            state.xmmHigh[i] = random.nextLong() | random.nextLong();
        }
        for (int i = 0; i < 8; i++) {
            state.significand[i] = random.nextLong();
        }
        random.nextBytes(state.data);
    }

    private void run(String code) {
        machine.run(state, HEX.parseHex(code));
    }

    private static long quadword(byte[] data, int offset) {
        long value = 0;
        for (int i = 7; i >= 0; i--) {
            value = value << 8 | data[offset + i] & 0xFF;
        }
        return value;
    }

    @ParameterizedTest
    @MethodSource
    void elementwise(Elementwise operation) {
        String prefix = operation.name.endsWith("ps") ? "" : "66";
        for (int round = 0; round < 50; round++) {
            randomize();
            long low1 = state.xmmLow[1];
            long high1 = state.xmmHigh[1];
            long low2 = state.xmmLow[2];
            long high2 = state.xmmHigh[2];
            run(prefix + operation.opcode + "ca");
            assertThat(state.exception).isEqualTo(-1);
            assertThat(state.xmmLow[1]).as("seed %x", SEED).isEqualTo(operation.apply(low1, low2));
            assertThat(state.xmmHigh[1]).as("seed %x", SEED).isEqualTo(operation.apply(high1, high2));
            // Memory operand: xmm1, [rax] with rax = DATA + 0x20.
            randomize();
            state.gpr[0] = MachineState.DATA + 0x20;
            low1 = state.xmmLow[1];
            high1 = state.xmmHigh[1];
            run(prefix + operation.opcode + "08");
            assertThat(state.xmmLow[1]).isEqualTo(operation.apply(low1, quadword(state.data, 0x20)));
            assertThat(state.xmmHigh[1]).isEqualTo(operation.apply(high1, quadword(state.data, 0x28)));
            if (operation.mmx) {
                randomize();
                long a = state.significand[1];
                long b = state.significand[2];
                run(operation.opcode + "ca");
                assertThat(state.significand[1]).isEqualTo(operation.apply(a, b));
                assertThat(state.signExponent[1]).isEqualTo(0xFFFF);
                assertThat(state.tag).isEqualTo(0xFF);
            }
        }
        if (!operation.mmx && !prefix.isEmpty()) {
            state.reset();
            run(operation.opcode + "ca");
            assertThat(state.exception).isEqualTo(Vector.INVALID_OPCODE);
        }
    }

    @Test
    void memoryOperandsOfSseMustBeAligned() {
        state.gpr[0] = MachineState.DATA + 8;
        for (String code : List.of("660ffc00", "0f2800", "0f2900", "660f6f00", "660f7f00", "660fe700", "0f2b00")) {
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.GENERAL_PROTECTION);
            assertThat(state.errorCode).isZero();
        }
        for (String code : List.of("0f1000", "0f1100", "f30f6f00", "f30f7f00", "f20ff000", "660f3a63000c")) {
            run(code);
            assertThat(state.exception).as(code).isEqualTo(-1);
        }
    }

    @Test
    void storesThatStraddleIntoAnUnmappedPageChangeNothing() {
        long end = MachineState.DATA + 0x1000;
        for (String code : List.of("0f1100", "f30f7f00", "660fd600", "f20f1100", "f30f1100", "660ff7d1")) {
            state.reset();
            state.gpr[0] = end - 3;
            state.gpr[7] = end - 3;
            state.xmmLow[1] = -1; // the mask of maskmovdqu xmm2, xmm1
            machine.cpu.writeInt(end - 4, 0x1234_5678);
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.PAGE_FAULT);
            assertThat(machine.cpu.cr2).isEqualTo(end);
            assertThat(machine.cpu.readInt(end - 4)).isEqualTo(0x1234_5678);
        }
    }

    @Test
    void loadsThatStraddleIntoAnUnmappedPageChangeNothing() {
        for (String code :
                List.of("0f1000", "f30f6f00", "f30f7e00", "f20f1000", "f30f1000", "0f1200", "660f3a220000")) {
            state.reset();
            state.gpr[0] = MachineState.DATA + 0x1000 - 3;
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.PAGE_FAULT);
            assertThat(state.difference(new MachineState(), 0, 0, 1)).startsWith("exception");
            assertThat(state.xmmLow[0]).isEqualTo(0x0706_0504_0302_0100L);
            assertThat(state.xmmHigh[0]).isEqualTo(0x0F0E_0D0C_0B0A_0908L);
        }
    }

    @Test
    void maskedStoreTouchesOnlySelectedBytes() {
        state.gpr[7] = MachineState.DATA + 0x1000 - 8;
        state.xmmLow[1] = 0x0102_0304_0506_0708L;
        state.xmmLow[2] = 0x8000_0000_0000_0080L;
        state.xmmHigh[2] = 0;
        machine.cpu.writeLong(state.gpr[7], 0);
        run("660ff7ca"); // the unselected half lies on a page that isn't there
        assertThat(state.exception).isEqualTo(-1);
        assertThat(machine.cpu.readLong(state.gpr[7])).isEqualTo(0x0100_0000_0000_0008L);
    }

    @Test
    void exceptionsOfSseFollowTheControlRegisters() {
        List<String> sse = List.of("660fefc0", "660fefc1", "0f28c1", "660f6ec0", "660f38dcc1", "f30f7ec1");
        for (String code : sse) {
            machine.cpu.cr0 |= Cpu.CR0_TS;
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
            machine.cpu.cr4 &= ~Cpu.CR4_OSFXSR;
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.INVALID_OPCODE);
            machine.cpu.cr4 |= Cpu.CR4_OSFXSR;
            machine.cpu.cr0 |= Cpu.CR0_EM;
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.INVALID_OPCODE);
            machine.cpu.cr0 &= ~(Cpu.CR0_EM | Cpu.CR0_TS);
            run(code);
            assertThat(state.exception).as(code).isEqualTo(-1);
        }
    }

    @Test
    void exceptionsOfMmxFollowCr0AndThePendingX87Exception() {
        machine.cpu.cr4 &= ~Cpu.CR4_OSFXSR;
        run("0fefc1");
        assertThat(state.exception).isEqualTo(-1);
        machine.cpu.cr0 |= Cpu.CR0_TS;
        run("0fefc1");
        assertThat(state.exception).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        machine.cpu.cr0 |= Cpu.CR0_EM;
        run("0fefc1");
        assertThat(state.exception).isEqualTo(Vector.INVALID_OPCODE);
        machine.cpu.cr0 &= ~(Cpu.CR0_EM | Cpu.CR0_TS);
        state.reset();
        state.status = 1;
        state.control = 0x37E;
        run("0fefc1");
        assertThat(state.exception).isEqualTo(Vector.FLOATING_POINT);
        assertThat(state.tag).isZero();
    }

    @Test
    void mmxInstructionsTakeTheX87RegistersOver() {
        state.status = 3 << 11;
        state.gpr[0] = MachineState.DATA;
        state.significand[(1 - 3) & 7] = 0x1122_3344_5566_7788L; // MM1 is R1, whatever TOP is
        run("0f7f08"); // movq [rax], mm1
        assertThat(quadword(state.data, 0)).isEqualTo(0x1122_3344_5566_7788L);
        assertThat(state.status).isZero();
        assertThat(state.tag).isEqualTo(0xFF);
        assertThat(state.significand[1]).isEqualTo(0x1122_3344_5566_7788L);
        assertThat(state.signExponent[1]).isZero(); // only writes set the exponent
    }

    @Test
    void movesBetweenRegisterFiles() {
        state.significand[3] = 0x8877_6655_4433_2211L;
        run("f30fd6c3" + "f20fd6e9" + "0f7ed9" + "480f7eda" + "0f6ee9" + "660fd6c8");
        // movq2dq xmm0,mm3; movdq2q mm5,xmm1; movd ecx,mm3; movq rdx,mm3; movd mm5,ecx; movq xmm0,xmm1
        assertThat(state.exception).isEqualTo(-1);
        assertThat(state.gpr[Cpu.RCX]).isEqualTo(0x4433_2211L);
        assertThat(state.gpr[Cpu.RDX]).isEqualTo(0x8877_6655_4433_2211L);
        assertThat(state.significand[5]).isEqualTo(0x4433_2211L);
        assertThat(state.xmmLow[0]).isEqualTo(state.xmmLow[1]);
        assertThat(state.xmmHigh[0]).isZero();
    }

    @Test
    void mmxInterleaveReadsOnly32BitsOfMemory() {
        state.gpr[0] = MachineState.DATA + 0x1000 - 4;
        machine.cpu.writeInt(state.gpr[0], 0x4433_2211);
        state.significand[0] = 0x0102_0304L;
        run("0f6000");
        assertThat(state.exception).isEqualTo(-1);
        assertThat(state.significand[0]).isEqualTo(0x4401_3302_2203_1104L);
        state.gpr[0]++;
        run("0f6000");
        assertThat(state.exception).isEqualTo(Vector.PAGE_FAULT);
    }

    @Test
    void formsThatDoNotExistAreUndefined() {
        // LOCK; memory-only and register-only forms with the other operand; wrong mandatory prefixes.
        for (String code : List.of(
                "f0660ffc08",
                "0f13c1",
                "660f12c1",
                "0f2bc1",
                "0fe7c1",
                "f20ff0c1",
                "660f382ac1",
                "0f5000",
                "0fd700",
                "0fc500" + "00",
                "660fc500" + "00",
                "660f7108" + "01",
                "660f71c0" + "01",
                "0f73d8" + "01",
                "f30ffcc1",
                "f20f60c1",
                "0f6cc1",
                "660f38c8c1",
                "0f3829c1",
                "0f3a0fc1" + "00",
                "f30f3a0fc1" + "00")) {
            state.reset();
            state.gpr[0] = MachineState.DATA;
            run(code);
            int expected = code.startsWith("0f3a0f") ? -1 : Vector.INVALID_OPCODE;
            assertThat(state.exception).as(code).isEqualTo(expected);
        }
    }

    @Test
    void pairsOfOperandsMayBeTheSameRegister() {
        // Both quadwords must be read before either is written.
        state.xmmLow[1] = 0x0004_0003_0002_0001L;
        state.xmmHigh[1] = 0x0008_0007_0006_0005L;
        run("660f3801c9"); // phaddw xmm1, xmm1
        assertThat(state.xmmLow[1]).isEqualTo(0x000F_000B_0007_0003L);
        assertThat(state.xmmHigh[1]).isEqualTo(0x000F_000B_0007_0003L);
        run("660f69c9"); // punpckhwd xmm1, xmm1
        assertThat(state.xmmLow[1]).isEqualTo(0x0007_0007_0003_0003L);
        assertThat(state.xmmHigh[1]).isEqualTo(0x000F_000F_000B_000BL);
        run("0fc6c91b"); // shufps xmm1, xmm1, 0x1B
        assertThat(state.xmmLow[1]).isEqualTo(0x000B_000B_000F_000FL);
        assertThat(state.xmmHigh[1]).isEqualTo(0x0003_0003_0007_0007L);
        run("660fc6c901"); // shufpd xmm1, xmm1, 1
        assertThat(state.xmmLow[1]).isEqualTo(0x0003_0003_0007_0007L);
        assertThat(state.xmmHigh[1]).isEqualTo(0x000B_000B_000F_000FL);
        run("660f3a0fc904"); // palignr xmm1, xmm1, 4
        assertThat(state.xmmLow[1]).isEqualTo(0x000F_000F_0003_0003L);
        assertThat(state.xmmHigh[1]).isEqualTo(0x0007_0007_000B_000BL);
        run("660fd1c9"); // psrlw xmm1, xmm1: the count is huge
        assertThat(state.xmmLow[1] | state.xmmHigh[1]).isZero();
    }
}
