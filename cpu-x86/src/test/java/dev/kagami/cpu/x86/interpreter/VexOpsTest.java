package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.softfloat.FloatContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** AVX instructions: what they need, where they fault and what is changed then. Results are compared with the processor's elsewhere. */
class VexOpsTest {
    private static final String VPADDD = "c5edfec3"; // ymm0, ymm2, ymm3
    private static final String VDIVPD = "c5ed5ec3"; // ymm0, ymm2, ymm3
    private static final String VMOVAPS_LOAD = "c5fc2807"; // ymm0, [rdi]
    private static final String VMOVUPS_LOAD = "c5fc1007"; // ymm0, [rdi]
    private static final String VMOVUPS_STORE = "c5fc1107"; // [rdi], ymm0
    private static final String VADDPS_MEMORY = "c5ec5807"; // ymm0, ymm2, [rdi]
    private static final String VPMASKMOVD_LOAD = "c4e26d8c07"; // ymm0, ymm2, [rdi]
    private static final String VPMASKMOVD_STORE = "c4e26d8e07"; // [rdi], ymm2, ymm0
    private static final String VPGATHERDD = "c4e26d90048f"; // ymm0, [rdi + ymm1 * 4], ymm2
    private static final String XSETBV = "0f01d1";
    private static final String CPUID = "0fa2";
    /** An address in the last bytes of the data window's page: the next one isn't there. */
    private static final long NEAR_THE_END = MachineState.DATA + 0x1000 - 16;

    private final X87TestMachine machine = new X87TestMachine();
    private final Cpu cpu = machine.cpu;

    @AfterEach
    void close() {
        machine.close();
    }

    private void fill(int register, long value) {
        for (int i = 0; i < 8; i++) {
            cpu.vec[8 * register + i] = i < 4 ? value : 0;
        }
    }

    @Test
    void instructionsNeedTheSystemsConsent() {
        cpu.cr0 |= Cpu.CR0_TS;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        cpu.cr4 &= ~Cpu.CR4_OSXSAVE;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(Vector.INVALID_OPCODE);
        cpu.cr4 |= Cpu.CR4_OSXSAVE;
        cpu.xcr0 = 3;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(Vector.INVALID_OPCODE);
        cpu.xcr0 = 7;
        cpu.cr0 &= ~Cpu.CR0_TS;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(-1);
    }

    @Test
    void emulationBitAndMissingSseSupportAreOfNoConsequence() {
        cpu.cr0 |= Cpu.CR0_EM;
        cpu.cr4 &= ~Cpu.CR4_OSFXSR;
        fill(2, Double.doubleToRawLongBits(3));
        fill(3, Double.doubleToRawLongBits(2));
        assertThat(machine.faultOf(VDIVPD)).isEqualTo(-1);
        assertThat(cpu.vec[3]).isEqualTo(Double.doubleToRawLongBits(1.5));
        assertThat(cpu.cr0 & Cpu.CR0_EM).isNotZero();
    }

    @Test
    void exceptionsOfBothLanesAreReportedTogether() {
        fill(0, 7);
        fill(2, Double.doubleToRawLongBits(1));
        fill(3, Double.doubleToRawLongBits(3));
        cpu.vec[8 * 3] = 1; // a denormal number in the lower lane
        cpu.vec[8 * 3 + 3] = 0; // and a division by zero in the upper one
        cpu.mxcsr = 0x1F80 & ~(FloatContext.ZERO_DIVIDE << 7);
        assertThat(machine.faultOf(VDIVPD)).isEqualTo(Vector.SIMD_FLOATING_POINT);
        // Nothing is computed, so the others are not inexact.
        assertThat(cpu.mxcsr & FloatContext.ALL_EXCEPTIONS).isEqualTo(FloatContext.ZERO_DIVIDE | FloatContext.DENORMAL);
        assertThat(cpu.vec[0]).isEqualTo(7);
    }

    @Test
    void onlyAlignedMovesNeedAlignment() {
        cpu.r[Cpu.RDI] = MachineState.DATA + 16;
        assertThat(machine.faultOf(VMOVAPS_LOAD)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.faultOf(VMOVUPS_LOAD)).isEqualTo(-1);
        cpu.r[Cpu.RDI] = MachineState.DATA + 3;
        assertThat(machine.faultOf(VADDPS_MEMORY)).isEqualTo(-1);
    }

