package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Single-step and debug registers (SDM 3B chapter 18). The handler logs where it was entered, and DR6. */
class DebugTest {
    private static final long HANDLER = 0x1_8000;
    private static final long LOG = TestMachine.DATA + 0x800;

    private TestMachine machine;
    private Cpu cpu;

    @BeforeEach
    void start() {
        machine = TestMachine.inLongMode();
        cpu = machine.cpu;
        machine.gate(1, HANDLER);
        // push rax; mov rax,[rsp+8]; mov [r15],rax; mov rax,dr6; mov [r15+8],rax; xor eax,eax; mov dr6,rax;
        // add r15,16; pop rax; iretq
        machine.code(HANDLER, "50 48 8B 44 24 08 49 89 07 0F 21 F0 49 89 47 08 31 C0 0F 23 F0 49 83 C7 10 58 48 CF");
        cpu.r[15] = LOG;
        cpu.r[Cpu.RSI] = TestMachine.DATA;
    }

    @AfterEach
    void stop() {
        machine.close();
    }

    private void run(String hex) {
        machine.code(TestMachine.CODE, hex + "F4");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        // The tests set debug registers without MOV DR.
        cpu.mmu.flushAll();
        Debug.update(cpu);
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
    }

    /** Asserts where the handler was entered, as offsets in the code, and with which conditions. */
    private void assertLog(long... offsetsAndConditions) {
        int entries = (int) (cpu.r[15] - LOG) / 16;
        long[] log = new long[2 * entries];
        for (int i = 0; i < entries; i++) {
            log[2 * i] = machine.memory.readLong(LOG + 16L * i) - TestMachine.CODE;
            log[2 * i + 1] = machine.memory.readLong(LOG + 16L * i + 8) & Debug.DR6_WRITABLE;
        }
        assertThat(log).isEqualTo(offsetsAndConditions);
    }

    private static final long BS = Debug.DR6_BS;

    @Test
    void trapFlagTrapsAfterEachInstructionFromTheNextOn() {
        // pushfq; or byte [rsp+1],1; popfq; nop; nop; pushfq; and byte [rsp+1],fe; popfq; nop
        run("9C 80 4C 24 01 01 9D 90 90 9C 80 64 24 01 FE 9D 90");
        assertLog(8, BS, 9, BS, 10, BS, 15, BS, 16, BS);
        assertThat(cpu.systemFlags & Cpu.TF).isZero();
    }

    @Test
    void stackSegmentLoadPutsTheTrapOff() {
        cpu.r[Cpu.RCX] = TestMachine.KERNEL_DATA;
        // set TF; mov ss,ecx; nop; clear TF
        run("9C 80 4C 24 01 01 9D 8E D1 90 9C 80 64 24 01 FE 9D");
        assertLog(10, BS, 11, BS, 16, BS, 17, BS);
    }

    @Test
    void instructionBreakpointHitsBeforeItsInstructionAndResumeFlagPassesIt() {
        cpu.dr[0] = TestMachine.CODE + 2;
        cpu.dr[7] = 0x400 | 2;
        // The handler returns without RF, so disable the breakpoint there: it would hit for ever.
        machine.code(HANDLER + 25, "31 C0 0F 23 F8 58 48 CF"); // xor eax,eax; mov dr7,rax; pop rax; iretq
        run("90 90 90 90");
        assertLog(2, 1);
    }

    @Test
    void resumeFlagInTheReturnFrameSkipsOneInstruction() {
        cpu.dr[0] = TestMachine.CODE + 2;
        cpu.dr[7] = 0x400 | 2;
        // pop rax; or byte [rsp+18],1 (RF of the saved flags); iretq
        machine.code(HANDLER + 25, "58 80 4C 24 12 01 48 CF");
        run("90 90 90 EB 00 90");
        assertLog(2, 1);
        cpu.r[15] = LOG;
        // A loop comes to the breakpoint three times.
        cpu.r[Cpu.RCX] = 3;
        run("90 90 90 E2 FD");
        assertLog(2, 1, 2, 1, 2, 1);
    }

