package dev.kagami.junit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.ExecResult;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachine.State;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.engine.OutputDirectoryCreator;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.reporting.FileEntry;
import org.junit.platform.engine.reporting.ReportEntry;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;

/** Runs sample classes of tests as JUnit would. */
@Timeout(300)
class VirtualMachineExtensionTest {
    /** What the samples got. */
    private static final List<VirtualMachine> SEEN = new CopyOnWriteArrayList<>();

    @TempDir
    Path reports;

    @BeforeEach
    void forget() {
        SEEN.clear();
    }

    private EngineExecutionResults run(Class<?> sample) {
        return EngineTestKit.engine("junit-jupiter")
                .selectors(selectClass(sample))
                .configurationParameter("junit.jupiter.execution.parallel.enabled", "true")
                .configurationParameter("junit.jupiter.execution.parallel.mode.default", "concurrent")
                .outputDirectoryCreator(new Reports(reports))
                .execute();
    }

    /** Where reports go. */
    private record Reports(Path directory) implements OutputDirectoryCreator {
        @Override
        public Path getRootDirectory() {
            return directory;
        }

        @Override
        public Path createOutputDirectory(TestDescriptor test) throws IOException {
            return Files.createDirectories(
                    directory.resolve(test.getDisplayName().replaceAll("\\W+", "_")));
        }
    }

    @VirtualMachineTest
    static class Lifetimes {
        @Machine(Spinning.class)
        static VirtualMachine shared;

        @Machine(Spinning.class)
        VirtualMachine own;

        @BeforeEach
        void sameAsTheTests(@Machine(Spinning.class) VirtualMachine argument) {
            SEEN.add(argument);
        }

        @RepeatedTest(10)
        void test(@Machine(Spinning.class) VirtualMachine argument) {
            assertThat(SEEN).contains(argument);
            for (VirtualMachine machine : List.of(shared, own, argument)) {
                assertThat(machine.state()).isEqualTo(State.RUNNING);
                SEEN.add(machine);
            }
            assertThat(Set.of(shared, own, argument)).hasSize(3);
        }

        @Nested
        class Inner {
            @Machine(Spinning.class)
            VirtualMachine inner;

            @Test
            void hasTheOuterOnesToo() {
                assertThat(Set.of(shared, own, inner)).hasSize(3);
                SEEN.addAll(List.of(shared, own, inner));
            }
        }
    }

