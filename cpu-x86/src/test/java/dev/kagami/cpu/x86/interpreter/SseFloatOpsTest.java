package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.softfloat.FloatContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** SSE floating-point instructions: faults and MXCSR. Numbers are compared with the processor's elsewhere. */
class SseFloatOpsTest {
    private static final String ADDSD = "f20f58c1"; // xmm0, xmm1
    private static final String ADDPS_MEMORY = "0f5807"; // xmm0, [rdi]
    private static final String DIVSD = "f20f5ec1";
    private static final String LDMXCSR = "0fae17";
    private static final String STMXCSR = "0fae1f";
    private static final long AREA = X87TestMachine.AREA;

    private final X87TestMachine machine = new X87TestMachine();
    private final Cpu cpu = machine.cpu;

    @AfterEach
    void close() {
        machine.close();
    }

    private void set(int register, double value) {
        cpu.vec[8 * register] = Double.doubleToRawLongBits(value);
    }

    private double get(int register) {
        return Double.longBitsToDouble(cpu.vec[8 * register]);
    }

    @Test
    void scalarsKeepTheUpperPart() {
        set(0, 1.5);
        set(1, 2);
        cpu.vec[1] = 0x1234;
        machine.run(ADDSD);
        assertThat(get(0)).isEqualTo(3.5);
        assertThat(cpu.vec[1]).isEqualTo(0x1234);
        assertThat(cpu.mxcsr).isEqualTo(0x1F80);
    }

    @Test
    void inexactnessIsFoundAlsoOnTheFastPath() {
        set(0, 1);
        set(1, 0x1p-60);
        machine.run(ADDSD);
        assertThat(cpu.mxcsr).isEqualTo(0x1F80 | FloatContext.INEXACT);
        set(0, 1);
        set(1, 3);
        cpu.mxcsr = 0x1F80;
        machine.run(DIVSD);
        assertThat(cpu.mxcsr).isEqualTo(0x1F80 | FloatContext.INEXACT);
    }

    @Test
    void roundingModeIsFollowedAtOnce() {
        set(0, 1);
        set(1, 0x1p-60);
        cpu.mxcsr = 0x1F80 | FloatContext.ROUND_UP << 13;
        machine.run(ADDSD);
        assertThat(get(0)).isEqualTo(Math.nextUp(1.0));
    }

    @Test
    void unmaskedExceptionLeavesTheDestination() {
        set(0, 1);
        set(1, 0);
        cpu.mxcsr = 0x1F80 & ~(FloatContext.ZERO_DIVIDE << 7);
        assertThat(machine.faultOf(DIVSD)).isEqualTo(Vector.SIMD_FLOATING_POINT);
        assertThat(get(0)).isEqualTo(1);
        assertThat(cpu.mxcsr & FloatContext.ALL_EXCEPTIONS).isEqualTo(FloatContext.ZERO_DIVIDE);
        cpu.cr4 &= ~Cpu.CR4_OSXMMEXCPT;
        assertThat(machine.faultOf(DIVSD)).isEqualTo(Vector.INVALID_OPCODE);
    }

    @Test
    void instructionsNeedTheSystemsConsent() {
        cpu.cr0 |= Cpu.CR0_TS;
        assertThat(machine.faultOf(ADDSD)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        cpu.cr0 |= Cpu.CR0_EM;
        assertThat(machine.faultOf(ADDSD)).isEqualTo(Vector.INVALID_OPCODE);
        cpu.cr0 &= ~(Cpu.CR0_EM | Cpu.CR0_TS);
        cpu.cr4 &= ~Cpu.CR4_OSFXSR;
        assertThat(machine.faultOf(ADDSD)).isEqualTo(Vector.INVALID_OPCODE);
        assertThat(machine.faultOf(STMXCSR)).isEqualTo(Vector.INVALID_OPCODE);
    }

    @Test
    void packedMemoryOperandsMustBeAligned() {
        assertThat(machine.faultOf(ADDPS_MEMORY)).isEqualTo(-1);
        cpu.r[Cpu.RDI] += 4;
        assertThat(machine.faultOf(ADDPS_MEMORY)).isEqualTo(Vector.GENERAL_PROTECTION);
        // Operands of 64 bits and less have no alignment: CVTPS2PD xmm0, [rdi].
        assertThat(machine.faultOf("0f5a07")).isEqualTo(-1);
    }

    @Test
    void controlRegisterLoadsAndStores() {
        cpu.writeInt(AREA, 0xFFFF);
        machine.run(LDMXCSR);
        assertThat(cpu.mxcsr).isEqualTo(0xFFFF);
        machine.run("0fae5f04");
        assertThat(cpu.readInt(AREA + 4)).isEqualTo(0xFFFF);
        cpu.writeInt(AREA, 0x10000);
        assertThat(machine.faultOf(LDMXCSR)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(cpu.mxcsr).isEqualTo(0xFFFF);
    }

    @Test
    void comparisonsSetZeroParityAndCarry() {
        set(0, 1);
        set(1, 2);
        machine.run("660f2fc1"); // COMISD
        assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.CF);
        set(1, 1);
        machine.run("660f2fc1");
        assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.ZF);
        set(1, Double.NaN);
        machine.run("660f2ec1"); // UCOMISD
        assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.ZF | Cpu.PF | Cpu.CF);
        assertThat(cpu.mxcsr).isEqualTo(0x1F80);
        machine.run("660f2fc1");
        assertThat(cpu.mxcsr).isEqualTo(0x1F80 | FloatContext.INVALID);
    }

    @Test
    void conversionsThroughMmxMakeTheRegistersValid() {
        cpu.vec[0] = Float.floatToRawIntBits(1.5f) | (long) Float.floatToRawIntBits(-2.5f) << 32;
        machine.run("0f2cc8"); // CVTTPS2PI mm1, xmm0
        assertThat(machine.x87.significand[1]).isEqualTo(0xFFFF_FFFE_0000_0001L);
        assertThat(machine.x87.tag).isZero();
        machine.run("660f2ad1"); // CVTPI2PD xmm2, mm1
        assertThat(get(2)).isEqualTo(1);
        assertThat(Double.longBitsToDouble(cpu.vec[17])).isEqualTo(-2);
    }

    @Test
    void undefinedPrefixesAreRefused() {
        for (String hex :
                new String[] {"f20f53c1", "660f52c1", "f30f7cc1", "f20f2ec1", "0fe6c1", "f20f5bc1", "0f3a08c100"}) {
            assertThat(machine.faultOf(hex)).as(hex).isEqualTo(Vector.INVALID_OPCODE);
        }
    }
}
