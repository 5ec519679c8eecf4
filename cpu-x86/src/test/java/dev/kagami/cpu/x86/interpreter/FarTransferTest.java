package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Far JMP, CALL and RET between segments, through call gates and between privilege levels (SDM 3A 5.8). */
class FarTransferTest {
    private static final int GATE = TestMachine.FREE;
    private static final int SEGMENT = TestMachine.FREE + 0x10;
    private static final int CALL_GATE = 0x8C;
    private static final int CALL_GATE16 = 0x84;
    private static final int DPL3 = 0x60;
    private static final long TARGET = 0x1_8000;

    private TestMachine machine;
    private Cpu cpu;

    @AfterEach
    void stop() {
        machine.close();
    }

    private void use(TestMachine machine) {
        this.machine = machine;
        cpu = machine.cpu;
        machine.code(TARGET, "F4");
    }

    private void gate(int access, int selector, long offset, int parameters) {
        long low = offset & 0xFFFF
                | (long) selector << 16
                | (long) parameters << 32
                | (long) access << 40
                | (offset & 0xFFFF_0000L) << 32;
        machine.memory.writeLong(TestMachine.GDT + GATE, low);
        machine.memory.writeLong(TestMachine.GDT + GATE + 8, offset >>> 32);
    }

    private void assertFault(String hex, int vector, int error) {
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        int selector = cpu.selector[Cpu.CS];
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(vector);
        assertThat(fault.errorCode).as(hex).isEqualTo(error);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(selector);
    }

