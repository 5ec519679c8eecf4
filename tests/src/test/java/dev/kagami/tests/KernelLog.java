package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.regex.Pattern;

/** What a healthy Linux kernel doesn't say. */
final class KernelLog {
    private static final Pattern TROUBLE = Pattern.compile(
            String.join(
                    "|",
                    List.of(
                            "\\boops\\b",
                            "\\bBUG:",
                            "\\bkernel BUG\\b",
                            "\\bWARNING: ",
                            "call trace",
                            "kernel panic",
                            "general protection fault",
                            "unable to handle",
                            "segfault at",
                            "trap (divide|invalid|int3|stack|double)",
                            "unchecked MSR access",
                            "unexpected NMI",
                            "unknown NMI",
                            "uhhuh",
                            "nobody cared",
                            "spurious APIC interrupt",
                            "calibration failed",
                            "unable to calibrate",
                            "fast TSC calibration failed",
                            "soft lockup",
                            "hard lockup",
                            "self-detected stall",
                            "detected stalls",
                            "hung_task|blocked for more than",
                            "APIC error",
                            "MP-BIOS bug",
                            "timer doesn't work",
                            "firmware bug",
                            "marking (TSC|clocksource .*) unstable because",
                            "clocksource .* is unstable",
                            "machine check events",
                            "alg: .*(fail|error)",
                            "failed to (load|execute|mount)")),
            Pattern.CASE_INSENSITIVE);

    private KernelLog() {}

    /** Fails when a kernel's log, or all that a guest printed, has signs of trouble. */
    static void assertHealthy(String log) {
        assertThat(log).contains("Linux version ");
        assertThat(log.lines().filter(line -> TROUBLE.matcher(line).find())).isEmpty();
    }
}
