package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** MOV and POP to segment registers, LES and the like (SDM 2B MOV; SDM 3A 5.5 to 5.7). */
class SegmentLoadTest {
    private static final int SEGMENT = TestMachine.FREE;

    private TestMachine machine;
    private Cpu cpu;

    @AfterEach
    void stop() {
        machine.close();
    }

    private void use(TestMachine machine) {
        this.machine = machine;
        cpu = machine.cpu;
    }

    private void assertFault(String hex, int selector, int vector, int error) {
        cpu.r[Cpu.RAX] = selector;
        int[] before = cpu.selector.clone();
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(vector);
        assertThat(fault.errorCode).as(hex).isEqualTo(error);
        assertThat(cpu.selector).isEqualTo(before);
    }

    private static final String MOV_ES_AX = "8E C0";
    private static final String MOV_SS_AX = "8E D0";

    @Test
    void dataSegmentLoadFillsTheHiddenPartAndMarksTheDescriptor() {
        use(TestMachine.inProtectedMode());
        machine.descriptor(SEGMENT, 0x1234_5678, 0x9ABC, TestMachine.ATTR_DATA32 & ~1);
        cpu.r[Cpu.RAX] = SEGMENT | 2;
        cpu.cpl = 0;
        machine.descriptor(SEGMENT, 0x1234_5678, 0x9ABC, TestMachine.ATTR_DATA32 & ~1 | 0x60);
        assertThat(machine.exec(MOV_ES_AX)).isNull();
        assertThat(cpu.selector[Cpu.ES]).isEqualTo(SEGMENT | 2);
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.ES]).isEqualTo(0x1234_5678);
        assertThat(cpu.limit[Cpu.ES]).isEqualTo(0x9AB_CFFFL);
        assertThat(cpu.attributes[Cpu.ES] & 1).isEqualTo(1);
        assertThat(machine.memory.readByte(TestMachine.GDT + SEGMENT + 5) & 1).isEqualTo(1);
    }

    @Test
    void dataSegmentLoadChecks() {
        use(TestMachine.inProtectedMode());
        assertFault(MOV_ES_AX, 0x1000, Vector.GENERAL_PROTECTION, 0x1000);
        assertFault(MOV_ES_AX, TestMachine.TASK, Vector.GENERAL_PROTECTION, TestMachine.TASK);
        assertFault(MOV_ES_AX, TestMachine.KERNEL_DATA | 1, Vector.GENERAL_PROTECTION, TestMachine.KERNEL_DATA);
        assertFault(MOV_ES_AX, 0x0F, Vector.GENERAL_PROTECTION, 0x0C);
        machine.descriptor(SEGMENT, 0, 0, TestMachine.ATTR_DATA32 & ~0x80);
        assertFault(MOV_ES_AX, SEGMENT, Vector.SEGMENT_NOT_PRESENT, SEGMENT);
        machine.descriptor(SEGMENT, 0, 0, TestMachine.ATTR_CODE32 & ~2);
        assertFault(MOV_ES_AX, SEGMENT, Vector.GENERAL_PROTECTION, SEGMENT);
    }

    @Test
    void readableCodeIsLoadableAndConformingCodeAtAnyLevel() {
        use(TestMachine.inProtectedMode());
        machine.descriptor(SEGMENT, 0, 0xFFFFF, TestMachine.ATTR_CODE32 | 4);
        machine.userMode();
        cpu.r[Cpu.RAX] = SEGMENT | 3;
        machine.code(TestMachine.CODE, MOV_ES_AX);
        assertThat(machine.step()).isNull();
        assertThat(cpu.selector[Cpu.ES]).isEqualTo(SEGMENT | 3);
    }

    @Test
    void stackSegmentLoadChecks() {
        use(TestMachine.inProtectedMode());
        assertFault(MOV_SS_AX, 0, Vector.GENERAL_PROTECTION, 0);
        assertFault(MOV_SS_AX, TestMachine.USER_DATA, Vector.GENERAL_PROTECTION, TestMachine.USER_DATA & ~3);
        assertFault(MOV_SS_AX, TestMachine.KERNEL_CODE32, Vector.GENERAL_PROTECTION, TestMachine.KERNEL_CODE32);
        machine.descriptor(SEGMENT, 0, 0, TestMachine.ATTR_DATA32 & ~2);
        assertFault(MOV_SS_AX, SEGMENT, Vector.GENERAL_PROTECTION, SEGMENT);
        machine.descriptor(SEGMENT, 0, 0, TestMachine.ATTR_DATA32 & ~0x80);
        assertFault(MOV_SS_AX, SEGMENT, Vector.STACK_FAULT, SEGMENT);
    }

    @Test
    void nullDataSegmentLoadsButFaultsWhenUsed() {
        use(TestMachine.inProtectedMode());
        cpu.r[Cpu.RAX] = 3;
        assertThat(machine.exec(MOV_ES_AX)).isNull();
        assertThat(cpu.selector[Cpu.ES]).isEqualTo(3);
        Fault fault = machine.exec("26 A1 00 00 04 00");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
    }

    @Test
    void nullStackSegmentIsForKernelsInSixtyFourBitMode() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RAX] = 0;
        assertThat(machine.exec(MOV_SS_AX)).isNull();
        assertFault(MOV_SS_AX, 3, Vector.GENERAL_PROTECTION, 0);
        machine.userMode();
        assertFault(MOV_SS_AX, 3, Vector.GENERAL_PROTECTION, 0);
    }

    @Test
    void nullInFsClearsItsBase() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.SEGMENT_BASE + Cpu.FS] = 0x1234;
        assertThat(machine.exec("31 C0 8E E0")).isNull();
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.FS]).isZero();
    }

    @Test
    void localTableIsSearchedWhenTheSelectorSaysSo() {
        use(TestMachine.inProtectedMode());
        assertFault(MOV_ES_AX, 4, Vector.GENERAL_PROTECTION, 4);
        machine.descriptor(SEGMENT, TestMachine.DATA, 0xF, TestMachine.ATTR_LDT);
        machine.memory.writeLong(TestMachine.DATA + 8, TestMachine.encode(0x55_0000, 0xFF, TestMachine.ATTR_DATA32));
        cpu.r[Cpu.RAX] = SEGMENT;
        cpu.r[Cpu.RBX] = 0x0C;
        assertThat(machine.exec("0F 00 D0 8E C3")).isNull();
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.ES]).isEqualTo(0x55_0000);
        assertFault(MOV_ES_AX, 0x14, Vector.GENERAL_PROTECTION, 0x14);
    }

    @Test
    void stackSegmentLoadsShadowInterruptsForOneInstruction() {
        use(TestMachine.inProtectedMode());
        cpu.r[Cpu.RAX] = TestMachine.KERNEL_DATA;
        machine.code(TestMachine.CODE, MOV_SS_AX);
        assertThat(machine.step()).isNull();
        assertThat(cpu.interruptShadow).isTrue();
    }

    @Test
    void loadingSixteenBitStackChangesTheStackPointersSize() {
        use(TestMachine.inProtectedMode());
        cpu.r[Cpu.RAX] = TestMachine.KERNEL_DATA16;
        cpu.r[Cpu.RSP] = 0xABCD_0000L;
        assertThat(machine.exec("8E D0 50")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0xABCD_FFFCL);
        assertThat(machine.memory.readInt(0xFFFC)).isEqualTo(TestMachine.KERNEL_DATA16);
    }

    @Test
    void popOfSegmentTakesTheWholeSlot() {
        use(TestMachine.inProtectedMode());
        assertThat(machine.exec("68 10 00 BC 9A 07")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.selector[Cpu.ES]).isEqualTo(0x10);
        use(TestMachine.inLongMode());
        assertThat(machine.exec("6A 10 0F A1 66 6A 10 66 0F A9")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.selector[Cpu.FS]).isEqualTo(0x10);
        assertThat(cpu.selector[Cpu.GS]).isEqualTo(0x10);
    }

    @Test
    void farPointerLoadsRegisterAndSegmentTogether() {
        use(TestMachine.inProtectedMode());
        machine.memory.writeInt(TestMachine.DATA, 0x1234_5678);
        machine.memory.writeShort(TestMachine.DATA + 4, TestMachine.KERNEL_DATA);
        assertThat(machine.exec("0F B4 0D 00 00 04 00")).isNull(); // lfs ecx,[DATA]
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(0x1234_5678);
        assertThat(cpu.selector[Cpu.FS]).isEqualTo(TestMachine.KERNEL_DATA);
        machine.memory.writeShort(TestMachine.DATA + 4, 0x1FF8);
        assertFault("0F B5 0D 00 00 04 00", 0, Vector.GENERAL_PROTECTION, 0x1FF8);
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(0x1234_5678);
    }

    @Test
    void codeSegmentAndUnknownSegmentsCannotBeLoaded() {
        use(TestMachine.inProtectedMode());
        assertFault("8E C8", 8, Vector.INVALID_OPCODE, 0);
        assertFault("8E F0", 8, Vector.INVALID_OPCODE, 0);
        assertFault("8C F0", 8, Vector.INVALID_OPCODE, 0);
    }

    @Test
    void realModeKeepsLimitsFromProtectedMode() {
        use(TestMachine.inProtectedMode());
        cpu.cr0 &= ~Cpu.CR0_PE;
        cpu.r[Cpu.RAX] = 0x1234;
        assertThat(machine.exec(MOV_ES_AX)).isNull();
        assertThat(cpu.r[Cpu.SEGMENT_BASE + Cpu.ES]).isEqualTo(0x1_2340);
        assertThat(cpu.limit[Cpu.ES]).isEqualTo(0xFFFF_FFFFL);
    }

    @Test
    void localTableAndTaskRegisterLoadsCheckTheirDescriptors() {
        use(TestMachine.inLongMode());
        assertFault("0F 00 D8", 0, Vector.GENERAL_PROTECTION, 0); // ltr
        assertFault("0F 00 D8", TestMachine.KERNEL_DATA, Vector.GENERAL_PROTECTION, TestMachine.KERNEL_DATA);
        assertFault("0F 00 D8", TestMachine.TASK, Vector.GENERAL_PROTECTION, TestMachine.TASK); // busy
        machine.descriptor(SEGMENT, 0x1000, 0x67, TestMachine.ATTR_TSS);
        machine.memory.writeLong(TestMachine.GDT + SEGMENT + 8, 0x8000_0000L);
        assertFault("0F 00 D8", SEGMENT, Vector.GENERAL_PROTECTION, SEGMENT); // base not canonical
        machine.memory.writeLong(TestMachine.GDT + SEGMENT + 8, 0xFFFF_8000L);
        cpu.r[Cpu.RAX] = SEGMENT;
        assertThat(machine.exec("0F 00 D8 0F 00 C8")).isNull();
        assertThat(cpu.trBase).isEqualTo(0xFFFF_8000_0000_1000L);
        assertThat(machine.memory.readByte(TestMachine.GDT + SEGMENT + 5))
                .as("busy")
                .isEqualTo(0x8B);
        assertFault("0F 00 D0", SEGMENT, Vector.GENERAL_PROTECTION, SEGMENT); // lldt of a TSS
        cpu.r[Cpu.RAX] = 0;
        assertThat(machine.exec("0F 00 D0")).isNull();
        assertThat(cpu.attributes[Cpu.LDTR]).isZero();
        machine.userMode();
        assertFault("0F 00 D8", SEGMENT, Vector.GENERAL_PROTECTION, 0);
    }
}
