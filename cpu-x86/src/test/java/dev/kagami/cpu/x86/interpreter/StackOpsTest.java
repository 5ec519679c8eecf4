package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** PUSH to POPF in the modes that recorded vectors do not cover, and their faults. */
class StackOpsTest {
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

    private void assertStackFault(String hex) {
        long[] before = cpu.r.clone();
        before[Cpu.RIP] = TestMachine.CODE;
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(Vector.STACK_FAULT);
        assertThat(cpu.r).as(hex).isEqualTo(before);
    }

    private void assertPageFault(String hex) {
        long[] before = cpu.r.clone();
        before[Cpu.RIP] = TestMachine.CODE;
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.r).as(hex).isEqualTo(before);
    }

    @Test
    void nonCanonicalStackPointerIsStackFault() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RSP] = 1L << 63;
        cpu.r[Cpu.RBP] = 1L << 63;
        cpu.r[Cpu.RSI] = TestMachine.DATA;
        String[] codes = {"50", "58", "6A 01", "9C", "9D", "FF 36", "8F 06", "0F A0", "C9", "66 50", "C8 00 00 00"};
        for (String hex : codes) {
            assertStackFault(hex);
        }
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        cpu.r[Cpu.RSI] = 1L << 63;
        Fault fault = machine.exec("FF 36");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
    }

    @Test
    void faultingStackInstructionsChangeNoRegister() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RSP] = 0x40_0000 + 4;
        for (String hex : new String[] {"50", "58", "9D", "8F 04 24", "CF", "48 CF", "48 CB"}) {
            assertPageFault(hex);
        }
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        cpu.r[Cpu.RBX] = 0x40_0000;
        assertPageFault("8F 03");
        cpu.r[Cpu.RBP] = 0x40_0008;
        assertPageFault("C8 00 00 02");
        assertPageFault("C9");
        use(TestMachine.inProtectedMode());
        machine.segment(Cpu.SS, TestMachine.KERNEL_DATA, 0, TestMachine.STACK + 15, TestMachine.ATTR_DATA32);
        assertStackFault("61");
        machine.segment(Cpu.SS, TestMachine.KERNEL_DATA, 0, TestMachine.STACK - 17, 0x4097); // expand-down
        assertStackFault("60");
    }

    @Test
    void popToMemoryAddressesWithTheNewStackPointer() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RAX] = 0x1122_3344_5566_7788L;
        assertThat(machine.exec("50 8F 44 24 08")).isNull();
        assertThat(machine.memory.readLong(TestMachine.STACK + 8)).isEqualTo(0x1122_3344_5566_7788L);
        assertThat(machine.exec("54 5C")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
    }

    @Test
    void pushAllAndPopAllInBothSizes() {
        use(TestMachine.inProtectedMode());
        for (int i = 0; i < 8; i++) {
            if (i != Cpu.RSP) {
                cpu.r[i] = 0x1111_1111L * (i + 1);
            }
        }
        long[] before = cpu.r.clone();
        assertThat(machine.exec("60 31 C0 31 C9 31 D2 31 DB 31 ED 31 F6 31 FF 61"))
                .isNull();
        for (int i = 0; i < 8; i++) {
            assertThat(cpu.r[i]).as("register %d", i).isEqualTo(before[i]);
        }
        assertThat(machine.memory.readInt(TestMachine.STACK - 20))
                .as("stack pointer")
                .isEqualTo((int) TestMachine.STACK);
        assertThat(machine.exec("66 60 31 C0 66 61")).isNull();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1111);
        assertThat(machine.memory.readShort(TestMachine.STACK - 10)).isEqualTo((int) TestMachine.STACK & 0xFFFF);
    }

    @Test
    void enterBuildsNestedFrames() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RBP] = TestMachine.DATA;
        machine.memory.writeLong(TestMachine.DATA - 8, 0xAAAA);
        machine.memory.writeLong(TestMachine.DATA - 16, 0xBBBB);
        assertThat(machine.exec("C8 20 00 03")).isNull();
        long frame = TestMachine.STACK - 8;
        assertThat(cpu.r[Cpu.RBP]).isEqualTo(frame);
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(frame - 24 - 0x20);
        assertThat(machine.memory.readLong(frame)).isEqualTo(TestMachine.DATA);
        assertThat(machine.memory.readLong(frame - 8)).isEqualTo(0xAAAA);
        assertThat(machine.memory.readLong(frame - 16)).isEqualTo(0xBBBB);
        assertThat(machine.memory.readLong(frame - 24)).isEqualTo(frame);
        assertThat(machine.exec("C9")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(TestMachine.STACK);
        assertThat(cpu.r[Cpu.RBP]).isEqualTo(TestMachine.DATA);
    }

    @Test
    void sixteenBitStackWrapsAndKeepsTheUpperHalf() {
        use(TestMachine.inProtectedMode());
        machine.segment(Cpu.SS, TestMachine.KERNEL_DATA16, 0, 0xFFFF, TestMachine.ATTR_DATA16);
        cpu.updateMode();
        cpu.r[Cpu.RSP] = 0x1234_0000L;
        cpu.r[Cpu.RBP] = 0x5678_0010L;
        assertThat(machine.exec("68 78 56 34 12 66 6A 01")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x1234_FFFAL);
        assertThat(machine.memory.readInt(0xFFFC)).isEqualTo(0x1234_5678);
        machine.memory.writeInt(0x10, 0xCAFE);
        assertThat(machine.exec("C9")).isNull();
        assertThat(cpu.r[Cpu.RSP]).isEqualTo(0x1234_0014L);
        assertThat(cpu.r[Cpu.RBP]).isEqualTo(0xCAFE);
    }

    @Test
    void usersCannotChangePrivilegedFlags() {
        use(TestMachine.inLongMode());
        cpu.systemFlags |= Cpu.IF;
        machine.userMode();
        machine.memory.writeLong(TestMachine.STACK, 0x3F_7FD5 & ~Cpu.IF & ~Cpu.TF);
        machine.code(TestMachine.CODE, "9D");
        assertThat(machine.step()).isNull();
        int expected = Cpu.ARITHMETIC | Cpu.DF | Cpu.NT | Cpu.AC | Cpu.ID | Cpu.IF | 2;
        assertThat(cpu.flags()).isEqualTo(expected);
        machine.code(TestMachine.CODE, "66 9D");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        assertThat(machine.step()).isNull();
        assertThat(cpu.flags()).as("upper flags stay").isEqualTo(Cpu.AC | Cpu.ID | Cpu.IF | 2);
    }

    @Test
    void pushedFlagsNeverShowResumeOrVirtual8086() {
        use(TestMachine.inLongMode());
        cpu.systemFlags |= Cpu.RF | Cpu.AC;
        assertThat(machine.exec("9C 58")).isNull();
        assertThat(cpu.r[Cpu.RAX] & (Cpu.RF | Cpu.VM | Cpu.AC)).isEqualTo(Cpu.AC);
    }

    @Test
    void flagInstructions() {
        use(TestMachine.inLongMode());
        cpu.setArithmeticFlags(Cpu.OF | Cpu.ZF);
        assertThat(machine.exec("F9 9F F5 FD")).isNull(); // stc; lahf; cmc; std
        assertThat(cpu.r[Cpu.RAX] & 0xFF00).isEqualTo((Cpu.ZF | Cpu.CF | 2) << 8);
        assertThat(cpu.flags()).isEqualTo(Cpu.OF | Cpu.ZF | Cpu.DF | 2);
        cpu.r[Cpu.RAX] = 0xFF00;
        assertThat(machine.exec("9E FC")).isNull();
        assertThat(cpu.flags()).isEqualTo(Cpu.ARITHMETIC | 2);
    }
}
