package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.ExitReason;
import dev.kagami.vm.Network.Forward;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class NetworkCardTest {
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

    private static void connect(int port) throws IOException {
        new Socket(InetAddress.getLoopbackAddress(), port).close();
    }

    @Test
    void forwardsComeAndGoWhileTheMachineRuns() throws Exception {
        try (VirtualMachine machine = machine(c -> c.network(Network.nat().forward(0, 22)))) {
            assertThatThrownBy(() -> machine.network(0))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("started", "CREATED");
            machine.start();
            NetworkCard card = machine.network(0);
            Forward first = card.forwards().getFirst();
            assertThat(first.guestPort()).isEqualTo(22);
            connect(first.local().getPort());

            Forward second = card.forward(Forward.tcp(0, 80));
            Forward datagrams = card.forward(Forward.udp(0, 53));
            assertThat(second.local().getAddress().isLoopbackAddress()).isTrue();
            assertThat(card.forwards()).containsExactly(first, second, datagrams);
            connect(second.local().getPort());

            assertThat(card.removeForward(second)).isTrue();
            assertThat(card.removeForward(second)).isFalse();
            assertThat(card.forwards()).containsExactly(first, datagrams);
            assertThatThrownBy(() -> connect(second.local().getPort())).isInstanceOf(ConnectException.class);
        }
    }

    @Test
    void aPortThatIsTakenIsAnErrorThatNamesIt() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                VirtualMachine machine = machine(c -> c.network(Network.nat()))) {
            machine.start();
            Refusals.refused(
                    ErrorCode.NETWORK_UNUSABLE,
                    () -> machine.network(0).forward(Forward.tcp(taken.getLocalPort(), 22)),
                    taken.getLocalPort());
            assertThat(machine.network(0).forwards()).isEmpty();
        }
    }

    @Test
    void cardsHaveTheAddressesTheyWereGivenOrRandomOnes() throws IOException {
        try (VirtualSwitch ethernet = VirtualSwitch.create();
                VirtualMachine machine = machine(c ->
                        c.network(Network.nat().withMac("02:00:00:00:00:01")).network(Network.on(ethernet)))) {
            machine.start();
            assertThat(machine.network(0).mac()).isEqualTo("02:00:00:00:00:01");
            assertThat(machine.network(1).mac()).startsWith("52:54:00:");
            assertThat(machine.network(1).removeForward(Forward.tcp(1, 1))).isFalse();
            assertThatThrownBy(() -> machine.network(1).forward(Forward.tcp(0, 22)))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> machine.network(2)).isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void anEndpointHearsOfStartAndEndAndItsFramesAreCaptured() throws Exception {
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        EthernetEndpoint endpoint = new EthernetEndpoint() {
            @Override
            public void connected(Sender guest) {
                heard.add("sent " + guest.send(ByteBuffer.allocate(60)));
            }

            @Override
            public void received(ByteBuffer frame) {
                heard.add("received");
            }

            @Override
            public void disconnected() {
                heard.add("disconnected");
            }
        };
        Path capture = directory.resolve("capture");
        try (VirtualMachine machine =
                machine(c -> c.network(Network.to(endpoint)).capture(capture))) {
            machine.start();
            assertThat(heard.poll(30, TimeUnit.SECONDS)).isEqualTo("sent true");
        }
        assertThat(heard).containsExactly("disconnected");
        // Section header and interface come first, then a frame of 60 bytes.
        assertThat(Files.size(capture)).isGreaterThan(60 + 28 + 20 + 32);
    }
}
