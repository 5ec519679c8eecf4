package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.ExitReason;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class VsockTest {
    @TempDir
    private Path directory;

    private VirtualMachine machine(Consumer<VirtualMachineConfig.Builder> more) throws IOException {
        Path kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> {
            c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(16));
            more.accept(c);
        });
        return VirtualMachine.create(
                config, new Engines(List.of(FakeEngine.running((cpu, bus) -> ExitReason.INTERRUPTED))));
    }

    @Test
    void aMachineWithoutTheDeviceSaysSo() throws IOException {
        try (VirtualMachine machine = machine(c -> {})) {
            assertThatThrownBy(machine::vsock)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("c.vsock");
        }
    }

    @Test
    void aListenerMayComeBeforeTheStartAndEndsWithTheMachine() throws Exception {
        try (VirtualMachine machine = machine(c -> c.vsock(v -> {}))) {
            VsockListener listener = machine.vsock().listen(1024);
            assertThatThrownBy(() -> machine.vsock().listen(1024)).isInstanceOf(IllegalStateException.class);
            CompletableFuture<Throwable> accepted = new CompletableFuture<>();
            Thread.ofVirtual().start(() -> {
                try {
                    accepted.completeExceptionally(new AssertionError("accepted " + listener.accept()));
                } catch (IOException e) {
                    accepted.complete(e);
                }
            });
            machine.start();
            machine.stop();
            machine.awaitShutdown();
            assertThat(accepted.get()).isInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    void aGuestWithoutADriverCannotBeConnectedTo() throws IOException {
        try (VirtualMachine machine = machine(c -> c.vsock(v -> {}))) {
            assertThatThrownBy(() -> machine.vsock().connect(22)).isInstanceOf(ConnectException.class);
            machine.start();
            assertThatThrownBy(() -> machine.vsock().connect(22)).isInstanceOf(ConnectException.class);
        }
    }

    @Test
    void theBridgeIsItsOwnersOnlyAndThereWhileTheMachineRuns() throws Exception {
        Path bridge = directory.resolve("v.sock");
        try (VirtualMachine machine = machine(c -> c.vsock(v -> v.bridge(bridge)))) {
            assertThat(bridge).doesNotExist();
            machine.start();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(bridge)))
                    .isEqualTo("rw-------");
            machine.stop();
            machine.awaitShutdown();
            assertThat(bridge).doesNotExist();
        }
    }

    @Test
    void aBridgeThatCannotBeMadeIsAnErrorAndLeavesNothingOpen() throws Exception {
        // Longer than any path of a socket.
        Path bridge = directory.resolve("s".repeat(200));
        try (VirtualMachine machine = machine(c -> c.vsock(v -> v.bridge(bridge)))) {
            Refusals.refused(ErrorCode.SOCKET_UNUSABLE, machine::start, bridge);
            assertThat(machine.state()).isEqualTo(VirtualMachine.State.STOPPED);
        }
    }
}
