package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Calls that no description or state of a machine allows, beside those of {@link LifecycleTest}. */
@Timeout(60)
final class MisuseTest {
    @TempDir
    private Path directory;

    private VirtualMachine machine(Consumer<VirtualMachineConfig.Builder> more) throws IOException {
        Path kernel = TestKernel.write(directory.resolve("kernel"), TestKernel.SPIN);
        VirtualMachineConfig config = VirtualMachineConfig.of(c -> {
            c.linux(l -> l.kernel(kernel)).memory(MemorySize.ofMebibytes(16));
            more.accept(c);
        });
        return VirtualMachine.create(config, new Engines(List.of(FakeEngine.running((cpu, bus) -> cpu.spin()))));
    }

    @Test
    void whatAMachineHasNotSaysHowToDescribeIt() throws IOException {
        try (VirtualMachine machine = machine(c -> {})) {
            assertThatThrownBy(machine::balloon)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("c.balloon");
            assertThatThrownBy(machine::vsock)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("c.vsock");
            assertThatThrownBy(() -> machine.openPort("log"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("'log'", "c.port");
            machine.start();
            KagamiException noAgent =
                    Refusals.refused(ErrorCode.GUEST_AGENT_UNAVAILABLE, () -> machine.exec("true"), "no agent");
            assertThat(noAgent.hint()).contains("c.cloudInit");
            KagamiException noNetwork = Refusals.refused(
                    ErrorCode.NETWORK_UNUSABLE, () -> machine.addForward(Network.Forward.tcp(0, 22)), "no network");
            assertThat(noNetwork.hint()).contains("c.network", "--network");
        }
    }

    @Test
    void aPortIsOpenedOnceAtATimeAndNotWhatIsConnectedOtherwise() throws IOException {
        try (VirtualMachine machine =
                machine(c -> c.port(Port.named("log")).port(Port.named("file").toFile(directory.resolve("file"))))) {
            machine.start();
            try (ByteChannel open = machine.openPort("log")) {
                assertThat(open.isOpen()).isTrue();
                assertThatThrownBy(() -> machine.openPort("log"))
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("open already");
            }
            machine.openPort("log").close();
            assertThatThrownBy(() -> machine.openPort("file"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("'file'");
        }
    }

    @Test
    void aDebugExitWhereADeviceIsIsRefusedWithThePort() throws IOException {
        try (VirtualMachine machine = machine(c -> c.debugExit(0x3F6))) {
            KagamiException refused =
                    Refusals.refused(ErrorCode.INVALID_CONFIGURATION, machine::start, "0x3f6", "0x3f8 is taken");
            assertThat(refused.hint()).contains("0xf4");
        }
    }

    @Test
    void aGuestCannotGetMoreMemoryThanItWasStartedWith() throws IOException {
        try (VirtualMachine machine = machine(c -> c.balloon(Balloon.yielding()))) {
            assertThatThrownBy(() -> machine.balloon().setTarget(MemorySize.ofMebibytes(17)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("16M", "17M");
        }
    }

    @Test
    void anEndpointThatSendsWhatIsNoFrameIsToldTheSizes() throws Exception {
        CompletableFuture<List<Throwable>> refused = new CompletableFuture<>();
        EthernetEndpoint endpoint = new EthernetEndpoint() {
            @Override
            public void connected(Sender guest) {
                List<Throwable> thrown = new ArrayList<>();
                for (int size : new int[] {0, 13, 65_554}) {
                    try {
                        guest.send(ByteBuffer.allocate(size));
                    } catch (IllegalArgumentException e) {
                        thrown.add(e);
                    }
                }
                refused.complete(thrown);
            }

            @Override
            public void received(ByteBuffer frame) {}
        };
        try (VirtualMachine machine = machine(c -> c.network(Network.to(endpoint)))) {
            machine.start();
            assertThat(refused.get())
                    .hasSize(3)
                    .allSatisfy(e -> assertThat(e).hasMessageContaining("give 14 to 65553"));
        }
    }

    @Test
    void aSwitchThatIsClosedTakesNoMachine() throws IOException {
        VirtualSwitch ethernet = VirtualSwitch.create();
        ethernet.close();
        try (VirtualMachine machine = machine(c -> c.network(Network.on(ethernet)))) {
            assertThatThrownBy(machine::start)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("the switch is closed");
            assertThat(machine.state()).isEqualTo(VirtualMachine.State.STOPPED);
        }
    }

    @Test
    void aCardOfAMachineThatHasEndedForwardsNothing() throws Exception {
        NetworkCard card;
        try (VirtualMachine machine = machine(c -> c.network(Network.nat()))) {
            machine.start();
            card = machine.network(0);
        }
        assertThatThrownBy(() -> card.forward(Network.Forward.tcp(0, 22)))
                .isInstanceOf(MachineStateException.class)
                .hasMessageContainingAll("forward", "RUNNING", "PAUSED", "STOPPED");
    }

    @Test
    void nobodyReadsWhatIsTypedAfterTheEnd() {
        SerialInput input = new SerialInput(InputStream.nullInputStream());
        input.close();
        assertThatThrownBy(() -> input.type(new byte[] {1}))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("has ended");
    }

    @Test
    void aSharedDiskThatIsGoneIsTakenByNobody() throws IOException {
        Path image = Files.write(directory.resolve("disk.raw"), new byte[1 << 20]);
        SharedDisk disk = new SharedDisk(DiskImages.open(image, OpenOptions.readOnly()), null);
        disk.release();
        assertThatThrownBy(disk::acquire)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("the snapshot is closed");
    }

    @Test
    void fourCommandsAtATimeFindAPortOfTheConsole() throws Exception {
        AgentPorts ports = new AgentPorts();
        List<ByteChannel> open = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            open.add(ports.connect(Duration.ZERO));
        }
        assertThatThrownBy(() -> ports.connect(Duration.ZERO))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("all 4");
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> ports.connect(Duration.ofMinutes(1)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("interrupted");
        assertThat(Thread.interrupted()).isTrue();
        open.getFirst().close();
        open.getFirst().close();
        ports.connect(Duration.ZERO);
    }
}
