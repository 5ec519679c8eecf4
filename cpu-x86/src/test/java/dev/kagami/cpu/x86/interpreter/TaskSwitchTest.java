package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Hardware task switches (SDM 3A chapter 7). */
class TaskSwitchTest {
    private static final int OTHER = TestMachine.FREE;
    private static final int TASK_GATE_SELECTOR = TestMachine.FREE + 0x10;
    private static final long OTHER_TSS = 0x4000;
    private static final long OTHER_CODE = 0x1_8000;
    private static final long OTHER_STACK = 0x6_0000;
    private static final int TASK_GATE = 0x85;

    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inProtectedMode();
        cpu = machine.cpu;
        machine.descriptor(OTHER, OTHER_TSS, 0x67, TestMachine.ATTR_TSS);
        machine.memory.writeInt(OTHER_TSS + 0x20, (int) OTHER_CODE);
        machine.memory.writeInt(OTHER_TSS + 0x24, Cpu.CF | 2);
        machine.memory.writeInt(OTHER_TSS + 0x28, 0xAAAA);
        machine.memory.writeInt(OTHER_TSS + 0x38, (int) OTHER_STACK);
        for (int i = 0; i < 6; i++) {
            machine.memory.writeInt(OTHER_TSS + 0x48 + 4 * i, TestMachine.KERNEL_DATA);
        }
        machine.memory.writeInt(OTHER_TSS + 0x4C, TestMachine.KERNEL_CODE32);
        machine.code(OTHER_CODE, "F4");
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    private int access(int selector) {
        return machine.memory.readByte(TestMachine.GDT + selector + 5);
    }

