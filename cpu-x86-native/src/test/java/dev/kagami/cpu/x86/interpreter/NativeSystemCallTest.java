package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import org.junit.jupiter.api.Test;

/** That SYSCALL and SYSRET end as in the interpreter is for others to show; here, that they don't need it. */
class NativeSystemCallTest {
    private static final long ENTRY = 0x2_0000;
    private static final int CALLS = 10_000;

    /** Ways into translated code until all is translated and linked. */
    private static final int FIRST_ENTRIES = 100;

    /** The flags that Linux has cleared. */
    private static final int MASKED_FLAGS = 0x25_7FD5;

    @Test
    void systemCallsDoNotLeaveTranslatedCode() {
        NativeVcpus.Gate gate = new NativeVcpus.Gate(1, 1 << 24);
        gate.leaveAfter(FIRST_ENTRIES);
        try (TestMachine machine = new TestMachine(4 << 20, cpu -> NativeVcpus.disturbed(cpu, gate))) {
            machine.longMode();
            Cpu cpu = machine.cpu;
            cpu.msrs.star = 0x0018_0008L << 32;
            cpu.msrs.lstar = ENTRY;
            cpu.msrs.fmask = MASKED_FLAGS;
            // dec rbx; jz to the hlt; sysretq; hlt
            machine.code(ENTRY, "48 FF CB 74 03 48 0F 07 F4");
            // movd xmm0, ebx; syscall; jmp to the beginning
            machine.code(TestMachine.CODE, "66 0F 6E C3 0F 05 EB F8");
            machine.userMode();
            cpu.r[Cpu.RBX] = CALLS;
            machine.vcpu.run();
            assertThat(cpu.r[Cpu.RBX]).as("calls left").isZero();
            assertThat(cpu.vec[0]).as("the last but one's").isEqualTo(1);
            NativeVcpus.close(machine.vcpu);
        }
    }
}
