package dev.kagami.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Runs the guest's program on this machine: what it does has nothing to do with being in a guest. */
@Timeout(60)
class AgentProgramTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path directory;

    private LocalAgent agent;

    @BeforeEach
    void start() throws IOException {
        agent = new LocalAgent(directory);
    }

    private record Result(int exit, byte[] output, byte[] error) {
        String text() {
            return new String(output, StandardCharsets.UTF_8);
        }
    }

    private Result run(String command) throws Exception {
        return run(GuestCommand.of(command), new byte[0]);
    }

    private Result run(GuestCommand command, byte[] input) throws Exception {
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        GuestProcess process = agent.client()
                .start(
                        new GuestCommand(
                                command.command(),
                                command.environment(),
                                command.directory(),
                                command.user(),
                                output,
                                error,
                                command.window()),
                        PATIENCE);
        try (var in = process.getOutputStream()) {
            in.write(input);
        } catch (IOException e) {
            // The command didn't want it.
        }
        int exit = process.waitFor();
        assertThat(process.loss()).isEmpty();
        return new Result(exit, output.toByteArray(), error.toByteArray());
    }

    @Test
    void outputErrorAndStatusComeSeparately() throws Exception {
        Result result = run("echo out; echo err >&2; exit 42");
        assertThat(result.exit).isEqualTo(42);
        assertThat(result.text()).isEqualTo("out\n");
        assertThat(new String(result.error, StandardCharsets.UTF_8)).isEqualTo("err\n");
    }

    @Test
    void anEmptyScriptSucceeds() throws Exception {
        assertThat(run("").exit).isZero();
    }

    @Test
    void signalsAreTold() throws Exception {
        assertThat(run("kill -SEGV $$").exit).isEqualTo(128 + 11);
    }

    @Test
    void manyBytesOfAnyValueGoInAndOutUnchanged() throws Exception {
        byte[] bytes = new byte[5_000_003];
        new Random(1).nextBytes(bytes);
        Result result = run(GuestCommand.of("cat; exit 3"), bytes);
        assertThat(result.exit).isEqualTo(3);
        assertThat(result.output).isEqualTo(bytes);
    }

    @Test
    void inputThatIsNotReadIsNoProblem() throws Exception {
        Result result = run(
                GuestCommand.of("head -c 3; exec 0<&-; sleep 0.2; echo end"),
                "abcdef".repeat(100_000).getBytes(StandardCharsets.US_ASCII));
        assertThat(result.text()).isEqualTo("abcend\n");
        assertThat(run(GuestCommand.of("exit 5"), new byte[3_000_000]).exit).isEqualTo(5);
    }

    @Test
    void environmentDirectoryAndQuotesArrive() throws Exception {
        Map<String, String> environment = Map.of("KEY", "it's \"$HOME\"\nand `more` \\", "OTHER", "");
        Result result = run(
                new GuestCommand(
                        "printf '%s|%s|' \"$KEY\" \"$OTHER\"; pwd", environment, "/usr/bin", null, null, null, null),
                new byte[0]);
        assertThat(result.text()).isEqualTo(environment.get("KEY") + "||/usr/bin\n");
        Result nowhere =
                run(new GuestCommand("echo ran", Map.of(), "/no/such/directory", null, null, null, null), new byte[0]);
        assertThat(nowhere.exit).isEqualTo(126);
        assertThat(nowhere.output).isEmpty();
        assertThat(new String(nowhere.error, StandardCharsets.UTF_8)).contains("/no/such/directory");
    }

    @Test
    void outputStreamsWhileTheCommandRuns() throws Exception {
        GuestProcess process = agent.client().start(GuestCommand.of("while read x; do echo \"<$x>\"; done"), PATIENCE);
        var reader = process.inputReader();
        var writer = process.outputWriter();
        for (int i = 0; i < 10; i++) {
            writer.write(i + "\n");
            writer.flush();
            assertThat(reader.readLine()).isEqualTo("<" + i + ">");
        }
        assertThat(process.isAlive()).isTrue();
        assertThatThrownBy(process::exitValue).isInstanceOf(IllegalThreadStateException.class);
        writer.close();
        assertThat(process.waitFor()).isZero();
        assertThat(reader.readLine()).isNull();
    }

    private static GuestCommand onTerminal(String command) {
        return new GuestCommand(command, Map.of(), null, null, null, null, new GuestCommand.Window(91, 33));
    }

    @Test
    void aTerminalHasItsSizeAndIsTheControllingOne() throws Exception {
        Result result =
                run(onTerminal("tty </dev/tty && stty size && test -t 0 -a -t 1 -a -t 2; echo $? >&2"), new byte[0]);
        assertThat(result.text()).matches("(?s).*/dev/tty\r\n33 91\r\n0\r\n");
        assertThat(result.error).isEmpty();
        assertThat(run(onTerminal("exit 42"), new byte[0]).exit).isEqualTo(42);
    }

    @Test
    void aTerminalTellsOfItsNewSizeAndItsKeysBecomeSignals() throws Exception {
        GuestProcess process = agent.client()
                .start(
                        onTerminal("stty -echo; trap 'stty size' WINCH; trap 'echo cut; exit 9' INT; echo up;"
                                + " while :; do sleep 0.05; done"),
                        PATIENCE);
        var reader = process.inputReader();
        assertThat(reader.readLine()).isEqualTo("up");
        process.resize(new GuestCommand.Window(120, 50));
        assertThat(reader.readLine()).isEqualTo("50 120");
        process.getOutputStream().write(3);
        assertThat(reader.readLine()).isEqualTo("cut");
        assertThat(process.waitFor()).isEqualTo(9);
    }

    @Test
    void muchOutputOfATerminalIsCompleteAndWhatIsLeftBehindIsHungUp() throws Exception {
        Path file = directory.resolve("child");
        Result result = run(onTerminal("sleep 1000 & echo $! >" + file + "; seq 100000; exit 3"), new byte[0]);
        assertThat(result.exit).isEqualTo(3);
        assertThat(result.text()).endsWith("\r\n99999\r\n100000\r\n").hasSizeGreaterThan(680_000);
        long child = Long.parseLong(Files.readString(file).strip());
        await(() -> ProcessHandle.of(child).filter(ProcessHandle::isAlive).isEmpty());
    }

    @Test
    void theEndOfInputIsTypedOnATerminal() throws Exception {
        Result result =
                run(onTerminal("stty -echo; echo go; cat; exit 4"), "a line\n".getBytes(StandardCharsets.US_ASCII));
        assertThat(result.text()).endsWith("a line\r\n");
        assertThat(result.exit).isEqualTo(4);
    }

    @Test
    void whatIsLeftBehindNeitherDelaysTheEndNorDies() throws Exception {
        Path file = directory.resolve("late");
        Result result = run("(sleep 1; echo lost; echo late >" + file + ") & echo early");
        assertThat(result.text()).isEqualTo("early\n");
        assertThat(file).doesNotExist();
        await(() -> Files.exists(file) && Files.size(file) > 0);
    }

    @Test
    void aCommandThatIsKilledTakesItsGroupAlong() throws Exception {
        Path file = directory.resolve("child");
        GuestProcess process =
                agent.client().start(GuestCommand.of("sleep 1000 & echo $! >" + file + "; wait"), PATIENCE);
        await(() -> Files.exists(file) && Files.size(file) > 0);
        long child = Long.parseLong(Files.readString(file).strip());
        assertThat(ProcessHandle.of(child)).isPresent();
        process.destroyForcibly();
        assertThat(process.waitFor()).isEqualTo(128 + 9);
        await(() -> ProcessHandle.of(child).filter(ProcessHandle::isAlive).isEmpty());
    }

    @Test
    void aCommandCanBeAskedToEnd() throws Exception {
        GuestProcess process = agent.client()
                .start(
                        GuestCommand.of("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"),
                        PATIENCE);
        var reader = process.inputReader();
        assertThat(reader.readLine()).isEqualTo("up");
        process.destroy();
        assertThat(process.waitFor()).isEqualTo(7);
        assertThat(reader.readLine()).isEqualTo("bye");
    }

    @Test
    void aReaderThatIsSlowLosesNothing() throws Exception {
        GuestProcess process = agent.client().start(GuestCommand.of("head -c 3000000 /dev/zero; echo end"), PATIENCE);
        TimeUnit.MILLISECONDS.sleep(300);
        byte[] all = process.getInputStream().readAllBytes();
        assertThat(all).hasSize(3_000_004).endsWith("end\n".getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void commandsRunAtTheSameTime() throws Exception {
        List<GuestProcess> processes = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            processes.add(agent.client().start(GuestCommand.of("read x; echo $x " + i), PATIENCE));
        }
        for (int i = 19; i >= 0; i--) {
            var writer = processes.get(i).outputWriter();
            writer.write("n\n");
            writer.flush();
            assertThat(processes.get(i).inputReader().readLine()).isEqualTo("n " + i);
            assertThat(processes.get(i).waitFor()).isZero();
        }
    }

    @Test
    void anotherTokenIsRefusedAndRunsNothing() {
        AgentClient stranger = new AgentClient(agent, AgentToken.random());
        assertThatThrownBy(() -> stranger.start(GuestCommand.of("touch " + directory.resolve("ran")), PATIENCE))
                .isInstanceOfSatisfying(
                        AgentException.class, e -> assertThat(e.reason()).isEqualTo(AgentException.Reason.REFUSED));
        assertThat(directory.resolve("ran")).doesNotExist();
    }

    @Test
    void anAgentThatDiesIsTold() throws Exception {
        GuestProcess process = agent.client().start(GuestCommand.of("echo up; sleep 1000"), PATIENCE);
        InputStream output = process.getInputStream();
        assertThat(output.readNBytes(3)).isEqualTo("up\n".getBytes(StandardCharsets.US_ASCII));
        ProcessHandle shell =
                agent.processes.getFirst().descendants().findFirst().orElseThrow();
        agent.processes.getFirst().destroyForcibly();
        assertThat(process.waitFor()).isEqualTo(GuestProcess.LOST);
        assertThat(process.loss()).isPresent();
        assertThatThrownBy(output::read).isInstanceOf(IOException.class);
        shell.destroyForcibly();
    }

    @Test
    void nonsenseEndsTheAgentAndTheCommand() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 50; i++) {
            Process process = agent.start(directory.resolve("token").toString(), "-");
            try (var to = process.getOutputStream()) {
                if (random.nextBoolean()) {
                    to.write(agent.token.bytes());
                }
                byte[] bytes = new byte[random.nextInt(200)];
                random.nextBytes(bytes);
                to.write(bytes);
            } catch (IOException e) {
                // It has hung up before.
            }
            assertThat(process.waitFor(20, TimeUnit.SECONDS))
                    .as("seed %d", seed)
                    .isTrue();
        }
    }

    @Test
    void whatItIsStartedWithIsChecked() throws Exception {
        assertThat(agent.start().waitFor()).isEqualTo(1);
        assertThat(agent.start(directory.resolve("no such file").toString()).waitFor())
                .isEqualTo(1);
        Path half = Files.writeString(directory.resolve("half"), "abc");
        assertThat(agent.start(half.toString()).waitFor()).isEqualTo(1);
    }

    @Test
    void whatLinuxCanNotTakeIsAnError() {
        assertThatThrownBy(() -> agent.client().start(GuestCommand.of("#".repeat(200_000)), PATIENCE))
                .isInstanceOfSatisfying(
                        AgentException.class, e -> assertThat(e.reason()).isEqualTo(AgentException.Reason.TOO_LONG));
        assertThatThrownBy(() -> GuestCommand.of("a\0b")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aGuestWithoutAgentIsWaitedForAsLongAsAsked() {
        AgentClient nobody = new AgentClient(
                patience -> {
                    throw new IOException("connection refused");
                },
                agent.token);
        assertThatThrownBy(() -> nobody.start(GuestCommand.of("true"), Duration.ofMillis(100)))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("connection refused");
    }

    private interface Check {
        boolean holds() throws IOException;
    }

    private static void await(Check check) throws Exception {
        while (!check.holds()) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }
}