    @Test
    void accessesThatFaultInTheirSecondHalfChangeNothing() {
        fill(0, 0x1111);
        cpu.writeLong(NEAR_THE_END, 0x2222);
        cpu.r[Cpu.RDI] = NEAR_THE_END;
        assertThat(machine.faultOf(VMOVUPS_STORE)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.readLong(NEAR_THE_END)).isEqualTo(0x2222);
        assertThat(machine.faultOf(VMOVUPS_LOAD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.vec[0]).isEqualTo(0x1111);
        assertThat(cpu.cr2).isEqualTo(MachineState.DATA + 0x1000);
    }

    @Test
    void elementsThatAreNotSelectedAreNotAccessed() {
        cpu.r[Cpu.RDI] = NEAR_THE_END;
        cpu.writeLong(NEAR_THE_END + 8, 0x5555_6666_7777_8888L);
        fill(2, 0);
        cpu.vec[8 * 2 + 1] = -1;
        assertThat(machine.faultOf(VPMASKMOVD_LOAD)).isEqualTo(-1);
        assertThat(cpu.vec[0]).isZero();
        assertThat(cpu.vec[1]).isEqualTo(0x5555_6666_7777_8888L);
        assertThat(machine.faultOf(VPMASKMOVD_STORE)).isEqualTo(-1);
        cpu.vec[8 * 2 + 2] = 0x8000_0000L;
        cpu.vec[1] = 1;
        assertThat(machine.faultOf(VPMASKMOVD_LOAD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(machine.faultOf(VPMASKMOVD_STORE)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.readLong(NEAR_THE_END + 8)).isEqualTo(0x5555_6666_7777_8888L);
    }

    @Test
    void gatherThatFaultsGoesOnWhereItWas() {
        fill(0, 0x99);
        fill(1, 0);
        fill(2, -1);
        cpu.writeInt(MachineState.DATA, 0x77);
        cpu.vec[8 + 1] = 0x400; // element 2 is on the next page
        cpu.r[Cpu.RDI] = MachineState.DATA;
        assertThat(machine.faultOf(VPGATHERDD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.vec[0]).isEqualTo(0x77_0000_0077L);
        assertThat(cpu.vec[1]).isEqualTo(0x99);
        assertThat(cpu.vec[8 * 2]).isZero();
        assertThat(cpu.vec[8 * 2 + 1]).isEqualTo(-1);
        cpu.vec[8 + 1] = 0;
        assertThat(machine.faultOf(VPGATHERDD)).isEqualTo(-1);
        assertThat(cpu.vec[3]).isEqualTo(0x77_0000_0077L);
        assertThat(cpu.vec[8 * 2 + 3]).isZero();
    }

    @Test
    void gathersWithRegistersInCommonDoNotExist() {
        assertThat(machine.faultOf("c4e27590048f")).isEqualTo(Vector.INVALID_OPCODE); // mask and index
        assertThat(machine.faultOf("c4e26d900497")).isEqualTo(Vector.INVALID_OPCODE); // mask and index too
        assertThat(machine.faultOf("c4e26d900487")).isEqualTo(Vector.INVALID_OPCODE); // destination and index
    }

    @Test
    void upperHalvesNeedTheLowerOnesInXcr0() {
        cpu.cpl = 0;
        cpu.r[Cpu.RCX] = 0;
        cpu.r[Cpu.RDX] = 0;
        for (int value : new int[] {0, 5, 6, 0xF, 0x27, 0x67, 0xE3}) {
            cpu.r[Cpu.RAX] = value;
            assertThat(machine.faultOf(XSETBV)).isEqualTo(Vector.GENERAL_PROTECTION);
        }
        for (int value : new int[] {1, 3, 7, 0xE7}) {
            cpu.r[Cpu.RAX] = value;
            assertThat(machine.faultOf(XSETBV)).isEqualTo(-1);
            assertThat(cpu.xcr0).isEqualTo(value);
        }
    }

    @Test
    void cpuidTellsTheSizeOfTheStateThatIsEnabled() {
        sizes(0xE7, 2688);
        sizes(7, 832);
        sizes(3, 576);
        component(2, 256, 576);
        component(5, 64, 1088);
        component(6, 512, 1152);
        component(7, 1024, 1664);
    }

    private void sizes(int enabled, int bytes) {
        cpu.xcr0 = enabled;
        cpu.r[Cpu.RAX] = 0xD;
        cpu.r[Cpu.RCX] = 0;
        machine.run(CPUID);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0xE7);
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(bytes);
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(2688);
    }

    private void component(int number, int bytes, int offset) {
        cpu.r[Cpu.RAX] = 0xD;
        cpu.r[Cpu.RCX] = number;
        machine.run(CPUID);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(bytes);
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(offset);
    }

    @Test
    void stateSurvivesSavingAndRestoring() {
        fill(0, 0x1234);
        cpu.r[Cpu.RAX] = 7;
        cpu.r[Cpu.RDX] = 0;
        machine.run("0fae27"); // xsave [rdi]
        fill(0, 0);
        machine.run("0fae2f"); // xrstor [rdi]
        assertThat(cpu.vec[0]).isEqualTo(0x1234);
        assertThat(cpu.vec[3]).isEqualTo(0x1234);
        cpu.r[Cpu.RAX] = 3;
        fill(0, 0x5678);
        machine.run("0fae2f");
        assertThat(cpu.vec[1]).isEqualTo(0x1234);
        assertThat(cpu.vec[2]).isEqualTo(0x5678);
    }
}
