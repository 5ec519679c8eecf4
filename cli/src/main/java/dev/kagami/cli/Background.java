package dev.kagami.cli;

import dev.kagami.control.ControlClient;
import dev.kagami.control.Machines;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.ProcessBuilder.Redirect;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Starts this command once more, in a process that outlives the terminal. */
final class Background {
    /**
     * Ignored signals stay ignored in the program that is started. Where there is setsid, the process gets a session of its
     * own, so that nothing that is typed on the terminal reaches it.
     */
    private static final String DETACHING =
            "trap '' HUP; if command -v setsid >/dev/null 2>&1; then exec setsid \"$@\"; fi;"
                    + " trap '' INT QUIT TSTP; exec \"$@\"";

    /** What the launcher tells this process and isn't meant for another one. */
    private static final List<String> OWN_OPTIONS = List.of(
            "-XX:AOTMode", "-XX:AOTConfiguration", "-Dkagami.stderr", "-Djdk.module", "--module-path", "-agentlib");

    private static final int POLL_MILLISECONDS = 50;
    private static final int SHOWN_LINES = 20;

    private final Machines machines;
    private final String name;
    private final Path directory;

    Background(Machines machines, String name, Path directory) {
        this.machines = machines;
        this.name = name;
        this.directory = directory;
    }

    /**
     * Starts the process and waits until its machine has started.
     *
     * @param arguments the command line of this process
     * @param password what the machine's process would ask for, if it is known
     * @param err hears why it failed
     * @return the status to end with
     */
    int start(List<String> arguments, Optional<String> password, PrintWriter err) throws InterruptedException {
        Process process;
        try {
            Path log = MachineLog.begin(directory);
            ProcessBuilder builder = new ProcessBuilder(command(arguments))
                    .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                    .redirectOutput(Redirect.appendTo(log.toFile()))
                    .redirectError(Redirect.appendTo(log.toFile()));
            // Not on the command line, which others could read.
            password.ifPresent(text -> builder.environment().put(CloudInitOptions.PASSWORD_VARIABLE, text));
            process = builder.start();
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "cannot start a process in the background: " + e,
                    "check that there is a shell, and that %s can be written".formatted(directory),
                    e);
        }
        // Who gives up waiting doesn't want the machine.
        Thread giveUp = new Thread(process::destroy);
        Runtime.getRuntime().addShutdownHook(giveUp);
        while (!process.waitFor(POLL_MILLISECONDS, TimeUnit.MILLISECONDS)) {
            if (isUp(process.pid())) {
                Runtime.getRuntime().removeShutdownHook(giveUp);
                return 0;
            }
        }
        Runtime.getRuntime().removeShutdownHook(giveUp);
        if (process.exitValue() != 0) {
            err.println("kagami: the machine '%s' did not start, or has ended already:".formatted(name));
        }
        lastLines().forEach(err::println);
        err.flush();
        return process.exitValue();
    }

    private boolean isUp(long pid) {
        if (!machines.isServing(name)) {
            return false;
        }
        try (ControlClient client = machines.connect(name)) {
            return client.status().pid() == pid;
        } catch (KagamiException e) {
            return false;
        }
    }

    private List<String> lastLines() {
        try (Stream<String> lines = Files.lines(directory.resolve(MachineLog.NAME), StandardCharsets.ISO_8859_1)) {
            List<String> all = lines.toList();
            return all.subList(Math.max(0, all.size() - SHOWN_LINES), all.size());
        } catch (IOException e) {
            return List.of("its log can't be read: " + e);
        }
    }

    private static List<String> command(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of("sh", "-c", DETACHING, "kagami"));
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(option -> OWN_OPTIONS.stream().noneMatch(option::startsWith))
                .forEach(command::add);
        String module = System.getProperty("jdk.module.main");
        if (module == null) {
            command.addAll(List.of("-cp", System.getProperty("java.class.path"), Kagami.class.getName()));
        } else {
            command.addAll(List.of("--module-path", System.getProperty("jdk.module.path")));
            command.addAll(List.of("--module", module + "/" + Kagami.class.getName()));
        }
        command.addAll(arguments);
        return command;
    }
}
