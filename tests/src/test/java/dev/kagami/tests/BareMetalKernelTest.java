package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.ResetPolicy;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernels of {@code src/test/kernels}, which check the machine from inside. */
@Timeout(120)
final class BareMetalKernelTest {
    /** What the exit port makes of 0. */
    private static final int PASSED = 1;

    private static final int MODULE_SIZE = 5000;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"platform", "exceptions", "processor", "interrupts", "paging", "mmio"})
    void passes(String name) throws Exception {
        Path kernel = unpack(name);
        Path module = Files.write(directory.resolve("module"), module());
        LinuxBoot boot = new LinuxBoot(kernel, module, "one two=2");
        try (SerialSession guest = SerialSession.start(c -> c.linux(boot)
                .memory(MemorySize.ofMebibytes(64))
                .debugExit(0xF4)
                .testDevice(true)
                .onReset(ResetPolicy.STOP))) {
            Outcome outcome = guest.awaitOutcome(Duration.ofSeconds(100));
            assertThat(guest.output()).doesNotContain("not ok").containsPattern("passed 0x[0-9a-f]+ checks");
            assertThat(outcome).isEqualTo(new Outcome.DebugExit(PASSED));
        }
    }

    private Path unpack(String name) throws IOException {
        Path kernel = directory.resolve(name + ".elf");
        try (InputStream image = BareMetalKernelTest.class.getResourceAsStream("kernels/" + kernel.getFileName())) {
            Files.copy(Objects.requireNonNull(image), kernel);
        }
        return kernel;
    }

    private static byte[] module() {
        byte[] bytes = new byte[MODULE_SIZE];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i * 7);
        }
        return bytes;
    }
}
