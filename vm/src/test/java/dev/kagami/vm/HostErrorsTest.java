package dev.kagami.vm;

import static dev.kagami.vm.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a machine needs of the host and can't have, though its description was in order. */
@Timeout(60)
final class HostErrorsTest {
    private static final Engines ENGINES = new Engines(List.of(FakeEngine.running((cpu, bus) -> ExitReason.SHUTDOWN)));

    @TempDir
    private Path directory;

    private Path kernel = Path.of("kernel");
    /** There when a machine is described, and gone when it is started. */
    private Path passing = Path.of("passing");

    @BeforeEach
    void makeFiles() throws IOException {
        kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
        passing = Files.createDirectory(directory.resolve("passing"));
    }

    /** Starts a machine after the passing directory is gone. */
    private void refusesToStart(ErrorCode code, Consumer<VirtualMachineConfig.Builder> description, Object... named)
            throws IOException {
        try (VirtualMachine machine = VirtualMachine.create(
                VirtualMachineConfig.of(c -> description.accept(c.memory(MemorySize.ofMebibytes(16)))), ENGINES)) {
            try (var files = Files.list(passing)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(passing);
            KagamiException error = refused(code, machine::start, named);
            assertThat(error).hasCauseInstanceOf(Exception.class);
            assertThat(machine.state()).isEqualTo(VirtualMachine.State.STOPPED);
        }
    }

    @Test
    void aPortsFileThatCannotBeWrittenIsNamed() throws Exception {
        Path file = passing.resolve("log");
        refusesToStart(
                ErrorCode.FILE_UNREADABLE,
                c -> c.linux(l -> l.kernel(kernel)).port(Port.named("log").toFile(file)),
                "file " + file,
                "can't be written");
    }

    @Test
    void aCaptureThatCannotBeWrittenIsNamed() throws Exception {
        Path file = passing.resolve("all.pcapng");
        refusesToStart(
                ErrorCode.FILE_UNREADABLE,
                c -> c.linux(l -> l.kernel(kernel)).network(Network.nat()).capture(file),
                "capture " + file,
                "can't be written");
    }

    @Test
    void aSharedDirectoryThatIsGoneIsNamed() throws Exception {
        refusesToStart(
                ErrorCode.SHARE_UNUSABLE,
                c -> c.linux(l -> l.kernel(kernel)).share(Share.readOnly(passing, "src")),
                passing);
    }

    @Test
    void anInitialRamDiskThatIsGoneIsNamed() throws Exception {
        Path initrd = Files.writeString(passing.resolve("initrd"), "070701");
        refusesToStart(
                ErrorCode.KERNEL_UNUSABLE,
                c -> c.linux(l -> l.kernel(kernel).initrd(initrd)).agent(AgentChannel.VSOCK),
                initrd);
    }

    @Test
    void aDiskThatIsDamagedIsNamed() throws Exception {
        Path image = Files.write(directory.resolve("disk.qcow2"), new byte[] {'Q', 'F', 'I', (byte) 0xFB, 0, 0});
        refusesToStart(
                ErrorCode.DISK_UNUSABLE, c -> c.linux(l -> l.kernel(kernel)).disk(Disk.of(image)), image);
    }

    @Test
    void aDiskWithNothingToBootIsAnError() throws Exception {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        refusesToStart(ErrorCode.DISK_UNUSABLE, c -> c.disk(Disk.of(image)));
    }

    @Test
    void anImageThatIsNotThereIsNamed() {
        Path missing = directory.resolve("missing.qcow2");
        refused(
                ErrorCode.IMAGE_UNAVAILABLE,
                () -> CachedImage.get("gopher://host/image", null, (phase, fraction) -> {}),
                "gopher://host/image");
        refused(
                ErrorCode.IMAGE_UNAVAILABLE,
                () -> Disk.ofImage(missing.toString(), null, (phase, fraction) -> {}),
                missing);
    }
}
