package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.ExitReason;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Delivery and IRET in protected, virtual-8086 and real mode (SDM 3A 6.12, 3B 20). */
class ProtectedModeInterruptTest {
    private static final long HANDLER = 0x1_8000;
    private static final int INTERRUPT_GATE = 0x8E;
    private static final int INTERRUPT_GATE16 = 0x86;
    private static final int DPL3 = 0x60;
    private static final int DATA_SEGMENT = TestMachine.FREE;

    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inProtectedMode();
        cpu = machine.cpu;
        machine.code(HANDLER, "F4");
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    private int stackWord(int index) {
        return machine.memory.readInt(cpu.r[Cpu.RSP] + 4 * index);
    }

    @Test
    void sameLevelPushesThreeWords() {
        machine.gate(0x40, HANDLER);
        cpu.systemFlags |= Cpu.IF;
        Interrupts.external(cpu, 0x40);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 12);
        assertThat(stackWord(0)).isEqualTo((int) TestMachine.CODE);
        assertThat(stackWord(1)).isEqualTo(TestMachine.KERNEL_CODE32);
        assertThat(stackWord(2) & Cpu.IF).isNotZero();
        assertThat(cpu.systemFlags & Cpu.IF).isZero();
    }

    @Test
    void innerLevelTakesTheStackOfTheTask() {
        machine.gate(13, HANDLER);
        machine.userMode();
        machine.code(TestMachine.CODE, "F4");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK - 24);
        assertThat(stackWord(0)).as("error code").isZero();
        assertThat(stackWord(1)).isEqualTo((int) TestMachine.CODE);
        assertThat(stackWord(2)).isEqualTo(TestMachine.USER_CODE32);
        assertThat(stackWord(3) & Cpu.RF).isNotZero();
        assertThat(stackWord(4)).isEqualTo((int) TestMachine.STACK);
        assertThat(stackWord(5)).isEqualTo(TestMachine.USER_DATA);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.KERNEL_DATA);
    }

    @Test
    void iretToOuterLevelAndBack() {
        machine.gate(0x80, TestMachine.KERNEL_CODE32, HANDLER, INTERRUPT_GATE | DPL3, 0);
        machine.code(HANDLER, "40 CF"); // inc eax; iret
        machine.gate(13, HANDLER + 0x100);
        machine.code(HANDLER + 0x100, "F4");
        machine.userMode();
        cpu.r[Cpu.RAX] = 0;
        machine.code(TestMachine.CODE, "CD 80 CD 80 F4");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(2);
        assertThat(stackWord(4)).isEqualTo((int) TestMachine.STACK);
    }

    @Test
    void sixteenBitGatePushesWords() {
        machine.descriptor(TestMachine.KERNEL_CODE16, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        machine.gate(0x40, TestMachine.KERNEL_CODE16, 0x8000, INTERRUPT_GATE16, 0);
        Interrupts.external(cpu, 0x40);
        assertThat(cpu.mode).isEqualTo(16);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 6);
        assertThat(machine.memory.readShort(cpu.r[Cpu.RSP] + 2)).isEqualTo(TestMachine.KERNEL_CODE32);
    }

    @Test
    void handlerBeyondItsSegmentFaults() {
        machine.descriptor(DATA_SEGMENT, 0, 0xFF, 0x409A);
        machine.gate(0x40, DATA_SEGMENT, HANDLER, INTERRUPT_GATE, 0);
        assertFault(0x40, Vector.GENERAL_PROTECTION, 1);
    }

    @Test
    void fullStackFaultsWithoutChangingAnything() {
        machine.gate(0x40, HANDLER);
        machine.segment(Cpu.SS, TestMachine.KERNEL_DATA, 0, 0xFFF, TestMachine.ATTR_DATA32);
        cpu.r[Cpu.RSP] = 8;
        assertFault(0x40, Vector.STACK_FAULT, 1);
    }

    @Test
    void interruptTableLimitIsChecked() {
        cpu.idtLimit = 0x40 * 8 + 6;
        machine.gate(0x40, HANDLER);
        assertFault(0x40, Vector.GENERAL_PROTECTION, 0x40 * 8 + 3);
    }

    private void assertFault(int vector, int expectedVector, int error) {
        long[] before = cpu.r.clone();
        assertThatThrownBy(() -> Interrupts.deliver(cpu, vector, Interrupts.Kind.EXTERNAL, false, 0))
                .isInstanceOfSatisfying(Fault.class, fault -> {
                    assertThat(fault.vector).isEqualTo(expectedVector);
                    assertThat(fault.errorCode).isEqualTo(error);
                });
        assertThat(cpu.r).isEqualTo(before);
    }

    @Test
    void intoTrapsOnOverflowOnly() {
        machine.gate(4, TestMachine.KERNEL_CODE32, HANDLER, INTERRUPT_GATE | DPL3, 0);
        cpu.r[Cpu.RAX] = 0;
        assertThat(machine.exec("B0 7F CE FE C0 CE")).isNull(); // mov al,7f; into; inc al; into
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(HANDLER + 1);
        assertThat(stackWord(0)).isEqualTo((int) TestMachine.CODE + 6);
    }

    @Test
    void boundRaisesItsExceptionOutsideOfTheBounds() {
        machine.memory.writeInt(TestMachine.DATA, -5);
        machine.memory.writeInt(TestMachine.DATA + 4, 5);
        cpu.r[Cpu.RAX] = 0xFFFF_FFFBL;
        assertThat(machine.exec("62 05 00 00 04 00")).isNull();
        cpu.r[Cpu.RAX] = 6;
        Fault fault = machine.exec("62 05 00 00 04 00");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.BOUND_RANGE);
    }

    // ---------------------------------------------------------------- virtual-8086 mode

    private void enterVirtual8086(int privilege) {
        // An IRET frame for 1000:0000 with stack 2000:8000.
        int[] frame = {0, 0x1000, Cpu.VM | privilege << 12 | Cpu.IF, 0x8000, 0x2000, 0x1111, 0x2222, 0x3333, 0x4444};
        cpu.r[Cpu.RSP] = TestMachine.DATA;
        for (int i = 0; i < frame.length; i++) {
            machine.memory.writeInt(TestMachine.DATA + 4L * i, frame[i]);
        }
        machine.code(HANDLER + 0x200, "CF");
        cpu.r[Cpu.RIP] = HANDLER + 0x200;
        assertThat(machine.step()).isNull();
    }

    @Test
    void iretEntersVirtual8086Mode() {
        enterVirtual8086(0);
        assertThat(cpu.virtual8086()).isTrue();
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.mode).isEqualTo(16);
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.CS]).isEqualTo(0x1_0000);
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.ES]).isEqualTo(0x1_1110);
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.GS]).isEqualTo(0x4_4440);
        assertThat(cpu.limit[Cpu.DS]).isEqualTo(0xFFFF);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x8000);
    }

    @Test
    void exceptionInVirtual8086ModeSavesAllSegments() {
        enterVirtual8086(0);
        machine.gate(13, HANDLER);
        machine.code(TestMachine.CODE, "FA"); // cli needs IOPL 3
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.virtual8086()).isFalse();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK - 40);
        int[] words = new int[10];
        for (int i = 0; i < words.length; i++) {
            words[i] = stackWord(i);
        }
        assertThat(words)
                .containsExactly(
                        0, 0, 0x1000, Cpu.VM | Cpu.IF | Cpu.RF | 2, 0x8000, 0x2000, 0x1111, 0x2222, 0x3333, 0x4444);
        assertThat(cpu.selector[Cpu.DS]).isZero();
        assertThat(cpu.attributes[Cpu.DS]).isZero();
    }

    @Test
    void softwareInterruptInVirtual8086ModeNeedsIoPrivilege() {
        machine.gate(13, HANDLER);
        machine.gate(0x21, TestMachine.KERNEL_CODE32, HANDLER + 0x10, INTERRUPT_GATE | DPL3, 0);
        machine.code(HANDLER + 0x10, "F4");
        machine.code(TestMachine.CODE, "CD 21");
        enterVirtual8086(0);
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(HANDLER + 1);
        machine.protectedMode();
        enterVirtual8086(3);
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(HANDLER + 0x11);
        assertThat(stackWord(0)).isEqualTo(2);
    }

    @Test
    void flagsInVirtual8086ModeKeepIoPrivilege() {
        machine.code(TestMachine.CODE, "9C 58 35 00 70 50 9D 9C 5B"); // pushf; pop ax; xor ax,7000; push ax; popf; ...
        enterVirtual8086(3);
        for (int i = 0; i < 7; i++) {
            assertThat(machine.step()).isNull();
        }
        assertThat(cpu.r[Cpu.RBX] & Cpu.IOPL).isEqualTo(Cpu.IOPL);
        assertThat(cpu.r[Cpu.RBX] & Cpu.NT).as("NT can change").isNotZero();
        assertThat(cpu.virtual8086()).isTrue();
    }

    @Test
    void descriptorInstructionsDoNotExistInVirtual8086Mode() {
        enterVirtual8086(3);
        for (String code : new String[] {"0F 02 C0", "0F 03 C0", "0F 00 E0", "0F 00 C0", "0F 00 C8", "63 C0"}) {
            machine.code(TestMachine.CODE, code);
            cpu.r[Cpu.RIP] = 0;
            Fault fault = machine.step();
            assertThat(fault).as(code).isNotNull();
            assertThat(fault.vector).as(code).isEqualTo(Vector.INVALID_OPCODE);
        }
    }

    // ---------------------------------------------------------------- real mode

    @Test
    void realModeInterruptAndReturn() {
        machine.realMode();
        machine.memory.writeShort(0x21 * 4, 0x8000);
        machine.memory.writeShort(0x21 * 4 + 2, 0x1000);
        machine.code(HANDLER, "43 CF"); // inc bx; iret
        machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        cpu.updateMode();
        cpu.r[Cpu.RSP] = 0x9000;
        cpu.r[Cpu.RIP] = 0;
        cpu.r[Cpu.RBX] = 0;
        cpu.systemFlags |= Cpu.IF;
        machine.code(TestMachine.CODE, "CD 21 F4");
        assertThat(machine.run(10)).isNull();
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(1);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x9000);
        assertThat(cpu.systemFlags & Cpu.IF).isNotZero();
        assertThat(machine.memory.readShort(0x8FFA)).isEqualTo(2);
        assertThat(machine.memory.readShort(0x8FFC)).isEqualTo(0x1000);
    }

    @Test
    void realModeTripleFaultShutsDown() {
        machine.realMode();
        cpu.idtLimit = 3;
        machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        cpu.updateMode();
        cpu.r[Cpu.RIP] = 0;
        machine.code(TestMachine.CODE, "CD 21");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.SHUTDOWN);
    }
}
