package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * AVX-512's floating-point instructions: what is changed when they raise exceptions, and what doesn't raise any; and the estimates,
 * which no two makers' processors give alike. Other results are compared with the processor's in {@link EvexHostTest}.
 */
class EvexFloatOpsTest {
    private static final String VDIVPD = "62f1ed485ec3"; // zmm0, zmm2, zmm3
    private static final String VDIVPD_MERGING = "62f1ed495ec3"; // zmm0 {k1}, zmm2, zmm3
    private static final String VDIVPD_ROUNDING_UP = "62f1ed585ec3"; // zmm0, zmm2, zmm3, {ru-sae}
    private static final String VDIVPD_MEMORY = "62f1ed495e07"; // zmm0 {k1}, zmm2, [rdi]
    private static final String VDIVPD_BROADCAST = "62f1ed595e07"; // zmm0 {k1}, zmm2, [rdi] {1to8}
    private static final String VDIVSD_MEMORY = "62f1ef095e07"; // xmm0 {k1}, xmm2, [rdi]
    private static final String VMULPD_ROUNDING = "62f1ed1859c3"; // zmm0, zmm2, zmm3, {rn-sae}
    private static final String VCMPLTPD = "62f1ed49c2d301"; // k2 {k1}, zmm2, zmm3
    private static final String VCMPLTPD_SUPPRESSING = "62f1ed19c2d301"; // k2 {k1}, zmm2, zmm3, {sae}
    private static final String VCOMISD = "62f1fd082fd3"; // xmm2, xmm3
    private static final String VCOMISD_SUPPRESSING = "62f1fd182fd3"; // xmm2, xmm3, {sae}
    private static final String VCVTSD2SI_ROUNDING_UP = "62f1ff582dc2"; // rax, xmm2, {ru-sae}
    private static final String VCVTPS2PH = "62f37d481d1700"; // [rdi], zmm2, 0
    private static final String VCVTPS2PH_MASKED = "62f37d491d1700"; // [rdi] {k1}, zmm2, 0
    private static final String VCVTUSI2SS = "62f1ee087bc0"; // xmm0, xmm2, rax
    private static final String VRCP14PS = "62f27d484cc2"; // zmm0, zmm2
    private static final String VRCP14PD = "62f2fd484cc2"; // zmm0, zmm2
    private static final String VRSQRT14PS = "62f27d484ec2"; // zmm0, zmm2
    private static final String VRSQRT14PD = "62f2fd484ec2"; // zmm0, zmm2

    private static final int MASKED = 0x1F80;
    private static final int DENORMALS_ARE_ZEROS = 1 << 6;
    private static final int FLUSH_TO_ZERO = 1 << 15;
    private static final int K1 = SimdOp.MASKS + 1;
    private static final int K2 = SimdOp.MASKS + 2;
    /** Elements 1, 4 and 7. */
    private static final long SOME = 0b1001_0010;

    /** Half of the elements of a vector fit before the data window's page ends; the next one isn't there. */
    private static final long NEAR_THE_END = MachineState.DATA + 0x1000 - 32;

    private final X87TestMachine machine = new X87TestMachine();
    private final Cpu cpu = machine.cpu;

    @AfterEach
    void close() {
        machine.close();
    }

    private static long bits(double value) {
        return Double.doubleToRawLongBits(value);
    }

    private void fill(int register, double value) {
        for (int i = 0; i < 8; i++) {
            set(register, i, value);
        }
    }

    private void set(int register, int element, double value) {
        cpu.vec[8 * register + element] = bits(value);
    }

    private double get(int register, int element) {
        return Double.longBitsToDouble(cpu.vec[8 * register + element]);
    }

    private int flags() {
        return cpu.mxcsr & FloatContext.ALL_EXCEPTIONS;
    }

    @Test
    void exceptionsOfAllElementsAreReportedTogetherAndLeaveTheDestinationAlone() {
        fill(0, 7);
        fill(2, 1);
        fill(3, 3);
        set(3, 2, Double.MIN_VALUE);
        set(3, 7, 0);
        cpu.mxcsr = MASKED & ~(FloatContext.ZERO_DIVIDE << 7);
        assertThat(machine.faultOf(VDIVPD)).isEqualTo(Vector.SIMD_FLOATING_POINT);
        // Nothing is computed, so the others are not inexact.
        assertThat(flags()).isEqualTo(FloatContext.ZERO_DIVIDE | FloatContext.DENORMAL);
        for (int i = 0; i < 8; i++) {
            assertThat(get(0, i)).isEqualTo(7);
        }
        cpu.vec[K1] = -1;
        cpu.vec[K2] = 0x55;
        set(3, 7, Double.NaN);
        cpu.mxcsr = MASKED & ~(FloatContext.INVALID << 7);
        assertThat(machine.faultOf(VCMPLTPD)).isEqualTo(Vector.SIMD_FLOATING_POINT);
        assertThat(cpu.vec[K2]).isEqualTo(0x55);
    }

