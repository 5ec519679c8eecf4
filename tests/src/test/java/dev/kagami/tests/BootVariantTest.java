package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.image.GuestParameters;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import dev.kagami.vm.Outcome.Reason;
import dev.kagami.vm.ResetPolicy;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.FieldSource;

/** The stock cloud kernel, told to leave what it would use alone, so that it uses what it otherwise leaves alone. */
@Timeout(180)
final class BootVariantTest {
    private static final Duration BOOT = Duration.ofSeconds(150);
    private static final String CLOCK_SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

    /** What the guest does; the sleep needs a timer interrupt that is neither early nor late. */
    private static final String REPORT = "cat /proc/interrupts; echo clock=$(cat " + CLOCK_SOURCE + ");"
            + " a=$(cut -d. -f1 /proc/uptime); sleep 2; b=$(cut -d. -f1 /proc/uptime); echo slept=$((b-a));"
            + " grep -m1 flags /proc/cpuinfo";

    /**
     * A boot.
     *
     * @param parameters kernel parameters
     * @param memory RAM
     * @param expected patterns that the output has
     */
    record Variant(String parameters, String memory, List<String> expected) {
        static Variant of(String parameters, String... expected) {
            return new Variant(parameters, "256M", List.of(expected));
        }

        @Override
        public String toString() {
            return parameters + " " + memory;
        }
    }

    static final List<Variant> VARIANTS = List.of(
            // The clocks: TSC alone, HPET, ACPI PM timer.
            Variant.of("no-kvmclock", "clock=tsc"),
            Variant.of("nopv", "clock=tsc"),
            Variant.of("no-kvmclock notsc", "clock=hpet", "TSC unstable due to boot parameter"),
            Variant.of("no-kvmclock tsc=unstable nohpet", "clock=acpi_pm"),
            // The timers: PIT, HPET and local APIC, periodic and one-shot. Where a count of interrupts is all that the
            // kernel can check its TSC against, a busy host would make it doubt the TSC.
            Variant.of("nolapic nohpet no-kvmclock tsc=reliable", "XT-PIC +timer", "LOC: +0 "),
            Variant.of("nolapic tsc=reliable", "XT-PIC +timer"),
            Variant.of("lapic=notscdeadline", "LOC: +[1-9]"),
            Variant.of("lapic=notscdeadline highres=off nohz=off", "LOC: +[1-9]"),
            // The interrupt controllers: local APIC by memory-mapped I/O, 8259 with and without local APIC.
            Variant.of("nox2apic", "IO-APIC +\\d+-edge +timer"),
            Variant.of("noapic", "XT-PIC +timer"),
            // The processor with less of what it has, and more of what the kernel does about others' faults.
            Variant.of("noxsave nopcid nosmap nosmep nofsgsbase noinvpcid nogbpages pti=on", "isolation: enabled"),
            Variant.of("nokaslr mitigations=off idle=poll", "clock="),
            new Variant("", "96M", List.of("Memory: \\d+K/9\\d+K")),
            new Variant("", "4G", List.of("mem 0x0000000100000000-0x00000001[0-9a-f]+\\] usable")),
            new Variant("nopv", "6G", List.of("mem 0x0000000100000000-0x00000001[0-9a-f]+\\] usable")));

    private static LinuxBoot boot(String parameters, String command) {
        return Guests.with(Guests.cloud(), "cryptomgr.notests " + parameters + " " + GuestParameters.run(command));
    }

    @ParameterizedTest
    @FieldSource("VARIANTS")
    void boots(Variant variant) throws Exception {
        LinuxBoot boot = boot(variant.parameters, REPORT);
        try (SerialSession guest = SerialSession.start(c -> c.linux(boot).memory(MemorySize.parse(variant.memory)))) {
            assertThat(guest.awaitOutcome(BOOT)).isEqualTo(new Outcome.PoweredOff());
            assertThat(guest.output()).contains("kagami.run: exit status 0").containsPattern("slept=[23]\\s");
            for (String expected : variant.expected) {
                assertThat(guest.output()).containsPattern(Pattern.compile(expected));
            }
            KernelLog.assertHealthy(guest.output());
        }
    }

    @ParameterizedTest
    @CsvSource({
        "reboot=acpi,", // the reset register of the FADT
        "reboot=pci,", // port 0xCF9
        "acpi=off reboot=kbd,", // the keyboard controller
        "reboot=triple, TRIPLE_FAULT"
    })
    void resetsTheWayItIsTold(String parameters, Reason crash) throws Exception {
        LinuxBoot boot = boot(parameters, "reboot -f");
        try (SerialSession guest = SerialSession.start(
                c -> c.linux(boot).memory(MemorySize.ofMebibytes(256)).onReset(ResetPolicy.STOP))) {
            Outcome outcome = guest.awaitOutcome(BOOT);
            if (crash == null) {
                assertThat(outcome).isEqualTo(new Outcome.Reset());
            } else {
                assertThat(outcome)
                        .isInstanceOfSatisfying(
                                Outcome.Crashed.class,
                                c -> assertThat(c.reason()).isEqualTo(crash));
            }
            KernelLog.assertHealthy(guest.output());
        }
    }
}
