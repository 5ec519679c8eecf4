package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class CodeCacheTest {
    @Test
    void codeIsDecodedOnceHoweverOftenTranslationsAreForgotten() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            machine.memory.write(TestMachine.CODE, new byte[] {(byte) 0x90, (byte) 0xEB, (byte) 0xFD});
            CodeCache code = machine.cpu.code;
            Block block = new BlockBuilder(machine.cpu).build(TestMachine.CODE);
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
            code.flushTranslations();
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
            code.flushTranslation(TestMachine.CODE);
            assertThat(code.find(TestMachine.CODE, machine.cpu.codeMode)).isSameAs(block);
        }
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
}
