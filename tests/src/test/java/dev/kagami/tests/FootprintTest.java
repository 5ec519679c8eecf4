package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/** What a machine takes from its host. */
@Isolated("measures time")
@Timeout(240)
final class FootprintTest {
    private static final long MEBIBYTE = 1 << 20;
    private static final long OWN_MEMORY = 200 * MEBIBYTE;
    private static final Duration BOOT = Duration.ofSeconds(120);

    @TempDir
    private Path directory;

    @Test
    @EnabledOnOs(OS.LINUX)
    void aBootTakesItsGuestsPagesAndLittleMore() throws Exception {
        try (ChildGuest child = new ChildGuest(directory, Guests.tiny(), "--memory", "4G")) {
            long most = 0;
            long guest = 0;
            while (child.isAlive()) {
                try {
                    most = Math.max(most, child.ownMemory());
                    guest = Math.max(guest, child.guestMemory());
                } catch (java.io.IOException e) {
                    // The process has ended between two looks.
                    break;
                }
                Thread.sleep(100);
            }
            assertThat(child.awaitExit(BOOT)).isZero();
            assertThat(child.output()).contains("tiny boot is up");
            System.out.printf("boot: own %d MiB, guest %d MiB%n", most / MEBIBYTE, guest / MEBIBYTE);
            assertThat(guest).isBetween(20 * MEBIBYTE, 1024 * MEBIBYTE);
            assertThat(most).isPositive().isLessThanOrEqualTo(OWN_MEMORY);
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void aGuestAtItsPromptTakesItsPagesAndLittleMore() throws Exception {
        try (ChildGuest child = new ChildGuest(directory, StockKernelTest.quick(Guests.cloud()))) {
            child.await(SerialSession.PROMPT, BOOT);
            long own = child.ownMemory();
            System.out.printf("prompt: own %d MiB%n", own / MEBIBYTE);
            assertThat(own).isPositive().isLessThanOrEqualTo(OWN_MEMORY);
            child.type("poweroff\n");
            assertThat(child.awaitExit(BOOT)).isZero();
        }
    }

    @Test
    void aLargeMachineStartsAsFastAsASmallOne() throws Exception {
        Path kernel = MultibootImage.write(directory.resolve("kernel"), "ba04060000 66b80034 66ef ebfe");
        LinuxBoot boot = new LinuxBoot(kernel, null, "");
        Duration small = Duration.ofDays(1);
        Duration large = Duration.ofDays(1);
        for (int i = 0; i < 10; i++) {
            small = min(small, timeToPowerOff(boot, MemorySize.ofMebibytes(256)));
            large = min(large, timeToPowerOff(boot, MemorySize.ofGibibytes(4)));
        }
        System.out.printf("start: %d ms with 256M, %d ms with 4G%n", small.toMillis(), large.toMillis());
        // Filling 4 GiB with zeroes takes a second or more.
        assertThat(large).isLessThan(small.multipliedBy(2).plusMillis(100));
    }

    private static Duration timeToPowerOff(LinuxBoot boot, MemorySize memory) throws InterruptedException {
        long start = System.nanoTime();
        try (SerialSession guest = SerialSession.start(c -> c.linux(boot).memory(memory))) {
            assertThat(guest.awaitOutcome(Duration.ofSeconds(20))).isEqualTo(new Outcome.PoweredOff());
        }
        return Duration.ofNanos(System.nanoTime() - start);
    }

    private static Duration min(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? a : b;
    }
}
