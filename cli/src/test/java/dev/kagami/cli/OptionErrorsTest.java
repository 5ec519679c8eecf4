package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.control.Machines;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Options that don't go together, and directories that can't be used: status, message and hint. */
@Timeout(120)
final class OptionErrorsTest {
    private static final int FAILED = 1;
    private static final int USAGE = 2;

    @TempDir
    private Path directory;

    private static void refuses(int status, List<String> arguments, String... told) {
        StringWriter err = new StringWriter();
        int actual = Kagami.commandLine().setErr(new PrintWriter(err)).execute(arguments.toArray(String[]::new));
        assertThat(err.toString())
                .contains(told)
                .contains("kagami: ", "\n  hint: ")
                .doesNotContain("\tat ");
        assertThat(actual).as(err.toString()).isEqualTo(status);
    }

    private List<String> run(String... options) throws Exception {
        Path kernel = Files.writeString(directory.resolve("kernel"), "This is a letter, not a kernel.");
        List<String> arguments = new ArrayList<>(List.of("run", "--kernel", kernel.toString()));
        arguments.addAll(List.of(options));
        return arguments;
    }

    @Test
    void optionsThatNeedOthersNameThem() throws Exception {
        refuses(FAILED, run("--image-digest", "sha256:0123"), "--image-digest needs --image");
        refuses(FAILED, run("--disk-size", "20G"), "--disk-size needs a disk", "--disk or --image");
        refuses(FAILED, run("--pcap", "all.pcapng"), "--pcap has nothing to record", "--network nat");
        refuses(FAILED, run("--network", "none", "--forward", "2222:22"), "--forward needs", "--network nat");
    }

    @Test
    void theDefaultGuestTakesNoHostNameAndIsNotFetchedForIt() {
        refuses(FAILED, List.of("run", "--hostname", "foobar"), "no cloud-init", "--disk or --image");
    }

    @Test
    void aPasswordsFileThatCannotBeReadIsNamed() throws Exception {
        Path missing = directory.resolve("missing");
        refuses(FAILED, run("--password-file", missing.toString()), "--password-file " + missing);
        refuses(FAILED, run("--password-file", directory.toString()), "--password-file " + directory);
    }

    @Test
    void forwardsThatAreNoneAreNamed() throws Exception {
        refuses(USAGE, run("--forward", "ssh"), "'ssh' is not [ADDRESS:]HOSTPORT:GUESTPORT");
        refuses(USAGE, run("--forward", "65536:22"), "65536 is no port", "0 to 65535");
        refuses(USAGE, run("--forward", "2222:0"), "0 is no port", "1 to 65535");
        refuses(USAGE, run("--forward", "[1:2]:2222:22"), "'[1:2]' is no address of this host");
        refuses(USAGE, List.of("forward", "web", "add"), "'add' needs a forward");
        refuses(USAGE, List.of("forward", "web", "list", "2222:22"), "'list' needs nothing but the name");
    }

    @Test
    void aMachineThatNobodyKnowsHasNoLog() {
        refuses(FAILED, List.of("logs", "nobody-has-this-name"), "'nobody-has-this-name'", "kagami ps --all");
    }

    @Test
    void aLogThatCannotBeReadIsNamed() throws Exception {
        Path log = Files.createDirectories(directory.resolve("XDG_DATA_HOME/kagami/machines/a/log"));
        CommandProcess.Result result = new CommandProcess(directory).run("logs", "a");
        assertThat(result.status()).isEqualTo(FAILED);
        assertThat(result.err()).contains(log + ": can't be read", "hint: ");
    }

    @Test
    void aPlaceForMachinesThatIsNoDirectoryIsNamed() throws Exception {
        CommandProcess kagami = new CommandProcess(directory);
        Path data = Files.createFile(directory.resolve("XDG_DATA_HOME"));
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        List<String> plain = run("--name", "a", "-d");
        CommandProcess.Result detached = kagami.run(plain.toArray(String[]::new));
        assertThat(detached.status()).isEqualTo(FAILED);
        assertThat(detached.err()).contains("cannot start a process in the background", data.toString(), "hint: ");
        CommandProcess.Result kept = kagami.run("run", "--name", "a", "--image", image.toString());
        assertThat(kept.status()).isEqualTo(FAILED);
        assertThat(kept.err()).contains("cannot make the directory " + data, "hint: set XDG_DATA_HOME");
    }

    @Test
    void aProcessThatDoesNotEndIsAnErrorThatSaysHowToEndIt() throws Exception {
        Machines machines = new Machines(directory.resolve("run"), directory.resolve("data"));
        try (Machines.Claim claim = machines.claim("a")) {
            Files.createFile(claim.socket());
            assertThatThrownBy(() -> StopCommand.requireEnd(machines, "a", Duration.ZERO))
                    .isInstanceOfSatisfying(KagamiException.class, e -> {
                        assertThat(e.code()).isEqualTo(ErrorCode.CONTROL_FAILED);
                        assertThat(e.hint()).contains("kill -9");
                    })
                    .hasMessageContaining("'a'");
        }
        StopCommand.requireEnd(machines, "a", Duration.ZERO);
    }
}
