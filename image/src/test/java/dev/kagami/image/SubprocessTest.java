package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.image.Subprocess.Limits;
import dev.kagami.image.Subprocess.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
final class SubprocessTest {

    private static final Limits AMPLE = new Limits(Duration.ofSeconds(50), Duration.ofSeconds(50));

    @TempDir
    private Path directory;

    private Outcome run(String script, Limits limits) throws IOException, InterruptedException {
        return Subprocess.run(List.of("/bin/sh", "-c", script), directory, limits, line -> false);
    }

    @Test
    void returnsTheStatusAndBothOutputs() throws Exception {
        Outcome outcome = run("echo out; echo err >&2; exit 3", AMPLE);
        assertThat(outcome.exitStatus()).isEqualTo(3);
        assertThat(outcome.output().lines()).containsExactlyInAnyOrder("out", "err");
        assertThat(outcome.succeeded()).isFalse();
        assertThat(run("exit 0", AMPLE).succeeded()).isTrue();
    }

    @Test
    void showsLinesToTheListenerAndKeepsThoseItLeaves() throws Exception {
        List<String> heard = new ArrayList<>();
        Outcome outcome =
                Subprocess.run(List.of("/bin/sh", "-c", "printf 'a\\rb\\n\\nkeep\\nlast'"), directory, AMPLE, line -> {
                    heard.add(line);
                    return line.length() == 1;
                });
        assertThat(heard).containsExactly("a", "b", "keep", "last");
        assertThat(outcome.output()).isEqualTo("keep\nlast");
    }

    @Test
    void givesTheProgramNoInputAndNoTranslations() throws Exception {
        assertThat(run("cat; echo $LC_ALL $DEBIAN_FRONTEND", AMPLE).output()).isEqualTo("C.UTF-8 noninteractive");
    }

    @Test
    void stopsASilentProgramAndItsChildren() throws Exception {
        Path pid = directory.resolve("pid");
        Outcome outcome = run(
                "echo started; sleep 1000 & echo $! > pid; wait; echo never",
                new Limits(Duration.ofSeconds(50), Duration.ofSeconds(1)));
        assertThat(outcome.succeeded()).isFalse();
        assertThat(outcome.stopped()).hasValueSatisfying(why -> assertThat(why).contains("wrote nothing for 1 s"));
        assertThat(outcome.output()).isEqualTo("started");
        long child = Long.parseLong(Files.readString(pid).strip());
        for (int i = 0; i < 100 && isRunning(child); i++) {
            Thread.sleep(50);
        }
        assertThat(isRunning(child)).isFalse();
    }

    /** A process that nobody has waited for is there still, but runs no more. */
    private static boolean isRunning(long pid) throws IOException {
        Path status = Path.of("/proc/" + pid + "/stat");
        if (Files.isDirectory(Path.of("/proc/self"))) {
            return Files.exists(status) && !Files.readString(status).contains(") Z ");
        }
        return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
    }

    @Test
    void stopsAProgramThatRunsTooLong() throws Exception {
        Outcome outcome =
                run("while :; do echo on; sleep 0.05; done", new Limits(Duration.ofSeconds(1), Duration.ofSeconds(50)));
        assertThat(outcome.stopped()).hasValueSatisfying(why -> assertThat(why).contains("more than 1 s"));
    }

    @Test
    void keepsOnlyTheEndOfGarbageWithoutEnd() throws Exception {
        Outcome outcome = run("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done", AMPLE);
        assertThat(outcome.output().lines()).hasSize(40).endsWith("line 2999");
        Outcome zeros = run("head -c 20000000 /dev/zero", AMPLE);
        assertThat(zeros.output()).hasSize(8192);
    }

    @Test
    void isDoneWhenTheProgramIsEvenIfAChildKeepsTheOutputOpen() throws Exception {
        assertThat(run("sleep 20 & echo done", AMPLE).output()).isEqualTo("done");
    }

    @Test
    void throwsWhenInterruptedOrWhenThereIsNoSuchProgram() {
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> run("sleep 1000", AMPLE)).isInstanceOf(InterruptedException.class);
        assertThatThrownBy(() -> Subprocess.run(List.of("/nonexistent/program"), directory, AMPLE, line -> false))
                .isInstanceOf(IOException.class);
    }

    @Test
    void stopsTheProgramWhenTheListenerThrows() {
        assertThatThrownBy(() ->
                        Subprocess.run(List.of("/bin/sh", "-c", "echo line; sleep 1000"), directory, AMPLE, line -> {
                            throw new IllegalStateException(line);
                        }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("line");
    }
}
