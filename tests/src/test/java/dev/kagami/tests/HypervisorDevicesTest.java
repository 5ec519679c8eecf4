package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Outcome;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What stock kernels make of the devices that only hypervisors have: one to say that they have panicked, one to hear of copies. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class HypervisorDevicesTest {
    private static final Duration SOON = Duration.ofMinutes(1);

    @Test
    void aKernelThatPanicsEndsTheMachineWithItsLastWords() throws Exception {
        try (VirtualMachine machine = VirtualMachine.create(
                c -> c.linux(StockKernelTest.quick(Guests.cloud())).engine(SerialSession.ENGINE))) {
            machine.start();
            machine.exec("(sleep 0.5; echo c > /proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &");
            Outcome outcome = machine.awaitShutdown(SOON).orElseThrow();
            assertThat(outcome).isInstanceOfSatisfying(Outcome.Crashed.class, crashed -> {
                assertThat(crashed.reason()).isEqualTo(Outcome.Reason.GUEST_PANIC);
                assertThat(crashed.detail()).startsWith("Kernel panic - not syncing: sysrq triggered crash");
            });
        }
    }

    /** The kernel for all PCs has the driver, the one for clouds hasn't. */
    @Test
    void aKernelHearsThatItIsACopy() throws Exception {
        try (VirtualMachine machine = VirtualMachine.create(
                c -> c.linux(StockKernelTest.quick(Guests.generic())).engine(SerialSession.ENGINE))) {
            machine.start();
            assertThat(machine.exec("dmesg | grep -c 'virtual machine fork'").stdout())
                    .isEqualTo("0\n");
            try (Snapshot snapshot = machine.snapshot();
                    VirtualMachine copy = snapshot.branch()) {
                copy.resume();
                assertThat(copy.exec(
                                        "for i in $(seq 100); do dmesg | grep 'virtual machine fork' && break; sleep 0.1; done")
                                .stdout())
                        .contains("crng reseeded due to virtual machine fork");
            }
        }
    }
}