    @Test
    void fieldsAndParametersGetMachinesThatEndWithTheirTest() {
        Set<Thread> before = threads();
        EngineExecutionResults results = run(Lifetimes.class);
        results.testEvents().assertStatistics(s -> s.succeeded(11).failed(0));
        // One shared, two for each of ten tests, and own, inner and the method's before it for the nested one.
        assertThat(Set.copyOf(SEEN)).hasSize(1 + 20 + 3);
        assertThat(SEEN).allMatch(machine -> machine.state() == State.STOPPED);
        assertThat(threads()).isSubsetOf(before);
        assertThat(results.allEvents().filter(e -> e.getPayload(FileEntry.class).isPresent()))
                .isEmpty();
    }

    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("kagami-")
                        && !thread.getName().equals("kagami-serial-input"))
                .collect(Collectors.toCollection(ConcurrentHashMap::newKeySet));
    }

    @VirtualMachineTest
    static class Failing {
        @Machine(value = Spinning.class, engine = "interpreter")
        static VirtualMachine shared;

        @Test
        void fails() throws Exception {
            shared.console().awaitText("up", Duration.ofSeconds(60));
            throw new AssertionError("on purpose");
        }
    }

    @Test
    void theReportOfAFailureHasTheConsoleAndTheEngine() throws Exception {
        EngineExecutionResults results = run(Failing.class);
        results.testEvents().assertStatistics(s -> s.failed(1));
        List<Path> files = results.allEvents().stream()
                .flatMap(event -> event.getPayload(FileEntry.class).stream())
                .map(FileEntry::getPath)
                .toList();
        assertThat(files)
                .extracting(file -> file.getFileName().toString())
                .containsExactlyInAnyOrder("shared-screen.txt", "shared-console.txt");
        for (Path file : files) {
            assertThat(file).hasContent("up\n");
        }
        assertThat(results.allEvents().stream()
                        .flatMap(event -> event.getPayload(ReportEntry.class).stream())
                        .flatMap(entry -> entry.getKeyValuePairs().entrySet().stream())
                        .map(Object::toString))
                .anySatisfy(entry -> assertThat(entry).startsWith("kagami.shared.engine=interpreter: "))
                .contains("kagami.shared.state=RUNNING");
    }

    @VirtualMachineTest
    static class NoSuchEngine {
        @Test
        void neverRuns(@Machine(value = Spinning.class, engine = "steam") VirtualMachine machine) {
            SEEN.add(machine);
        }
    }

    @Test
    void anEngineThatWasDemandedAndIsNotThereFailsTheTest() {
        EngineExecutionResults results = run(NoSuchEngine.class);
        assertThat(SEEN).isEmpty();
        assertThat(causes(results))
                .anySatisfy(e -> assertThat(e).isInstanceOfSatisfying(KagamiException.class, k -> {
                    assertThat(k.code()).isEqualTo(ErrorCode.ENGINE_UNKNOWN);
                    assertThat(k).hasMessageContaining("steam");
                    assertThat(k.hint()).contains("interpreter");
                }));
    }

    /** {@return what made tests or classes fail, with all that it came from} */
    private static List<Throwable> causes(EngineExecutionResults results) {
        return results.allEvents().failed().stream()
                .map(event -> event.getRequiredPayload(TestExecutionResult.class))
                .flatMap(result -> result.getThrowable().stream())
                .flatMap(failure -> Stream.iterate(failure, e -> e != null, Throwable::getCause))
                .toList();
    }

    private static void assertFailed(EngineExecutionResults results, String... named) {
        assertThat(causes(results))
                .extracting(e -> String.valueOf(e.getMessage()))
                .anySatisfy(message -> assertThat(message).contains(named));
        assertThat(SEEN).isEmpty();
    }

    /** A machine that can't be prepared. */
    static final class Broken implements MachineDefinition {
        @Override
        public void describe(VirtualMachineConfig.Builder builder) {
            new Spinning().describe(builder);
        }

        @Override
        public void prepare(VirtualMachine machine) throws Exception {
            machine.console().awaitText("up", Duration.ofSeconds(60));
            throw new IOException("the cupboard is bare");
        }
    }

    @VirtualMachineTest
    static class BrokenOrigin {
        @Machine(value = Broken.class, branch = true)
        VirtualMachine origin;

        @Test
        void neverRuns() {
            SEEN.add(origin);
        }
    }

    @VirtualMachineTest
    static class BrokenParameter {
        @Test
        void neverRuns(@Machine(Broken.class) VirtualMachine machine) {
            SEEN.add(machine);
        }
    }

    @Test
    void aMachineThatCannotBePreparedIsNamedWithTheReasonAndItsConsole() {
        EngineExecutionResults branch = run(BrokenOrigin.class);
        assertFailed(branch, Broken.class.getName(), "did not come up", "the cupboard is bare");
        EngineExecutionResults parameter = run(BrokenParameter.class);
        assertFailed(parameter, "could not be prepared", "the cupboard is bare");
        for (EngineExecutionResults results : List.of(branch, parameter)) {
            assertThat(results.allEvents().stream()
                            .flatMap(event -> event.getPayload(FileEntry.class).stream())
                            .map(entry -> entry.getPath().getFileName().toString()))
                    .anyMatch(name -> name.endsWith("-console.txt"));
        }
    }

    @VirtualMachineTest
    static class WrongField {
        @Machine
        static String machine;

        @Test
        void neverRuns() {}
    }

    @VirtualMachineTest
    static class WholeClass {
        @BeforeAll
        static void neverRuns(@Machine(Spinning.class) VirtualMachine machine) {
            SEEN.add(machine);
        }

        @Test
        void neverRuns() {}
    }

    @VirtualMachineTest
    static class TwoOfOneName {
        @Machine(Spinning.class)
        VirtualMachine twin;

        @Nested
        class Inner {
            @Machine(Spinning.class)
            VirtualMachine twin;

            @Test
            void neverRuns() {
                SEEN.add(twin);
            }
        }
    }

    @Test
    void machinesWhereNoneCanBeAreErrorsThatNameThem() {
        assertFailed(run(WrongField.class), "fields of type VirtualMachine", "WrongField.machine");
        assertFailed(run(WholeClass.class), "use a static field");
        assertFailed(run(TwoOfOneName.class), "two machines of one test are called twin");
    }

    /** The default guest with a file in it; counts how often that was made. */
    static final class Prepared implements MachineDefinition {
        static final AtomicInteger BOOTS = new AtomicInteger();

        @Override
        public void describe(VirtualMachineConfig.Builder builder) {
            builder.defaultGuest().memory(MemorySize.ofMebibytes(256));
        }

        @Override
        public void prepare(VirtualMachine machine) throws Exception {
            BOOTS.incrementAndGet();
            machine.exec("echo prepared > /tmp/file");
        }
    }

    @VirtualMachineTest
    static class Branches {
        @Machine(value = Prepared.class, branch = true)
        VirtualMachine machine;

        @RepeatedTest(100)
        void isAsItWasPrepared() throws Exception {
            ExecResult result =
                    machine.exec("cat /tmp/file; echo changed > /tmp/file; rm -rf /etc/kagami/dhcp /bin/ls");
            assertThat(result.stdout()).isEqualTo("prepared\n");
            SEEN.add(machine);
        }
    }

    @Test
    void aHundredTestsInParallelGetBranchesOfOneBootAndNothingIsLeft() throws Exception {
        Set<Thread> before = threads();
        EngineExecutionResults results = run(Branches.class);
        assertThat(causes(results)).isEmpty();
        results.testEvents().assertStatistics(s -> s.succeeded(100));
        assertThat(Prepared.BOOTS).hasValue(1);
        assertThat(Set.copyOf(SEEN)).hasSize(100);
        assertThat(SEEN).allMatch(machine -> machine.state() == State.STOPPED);
        assertThat(threads()).isSubsetOf(before);
        assertThat(openFiles()).as("files of machines that are still open").isEmpty();
    }

    /** The files of guests' memory and of snapshots that this process has open or mapped. */
    private static List<String> openFiles() throws IOException {
        Path links = Path.of("/proc/self/fd");
        if (!Files.isDirectory(links)) {
            return List.of();
        }
        List<String> names = new ArrayList<>();
        try (Stream<Path> all = Files.list(links)) {
            for (Path link : all.toList()) {
                try {
                    names.add(Files.readSymbolicLink(link).toString());
                } catch (IOException e) {
                    // It was the one of the list itself.
                }
            }
        }
        // What is mapped takes memory, and need not be open.
        names.addAll(Files.readAllLines(Path.of("/proc/self/maps")));
        return names.stream()
                .filter(name -> name.contains("kagami-ram")
                        || name.contains("kagami-snapshot")
                        || name.contains("kagami-code")
                        || name.contains("kagami") && name.contains("/tmp"))
                // The checkout itself may be there.
                .filter(name -> !name.endsWith(".jar"))
                .toList();
    }
}
