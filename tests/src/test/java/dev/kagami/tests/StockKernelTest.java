package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Unmodified Debian kernels to a shell, with nothing on the command line but where the console is. */
@Timeout(300)
final class StockKernelTest {
    private static final Duration BOOT = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(30);

    @Test
    void theDefaultGuestIsAUsableMachine() throws Exception {
        try (SerialSession guest = SerialSession.start(c -> c.linux(Guests.cloud()))) {
            guest.await(SerialSession.PROMPT, BOOT);

            assertThat(guest.run("ls /")).contains("bin", "proc", "root", "tmp");
            assertThat(guest.run("ps")).contains("PID", "init", "[kthreadd]");
            assertThat(guest.run("cat /proc/cmdline").strip()).isEqualTo("console=ttyS0");
            assertThat(guest.run("echo $((6 * 7))").strip()).isEqualTo("42");
            assertThat(guest.run("seq 1 2000 | sha256sum"))
                    .contains("6251e5743b6fd6a7d606130bdf7c15077ce85ebd3a0fdee284d15a46df199e38");
            assertThat(guest.run("mount -t tmpfs none /mnt && echo kept > /mnt/f && cat /mnt/f && umount /mnt"))
                    .contains("kept");
            assertThat(guest.run("ping -c 1 127.0.0.1")).contains("1 packets received");
            KernelLog.assertHealthy(guest.run("dmesg"));

            guest.line("poweroff");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    @Test
    void theShellHasJobControl() throws Exception {
        try (SerialSession guest = SerialSession.start(c -> c.linux(quick(Guests.cloud())))) {
            guest.await(SerialSession.PROMPT, BOOT);
            assertThat(guest.output()).doesNotContain("can't access tty", "job control turned off");

            guest.line("sleep 1000");
            guest.await("sleep 1000", SOON);
            // The shell hands the terminal over before the keys can mean the program.
            Thread.sleep(500);
            guest.keys("\032");
            guest.await("Stopped", SOON);
            guest.await(SerialSession.PROMPT, SOON);
            assertThat(guest.run("bg")).contains("sleep 1000");
            assertThat(guest.run("jobs")).contains("Running").contains("sleep 1000");
            guest.line("fg");
            guest.await("sleep 1000", SOON);
            Thread.sleep(500);
            guest.keys("\003");
            guest.await(SerialSession.PROMPT, SOON);
            assertThat(guest.run("jobs; echo none=$?")).contains("none=0").doesNotContain("sleep");

            // The end of the shell is the end of the machine.
            guest.line("exit");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    @Test
    void theKernelForAllPcsBootsToo() throws Exception {
        LinuxBoot boot = Guests.generic();
        try (SerialSession guest = SerialSession.start(c -> c.linux(boot))) {
            guest.await(SerialSession.PROMPT, BOOT);
            assertThat(guest.run("uname -r")).doesNotContain("cloud");
            KernelLog.assertHealthy(guest.run("dmesg"));
            guest.line("poweroff");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    @Test
    void rebootStartsTheMachineOver() throws Exception {
        try (SerialSession guest =
                SerialSession.start(c -> c.linux(quick(Guests.cloud())).memory(MemorySize.ofMebibytes(256)))) {
            guest.await(SerialSession.PROMPT, BOOT);
            assertThat(guest.run("echo before > /tmp/mark; cat /tmp/mark")).contains("before");
            guest.line("reboot");
            guest.await("Linux version", BOOT);
            guest.await(SerialSession.PROMPT, BOOT);
            assertThat(guest.run("ls /tmp")).doesNotContain("mark");
            assertThat(guest.stats().resets()).isEqualTo(1);
            KernelLog.assertHealthy(guest.output());
            guest.line("poweroff");
            assertThat(guest.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    /** Without the kernel's tests of its own cryptography, which are half of a boot. */
    static LinuxBoot quick(LinuxBoot boot) {
        return Guests.with(boot, "cryptomgr.notests");
    }
}