    @Test
    void farJumpFromRealToProtectedMode() {
        use(TestMachine.inRealMode());
        cpu.gdtBase = TestMachine.GDT;
        cpu.gdtLimit = 0xFFF;
        machine.descriptor(TestMachine.KERNEL_CODE32, 0, 0xFFFFF, TestMachine.ATTR_CODE32);
        // mov eax,1; mov cr0,eax; jmp far 30:00018000, all with 16-bit defaults
        machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        machine.code(TestMachine.CODE, "66 B8 01 00 00 00 0F 22 C0 66 EA 00 80 01 00 30 00");
        cpu.r[Cpu.RIP] = 0;
        cpu.updateMode();
        assertThat(machine.run(10)).isNull();
        assertThat(cpu.mode).isEqualTo(32);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(TestMachine.KERNEL_CODE32);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TARGET + 1);
    }

    @Test
    void realModeFarCallAndReturn() {
        use(TestMachine.inRealMode());
        machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        cpu.updateMode();
        cpu.r[Cpu.RSP] = 0x8000;
        cpu.r[Cpu.RIP] = 0;
        machine.code(TestMachine.CODE, "9A 10 00 80 17 F4"); // call 1780:0010
        machine.code(0x1_7810, "43 CA 04 00"); // inc bx; retf 4
        assertThat(machine.run(10)).isNull();
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(1);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x8004);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(6);
        assertThat(machine.memory.readShort(0x7FFC)).isEqualTo(5);
        assertThat(machine.memory.readShort(0x7FFE)).isEqualTo(0x1000);
    }

    @Test
    void farReturnFromSixtyFourBitToCompatibilityMode() {
        use(TestMachine.inLongMode());
        machine.code(TARGET, "40 F4");
        cpu.r[Cpu.RAX] = 7;
        assertThat(machine.exec("6A 30 68 00 80 01 00 48 CB")).isNull();
        assertThat(cpu.mode).isEqualTo(32);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(8);
    }

    @Test
    void farJumpThroughMemoryUsesTheOperandSize() {
        use(TestMachine.inLongMode());
        machine.memory.writeLong(TestMachine.DATA, TARGET);
        machine.memory.writeShort(TestMachine.DATA + 8, TestMachine.KERNEL_CODE);
        assertThat(machine.exec("48 FF 2C 25 00 00 04 00")).isNull();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TARGET + 1);
        machine.memory.writeShort(TestMachine.DATA + 4, TestMachine.KERNEL_CODE);
        assertThat(machine.exec("FF 2C 25 00 00 04 00")).isNull();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TARGET + 1);
    }

    @Test
    void farJumpChecksItsSegment() {
        use(TestMachine.inProtectedMode());
        assertFault("EA 00 80 01 00 00 00", Vector.GENERAL_PROTECTION, 0);
        assertFault("EA 00 80 01 00 F8 1F", Vector.GENERAL_PROTECTION, 0x1FF8);
        assertFault("EA 00 80 01 00 10 00", Vector.GENERAL_PROTECTION, 0x10);
        assertFault("EA 00 80 01 00 18 00", Vector.GENERAL_PROTECTION, 0x18);
        assertFault("EA 00 80 01 00 0C 00", Vector.GENERAL_PROTECTION, 0x0C);
        assertFault("EA 00 80 01 00 38 00", Vector.GENERAL_PROTECTION, 0);
        machine.descriptor(SEGMENT, 0, 0xFFFFF, TestMachine.ATTR_CODE32 & ~0x80);
        assertFault("EA 00 80 01 00 70 00", Vector.SEGMENT_NOT_PRESENT, 0x70);
    }

    @Test
    void conformingSegmentKeepsTheLevel() {
        use(TestMachine.inProtectedMode());
        machine.descriptor(SEGMENT, 0, 0xFFFFF, TestMachine.ATTR_CODE32 & ~1 | 4);
        machine.userMode();
        machine.code(TestMachine.CODE, "EA 00 80 01 00 70 00");
        assertThat(machine.step()).isNull();
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.selector[Cpu.CS]).isEqualTo(0x73);
        assertThat(machine.memory.readByte(TestMachine.GDT + SEGMENT + 5) & 1)
                .as("accessed")
                .isEqualTo(1);
    }

    @Test
    void reservedCodeSegmentOfLongModeIsRefused() {
        use(TestMachine.inLongMode());
        machine.descriptor(SEGMENT, 0, 0xFFFFF, TestMachine.ATTR_CODE64 | 0x4000);
        machine.memory.writeLong(TestMachine.DATA, 0x70L << 32 | TARGET);
        assertFault("FF 2C 25 00 00 04 00", Vector.GENERAL_PROTECTION, 0x70);
    }

    @Test
    void callGateCopiesParametersToTheInnerStack() {
        use(TestMachine.inProtectedMode());
        gate(CALL_GATE | DPL3, TestMachine.KERNEL_CODE32, TARGET, 2);
        machine.userMode();
        // push 11; push 22; call far 60:anything
        assertThat(machine.exec("6A 11 6A 22 9A 00 00 00 00 60 00")).isNull();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.KERNEL_DATA);
        long[] words = {TestMachine.CODE + 11, TestMachine.USER_CODE32, 0x22, 0x11, TestMachine.STACK - 8, 0x23};
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK - 24);
        for (int i = 0; i < words.length; i++) {
            assertThat(machine.memory.readInt(cpu.r[Cpu.RSP] + 4L * i))
                    .as("word %d", i)
                    .isEqualTo((int) words[i]);
        }
    }

    @Test
    void farReturnToOuterLevelReleasesBothStacksAndDropsPrivilegedSegments() {
        use(TestMachine.inProtectedMode());
        gate(CALL_GATE | DPL3, TestMachine.KERNEL_CODE32, TARGET, 2);
        machine.code(TARGET, "B8 10 00 00 00 8E C0 CA 08 00"); // mov eax,10; mov es,eax; retf 8
        machine.userMode();
        machine.code(TestMachine.CODE, "6A 11 6A 22 9A 00 00 00 00 60 00");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        for (int i = 0; i < 6; i++) {
            assertThat(machine.step()).isNull();
        }
        assertThat(cpu.cpl).isEqualTo(3);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE + 11);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.selector[Cpu.ES]).isZero();
        assertThat(cpu.selector[Cpu.DS]).isEqualTo(TestMachine.USER_DATA);
        assertThat(cpu.selector[Cpu.SS]).isEqualTo(TestMachine.USER_DATA);
    }

    @Test
    void sixteenBitCallGatePushesWords() {
        use(TestMachine.inProtectedMode());
        gate(CALL_GATE16 | DPL3, TestMachine.KERNEL_CODE16, 0x8000, 0);
        machine.descriptor(TestMachine.KERNEL_CODE16, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        machine.userMode();
        assertThat(machine.exec("9A 00 00 00 00 60 00")).isNull();
        assertThat(cpu.mode).isEqualTo(16);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.KERNEL_STACK - 8);
        assertThat(machine.memory.readShort(cpu.r[Cpu.RSP])).isEqualTo(7);
    }

    @Test
    void callGateChecks() {
        use(TestMachine.inProtectedMode());
        gate(CALL_GATE, TestMachine.KERNEL_CODE32, TARGET, 0);
        machine.userMode();
        assertFault("9A 00 00 00 00 60 00", Vector.GENERAL_PROTECTION, 0x60);
        gate(CALL_GATE & ~0x80 | DPL3, TestMachine.KERNEL_CODE32, TARGET, 0);
        assertFault("9A 00 00 00 00 60 00", Vector.SEGMENT_NOT_PRESENT, 0x60);
        gate(CALL_GATE | DPL3, 0, TARGET, 0);
        assertFault("9A 00 00 00 00 60 00", Vector.GENERAL_PROTECTION, 0);
        gate(CALL_GATE | DPL3, TestMachine.KERNEL_DATA, TARGET, 0);
        assertFault("9A 00 00 00 00 60 00", Vector.GENERAL_PROTECTION, TestMachine.KERNEL_DATA);
        gate(CALL_GATE | DPL3, TestMachine.KERNEL_CODE32, TARGET, 0);
        // JMP may not change the level.
        assertFault("EA 00 00 00 00 60 00", Vector.GENERAL_PROTECTION, TestMachine.KERNEL_CODE32);
        machine.memory.writeInt(TestMachine.TSS + 8, 0);
        assertFault("9A 00 00 00 00 60 00", Vector.INVALID_TSS, 0);
        machine.memory.writeInt(TestMachine.TSS + 8, TestMachine.USER_DATA);
        assertFault("9A 00 00 00 00 60 00", Vector.INVALID_TSS, TestMachine.USER_DATA & ~3);
        machine.descriptor(SEGMENT, 0, 0xFFFFF, TestMachine.ATTR_DATA32 & ~0x80);
        machine.memory.writeInt(TestMachine.TSS + 8, SEGMENT);
        assertFault("9A 00 00 00 00 60 00", Vector.STACK_FAULT, SEGMENT);
    }

    @Test
    void sixtyFourBitCallGateSwitchesStacks() {
        use(TestMachine.inLongMode());
        gate(CALL_GATE | DPL3, TestMachine.KERNEL_CODE, TARGET, 0);
        machine.userMode();
        machine.memory.writeLong(TestMachine.DATA, 0x60L << 32);
        assertThat(machine.exec("FF 1C 25 00 00 04 00")).isNull();
        assertThat(cpu.cpl).isZero();
        assertThat(cpu.selector[Cpu.SS]).isZero();
        long rsp = cpu.r[Cpu.RSP];
        assertThat(rsp).isEqualTo(TestMachine.KERNEL_STACK - 32);
        assertThat(machine.memory.readLong(rsp)).isEqualTo(TestMachine.CODE + 7);
        assertThat(machine.memory.readLong(rsp + 8)).isEqualTo(TestMachine.USER_CODE);
        assertThat(machine.memory.readLong(rsp + 16)).isEqualTo(TestMachine.STACK);
        assertThat(machine.memory.readLong(rsp + 24)).isEqualTo(TestMachine.USER_DATA);
        machine.memory.writeLong(TestMachine.GDT + GATE + 8, 0x1F00L << 32);
        machine.longMode();
        machine.userMode();
        assertFault("FF 1C 25 00 00 04 00", Vector.GENERAL_PROTECTION, GATE);
    }

    @Test
    void farReturnChecksWhatItPops() {
        use(TestMachine.inProtectedMode());
        assertReturn("6A 00", 0);
        assertReturn("6A 10", 0x10);
        assertReturn("6A 18", 0x18);
        // To level 3, but the stack segment popped is of level 0.
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        Fault fault = machine.exec("6A 10 68 00 00 03 00 6A 1B 68 00 80 01 00 CB");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(fault.errorCode).isEqualTo(0x10);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 16);
    }

    private void assertReturn(String pushSelector, int error) {
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        Fault fault = machine.exec(pushSelector + "68 00 80 01 00 CB");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(fault.errorCode).isEqualTo(error);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK - 8);
    }

    @Test
    void farTransfersWithImmediatesDoNotExistInSixtyFourBitMode() {
        use(TestMachine.inLongMode());
        Fault fault = machine.exec("9A 00 00 00 00 30 00");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.INVALID_OPCODE);
    }
}
