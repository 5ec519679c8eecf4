package dev.kagami.cli;

import dev.kagami.vm.EngineInfo;
import dev.kagami.vm.VirtualMachine;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code kagami engines}. */
@Command(
        name = "engines",
        description = "Lists the engines in the order of choice, and whether each can run on this host.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class)
final class EnginesCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<EngineInfo> engines = VirtualMachine.engines();
        for (EngineInfo engine : engines) {
            out.printf(
                    "%-12s %-12s %s%n",
                    engine.name(), engine.available() ? "available" : "unavailable", engine.description());
            if (!engine.available()) {
                out.printf("%-12s %-12s because: %s%n", "", "", engine.reason());
            }
        }
        out.flush();
        if (engines.stream().anyMatch(EngineInfo::available)) {
            return 0;
        }
        spec.commandLine().getErr().println("kagami: no engine can run on this host");
        return Kagami.FAILED;
    }
}
