package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guests that never end by themselves, each caught in another part of the CPU: a second is enough to stop them. */
@Timeout(60)
final class UnstoppableGuestTest {
    private static final Duration ONE_SECOND = Duration.ofSeconds(1);

    @TempDir
    private Path directory;

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "jumps to itself with interrupts off, fa ebfe",
        "sleeps with interrupts on, fb f4 ebfd",
        // A repeated instruction counts as one, and these would take minutes.
        "loads a string, be00001000 b9ffffffff fc f3ac ebf5",
        "stores a string in one place after the other, fc bf00002000 b900001000 f3aa ebf2",
        "moves a string over itself for ever, fc be00002000 bf01002000 b9ffff0f00 f3a4 ebed",
        "compares a string with itself, fc be00002000 bf00002000 b9ffff0f00 f3a6 ebed",
        "outputs a string, fc be00001000 b9ffffffff 66ba8000 f36e ebf1",
        "inputs a string from MMIO to MMIO, fc bf000000e0 b9ffffffff 66ba8000 f36c ebf1",
        "reads MMIO that nobody answers, a1000000f0 ebf9",
        // Makes a GDT and an IDT whose gate for #UD leads to an IRET: UD2, IRET, UD2, ...
        "raises exceptions, fabc00002800bf00003000c7870008000000000000c7870408000000000000c78708080000ff"
                + "ff0000c7870c080000009bcf0066c787000900000f00c78702090000000830000f0197000900"
                + "00ea740010000800b8a7001000b9000008006689c1894f3066b8008e89473466c78710090000"
                + "ff07c78712090000000030000f019f100900000f0bcf",
        "writes its own code, bb00002800 89dc e800000000 5b c6830800000090 90 ebf6"
    })
    void stopsWithinASecond(String what, String code) throws Exception {
        Path kernel = MultibootImage.write(directory.resolve("kernel"), code);
        try (SerialSession guest =
                SerialSession.start(c -> c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(32)))) {
            Thread.sleep(300);
            assertThat(guest.isRunning()).as(what).isTrue();
            long asked = System.nanoTime();
            guest.stop();
            assertThat(guest.awaitOutcome(Duration.ofSeconds(20))).isEqualTo(new Outcome.Stopped());
            assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(ONE_SECOND);
        }
    }
}
