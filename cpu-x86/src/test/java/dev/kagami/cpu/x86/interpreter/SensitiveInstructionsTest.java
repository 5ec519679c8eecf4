package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The instructions that Popek and Goldberg call sensitive and that do not trap on a real processor show the guest the
 * virtual machine's values, in every mode in which they run (Robin and Irvine, USENIX Security 2000, table 2).
 */
class SensitiveInstructionsTest {
    // Values that no host would have.
    private static final long GDT_BASE = TestMachine.GDT;
    private static final int GDT_LIMIT = 0xABD;
    private static final long IDT_BASE = TestMachine.IDT;
    private static final int IDT_LIMIT = 0x9A7;
    private static final int LDT_SELECTOR = 0x68;
    private static final int PROBE = 0x78;
    private static final int PROBE_LIMIT = 0x1_2345;

    /** The modes of operation (SDM 3A 2.2), with the privilege levels that matter. */
    enum Mode {
        REAL(16),
        PROTECTED_16(16),
        PROTECTED_32(32),
        PROTECTED_32_USER(32),
        VIRTUAL_8086(16),
        COMPATIBILITY(32),
        COMPATIBILITY_USER(32),
        LONG(64),
        LONG_USER(64);

        private final int bits;

        Mode(int bits) {
            this.bits = bits;
        }

        boolean segmented() {
            return this != REAL && this != VIRTUAL_8086;
        }

        boolean user() {
            return this == PROTECTED_32_USER || this == VIRTUAL_8086 || this == COMPATIBILITY_USER || this == LONG_USER;
        }
    }

    private final TestMachine machine = new TestMachine();
    private final Cpu cpu = machine.cpu;

    @AfterEach
    void stop() {
        machine.close();
    }

