package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.ExitReason;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Delivery of interrupts and exceptions in long mode (SDM 3A 6.14) and IRETQ. */
class LongModeInterruptTest {
    private static final long HANDLER = 0x1_8000;
    private static final int TRAP_GATE = 0x8F;
    private static final int INTERRUPT_GATE = 0x8E;
    private static final int DPL3 = 0x60;

    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inLongMode();
        cpu = machine.cpu;
        machine.code(HANDLER, "F4");
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    private long stackWord(int index) {
        return machine.memory.readLong(cpu.r[Cpu.RSP] + 8 * index);
    }

    @Test
    void interruptAtSameLevelAlignsStackAndPushesFiveWords() {
        machine.gate(0x40, HANDLER);
        cpu.systemFlags |= Cpu.IF | Cpu.TF | Cpu.AC;
        cpu.r[Cpu.RSP] = TestMachine.STACK - 3;
        Interrupts.deliver(cpu, 0x40, Interrupts.Kind.EXTERNAL, false, 0);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 16 - 40);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(HANDLER);
        assertThat(stackWord(0)).isEqualTo(TestMachine.CODE);
        assertThat(stackWord(1)).isEqualTo(TestMachine.KERNEL_CODE);
        assertThat(stackWord(2)).isEqualTo(cpu.arithmeticFlags() | Cpu.IF | Cpu.TF | Cpu.AC | 2);
        assertThat(stackWord(3)).isEqualTo(TestMachine.STACK - 3);
        assertThat(stackWord(4)).isEqualTo(TestMachine.KERNEL_DATA);
        assertThat(cpu.systemFlags).isEqualTo(Cpu.AC | 2);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.KERNEL_DATA);
    }

    @Test
    void trapGateKeepsInterruptsEnabled() {
        machine.gate(0x40, TestMachine.KERNEL_CODE, HANDLER, TRAP_GATE, 0);
        cpu.systemFlags |= Cpu.IF;
        Interrupts.deliver(cpu, 0x40, Interrupts.Kind.EXTERNAL, false, 0);
        assertThat(cpu.systemFlags & Cpu.IF).isNotZero();
    }

    @Test
    void exceptionFromUserModeSwitchesToTheKernelStackWithNullStackSegment() {
        machine.gate(14, HANDLER);
        machine.userMode();
        assertThat(machine.exec("48 8B 04 25 00 00 00 7F")).isNotNull();
        machine.cpu.r[Cpu.RIP] = TestMachine.CODE;
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.cr2).isEqualTo(0x7F00_0000L);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.KERNEL_CODE);
        assertThat(cpu.selector[Cpu.SS]).isZero();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK - 48);
        assertThat(stackWord(0)).as("error code: user read").isEqualTo(4);
        assertThat(stackWord(1)).isEqualTo(TestMachine.CODE);
        assertThat(stackWord(2)).isEqualTo(TestMachine.USER_CODE);
        assertThat(stackWord(3) & Cpu.RF).as("RF is set for faults").isNotZero();
        assertThat(stackWord(4)).isEqualTo(TestMachine.STACK);
        assertThat(stackWord(5)).isEqualTo(TestMachine.USER_DATA);
    }

    @Test
    void interruptStackTableWinsOverTheCurrentStack() {
        machine.gate(8, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE, 3);
        machine.memory.writeLong(TestMachine.TSS + 0x24 + 2 * 8, 0x5_8008);
        Interrupts.deliver(cpu, 8, Interrupts.Kind.EXCEPTION, true, 0);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x5_8000 - 48);
        assertThat(cpu.selector[Cpu.SS]).as("same level: SS stays").isEqualTo(TestMachine.KERNEL_DATA);
    }

    @Test
    void iretqReturnsToUserModeAndRestoresEverything() {
        machine.gate(0x80, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE | DPL3, 0);
        machine.code(HANDLER, "48 FF C0 48 CF"); // inc rax; iretq
        machine.gate(13, HANDLER + 0x100);
        machine.code(HANDLER + 0x100, "F4");
        machine.userMode();
        cpu.systemFlags |= Cpu.IF | Cpu.ID;
        machine.code(TestMachine.CODE, "31 C0 F9 CD 80 48 FF C0 F4"); // xor eax,eax; stc; int 80; inc rax; hlt (faults)
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(2);
        assertThat(stackWord(1)).as("hlt in user mode").isEqualTo(TestMachine.CODE + 8);
        assertThat(stackWord(3) & (Cpu.IF | Cpu.ID | Cpu.CF)).isEqualTo(Cpu.IF | Cpu.ID | Cpu.CF);
        assertThat(stackWord(5)).isEqualTo(TestMachine.USER_DATA);
    }

    @Test
    void softwareInterruptThroughPrivilegedGateFaultsWithoutExternalBit() {
        machine.gate(0x80, HANDLER);
        machine.userMode();
        Fault fault = machine.exec("CD 80");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(fault.errorCode).isEqualTo(0x80 << 3 | 2);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
        assertThat(cpu.cpl).isEqualTo(3);
    }

    @Test
    void hardwareInterruptThroughMissingGateHasExternalBit() {
        machine.gate(0x41, TestMachine.KERNEL_CODE, HANDLER, 0x0E, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, 0x40 << 3 | 3);
        assertDelivery(0x41, Vector.SEGMENT_NOT_PRESENT, 0x41 << 3 | 3);
    }

    @Test
    void gateChecksItsCodeSegment() {
        machine.gate(0x40, 0, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, 1);
        machine.gate(0x40, TestMachine.KERNEL_CODE32, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, TestMachine.KERNEL_CODE32 | 1);
        machine.gate(0x40, TestMachine.KERNEL_DATA, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, TestMachine.KERNEL_DATA | 1);
        machine.gate(0x40, TestMachine.USER_CODE, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, TestMachine.USER_CODE & ~3 | 1);
        machine.gate(0x40, 0xFF8, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, 0xFF8 | 1);
        machine.descriptor(TestMachine.FREE, 0, 0xFFFFF, TestMachine.ATTR_CODE64 & ~0x80);
        machine.gate(0x40, TestMachine.FREE, HANDLER, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.SEGMENT_NOT_PRESENT, TestMachine.FREE | 1);
        machine.gate(0x40, TestMachine.KERNEL_CODE, 0x8000_0000_0000_0000L, INTERRUPT_GATE, 0);
        assertDelivery(0x40, Vector.GENERAL_PROTECTION, 1);
        machine.memory.writeLong(TestMachine.TSS + 0x24, 0x8000_0000_0000_0000L);
        machine.gate(0x40, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE, 1);
        assertDelivery(0x40, Vector.STACK_FAULT, 1);
        cpu.limit[Cpu.TR] = 0x20;
        assertDelivery(0x40, Vector.INVALID_TSS, TestMachine.TASK | 1);
    }

    private void assertDelivery(int vector, int expectedVector, int expectedError) {
        long[] before = cpu.r.clone();
        int flags = cpu.flags();
        assertThatThrownBy(() -> Interrupts.deliver(cpu, vector, Interrupts.Kind.EXTERNAL, false, 0))
                .isInstanceOfSatisfying(Fault.class, fault -> {
                    assertThat(fault.vector).isEqualTo(expectedVector);
                    assertThat(fault.errorCode).isEqualTo(expectedError);
                });
        assertThat(cpu.r).as("registers stay").isEqualTo(before);
        assertThat(cpu.flags()).isEqualTo(flags);
    }

    @Test
    void pageFaultOnTheNewStackBecomesDoubleFault() {
        machine.gate(13, HANDLER);
        machine.gate(14, HANDLER);
        machine.gate(8, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE, 1);
        machine.memory.writeLong(TestMachine.TSS + 0x24, 0x5_8000);
        machine.memory.writeLong(TestMachine.TSS + 4, 0x7F00_0000L);
        machine.userMode();
        machine.code(TestMachine.CODE, "48 8B 04 25 00 00 00 7E"); // page fault, then one on the kernel stack
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x5_8000 - 48);
        assertThat(stackWord(0)).isZero();
        assertThat(stackWord(1)).isEqualTo(TestMachine.CODE);
    }

    @Test
    void faultDuringDoubleFaultShutsDown() {
        machine.userMode();
        cpu.idtLimit = 0;
        machine.code(TestMachine.CODE, "0F 0B");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.SHUTDOWN);
    }

    @Test
    void pageFaultDuringGeneralProtectionIsDeliveredAfterIt() {
        // Contributory, then page fault: handled serially (SDM 3A table 6-5).
        machine.memory.writeLong(TestMachine.TSS + 0x24, 0x7F00_0000L);
        machine.gate(13, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE, 1);
        machine.gate(14, HANDLER);
        machine.code(TestMachine.CODE, "B9 00 00 00 F0 0F 32"); // rdmsr of an unknown register
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(stackWord(0)).as("error code: supervisor write").isEqualTo(2);
        assertThat(stackWord(1)).isEqualTo(TestMachine.CODE + 5);
        assertThat(cpu.cr2).isEqualTo(0x7F00_0000L - 8);
    }

    @Test
    void compatibilityModeEntersTheSixtyFourBitHandler() {
        machine.gate(0x80, TestMachine.KERNEL_CODE, HANDLER, INTERRUPT_GATE | DPL3, 0);
        machine.userMode();
        machine.compatibilityMode();
        machine.code(TestMachine.CODE, "CD 80");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.mode).isEqualTo(64);
        assertThat(stackWord(0)).isEqualTo(TestMachine.CODE + 2);
        assertThat(stackWord(1)).isEqualTo(TestMachine.USER_CODE32);
    }

    @Test
    void iretqToCompatibilityModeRunsThirtyTwoBitCode() {
        machine.code(TestMachine.CODE, "6A 23 68 00 00 03 00 6A 02 6A 1B 68 00 01 01 00 48 CF");
        machine.code(TestMachine.CODE + 0x100, "40 F4"); // inc eax, not a REX prefix
        machine.gate(13, HANDLER);
        cpu.r[Cpu.RAX] = 0xFFFF_FFFF_0000_0001L;
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(2);
        assertThat(stackWord(1)).isEqualTo(TestMachine.CODE + 0x101);
        assertThat(stackWord(2)).isEqualTo(TestMachine.USER_CODE32);
    }

    @Test
    void iretqChecksWhatItPops() {
        assertIret("6A 10 68 00 00 03 00 6A 02 6A 00 68 00 01 01 00", 0); // null CS
        assertIret("6A 10 68 00 00 03 00 6A 02 6A 10 68 00 01 01 00", 0x10); // data as code
        assertIret("6A 10 68 00 00 03 00 6A 02 6A 2B 68 00 01 01 00", 0x10); // SS of another level
        assertIret("6A 03 68 00 00 03 00 6A 02 6A 2B 68 00 01 01 00", 0); // null SS at level 3
        assertIret("6A 10 68 00 00 03 00 6A 02 6A 08 48 B8 00 00 00 00 00 00 00 80 50", 0); // not canonical
        cpu.systemFlags |= Cpu.NT;
        assertIret("6A 10 68 00 00 03 00 6A 02 6A 08 68 00 01 01 00", 0);
    }

    private void assertIret(String pushes, int error) {
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        Fault fault = machine.exec(pushes + "48 CF");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(fault.errorCode).isEqualTo(error);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 40);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.KERNEL_CODE);
    }

    @Test
    void nonMaskableInterruptsStayBlockedUntilIret() {
        cpu.nmiBlocked = true;
        assertThat(machine.exec("6A 10 68 00 00 03 00 9C 6A 08 68 80 00 01 00 48 CF" + "90".repeat(128)))
                .isNull();
        assertThat(cpu.nmiBlocked).isFalse();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
    }
}
