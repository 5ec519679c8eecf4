package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

final class CodeCacheTest {
    @Test
    void codeIsDecodedOnceHoweverOftenTranslationsAreForgotten() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            machine.memory.write(TestMachine.CODE, new byte[] {(byte) 0x90, (byte) 0xEB, (byte) 0xFD});
            CodeCache code = machine.cpu.code;
            Block block = new BlockBuilder(machine.cpu).build(TestMachine.CODE);
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
            code.flushTranslations(false);
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
            code.flushTranslation(TestMachine.CODE, Mmu.PAGE_SHIFT);
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
        }
    }

    @Test
    void codeIsFoundWhereThePageTablesSayOnceItsPageIsInvalidated() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            long linear = TestMachine.CODE;
            machine.memory.write(linear, new byte[] {(byte) 0xEB, (byte) 0xFE});
            Cpu cpu = machine.cpu;
            Block block = new BlockBuilder(cpu).build(linear);
            int generation = cpu.code.generation;
            machine.memory.writeLong(pageTableEntry(cpu, linear), TestMachine.DATA | 7);
            assertThat(cpu.code.find(linear, cpu.codeMode)).isSameAs(block);
            cpu.mmu.flushPage(linear);
            assertThat(cpu.code.find(linear, cpu.codeMode)).isNull();
            assertThat(cpu.code.generation).as("for links").isNotEqualTo(generation);
        }
    }

    @Test
    void invalidatingAPageWithoutCodeForgetsNoLinks() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            machine.memory.write(TestMachine.CODE, new byte[] {(byte) 0xEB, (byte) 0xFE});
            Cpu cpu = machine.cpu;
            new BlockBuilder(cpu).build(TestMachine.CODE);
            int generation = cpu.code.generation;
            cpu.readLong(TestMachine.DATA);
            cpu.mmu.flushPage(TestMachine.DATA);
            assertThat(cpu.code.generation).isEqualTo(generation);
        }
    }

    @Test
    void aReturnThatWentToAPageGoesToWhatTheAddressMeansByNow() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            Cpu cpu = machine.cpu;
            long page = 0x10_0000;
            // inc eax, or add eax, 16; jmp rbx
            machine.memory.write(0x20_1000, HexFormat.of().parseHex("ffc0ffe3"));
            machine.memory.write(0x20_2000, HexFormat.of().parseHex("83c010ffe3"));
            machine.memory.writeLong(pageTableEntry(cpu, page), 0x20_1000 | 7);
            // push rsi; ret; dec ecx; cmp ecx, 1; jne over the next two; mov [rbp], r8; invlpg [rsi]; test ecx, ecx;
            // jne to the start; hlt
            machine.memory.write(
                    TestMachine.CODE,
                    HexFormat.of()
                            .parseHex("56c3" + "ffc9" + "83f9017507" + "4c894500" + "0f013e" + "85c975ec" + "f4"));
            cpu.r[Cpu.RIP] = TestMachine.CODE;
            cpu.r[Cpu.RAX] = 0;
            cpu.r[Cpu.RBX] = TestMachine.CODE + 2;
            cpu.r[Cpu.RCX] = 4;
            cpu.r[Cpu.RSI] = page;
            cpu.r[Cpu.RBP] = pageTableEntry(cpu, page);
            cpu.r[8] = 0x20_2000 | 7;
            assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
            assertThat(cpu.r[Cpu.RAX]).isEqualTo(3 + 16);
        }
    }

    @Test
    void aTraceOverAPageIsNotRunWhenTheAddressMeansAnotherOne() {
        try (TestMachine machine =
                TestMachine.inLongMode(cpu -> new InterpreterVcpu(cpu, null, TraceRecorder.Mode.EAGER))) {
            Cpu cpu = machine.cpu;
            long page = 0x10_0000;
            // inc eax, or add eax, 16; jmp rbx
            machine.memory.write(0x20_1000, HexFormat.of().parseHex("ffc0ffe3"));
            machine.memory.write(0x20_2000, HexFormat.of().parseHex("83c010ffe3"));
            // push rsi; ret; dec ecx; jne to the start; hlt
            machine.memory.write(TestMachine.CODE, HexFormat.of().parseHex("56c3" + "ffc975fa" + "f4"));
            machine.memory.writeLong(pageTableEntry(cpu, page), 0x20_1000 | 7);
            assertThat(returns(machine, page)).isEqualTo(5);
            assertThat(cpu.code.find(TestMachine.CODE, cpu.codeMode).trace).isNotNull();
            machine.memory.writeLong(pageTableEntry(cpu, page), 0x20_2000 | 7);
            cpu.mmu.flushPage(page);
            assertThat(returns(machine, page)).isEqualTo(5 * 16);
        }
    }

    private static long returns(TestMachine machine, long page) {
        Cpu cpu = machine.cpu;
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        cpu.r[Cpu.RAX] = 0;
        cpu.r[Cpu.RBX] = TestMachine.CODE + 2;
        cpu.r[Cpu.RCX] = 5;
        cpu.r[Cpu.RSI] = page;
        assertThat(machine.runDelivering()).isEqualTo(ExitReason.HALTED);
        return cpu.r[Cpu.RAX];
    }

    private static long pageTableEntry(Cpu cpu, long linear) {
        return (cpu.cr3 & -Mmu.PAGE_SIZE) + 0x3000 + (linear >>> Mmu.PAGE_SHIFT) * 8;
    }

    @Test
    void writtenCodeIsDecodedAgain() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            machine.memory.write(TestMachine.CODE, new byte[] {(byte) 0x90, (byte) 0xEB, (byte) 0xFD});
            CodeCache code = machine.cpu.code;
            Block block = new BlockBuilder(machine.cpu).build(TestMachine.CODE);
            code.written((int) (TestMachine.CODE >>> 12), (int) TestMachine.CODE & 0xFFF, 1);
            assertThat(block.valid).isFalse();
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isNull();
        }
    }

    @Test
    void noOperationsThatAreOverwrittenByTheInstructionBeforeThemAreWhatTheyHaveBecome() {
        try (SnippetMachine machine = new SnippetMachine()) {
            // mov dword [rip + 1], and add rbx, 0x6B as bytes; five NOPs; inc rcx
            byte[] code = HexFormat.of().parseHex("c705010000004883c36b" + "9090909090" + "48ffc1");
            MachineState state = new MachineState();
            long rbx = state.gpr[Cpu.RBX];
            long rcx = state.gpr[Cpu.RCX];
            machine.runBlocks(state, code);
            assertThat(state.gpr[Cpu.RBX]).isEqualTo(rbx + 0x6B);
            assertThat(state.gpr[Cpu.RCX]).isEqualTo(rcx + 1);
        }
    }

    @Test
    void aGuestThatJumpsEverywhereDoesNotFillTheHeap() {
        try (TestMachine machine = new TestMachine(256 << 20)) {
            machine.protectedMode();
            byte[] nops = new byte[1 << 20];
            Arrays.fill(nops, (byte) 0x90);
            for (int mebibyte = 1; mebibyte < 256; mebibyte++) {
                machine.memory.write((long) mebibyte << 20, nops);
            }
            BlockBuilder builder = new BlockBuilder(machine.cpu);
            long bound = Runtime.getRuntime().maxMemory() / 64;
            long most = 0;
            for (long linear = 1 << 20; linear < 256 << 20 && most < bound; linear++) {
                builder.build(linear);
                long ops = machine.cpu.code.ops();
                if (ops < most) {
                    // All was dropped: from here on the same happens again.
                    break;
                }
                most = ops;
            }
            assertThat(most).isBetween(1000L, bound);
        }
    }

    @Test
    void instructionsAcrossPagesThatAreMadeAgainAndAgainDoNotAccumulate() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            long first = TestMachine.CODE + 0xFFE;
            // MOV EAX, imm32, two bytes on one page and three on the next.
            machine.memory.write(first, new byte[] {(byte) 0xB8, 1, 0, 0, 0});
            BlockBuilder builder = new BlockBuilder(machine.cpu);
            CodeCache code = machine.cpu.code;
            for (int i = 0; i < 10_000; i++) {
                builder.build(first);
                code.written((int) (first >>> 12), 0xFFE, 1);
            }
            assertThat(code.pageOf((int) (first >>> 12) + 1).tails()).isLessThan(100);
            for (int i = 0; i < 10_000; i++) {
                builder.build(first);
            }
            assertThat(code.pageOf((int) (first >>> 12) + 1).tails()).isLessThan(100);
            assertThat(code.ops()).isLessThan(10_000_000);
        }
    }
}