    @Test
    void elementsThatAreNotSelectedRaiseNothing() {
        fill(0, 7);
        fill(2, 1);
        fill(3, 0);
        for (int i = 1; i < 8; i += 3) {
            set(3, i, 2);
        }
        cpu.vec[K1] = SOME;
        cpu.mxcsr = 0;
        assertThat(machine.faultOf(VDIVPD_MERGING)).isEqualTo(-1);
        assertThat(flags()).isZero();
        for (int i = 0; i < 8; i++) {
            assertThat(get(0, i)).isEqualTo((SOME >> i & 1) != 0 ? 0.5 : 7);
        }
        for (int i = 0; i < 8; i += 2) {
            set(3, i, Double.NaN);
        }
        set(3, 4, 2);
        assertThat(machine.faultOf(VCMPLTPD)).isEqualTo(-1);
        assertThat(cpu.vec[K2]).isEqualTo(SOME);
    }

    @Test
    void suppressedExceptionsAreNeitherRaisedNorSeen() {
        fill(2, 1);
        fill(3, 3);
        set(3, 2, Double.MIN_VALUE);
        set(3, 7, 0);
        cpu.mxcsr = 0;
        assertThat(machine.faultOf(VDIVPD_ROUNDING_UP)).isEqualTo(-1);
        assertThat(get(0, 0)).isEqualTo(Math.nextUp(1.0 / 3));
        assertThat(get(0, 2)).isInfinite();
        assertThat(get(0, 7)).isInfinite();
        fill(3, Double.NaN);
        cpu.vec[K1] = SOME;
        assertThat(machine.faultOf(VCMPLTPD_SUPPRESSING)).isEqualTo(-1);
        assertThat(cpu.vec[K2]).isZero();
        assertThat(machine.faultOf(VCOMISD_SUPPRESSING)).isEqualTo(-1);
        fill(2, 2.25);
        assertThat(machine.faultOf(VCVTSD2SI_ROUNDING_UP)).isEqualTo(-1);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
        assertThat(cpu.mxcsr).isZero();
        fill(2, Double.NaN);
        assertThat(machine.faultOf(VCOMISD)).isEqualTo(Vector.SIMD_FLOATING_POINT);
    }

    @Test
    void suppressionMasksUnderflowForFlushToZero() {
        fill(2, 1.5 * Double.MIN_NORMAL);
        fill(3, 0.5);
        cpu.mxcsr = FLUSH_TO_ZERO;
        assertThat(machine.faultOf(VMULPD_ROUNDING)).isEqualTo(-1);
        assertThat(get(0, 0)).isZero();
        cpu.mxcsr = 0;
        assertThat(machine.faultOf(VMULPD_ROUNDING)).isEqualTo(-1);
        assertThat(get(0, 0)).isEqualTo(0.75 * Double.MIN_NORMAL);
    }