    private void enter(Mode mode) {
        switch (mode) {
            case REAL -> {
                machine.realMode();
                machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
            }
            case PROTECTED_16 -> {
                machine.protectedMode();
                machine.segment(Cpu.CS, TestMachine.KERNEL_CODE16, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
            }
            case PROTECTED_32 -> machine.protectedMode();
            case PROTECTED_32_USER -> {
                machine.protectedMode();
                machine.userMode();
            }
            case VIRTUAL_8086 -> {
                machine.protectedMode();
                cpu.systemFlags |= Cpu.VM | Cpu.IOPL;
                cpu.cpl = 3;
                for (int i = 0; i < 6; i++) {
                    Segmentation.setReal(cpu, i, i == Cpu.CS ? 0x1000 : 0);
                }
            }
            case COMPATIBILITY -> {
                machine.longMode();
                machine.compatibilityMode();
            }
            case COMPATIBILITY_USER -> {
                machine.longMode();
                machine.userMode();
                machine.compatibilityMode();
            }
            case LONG -> machine.longMode();
            case LONG_USER -> {
                machine.longMode();
                machine.userMode();
            }
        }
        cpu.updateMode();
        assertThat(cpu.mode).isEqualTo(mode.bits);
        cpu.gdtBase = GDT_BASE;
        cpu.gdtLimit = GDT_LIMIT;
        cpu.idtBase = IDT_BASE;
        cpu.idtLimit = IDT_LIMIT;
        cpu.selector[Cpu.LDTR] = LDT_SELECTOR;
        machine.descriptor(PROBE, 0, PROBE_LIMIT, 0x4073 | 0x80);
        cpu.r[Cpu.RSP] = 0x8000;
        cpu.r[Cpu.RBX] = 0x9000;
        cpu.r[Cpu.RSI] = PROBE | 3;
    }

    /** Runs one instruction; operands are by the register whose number the mode's addressing form names. */
    private void run(String hex) {
        machine.code(TestMachine.CODE, hex);
        cpu.r[Cpu.RIP] = cpu.r[Cpu.SEGMENT_BASE + Cpu.CS] == 0 || cpu.mode == 64 ? TestMachine.CODE : 0;
        Fault fault = machine.step();
        assertThat(fault).as(hex).isNull();
    }

    private void assertUndefined(String hex) {
        machine.code(TestMachine.CODE, hex);
        cpu.r[Cpu.RIP] = cpu.r[Cpu.SEGMENT_BASE + Cpu.CS] == 0 || cpu.mode == 64 ? TestMachine.CODE : 0;
        Fault fault = machine.step();
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(Vector.INVALID_OPCODE);
    }

    /** {@return the ModRM byte of a memory operand at [rbx], [ebx] or [bx]} */
    private String atRbx(Mode mode, int reg) {
        return "%02X".formatted(reg << 3 | (mode.bits == 16 ? 7 : 3));
    }

    @ParameterizedTest
    @EnumSource
    void descriptorTableRegisters(Mode mode) {
        enter(mode);
        run("0F 01 " + atRbx(mode, 0));
        assertThat(machine.memory.readShort(0x9000)).isEqualTo(GDT_LIMIT);
        assertThat(machine.memory.readInt(0x9002)).isEqualTo((int) GDT_BASE);
        run("0F 01 " + atRbx(mode, 1));
        assertThat(machine.memory.readShort(0x9000)).isEqualTo(IDT_LIMIT);
        assertThat(machine.memory.readInt(0x9002)).isEqualTo((int) IDT_BASE);
        assertThat(machine.memory.readInt(0x9006)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void machineStatusWord(Mode mode) {
        enter(mode);
        cpu.cr0 |= Cpu.CR0_TS;
        cpu.r[Cpu.RAX] = 0;
        run("0F 01 E0");
        long mask = mode.bits == 16 ? 0xFFFF : mode.bits == 32 ? 0xFFFF_FFFFL : -1L;
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(cpu.cr0 & mask);
        run("0F 01 " + atRbx(mode, 4));
        assertThat(machine.memory.readShort(0x9000)).isEqualTo((int) cpu.cr0 & 0xFFFF);
    }

    @ParameterizedTest
    @EnumSource
    void localTableAndTaskRegister(Mode mode) {
        enter(mode);
        if (!mode.segmented()) {
            assertUndefined("0F 00 C0");
            assertUndefined("0F 00 C8");
            return;
        }
        cpu.r[Cpu.RAX] = 0;
        run("0F 00 C0");
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(LDT_SELECTOR);
        cpu.r[Cpu.RAX] = 0;
        run("0F 00 C8");
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(TestMachine.TASK);
        run("0F 00 " + atRbx(mode, 1));
        assertThat(machine.memory.readShort(0x9000)).isEqualTo(TestMachine.TASK);
    }

    @ParameterizedTest
    @EnumSource
    void flagsPushedAndPopped(Mode mode) {
        enter(mode);
        cpu.systemFlags |= Cpu.IF;
        cpu.setArithmeticFlags(Cpu.CF | Cpu.ZF);
        run("9C");
        int pushed = machine.memory.readShort(cpu.r[Cpu.RSP]);
        assertThat(pushed).isEqualTo(cpu.flags() & 0xFFFF);
        machine.memory.writeShort(cpu.r[Cpu.RSP], pushed & ~(Cpu.IF | Cpu.CF));
        boolean keepsInterrupts = mode.user() && mode != Mode.VIRTUAL_8086;
        run("9D");
        assertThat(cpu.carryFlag()).isFalse();
        assertThat((cpu.systemFlags & Cpu.IF) != 0)
                .as("the virtual IF changes with privilege only")
                .isEqualTo(keepsInterrupts);
    }

    @ParameterizedTest
    @EnumSource
    void descriptorsOfTheVirtualTables(Mode mode) {
        enter(mode);
        if (!mode.segmented()) {
            assertUndefined("0F 02 C6");
            assertUndefined("0F 03 C6");
            assertUndefined("0F 00 E6");
            assertUndefined("0F 00 EE");
            return;
        }
        cpu.r[Cpu.RAX] = 0;
        run("0F 02 C6"); // lar eax,esi
        assertThat(cpu.zeroFlag()).isTrue();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(mode.bits == 16 ? 0xF300 : 0x41_F300);
        cpu.r[Cpu.RAX] = 0;
        run("0F 03 C6"); // lsl eax,esi
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(mode.bits == 16 ? PROBE_LIMIT & 0xFFFF : PROBE_LIMIT);
        run("0F 00 E6"); // verr
        assertThat(cpu.zeroFlag()).isTrue();
        run("0F 00 EE"); // verw
        assertThat(cpu.zeroFlag()).isTrue();
        cpu.r[Cpu.RSI] = 0xA00;
        cpu.r[Cpu.RAX] = 0x55;
        run("0F 02 C6");
        assertThat(cpu.zeroFlag()).as("not in the virtual table").isFalse();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x55);
        cpu.r[Cpu.RSI] = TestMachine.KERNEL_DATA;
        run("0F 00 E6");
        assertThat(cpu.zeroFlag()).as("privileged").isEqualTo(!mode.user());
    }

    @ParameterizedTest
    @EnumSource
    void segmentRegistersShowTheirSelectors(Mode mode) {
        enter(mode);
        cpu.r[Cpu.RAX] = 0;
        run("8C D8"); // mov eax,ds
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(cpu.selector[Cpu.DS]);
        cpu.r[Cpu.RAX] = 0;
        run("8C C8"); // mov eax,cs
        int privilege = mode.user() ? 3 : 0;
        if (mode.segmented()) {
            assertThat(cpu.r[Cpu.RAX] & 3).as("the virtual privilege level").isEqualTo(privilege);
        }
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(cpu.selector[Cpu.CS]);
    }

    @ParameterizedTest
    @EnumSource
    void segmentLoadsUseTheVirtualTables(Mode mode) {
        enter(mode);
        cpu.r[Cpu.RAX] = PROBE | 3;
        run("8E C0"); // mov es,eax
        assertThat(cpu.selector[Cpu.ES]).isEqualTo(PROBE | 3);
        assertThat(cpu.limit[Cpu.ES]).isEqualTo(mode.segmented() ? PROBE_LIMIT : 0xFFFF);
        cpu.r[Cpu.RSP] = 0x8000;
        machine.memory.writeLong(0x8000, PROBE | 3);
        run("0F A1"); // pop fs
        assertThat(cpu.selector[Cpu.FS]).isEqualTo(PROBE | 3);
    }

    @ParameterizedTest
    @EnumSource
    void processorIdentityIsTheVirtualOne(Mode mode) {
        enter(mode);
        cpu.r[Cpu.RAX] = 0x4000_0000L;
        run("0F A2");
        assertThat(cpu.r[Cpu.RBX]).as("KVMK").isEqualTo(0x4B4D_564BL);
    }

    @ParameterizedTest
    @EnumSource
    void timeIsTheVirtualOne(Mode mode) {
        enter(mode);
        cpu.setTimeStampCounter(0x12_3456_789AL);
        machine.timers.advance(6);
        run("0F 31");
        assertThat(cpu.r[Cpu.RDX] << 32 | cpu.r[Cpu.RAX]).isEqualTo(0x12_3456_78A0L);
        cpu.msrs.tscAux = 7;
        run("0F 01 F9");
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(7);
    }

    @ParameterizedTest
    @EnumSource
    void farTransfersAndInterruptsUseTheVirtualTables(Mode mode) {
        enter(mode);
        if (mode.bits == 64) {
            machine.memory.writeInt(0x9000, (int) TestMachine.CODE + 0x100);
            machine.memory.writeShort(0x9004, cpu.selector[Cpu.CS]);
            run("FF 1B"); // call far [rbx]
            assertThat(machine.memory.readInt(cpu.r[Cpu.RSP])).isEqualTo((int) TestMachine.CODE + 2);
            assertThat(machine.memory.readShort(cpu.r[Cpu.RSP] + 4)).isEqualTo(cpu.selector[Cpu.CS]);
            return;
        }
        int selector = cpu.selector[Cpu.CS];
        String low = "%02X %02X".formatted(selector & 0xFF, selector >> 8);
        if (mode.bits == 16) {
            machine.descriptor(TestMachine.KERNEL_CODE16, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
            run("9A 00 01 " + low);
            assertThat(machine.memory.readShort(cpu.r[Cpu.RSP])).isEqualTo(5);
            assertThat(machine.memory.readShort(cpu.r[Cpu.RSP] + 2)).isEqualTo(selector);
            assertThat(cpu.r[Cpu.RIP]).isEqualTo(0x100);
        } else {
            run("9A 00 01 01 00 " + low);
            assertThat(machine.memory.readInt(cpu.r[Cpu.RSP])).isEqualTo((int) TestMachine.CODE + 7);
            assertThat(machine.memory.readInt(cpu.r[Cpu.RSP] + 4)).isEqualTo(selector);
            assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE + 0x100);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PROTECTED_32_USER", "COMPATIBILITY_USER", "LONG_USER"})
    void userModeInstructionPreventionHidesTables(Mode mode) {
        enter(mode);
        cpu.cr4 |= Cpu.CR4_UMIP;
        for (String hex : new String[] {"0F 01 03", "0F 01 0B", "0F 01 E0", "0F 00 C0", "0F 00 C8"}) {
            machine.code(TestMachine.CODE, hex);
            cpu.r[Cpu.RIP] = TestMachine.CODE;
            Fault fault = machine.step();
            assertThat(fault).as(hex).isNotNull();
            assertThat(fault.vector).as(hex).isEqualTo(Vector.GENERAL_PROTECTION);
        }
    }

    @Test
    void timeCanBeKeptFromUsers() {
        enter(Mode.LONG_USER);
        cpu.cr4 |= Cpu.CR4_TSD;
        for (String hex : new String[] {"0F 31", "0F 01 F9"}) {
            machine.code(TestMachine.CODE, hex);
            cpu.r[Cpu.RIP] = TestMachine.CODE;
            Fault fault = machine.step();
            assertThat(fault).isNotNull();
            assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"PROTECTED_32", "LONG"})
    void descriptorTablesCanBeLoaded(Mode mode) {
        enter(mode);
        machine.memory.writeShort(0x9000, 0x1357);
        machine.memory.writeLong(0x9002, 0x7654_3210L);
        run("0F 01 13");
        assertThat(cpu.gdtLimit).isEqualTo(0x1357);
        assertThat(cpu.gdtBase).isEqualTo(0x7654_3210L);
        if (mode == Mode.PROTECTED_32) {
            run("66 0F 01 1B");
            assertThat(cpu.idtBase).as("24 bits").isEqualTo(0x54_3210L);
        } else {
            machine.memory.writeLong(0x9002, 0xFFFF_FE00_0000_0000L);
            run("66 0F 01 1B");
            assertThat(cpu.idtBase).isEqualTo(0xFFFF_FE00_0000_0000L);
            machine.memory.writeLong(0x9002, 1L << 62);
            machine.code(TestMachine.CODE, "0F 01 1B");
            cpu.r[Cpu.RIP] = TestMachine.CODE;
            assertThat(machine.step()).as("not canonical").isNotNull();
        }
    }
}