    @Test
    void jumpLoadsTheNewTaskAndSavesTheOld() {
        cpu.r[Cpu.RAX] = 0x1234;
        cpu.r[Cpu.RDI] = 0x5678;
        assertThat(machine.exec("EA 00 00 00 00 60 00")).isNull();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0xAAAA);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER_STACK);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(OTHER_CODE + 1);
        assertThat(cpu.carryFlag()).isTrue();
        assertThat(cpu.systemFlags & Cpu.NT).isZero();
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(OTHER);
        assertThat(cpu.cr0 & Cpu.CR0_TS).isNotZero();
        assertThat(access(TestMachine.TASK)).as("no longer busy").isEqualTo(0x89);
        assertThat(access(OTHER)).as("busy").isEqualTo(0x8B);
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x28)).isEqualTo(0x1234);
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x44)).isEqualTo(0x5678);
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x20)).isEqualTo((int) TestMachine.CODE + 7);
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x4C)).isEqualTo(TestMachine.KERNEL_CODE32);
    }

    @Test
    void callNestsAndIretComesBack() {
        machine.code(OTHER_CODE, "CF");
        assertThat(machine.exec("9A 00 00 00 00 60 00 43")).isNull(); // call task; inc ebx
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(TestMachine.TASK);
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(1);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.systemFlags & Cpu.NT).isZero();
        assertThat(access(TestMachine.TASK)).isEqualTo(0x8B);
        assertThat(access(OTHER)).isEqualTo(0x89);
        assertThat(machine.memory.readShort(OTHER_TSS)).isEqualTo(TestMachine.TASK);
        assertThat(machine.memory.readInt(OTHER_TSS + 0x20))
                .as("goes on behind IRET")
                .isEqualTo((int) OTHER_CODE + 1);
    }

    @Test
    void taskGateOfExceptionPushesTheErrorCode() {
        machine.gate(13, OTHER, 0, TASK_GATE, 0);
        machine.code(TestMachine.CODE, "EA 00 00 00 00 F8 1F");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(OTHER);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER_STACK - 4);
        assertThat(machine.memory.readInt(OTHER_STACK - 4)).isEqualTo(0x1FF8);
        assertThat(cpu.systemFlags & Cpu.NT).isNotZero();
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x20)).isEqualTo((int) TestMachine.CODE);
        assertThat(machine.memory.readInt(TestMachine.TSS + 0x24) & Cpu.RF).isNotZero();
    }

    @Test
    void taskGateInTheGlobalTableIsFollowed() {
        machine.memory.writeLong(
                TestMachine.GDT + TASK_GATE_SELECTOR, (long) OTHER << 16 | (long) TASK_GATE << 40 | 0x60L << 40);
        machine.userMode();
        machine.code(TestMachine.CODE, "EA 00 00 00 00 70 00");
        assertThat(machine.step()).isNull();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(OTHER);
    }

    @Test
    void busyTaskIsRefused() {
        machine.descriptor(OTHER, OTHER_TSS, 0x67, TestMachine.ATTR_TSS | 2);
        assertFault("EA 00 00 00 00 60 00", Vector.GENERAL_PROTECTION, OTHER);
    }

    @Test
    void absentOrShortTaskIsRefused() {
        machine.descriptor(OTHER, OTHER_TSS, 0x67, TestMachine.ATTR_TSS & ~0x80);
        assertFault("EA 00 00 00 00 60 00", Vector.SEGMENT_NOT_PRESENT, OTHER);
        machine.descriptor(OTHER, OTHER_TSS, 0x66, TestMachine.ATTR_TSS);
        assertFault("EA 00 00 00 00 60 00", Vector.INVALID_TSS, OTHER);
    }

    private void assertFault(String hex, int vector, int error) {
        Fault fault = machine.exec(hex);
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(vector);
        assertThat(fault.errorCode).isEqualTo(error);
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(TestMachine.TASK);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
    }

    @Test
    void badSegmentInTheNewTaskFaultsThere() {
        machine.memory.writeInt(OTHER_TSS + 0x54, 0x1FF8); // DS
        machine.gate(10, TestMachine.KERNEL_CODE32, OTHER_CODE + 0x100, 0x8E, 0);
        machine.code(OTHER_CODE + 0x100, "F4");
        machine.code(TestMachine.CODE, "90 EA 00 00 00 00 60 00");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(OTHER);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(OTHER_STACK - 16);
        assertThat(machine.memory.readInt(OTHER_STACK - 16)).isEqualTo(0x1FF8);
        assertThat(machine.memory.readInt(OTHER_STACK - 12)).isEqualTo((int) OTHER_CODE);
    }

    @Test
    void sixteenBitTask() {
        machine.descriptor(OTHER, OTHER_TSS, 0x2B, TestMachine.ATTR_TSS16);
        machine.memory.clear(OTHER_TSS, 0x68);
        machine.descriptor(TestMachine.KERNEL_CODE16, OTHER_CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        machine.memory.writeShort(OTHER_TSS + 0x10, 2);
        machine.memory.writeShort(OTHER_TSS + 0x12, 0x7777);
        machine.memory.writeShort(OTHER_TSS + 0x1A, 0x8000);
        machine.memory.writeShort(OTHER_TSS + 0x22, 0);
        machine.memory.writeShort(OTHER_TSS + 0x24, TestMachine.KERNEL_CODE16);
        machine.memory.writeShort(OTHER_TSS + 0x26, TestMachine.KERNEL_DATA16);
        machine.memory.writeShort(OTHER_TSS + 0x28, TestMachine.KERNEL_DATA16);
        machine.code(OTHER_CODE, "CF");
        assertThat(machine.exec("9A 00 00 00 00 60 00")).isNull();
        assertThat(cpu.selector[Cpu.TR]).isEqualTo(TestMachine.TASK);
        assertThat(machine.memory.readShort(OTHER_TSS + 0x0E)).isEqualTo(1);
        assertThat(machine.memory.readShort(OTHER_TSS + 0x12)).isEqualTo(0x7777);
        assertThat(machine.memory.readShort(OTHER_TSS + 0x1A)).isEqualTo(0x8000);
    }

    @Test
    void trapFlagOfTheNewTaskRaisesDebugException() {
        machine.memory.writeShort(OTHER_TSS + 0x64, 1);
        machine.gate(1, TestMachine.KERNEL_CODE32, OTHER_CODE + 0x100, 0x8E, 0);
        machine.code(OTHER_CODE + 0x100, "F4");
        machine.code(TestMachine.CODE, "EA 00 00 00 00 60 00");
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(OTHER_CODE + 0x101);
        assertThat(cpu.dr[6] & Debug.DR6_BT).isNotZero();
        assertThat(machine.memory.readInt(OTHER_STACK - 12)).isEqualTo((int) OTHER_CODE);
    }
}
