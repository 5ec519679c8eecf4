package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.MachineStatus;
import dev.kagami.control.Machines;
import dev.kagami.vm.KagamiException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code kagami top}. */
@Command(
        name = "top",
        description = "Shows what the machines do, again and again until Ctrl-C.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {MachineCommands.STATUS_OK, MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class TopCommand implements Callable<Integer> {
    private static final String HOME_AND_ERASE = "\033[H\033[J";
    private static final String ROW = "%-16s %-8s %8s %8s %10s %10s %10s %6s%n";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(
            names = {"-n", "--iterations"},
            paramLabel = "N",
            defaultValue = "0",
            description = "End after so many times; for scripts, which get no control characters. Default: never.")
    private int iterations;

    @Option(
            names = {"-s", "--seconds"},
            paramLabel = "SECONDS",
            defaultValue = "2",
            description = "Between two times. Default: ${DEFAULT-VALUE}.")
    private int seconds;

    private record Sample(long nanos, Map<String, Long> counters) {}

    @Override
    public Integer call() throws InterruptedException {
        Machines machines = Machines.ofUser();
        PrintWriter out = spec.commandLine().getOut();
        Map<String, Sample> before = new HashMap<>();
        for (int i = 0; iterations == 0 || i < iterations; i++) {
            Thread.sleep(i == 0 ? 0 : seconds * 1000L);
            if (iterations == 0) {
                out.print(HOME_AND_ERASE);
            }
            out.printf(ROW, "NAME", "STATE", "PID", "UPTIME", "MIPS", "EXITS/s", "IRQS/s", "RESETS");
            for (String name : machines.running()) {
                try (ControlClient client = machines.connect(name)) {
                    MachineStatus status = client.status();
                    Sample now = new Sample(System.nanoTime(), client.metrics());
                    print(out, status, before.put(name, now), now);
                } catch (KagamiException e) {
                    // It has just ended.
                    before.remove(name);
                }
            }
            out.flush();
        }
        return 0;
    }

    private static void print(PrintWriter out, MachineStatus status, @Nullable Sample before, Sample now) {
        out.printf(
                ROW,
                status.name(),
                status.state().name().toLowerCase(Locale.ROOT),
                status.pid(),
                MachineCommands.duration(status.uptime()),
                "%.1f".formatted(perSecond(before, now, "instructions") / 1e6),
                "%.0f"
                        .formatted(perSecond(before, now, "portReads")
                                + perSecond(before, now, "portWrites")
                                + perSecond(before, now, "mmioReads")
                                + perSecond(before, now, "mmioWrites")
                                + perSecond(before, now, "halts")),
                "%.0f".formatted(perSecond(before, now, "interrupts")),
                now.counters().getOrDefault("resets", 0L));
    }

    /** {@return how fast a counter grew: since the sample before, or since the start for the first} */
    private static double perSecond(@Nullable Sample before, Sample now, String counter) {
        long count = now.counters().getOrDefault(counter, 0L);
        if (before == null) {
            return count * 1e3 / Math.max(1, now.counters().getOrDefault("runningMillis", 1L));
        }
        return (count - before.counters().getOrDefault(counter, 0L)) * 1e9 / Math.max(1, now.nanos() - before.nanos());
    }
}
