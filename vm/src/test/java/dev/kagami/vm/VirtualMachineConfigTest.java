package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.tuple;

import dev.kagami.cpu.ExitReason;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class VirtualMachineConfigTest {
    private final Engines engines = new Engines(List.of(FakeEngine.running((cpu, bus) -> ExitReason.SHUTDOWN)));

    @TempDir
    private Path directory;

    @Test
    void acceptsTheDefaultsWithAKernel() throws IOException {
        Path kernel = Files.write(directory.resolve("kernel"), new byte[] {1});
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> c.linux(l -> l.kernel(kernel)));
        assertThat(config.validate(engines)).isEmpty();
        assertThat(config.memory()).isEqualTo(MemorySize.ofMebibytes(512));
        assertThat(config.linux()).isEqualTo(new LinuxBoot(kernel, null, "console=ttyS0"));
    }

    @Test
    void reportsEveryProblemAtOnce() {
        VirtualMachineConfig config = VirtualMachineConfig.of(
                c -> c.linux(l -> l.kernel(directory.resolve("none")).initrd(directory))
                        .cpus(0)
                        .memory(new MemorySize(4097))
                        .engine("warp")
                        .debugExit(0x1_0000));
        assertThat(config.validate(engines))
                .extracting(Problem::path)
                .containsExactly("linux.kernel", "linux.initrd", "cpus", "memory", "engine", "debugExitPort");
        assertThat(config.validate(engines)).allSatisfy(problem -> {
            assertThat(problem.message()).isNotBlank();
            assertThat(problem.hint()).isNotBlank();
        });
    }

    @Test
    void namesTheCpuModelsThatAnEngineHasWhenItHasNotTheOneAskedFor() {
        VirtualMachineConfig config = VirtualMachineConfig.of(
                c -> c.linux(l -> l.kernel(directory.resolve("none"))).cpuModel(CpuModel.V4));
        assertThat(config.validate(engines))
                .filteredOn(problem -> problem.path().equals("cpuModel"))
                .singleElement()
                .satisfies(problem -> {
                    assertThat(problem.message()).contains("'v4'").contains("nothing here is so new");
                    assertThat(problem.hint()).contains("auto").contains("v2, v3, max");
                });
    }

    @Test
    void refusesToMakeAMachineFromAConfigurationWithProblems() {
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> c.cpus(1000));
        KagamiException refused =
                catchThrowableOfType(KagamiException.class, () -> VirtualMachine.create(config, engines));
        assertThat(refused.code()).isEqualTo(ErrorCode.INVALID_CONFIGURATION);
        assertThat(refused).hasMessageContaining("nothing to boot").hasMessageContaining("1000 CPUs");
        assertThat(refused.hint()).contains("--kernel");
    }

    @Test
    void namesAFileThatIsNotThere() {
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> c.linux(l -> l.kernel(Path.of("/no/such/kernel"))));
        assertThat(config.validate(engines)).singleElement().satisfies(problem -> {
            assertThat(problem.code()).isEqualTo(ErrorCode.FILE_UNREADABLE);
            assertThat(problem.path()).isEqualTo("linux.kernel");
            assertThat(problem.message()).contains("/no/such/kernel").contains("no such file");
            assertThat(problem.hint()).isNotBlank();
        });
    }

    /** {@return what is wrong, of which each names something and says what to do} */
    private List<Problem> problemsOf(Consumer<VirtualMachineConfig.Builder> description) throws IOException {
        Path kernel = Files.write(directory.resolve("kernel"), new byte[] {1});
        List<Problem> problems = VirtualMachineConfig.of(c -> {
                    c.linux(l -> l.kernel(kernel));
                    description.accept(c);
                })
                .validate(engines);
        assertThat(problems).allSatisfy(problem -> {
            assertThat(problem.message()).isNotBlank();
            assertThat(problem.hint()).isNotBlank();
        });
        return problems;
    }

    @Test
    void refusesAVsockWithAReservedContextIdOrAPathThatIsTaken() throws IOException {
        Path taken = Files.createFile(directory.resolve("taken"));
        assertThat(problemsOf(c -> c.vsock(v -> v.guestCid(2).bridge(taken))))
                .extracting(Problem::path, Problem::code)
                .containsExactly(
                        tuple("vsock.guestCid", ErrorCode.INVALID_CONFIGURATION),
                        tuple("vsock.bridge", ErrorCode.SOCKET_UNUSABLE));
        assertThat(problemsOf(c -> c.vsock(v -> v.bridge(directory.resolve("none/socket")))))
                .singleElement()
                .satisfies(problem -> assertThat(problem.message()).contains("no such directory"));
    }

    @Test
    void refusesPortsWithoutANameOfTheirOwn() throws IOException {
        assertThat(problemsOf(c -> c.port(Port.console("hvc0"))
                        .port(Port.named("log"))
                        .port(Port.named("log"))
                        .port(Port.named("a/b"))
                        .port(Port.named(""))
                        .port(Port.named("file").toFile(directory.resolve("none/file")))))
                .extracting(Problem::path)
                .containsExactly("ports[2].name", "ports[3].name", "ports[4].name", "ports[5].attachment");
    }

    @Test
    void refusesSharesOfWhatIsNoDirectoryOrWithTheTagOfAnother() throws IOException {
        assertThat(problemsOf(c -> c.share(Share.readOnly(directory, "src"))
                        .share(Share.readWrite(directory.resolve("none"), "src"))
                        .share(Share.readWrite(directory.resolve("kernel"), "t".repeat(37)))))
                .extracting(Problem::path, Problem::code)
                .containsExactly(
                        tuple("shares[1].directory", ErrorCode.SHARE_UNUSABLE),
                        tuple("shares[1].tag", ErrorCode.INVALID_CONFIGURATION),
                        tuple("shares[2].directory", ErrorCode.SHARE_UNUSABLE),
                        tuple("shares[2].tag", ErrorCode.INVALID_CONFIGURATION));
    }

    @Test
    void refusesMoreDevicesThanThereAreSlots() throws IOException {
        assertThat(problemsOf(c -> {
                    for (int i = 0; i < 29; i++) {
                        c.share(Share.readOnly(directory, "t" + i));
                    }
                }))
                .singleElement()
                .satisfies(problem -> assertThat(problem.message()).contains("29 devices"));
    }

    @Test
    void refusesNetworkCardsThatCannotBe() throws IOException {
        assertThat(problemsOf(c -> c.network(Network.nat().withMac("52:54:00:00:00:01"))
                        .network(Network.nat().withMac("52-54-00-00-00-01"))
                        .network(Network.nat().withMac("53:54:00:00:00:01"))
                        .network(Network.onSwitch("../name").withMac("fast"))
                        .network(Network.onSwitch("lan").forward(2222, 22))
                        .network(Network.nat().forward(2222, 0))
                        .capture(directory.resolve("none/file"))))
                .extracting(Problem::path)
                .containsExactly(
                        "networks[1].mac",
                        "networks[2].mac",
                        "networks[3].mac",
                        "networks[3].link.name",
                        "networks[4].forwards",
                        "networks[5].forwards",
                        "capture");
    }

    @Test
    void refusesForwardsFromWhatIsNoAddressOrToWhatIsNoPort() throws IOException {
        InetSocketAddress nowhere = InetSocketAddress.createUnresolved("nowhere.example", 22);
        assertThat(problemsOf(c -> c.network(Network.nat()
                        .forward(new Network.Forward(Network.Protocol.TCP, nowhere, 22))
                        .forward(2222, 65_536))))
                .extracting(Problem::path, Problem::message)
                .containsExactly(
                        tuple("networks[0].forwards", "'nowhere.example' is no address of this host"),
                        tuple("networks[0].forwards", "a guest has no port 65536"));
    }

    @Test
    void refusesMorePortsThanThereAre() throws IOException {
        assertThat(problemsOf(c -> {
                    for (int i = 0; i < 31; i++) {
                        c.port(Port.named("p" + i));
                    }
                }))
                .singleElement()
                .satisfies(problem -> {
                    assertThat(problem.path()).isEqualTo("ports");
                    assertThat(problem.code()).isEqualTo(ErrorCode.INVALID_CONFIGURATION);
                    assertThat(problem.message()).contains("31");
                    assertThat(problem.hint()).contains("30");
                });
    }

    @Test
    void refusesDirectoriesInThePlaceOfFilesThatAreToBeWritten() throws IOException {
        Path image = Files.write(directory.resolve("image"), new byte[512]);
        List<Problem> problems = problemsOf(c -> c.disk(Disk.overlay(image, directory))
                .capture(Path.of("/"))
                .port(Port.named("log").toFile(directory)));
        assertThat(problems)
                .extracting(Problem::path, Problem::code)
                .containsExactly(
                        tuple("disks[0].overlay", ErrorCode.FILE_UNREADABLE),
                        tuple("capture", ErrorCode.FILE_UNREADABLE),
                        tuple("ports[0].attachment", ErrorCode.FILE_UNREADABLE));
        assertThat(problems.getLast().message()).contains(directory.toString(), "directory");
    }

    @Test
    void refusesDisksThatCannotBe() throws IOException {
        Path image = Files.write(directory.resolve("image"), new byte[512]);
        assertThat(problemsOf(c -> c.disk(Disk.of(directory.resolve("none")))
                        .disk(Disk.overlay(image, directory.resolve("none/overlay")))
                        .disk(Disk.of(image).withSerial("root").withQueues(17))
                        .disk(Disk.of(image).withSerial("root"))
                        .disk(Disk.of(image).withSerial("s".repeat(21)))
                        .disk(Disk.of(image).grownTo(513))
                        .disk(Disk.cd(image).grownTo(1024))
                        .disk(Disk.of(image).withMode(Disk.Mode.OVERLAY))))
                .extracting(Problem::path)
                .containsExactly(
                        "disks[0].image",
                        "disks[1].overlay",
                        "disks[2].queues",
                        "disks[3].serial",
                        "disks[4].serial",
                        "disks[5].size",
                        "disks[6].size",
                        "disks[7].overlay");
    }
}
