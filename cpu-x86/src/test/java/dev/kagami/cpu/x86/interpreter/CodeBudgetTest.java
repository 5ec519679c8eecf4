package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class CodeBudgetTest {
    private static final long SECOND = 1_000_000_000L;
    private static final int MEBIBYTE = 1 << 20;

    /** What {@link #fill} makes a CPU keep is more than this, and less than twice. */
    private static final int KEPT = 2 * MEBIBYTE;

    private static final int CODE_BYTES = 40 << 10;

    private final CodeBudget budget = new CodeBudget(3 * KEPT, Integer.MAX_VALUE);

    private static TestMachine fill() {
        TestMachine machine = TestMachine.inProtectedMode();
        byte[] code = new byte[CODE_BYTES];
        Arrays.fill(code, (byte) 0xF5); // CMC
        machine.memory.write(MEBIBYTE, code);
        BlockBuilder builder = new BlockBuilder(machine.cpu);
        for (int i = 0; i < CODE_BYTES; i += 64) {
            builder.build(MEBIBYTE + i);
        }
        assertThat(machine.cpu.codeBytes()).isBetween((long) KEPT, 2L * KEPT);
        return machine;
    }

    private static boolean asked(TestMachine machine) {
        return (machine.cpu.events() & Cpu.EVENT_GIVE_BACK) != 0;
    }

    @Test
    void whoHasBeenIdleForLongestIsAskedUntilTheRestIsWithinTheBudget() {
        try (TestMachine first = fill();
                TestMachine second = fill();
                TestMachine third = fill()) {
            budget.enter(first.cpu);
            budget.enter(second.cpu);
            budget.enter(third.cpu);
            long start = System.nanoTime();
            first.cpu.retired += 100_000_000;
            third.cpu.retired += 100_000_000;
            budget.look(start + SECOND);
            third.cpu.retired += 100_000_000;
            budget.look(start + 3 * SECOND / 2);
            assertThat(asked(first) || asked(second) || asked(third)).isFalse();
            budget.look(start + 10 * SECOND);
            assertThat(asked(second)).isTrue();
            assertThat(asked(first) || asked(third)).isFalse();
            budget.leave(first.cpu);
            budget.leave(second.cpu);
            budget.leave(third.cpu);
        }
    }

    @Test
    void whoIsBusyOrAloneKeepsWhatItHas() {
        CodeBudget none = new CodeBudget(0, Integer.MAX_VALUE);
        try (TestMachine busy = fill();
                TestMachine idle = fill()) {
            none.enter(busy.cpu);
            long start = System.nanoTime();
            for (int i = 1; i < 10; i++) {
                none.look(start + i * SECOND);
            }
            assertThat(asked(busy)).isFalse();
            none.enter(idle.cpu);
            for (int i = 10; i < 20; i++) {
                busy.cpu.retired += 100_000_000;
                none.look(start + i * SECOND);
            }
            assertThat(asked(busy)).isFalse();
            assertThat(asked(idle)).isTrue();
            none.leave(busy.cpu);
            none.leave(idle.cpu);
        }
    }

    @Test
    void nothingRefersToCodeThatWasGivenBack() throws InterruptedException {
        try (TestMachine machine = fill()) {
            CodeCache code = machine.cpu.code;
            WeakReference<Block> block = new WeakReference<>(code.find(MEBIBYTE, machine.cpu.codeMode));
            assertThat(block.get()).isNotNull();
            machine.cpu.giveCodeBack();
            assertThat(machine.cpu.codeBytes()).isZero();
            for (int i = 0; i < 100 && block.get() != null; i++) {
                System.gc();
                Thread.sleep(10);
            }
            assertThat(block.get()).isNull();
            assertThat(code.find(MEBIBYTE, machine.cpu.codeMode)).isNull();
            assertThat((int) new BlockBuilder(machine.cpu).build(MEBIBYTE).instructions)
                    .isEqualTo(64);
        }
    }
}
