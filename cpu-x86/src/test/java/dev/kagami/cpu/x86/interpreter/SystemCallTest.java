package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, FSGSBASE and the hypercall. */
class SystemCallTest {
    private static final long ENTRY = 0x1_8000;
    private static final long NON_CANONICAL = 0x0000_8000_0000_0000L;

    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inLongMode();
        cpu = machine.cpu;
        cpu.msrs.star = 0x0018_0008L << 32;
        cpu.msrs.lstar = ENTRY;
        cpu.msrs.fmask = Cpu.IF | Cpu.TF | Cpu.DF | Cpu.AC;
        machine.code(ENTRY, "F4");
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    private void assertFault(String hex, int vector) {
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(vector);
        assertThat(fault.errorCode).as(hex).isZero();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
    }

    @Test
    void syscallEntersTheKernelWithMaskedFlags() {
        machine.userMode();
        cpu.systemFlags |= Cpu.IF | Cpu.DF | Cpu.ID;
        assertThat(machine.exec("F9 0F 05")).isNull();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(ENTRY + 1);
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(TestMachine.CODE + 3);
        assertThat(cpu.r[Cpu.R11] & (Cpu.IF | Cpu.DF | Cpu.ID | Cpu.CF)).isEqualTo(Cpu.IF | Cpu.DF | Cpu.ID | Cpu.CF);
        assertThat(cpu.flags() & (Cpu.IF | Cpu.DF | Cpu.ID | Cpu.CF)).isEqualTo(Cpu.ID | Cpu.CF);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.KERNEL_CODE);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.KERNEL_DATA);
    }

    @Test
    void sysretGoesBackToSixtyFourBitCode() {
        machine.gate(13, ENTRY);
        cpu.r[Cpu.RCX] = TestMachine.CODE + 0x100;
        cpu.r[Cpu.R11] = Cpu.IF | Cpu.CF | Cpu.VM | Cpu.RF;
        machine.code(TestMachine.CODE + 0x100, "F4");
        machine.code(TestMachine.CODE, "48 0F 07");
        assertThat(machine.step()).isNull();
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.mode).isEqualTo(64);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE + 0x100);
        assertThat(cpu.flags()).isEqualTo(Cpu.IF | Cpu.CF | 2);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.USER_CODE);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.USER_DATA);
    }

    @Test
    void sysretWithoutRexGoesToCompatibilityMode() {
        cpu.r[Cpu.RCX] = 0xABCD_0000_0001_0100L;
        machine.code(TestMachine.CODE, "0F 07");
        assertThat(machine.step()).isNull();
        assertThat(cpu.mode).isEqualTo(32);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(0x1_0100);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.USER_CODE32);
    }

    @Test
    void sysretChecksLevelAndTarget() {
        cpu.r[Cpu.RCX] = NON_CANONICAL;
        assertFault("48 0F 07", Vector.GENERAL_PROTECTION);
        cpu.r[Cpu.RCX] = 0;
        machine.userMode();
        assertFault("48 0F 07", Vector.GENERAL_PROTECTION);
    }

    @Test
    void syscallNeedsSixtyFourBitModeAndItsEnableBit() {
        cpu.efer &= ~Cpu.EFER_SCE;
        assertFault("0F 05", Vector.INVALID_OPCODE);
        assertFault("48 0F 07", Vector.INVALID_OPCODE);
        cpu.efer |= Cpu.EFER_SCE;
        machine.compatibilityMode();
        assertFault("0F 05", Vector.INVALID_OPCODE);
    }

    @Test
    void sysenterAndSysexitFromCompatibilityMode() {
        cpu.msrs.sysenterCs = TestMachine.KERNEL_CODE;
        cpu.msrs.sysenterEip = ENTRY;
        cpu.msrs.sysenterEsp = TestMachine.KERNEL_STACK;
        machine.userMode();
        machine.compatibilityMode();
        cpu.systemFlags |= Cpu.IF;
        machine.code(TestMachine.CODE, "0F 34");
        assertThat(machine.step()).isNull();
        assertThat(cpu.mode).isEqualTo(64);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(ENTRY);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK);
        assertThat(cpu.systemFlags & Cpu.IF).isZero();
        cpu.r[Cpu.RDX] = TestMachine.CODE;
        cpu.r[Cpu.RCX] = TestMachine.STACK;
        machine.code(ENTRY, "0F 35");
        assertThat(machine.step()).isNull();
        assertThat(cpu.mode).isEqualTo(32);
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.KERNEL_CODE + 16 | 3);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.KERNEL_CODE + 24 | 3);
    }

    @Test
    void sysenterAndSysexitNeedTheirSelector() {
        assertFault("0F 34", Vector.GENERAL_PROTECTION);
        assertFault("48 0F 35", Vector.GENERAL_PROTECTION);
        cpu.msrs.sysenterCs = TestMachine.KERNEL_CODE;
        machine.userMode();
        assertFault("48 0F 35", Vector.GENERAL_PROTECTION);
    }

    @Test
    void swapgsExchangesBasesInTheKernelOnly() {
        cpu.r[Cpu.SEGMENT_BASE + Cpu.GS] = 1;
        cpu.msrs.kernelGsBase = 2;
        assertThat(machine.exec("0F 01 F8")).isNull();
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.GS]).isEqualTo(2);
        assertThat(cpu.msrs.kernelGsBase).isEqualTo(1);
        machine.userMode();
        assertFault("0F 01 F8", Vector.GENERAL_PROTECTION);
        machine.compatibilityMode();
        assertFault("0F 01 F8", Vector.INVALID_OPCODE);
    }

    @Test
    void segmentBasesCanBeReadAndWrittenByUsers() {
        machine.userMode();
        cpu.r[Cpu.RAX] = 0x7F12_5678_9ABCL;
        assertThat(machine.exec("F3 48 0F AE D0 F3 48 0F AE C3 F3 0F AE D8 F3 48 0F AE C9 CC"))
                .isNotNull();
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(0x7F12_5678_9ABCL);
        assertThat(cpu.r[Cpu.RCX]).as("32-bit write").isEqualTo(0x5678_9ABCL);
        cpu.r[Cpu.RAX] = NON_CANONICAL;
        assertFault("F3 48 0F AE D0", Vector.GENERAL_PROTECTION);
        cpu.cr4 &= ~Cpu.CR4_FSGSBASE;
        assertFault("F3 48 0F AE C0", Vector.INVALID_OPCODE);
    }

    @Test
    void hypercallsAreAnsweredAsKvmDoes() {
        assertThat(machine.exec("0F 01 C1")).isNull();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(-1000);
        machine.gate(13, ENTRY);
        machine.userMode();
        machine.code(TestMachine.CODE, "0F 01 D9 F4");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(-1);
    }
}