    @Test
    void elementsThatAreNotSelectedAreNotRead() {
        fill(0, 7);
        fill(2, 1);
        cpu.r[Cpu.RDI] = NEAR_THE_END;
        for (int i = 0; i < 4; i++) {
            cpu.writeLong(NEAR_THE_END + 8 * i, bits(4));
        }
        cpu.vec[K1] = 0b1010;
        assertThat(machine.faultOf(VDIVPD_MEMORY)).isEqualTo(-1);
        assertThat(get(0, 0)).isEqualTo(7);
        assertThat(get(0, 3)).isEqualTo(0.25);
        cpu.vec[K1] = 0b1_0010;
        fill(0, 7);
        assertThat(machine.faultOf(VDIVPD_MEMORY)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(get(0, 1)).isEqualTo(7);
        cpu.r[Cpu.RDI] = 0;
        assertThat(machine.faultOf(VDIVPD_BROADCAST)).isEqualTo(Vector.PAGE_FAULT);
        cpu.vec[K1] = 0xF00;
        assertThat(machine.faultOf(VDIVPD_BROADCAST)).isEqualTo(-1);
        assertThat(machine.faultOf(VDIVSD_MEMORY)).isEqualTo(-1);
        assertThat(get(0, 1)).isEqualTo(1); // from the first operand
    }

    /** {@return an instruction on 512 bits, or a scalar one, with an opmask in k1 and its memory operand at RDI} */
    private static String withMemory(EvexEncoding encoding) {
        EvexForm form = encoding.form();
        return "62%02x%02x%02x%02x%02x%s"
                .formatted(
                        0xF0 | encoding.map(),
                        (encoding.w() ? 0x80 : 0) | 15 << 3 | 4 | encoding.pp(),
                        (form.scalar ? 0 : 0x40) | 8 | 1,
                        encoding.opcode(),
                        encoding.group() << 3 | Cpu.RDI,
                        encoding.hasImmediate() ? "00" : "");
    }

    @Test
    void noInstructionAccessesElementsThatAreNotSelected() {
        int tested = 0;
        for (EvexEncoding encoding : EvexEncoding.all()) {
            EvexForm form = encoding.form();
            boolean single = form.tuple == EvexForm.Tuple.FIXED;
            if (form.plain
                    || form.whole
                    || form.registerOnly
                    || form.indexed
                    || single && !form.scalar
                    || form.tuple == EvexForm.Tuple.PACKED) {
                continue;
            }
            String code = withMemory(encoding);
            cpu.mxcsr = MASKED;
            cpu.r[Cpu.RDI] = MachineState.DATA + 0x1000;
            cpu.vec[K1] = single ? -2 : 0;
            assertThat(machine.faultOf(code)).as("%s, none", encoding).isEqualTo(-1);
            cpu.vec[K1] = 1;
            assertThat(machine.faultOf(code)).as("%s, the first", encoding).isEqualTo(Vector.PAGE_FAULT);
            if (!single && !form.aligned) {
                cpu.r[Cpu.RDI] -= 2 * form.memoryElement;
                cpu.vec[K1] = 3;
                assertThat(machine.faultOf(code)).as("%s, two", encoding).isEqualTo(-1);
                cpu.vec[K1] = 7;
                assertThat(machine.faultOf(code)).as("%s, three", encoding).isEqualTo(Vector.PAGE_FAULT);
            }
            tested++;
        }
        assertThat(tested).isGreaterThan(200);
    }

    @Test
    void storesThatFaultRaiseNothingElse() {
        fill(2, 1 + 0x1p-30); // inexact in half precision
        cpu.r[Cpu.RDI] = NEAR_THE_END + 16;
        cpu.writeLong(NEAR_THE_END + 16, 0x2222);
        cpu.mxcsr = MASKED;
        assertThat(machine.faultOf(VCVTPS2PH)).isEqualTo(Vector.PAGE_FAULT);
        cpu.vec[K1] = 0x100;
        assertThat(machine.faultOf(VCVTPS2PH_MASKED)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.readLong(NEAR_THE_END + 16)).isEqualTo(0x2222);
        assertThat(flags()).isZero();
        cpu.vec[K1] = 2;
        cpu.mxcsr = 0;
        cpu.vec[8 * 2] = 0x3F80_0234_0000_0000L;
        assertThat(machine.faultOf(VCVTPS2PH_MASKED)).isEqualTo(Vector.SIMD_FLOATING_POINT);
        assertThat(cpu.readLong(NEAR_THE_END + 16)).isEqualTo(0x2222);
        cpu.mxcsr = MASKED;
        assertThat(machine.faultOf(VCVTPS2PH_MASKED)).isEqualTo(-1);
        assertThat(cpu.readLong(NEAR_THE_END + 16)).isEqualTo(0x3C00_2222);
    }

    @Test
    void generalRegistersHave32BitsOutsideOf64BitMode() {
        byte[] code = HexFormat.of().parseHex(VCVTUSI2SS);
        Instruction in = new Instruction();
        Decoder decoder = new Decoder();
        assertThat(decoder.decode(code, 0, code.length, 64, in)).isEqualTo(Decoder.OK);
        assertThat(in.evex).isNotNull();
        assertThat(in.evex.memoryElement).isEqualTo(8);
        assertThat(decoder.decode(code, 0, code.length, 32, in)).isEqualTo(Decoder.OK);
        assertThat(in.evex).isNotNull();
        assertThat(in.evex.memoryElement).isEqualTo(4);
        assertThat(in.w).isFalse();
    }

    // ---------------------------------------------------------------- estimates

    private double estimate(String instruction, double operand) {
        fill(2, operand);
        machine.run(instruction);
        return get(0, 7);
    }

    private float estimate(String instruction, float operand) {
        cpu.vec[8 * 2 + 7] = (long) Float.floatToRawIntBits(operand) << 32;
        machine.run(instruction);
        return Float.intBitsToFloat((int) (cpu.vec[7] >>> 32));
    }

    @Test
    void estimatesAreAsNearAsTheManualPromises() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < 10_000; i++) {
            float single = Math.scalb(random.nextFloat(1, 2), random.nextInt(-126, 126));
            double wide = Math.scalb(random.nextDouble(1, 2), random.nextInt(-1022, 1022));
            assertThat(estimate(VRCP14PS, -single) * (double) -single)
                    .as("1 / %a, seed %d", -single, seed)
                    .isCloseTo(1, within(0x1p-14));
            assertThat(estimate(VRCP14PD, wide) * wide)
                    .as("1 / %a, seed %d", wide, seed)
                    .isCloseTo(1, within(0x1p-14));
            assertThat(estimate(VRSQRT14PS, single) * Math.sqrt(single))
                    .as("1 / sqrt %a, seed %d", single, seed)
                    .isCloseTo(1, within(0x1p-14));
            assertThat(estimate(VRSQRT14PD, wide) * Math.sqrt(wide))
                    .as("1 / sqrt %a, seed %d", wide, seed)
                    .isCloseTo(1, within(0x1p-14));
        }
        assertThat(flags()).isZero();
    }

    @Test
    void estimatesOfPowersOfTwoAreExact() {
        for (int i = -126; i <= 126; i++) {
            assertThat(estimate(VRCP14PS, Math.scalb(1f, i))).isEqualTo(Math.scalb(1f, -i));
            assertThat(estimate(VRCP14PD, Math.scalb(-1.0, i))).isEqualTo(Math.scalb(-1.0, -i));
            assertThat(estimate(VRSQRT14PD, Math.scalb(1.0, 2 * i))).isEqualTo(Math.scalb(1.0, -i));
        }
        for (int i = -63; i <= 63; i++) {
            assertThat(estimate(VRSQRT14PS, Math.scalb(1f, 2 * i))).isEqualTo(Math.scalb(1f, -i));
        }
    }

    @Test
    void estimatesOfSpecialNumbersAreAsInTheManual() {
        cpu.mxcsr = 0;
        assertThat(estimate(VRCP14PD, 0.0)).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(estimate(VRCP14PD, -0.0)).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(bits(estimate(VRCP14PD, Double.NEGATIVE_INFINITY))).isEqualTo(bits(-0.0));
        assertThat(estimate(VRCP14PS, 0x1p-128f)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(estimate(VRCP14PS, 0x1p-127f)).isEqualTo(0x1p127f);
        assertThat(estimate(VRCP14PS, -0x1p127f)).isEqualTo(-0x1p-127f);
        assertThat(estimate(VRCP14PD, 0x1p1023)).isEqualTo(0x1p-1023);
        assertThat(estimate(VRSQRT14PD, 0.0)).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(estimate(VRSQRT14PD, -0.0)).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(bits(estimate(VRSQRT14PD, Double.POSITIVE_INFINITY))).isZero();
        assertThat(bits(estimate(VRSQRT14PD, -1.0))).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(bits(estimate(VRSQRT14PD, Double.NEGATIVE_INFINITY))).isEqualTo(0xFFF8_0000_0000_0000L);
        assertThat(estimate(VRSQRT14PS, 0x1p-148f)).isEqualTo(0x1p74f);
        cpu.vec[8 * 2 + 7] = 0x7FF0_0000_0000_0001L;
        machine.run(VRCP14PD);
        assertThat(cpu.vec[7]).isEqualTo(0x7FF8_0000_0000_0001L);
        machine.run(VRSQRT14PD);
        assertThat(cpu.vec[7]).isEqualTo(0x7FF8_0000_0000_0001L);
        cpu.mxcsr = FLUSH_TO_ZERO | MASKED;
        assertThat(Float.floatToRawIntBits(estimate(VRCP14PS, -0x1p127f))).isEqualTo(Integer.MIN_VALUE);
        cpu.mxcsr = DENORMALS_ARE_ZEROS;
        assertThat(estimate(VRCP14PS, -0x1p-127f)).isEqualTo(Float.NEGATIVE_INFINITY);
        assertThat(estimate(VRSQRT14PS, 0x1p-148f)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(flags()).isZero();
    }
}
