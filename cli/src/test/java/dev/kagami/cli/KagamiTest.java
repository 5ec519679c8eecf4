package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

final class KagamiTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    private int run(String... arguments) {
        CommandLine commandLine = Kagami.commandLine();
        commandLine.setOut(new PrintWriter(out));
        commandLine.setErr(new PrintWriter(err));
        return commandLine.execute(arguments);
    }

    @Test
    void helpNamesEveryCommand() {
        assertThat(run("--help")).isZero();
        assertThat(out.toString()).contains("run", "engines", "--version");
    }

    @Test
    void helpOfRunNamesEveryOption() {
        assertThat(run("run", "--help")).isZero();
        assertThat(out.toString())
                .contains(
                        "--kernel", "--initrd", "--append", "--module", "--memory", "--cpus", "--engine", "--no-reboot")
                .contains("--network", "--forward", "--pcap", "--vsock", "--share", "--port", "--hvc", "--balloon")
                .contains("--disk", "--cd", "--disk-size", "--temporary", "--verbose")
                .contains("--debug-exit", "--test-device", "--no-raw", "--stats", "--trace", "--trace-file")
                .contains("Ctrl-A x", "Exit status");
        CommandLine run = Kagami.commandLine().getSubcommands().get("run");
        assertThat(run.getCommandSpec().options())
                .allSatisfy(option -> assertThat(option.description())
                        .as(option.longestName())
                        .isNotEmpty());
    }

    @Test
    void saysItsVersion() {
        assertThat(run("--version")).isZero();
        assertThat(out.toString()).startsWith("kagami ").contains("Java " + Runtime.version());
    }

    @Test
    void refusesToRunWithoutACommand() {
        assertThat(run()).isEqualTo(2);
        assertThat(err.toString()).contains("Missing command");
    }

    @ParameterizedTest
    @CsvSource({
        "--memory,lots,'lots'",
        "--debug-exit,here,'here'",
        "--trace=hard,-m1M,hard",
        "--cpus,two,'two'",
        "--network,wifi,'wifi'",
        "--network,'nat,speed=9',speed=9",
        "--share,/tmp,'/tmp'",
        "--port,name,'name'",
        "--speed,9,--speed"
    })
    void refusesAWrongOptionAndNamesIt(String option, String value, String named) {
        assertThat(run("run", option, value)).isEqualTo(2);
        assertThat(err.toString()).contains(named);
    }

    @Test
    void namesAKernelThatIsNotThereAndGivesAHint() {
        assertThat(run("run", "--kernel", "/no/such/kernel")).isEqualTo(1);
        assertThat(err.toString())
                .contains("kagami: kernel /no/such/kernel: no such file")
                .contains("hint: ")
                .doesNotContain("\tat ");
    }

    @Test
    void namesAKernelThatIsNone() throws Exception {
        Path kernel = Files.writeString(directory.resolve("kernel"), "This is a letter, not a kernel.");
        assertThat(run("run", "--kernel", kernel.toString())).isEqualTo(1);
        assertThat(err.toString())
                .contains(kernel.getFileName().toString())
                .contains("hint: ")
                .doesNotContain("\tat ");
    }

    @Test
    void namesATraceFileThatCannotBeWritten() throws Exception {
        Path kernel = Files.writeString(directory.resolve("kernel"), "x");
        assertThat(run("run", "--kernel", kernel.toString(), "--trace", "--trace-file", "/no/such/directory/trace"))
                .isEqualTo(1);
        assertThat(err.toString())
                .contains("--trace-file /no/such/directory/trace")
                .contains("hint: ");
    }

    @Test
    void refusesAnUnknownEngineAndListsTheKnownOnes() throws Exception {
        Path kernel = Files.writeString(directory.resolve("kernel"), "x");
        assertThat(run("run", "--kernel", kernel.toString(), "--engine", "warp"))
                .isEqualTo(1);
        assertThat(err.toString()).contains("'warp'").contains("auto");
    }
}
