package dev.kagami.bench.devices;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.MacAddress;
import dev.kagami.net.nat.Nat;
import dev.kagami.net.nat.NatConfig;
import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.TestMachine;
import dev.kagami.virtio.network.NetworkConfig;
import dev.kagami.virtio.network.NetworkDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * TCP between a guest and a program of the host, through the network device and the NAT gateway. An operation is 1 MiB; 5
 * Gbit/s are 596 of them a second.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 3, time = 2)
public class TcpBenchmark {
    private static final int MEBIBYTES = 64;
    private static final int BLOCK = 1 << 20;
    private static final MacAddress MAC = MacAddress.parse("52:54:00:12:34:56");

    private final TestMachine machine = new TestMachine();
    private ServerSocket server;
    private Nat nat;
    private GuestTcp guest;

    /** For JMH. */
    public TcpBenchmark() {}

    /** Connects a machine's card to a gateway, and listens on the host. */
    @Setup(Level.Trial)
    public void start() throws IOException {
        server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        EthernetLink link = new EthernetLink();
        nat = Nat.start(NatConfig.defaults(), link.second());
        SyntheticDriver driver = new SyntheticDriver(
                        machine, machine.addPci(new NetworkDevice(NetworkConfig.of(link.first(), MAC))))
                .start();
        guest = new GuestTcp(machine, driver, MAC, nat);
    }

    /** Takes it all away. */
    @TearDown(Level.Trial)
    public void end() throws IOException {
        machine.close();
        nat.close();
        server.close();
    }

    /** Connects, and has the host's end used on a thread of its own. */
    private void connect(HostEnd end) throws IOException {
        guest.connect(server.getLocalPort());
        Socket socket = server.accept();
        Thread.ofPlatform().daemon().name("host").start(() -> {
            try {
                end.use(socket);
            } catch (IOException e) {
                // The end of the measurement.
            }
        });
    }

    private interface HostEnd {
        void use(Socket socket) throws IOException;
    }

    /** A connection whose host end takes all that comes. */
    @State(Scope.Benchmark)
    public static class ToHost {
        /** For JMH. */
        public ToHost() {}

        /** Connects. */
        @Setup(Level.Trial)
        public void connect(TcpBenchmark benchmark) throws IOException {
            benchmark.connect(socket -> {
                byte[] block = new byte[BLOCK];
                while (socket.getInputStream().read(block) >= 0) {
                    continue;
                }
            });
        }
    }

    /** A connection whose host end sends all the time. */
    @State(Scope.Benchmark)
    public static class FromHost {
        /** For JMH. */
        public FromHost() {}

        /** Connects. */
        @Setup(Level.Trial)
        public void connect(TcpBenchmark benchmark) throws IOException {
            benchmark.connect(socket -> {
                byte[] block = new byte[BLOCK];
                while (true) {
                    socket.getOutputStream().write(block);
                }
            });
        }
    }

    /** Sends, until the gateway has acknowledged all. */
    @Benchmark
    @OperationsPerInvocation(MEBIBYTES)
    public void toHost(ToHost connection) {
        guest.send((long) MEBIBYTES * BLOCK);
    }

    /** Receives. */
    @Benchmark
    @OperationsPerInvocation(MEBIBYTES)
    public void fromHost(FromHost connection) {
        guest.receive((long) MEBIBYTES * BLOCK);
    }
}
