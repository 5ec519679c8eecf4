package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class FusedOpsTest {
    @Test
    void aJumpOutOfItsSegmentFaultsAtItsOwnAddress() {
        try (TestMachine machine = TestMachine.inProtectedMode()) {
            machine.cpu.limit[Cpu.CS] = TestMachine.CODE + 0xFFF;
            Fault fault = machine.exec("39C0 0F8400100000"); // cmp eax, eax; je 4096 bytes further
            assertThat(fault).isNotNull();
            assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
            assertThat(machine.cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE + 2);
            assertThat(machine.cpu.zeroFlag()).isTrue();
        }
    }
}
