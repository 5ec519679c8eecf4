package dev.kagami.tests;

import dev.kagami.vm.LinuxBoot;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code kagami run} as a process of its own, with the launcher's options, and what Linux knows about the process. */
final class ChildGuest implements AutoCloseable {
    private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d+) kB");
    private static final Pattern MAPPING = Pattern.compile("(?m)^[0-9a-f]+-[0-9a-f]+ .*$");
    private static final Pattern MAPPING_RESIDENT = Pattern.compile("(?m)^Rss:\\s+(\\d+) kB");

    /** How guest memory's mapping is called. */
    private static final String GUEST_MEMORY = "kagami-ram";

    private static final String CODE_MEMORY = "kagami-code";

    /** Ticks a second in /proc/PID/stat; 100 on every Linux that Java runs on. */
    private static final int TICKS = 100;

    private final Process process;
    private final Path output;

    ChildGuest(Path directory, LinuxBoot boot, String... options) throws IOException {
        output = directory.resolve("child-output");
        List<String> arguments =
                new ArrayList<>(List.of("--kernel", boot.kernel().toString(), "--append", boot.commandLine()));
        if (boot.initrd() != null) {
            arguments.addAll(List.of("--initrd", boot.initrd().toString()));
        }
        arguments.addAll(List.of(options));
        process = new ProcessBuilder(command(arguments))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
    }

    /** {@return the command line of {@code kagami run}, with the JVM's options as the launcher gives them} */
    static List<String> command(List<String> arguments) {
        List<String> command = program();
        command.addAll(List.of("run", "--engine", SerialSession.ENGINE));
        command.addAll(arguments);
        return command;
    }

    /** {@return the command line of {@code kagami}} */
    static List<String> program() {
        return new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-Xms64m",
                "-Xmx1g",
                "-XX:-UsePerfData",
                "--enable-native-access=ALL-UNNAMED",
                "--class-path",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                "dev.kagami.cli.Kagami"));
    }

    String output() throws IOException {
        return Files.readString(output, StandardCharsets.ISO_8859_1);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    void type(String text) throws IOException {
        OutputStream keys = process.getOutputStream();
        keys.write(text.getBytes(StandardCharsets.US_ASCII));
        keys.flush();
    }

    void closeInput() throws IOException {
        process.getOutputStream().close();
    }

    void await(String text, Duration timeout) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (!output().contains(text)) {
            if (!isAlive() || System.nanoTime() > deadline) {
                throw new AssertionError("the process has not printed '%s' but:%n%s".formatted(text, output()));
            }
            Thread.sleep(100);
        }
    }

    int awaitExit(Duration timeout) throws IOException, InterruptedException {
        if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new AssertionError("the process is still there; it printed:\n" + output());
        }
        return process.exitValue();
    }

    private String proc(String file) throws IOException {
        return Files.readString(Path.of("/proc", Long.toString(process.pid()), file));
    }

    /** {@return bytes of physical memory that the process has beyond the pages of the guest's memory} */
    long ownMemory() throws IOException {
        // Guest memory first: what the guest touches between the two looks must not count as the process's own.
        long guest = guestMemory();
        // Translated code is mapped twice, writable and executable, and counted twice by the kernel.
        long code = residentIn(CODE_MEMORY) / 2;
        Matcher resident = RESIDENT.matcher(proc("status"));
        return resident.find() ? Long.parseLong(resident.group(1)) * 1024 - guest - code : 0;
    }

    /** {@return bytes of physical memory behind the guest's memory} */
    long guestMemory() throws IOException {
        return residentIn(GUEST_MEMORY);
    }

    /** {@return bytes of physical memory that are mapped from a file, added up over its mappings} */
    private long residentIn(String file) throws IOException {
        String maps = proc("smaps");
        Matcher mapping = MAPPING.matcher(maps);
        long bytes = 0;
        while (mapping.find()) {
            if (mapping.group().contains(file)) {
                Matcher resident = MAPPING_RESIDENT.matcher(maps);
                if (resident.find(mapping.end())) {
                    bytes += Long.parseLong(resident.group(1)) * 1024;
                }
            }
        }
        return bytes;
    }

    /** {@return the processor time that the process has used so far} */
    Duration processorTime() throws IOException {
        // Fields 14 and 15 (proc(5)); the second field is the name, which may hold anything.
        String stat = proc("stat");
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Duration.ofMillis((Long.parseLong(fields[11]) + Long.parseLong(fields[12])) * 1000 / TICKS);
    }

    @Override
    public void close() {
        process.destroyForcibly();
        Objects.requireNonNull(process).onExit().join();
    }
}
