package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.boot.BootProtocol;
import dev.kagami.boot.BootSource;
import dev.kagami.boot.LoadedKernel;
import dev.kagami.image.GuestParameters;
import dev.kagami.platform.MachineEvent;
import dev.kagami.vm.LinuxBoot;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The other ways into a stock kernel. */
@Timeout(240)
final class BootProtocolTest {
    private static final Duration BOOT = Duration.ofSeconds(200);
    private static final long MEMORY = 512L << 20;

    private String boot(boolean unpackOnHost, BootProtocol protocol, String expectedKind) throws Exception {
        LinuxBoot guest = Guests.with(
                Guests.cloud(),
                "cryptomgr.notests " + GuestParameters.run("grep -m1 flags /proc/cpuinfo; cat /proc/iomem"));
        String output;
        try (BareMachine machine = new BareMachine(MEMORY)) {
            LoadedKernel kernel = machine.load(BootSource.of(guest.kernel())
                    .withInitrd(guest.initrd())
                    .withCommandLine(guest.commandLine())
                    .withProtocol(protocol)
                    .withUnpackOnHost(unpackOnHost));
            assertThat(kernel.description()).containsIgnoringCase(expectedKind);
            BareMachine.End end = machine.run(BOOT);
            output = machine.output();
            assertThat(end.event()).as(output).isEqualTo(new MachineEvent.PowerOff());
        }
        assertThat(output).contains("kagami.run: exit status 0");
        KernelLog.assertHealthy(output);
        return output;
    }

    @Test
    void thePvhEntryBoots() throws Exception {
        assertThat(boot(true, BootProtocol.PVH, "PVH")).contains("Hypervisor detected");
    }

    @Test
    void aKernelThatUnpacksItselfBootsWithFiveLevelPagingAndAtARandomAddress() throws Exception {
        String output = boot(false, BootProtocol.LINUX, "bzImage");
        assertThat(output).containsPattern("flags\\s*:.* la57");
        // Address randomization is the decompressor's work.
        assertThat(output).doesNotContain("01000000-01ffffff : Kernel code");
    }
}