    @Test
    void dataBreakpointsTrapAfterTheAccess() {
        cpu.dr[1] = TestMachine.DATA + 4;
        cpu.dr[7] = 0x400 | 2 << 2 | 0xD << 20; // 4 bytes, writes, register 1
        // mov [rsi],eax; mov ecx,[rsi+4]; mov [rsi+4],eax; nop; mov [rsi+7],al
        run("89 06 8B 4E 04 89 46 04 90 88 46 07");
        assertLog(8, 2, 12, 2);
        cpu.r[15] = LOG;
        cpu.dr[7] = 0x400 | 2 << 2 | 0xF << 20; // reads too
        run("89 06 8B 4E 04 89 46 04 90");
        assertLog(5, 2, 8, 2);
    }

    @Test
    void ioBreakpointsNeedDebugExtensions() {
        cpu.dr[3] = 0x80;
        cpu.dr[7] = 0x400 | 2 << 6 | 2 << 28;
        run("E6 80");
        assertLog();
        cpu.cr4 |= Cpu.CR4_DE;
        run("E6 80 E4 81 E4 80");
        assertLog(2, 8, 6, 8);
    }

    @Test
    void generalDetectFaultsOnDebugRegisterAccess() {
        cpu.dr[7] = 0x400 | Debug.DR7_GD;
        run("0F 21 C0"); // faults once; the handler may access them, and GD is off afterwards
        assertLog(0, Debug.DR6_BD);
        assertThat(cpu.dr[7] & Debug.DR7_GD).isZero();
    }

    @Test
    void oldNamesOfDebugRegistersVanishWithDebugExtensions() {
        cpu.dr[6] = Debug.DR6_ONES | 1;
        assertThat(machine.exec("0F 21 E0 0F 21 EB")).isNull();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(Debug.DR6_ONES | 1);
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(Debug.DR7_ONES);
        cpu.cr4 |= Cpu.CR4_DE;
        Fault fault = machine.exec("0F 21 E0");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.INVALID_OPCODE);
    }

    @Test
    void statusAndControlHaveFixedBitsAndNoUpperHalf() {
        cpu.r[Cpu.RAX] = 0xFFFF_FFFFL;
        cpu.r[Cpu.RBX] = 0;
        assertThat(machine.exec("0F 23 F0 0F 23 FB")).isNull();
        assertThat(cpu.dr[6]).isEqualTo(Debug.DR6_ONES | Debug.DR6_WRITABLE);
        assertThat(cpu.dr[7]).isEqualTo(Debug.DR7_ONES);
        cpu.r[Cpu.RAX] = 1L << 32;
        assertThat(machine.exec("0F 23 F8")).isNotNull();
        assertThat(machine.exec("0F 23 C0")).as("addresses have one").isNull();
    }

    @Test
    void softwareInterruptUnderSingleStepRunsItsHandlerWithoutTraps() {
        machine.gate(0x40, HANDLER + 0x100);
        machine.code(HANDLER + 0x100, "90 90 48 CF");
        // set TF; int 40; nop; clear TF
        run("9C 80 4C 24 01 01 9D CD 40 90 9C 80 64 24 01 FE 9D");
        assertLog(10, BS, 11, BS, 16, BS, 17, BS);
    }

    @Test
    void systemCallClearsTheTrapAndSysretBringsItBack() {
        cpu.msrs.star = 0x0018_0008L << 32;
        cpu.msrs.lstar = HANDLER + 0x100;
        cpu.msrs.fmask = Cpu.TF;
        machine.code(HANDLER + 0x100, "90 48 0F 07");
        machine.gate(13, HANDLER + 0x200);
        machine.code(HANDLER + 0x200, "F4");
        machine.userMode();
        run("9C 80 4C 24 01 01 9D 90 0F 05 90");
        assertLog(8, BS, 10, BS, 11, BS);
    }

    @Test
    void pendingBreakpointAfterStackSegmentLoadMergesIntoInt1ButFollowsOtherInterrupts() {
        machine.memory.writeShort(TestMachine.DATA, TestMachine.KERNEL_DATA);
        cpu.dr[1] = TestMachine.DATA;
        cpu.dr[7] = 0x400 | 2 << 2 | 0xF << 20;
        run("8E 16 F1 90"); // mov ss,[rsi]; int1
        assertLog(3, 2);
        cpu.r[15] = LOG;
        machine.gate(3, TestMachine.CODE + 0x100);
        machine.code(TestMachine.CODE + 0x100, "90 48 CF");
        run("8E 16 CC 90"); // the trap is taken on entry to the handler of int3
        assertLog(0x100, 2);
    }
}
