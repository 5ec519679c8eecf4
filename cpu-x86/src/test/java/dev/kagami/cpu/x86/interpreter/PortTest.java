package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** IN and OUT, I/O privilege and the permission map of the task (SDM 1 19.5). */
class PortTest {
    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inLongMode();
        cpu = machine.cpu;
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    @Test
    void sizesAndPortsReachTheBus() {
        cpu.r[Cpu.RAX] = 0x1234_5678_9ABC_DEF0L;
        cpu.r[Cpu.RDX] = 0xFFFF_0000_0000_03F8L;
        assertThat(machine.exec("E6 80 EE 66 EF EF")).isNull();
        assertThat(machine.bus.log)
                .containsExactly("out 80 1 f0", "out 3f8 1 f0", "out 3f8 2 def0", "out 3f8 4 9abcdef0");
        assertThat(cpu.portWrites).isEqualTo(4);
    }

    @Test
    void inputsFillTheirPartOfTheAccumulator() {
        machine.bus.ports.put(0x60, 0x8765_4321);
        cpu.r[Cpu.RDX] = 0x60;
        cpu.r[Cpu.RAX] = -1;
        assertThat(machine.exec("E4 60 48 89 C3 66 ED 48 89 C1 ED")).isNull();
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(0xFFFF_FFFF_FFFF_FF21L);
        assertThat(cpu.r[Cpu.RCX]).isEqualTo(0xFFFF_FFFF_FFFF_4321L);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x8765_4321L);
        assertThat(cpu.portReads).isEqualTo(3);
    }

    private void assertRefused(String hex) {
        machine.bus.log.clear();
        machine.code(TestMachine.CODE, hex);
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        Fault fault = machine.step();
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(fault.errorCode).isZero();
        assertThat(machine.bus.log).isEmpty();
    }

    private void assertAllowed(String hex) {
        machine.bus.log.clear();
        machine.code(TestMachine.CODE, hex);
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        assertThat(machine.step()).as(hex).isNull();
        assertThat(machine.bus.log).hasSize(1);
    }

    @Test
    void usersNeedPrivilegeOrAClearBitInTheMap() {
        machine.userMode();
        cpu.r[Cpu.RDX] = 0x3FF;
        assertRefused("E4 80");
        cpu.systemFlags |= Cpu.IOPL;
        assertAllowed("E4 80");
        cpu.systemFlags &= ~Cpu.IOPL;
        // A map at 0x68 for ports 0 to 0x3FF and the byte of ones behind it.
        cpu.limit[Cpu.TR] = 0x68 + 0x80;
        machine.memory.writeShort(TestMachine.TSS + 0x66, 0x68);
        machine.memory.writeByte(TestMachine.TSS + 0x68 + 0x80, 0xFF);
        assertAllowed("E4 80");
        assertAllowed("EC");
        assertRefused("66 ED"); // 3FF and 400: one of the ones
        machine.memory.writeByte(TestMachine.TSS + 0x68 + 0x10, 1 << 3);
        assertAllowed("E4 82");
        assertRefused("E5 80"); // 80 to 83
        cpu.limit[Cpu.TR] = 0x68 + 0x7F;
        assertRefused("EC");
        cpu.limit[Cpu.TR] = 0x66;
        assertRefused("E4 82");
    }

    @Test
    void cliAndStiNeedIoPrivilege() {
        machine.userMode();
        assertRefused("FA");
        assertRefused("FB");
        cpu.systemFlags |= Cpu.IOPL;
        machine.code(TestMachine.CODE, "FB FA");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        assertThat(machine.step()).isNull();
        assertThat(cpu.systemFlags & Cpu.IF).isNotZero();
        assertThat(cpu.interruptShadow).isTrue();
        assertThat(machine.step()).isNull();
        assertThat(cpu.systemFlags & Cpu.IF).isZero();
    }
}
