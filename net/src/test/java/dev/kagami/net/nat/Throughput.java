package dev.kagami.net.nat;

import dev.kagami.net.EthernetLink;
import dev.kagami.net.tcp.TcpApplication;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Measures TCP through the gateway: how much goes in a second, and what it costs the gateway's thread. Run its main
 * method with this module's classes and test classes; arguments: seconds, and then "up" (guest to host) or "down".
 */
public final class Throughput {
    /** The unit of times in /proc on Linux. */
    private static final long TICK_NANOS = 10_000_000L;

    private Throughput() {}

    /** Sends as fast as it can, or takes all that comes. */
    private static final class Bulk implements TcpApplication {
        private final GuestStack.Connection connection;
        private final boolean sends;
        private final AtomicLong received;
        private final ByteBuffer block = ByteBuffer.allocateDirect(256 * 1024);

        Bulk(GuestStack.Connection connection, boolean sends, AtomicLong received) {
            this.connection = connection;
            this.sends = sends;
            this.received = received;
        }

        @Override
        public void established() {
            writable();
        }

        @Override
        public long receive(ByteBuffer[] data, int count) {
            long taken = 0;
            for (int i = 0; i < count; i++) {
                taken += data[i].remaining();
                data[i].position(data[i].limit());
            }
            received.addAndGet(taken);
            return taken;
        }

        @Override
        public void peerFinished() {}

        @Override
        public void writable() {
            while (sends && connection.tcp.send(block.clear()) == block.capacity()) {
                continue;
            }
        }

        @Override
        public void ended(End end) {}
    }

    /** Measures. */
    public static void main(String[] arguments) throws Exception {
        int seconds = Integer.parseInt(arguments[0]);
        boolean up = arguments[1].equals("up");
        var link = new EthernetLink();
        var received = new AtomicLong();
        try (var server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
                Nat nat = Nat.start(NatConfig.defaults(), link.second());
                var guest = new GuestStack(link.first(), 0)) {
            guest.execute(() -> guest.connect(2_000, server.getLocalPort(), c -> new Bulk(c, up, received)));
            Socket socket = server.accept();
            Thread.ofPlatform().daemon().name("host").start(() -> host(socket, up, received));
            for (int second = 0; second < seconds; second++) {
                long bytes = received.get();
                long time = System.nanoTime();
                long cpu = cpu("kagami-nat", true);
                long user = cpu("kagami-nat", false);
                long guestCpu = cpu("guest-stack", true);
                Thread.sleep(1_000);
                bytes = received.get() - bytes;
                time = System.nanoTime() - time;
                cpu = cpu("kagami-nat", true) - cpu;
                user = cpu("kagami-nat", false) - user;
                guestCpu = cpu("guest-stack", true) - guestCpu;
                System.out.printf(
                        Locale.ROOT,
                        "%5.2f Gbit/s; gateway %3d %% of a core (user %3d %%): %5.2f Gbit/s per core; guest's stack %3d %%%n",
                        bytes * 8.0 / time,
                        100 * cpu / time,
                        100 * user / time,
                        bytes * 8.0 / cpu,
                        100 * guestCpu / time);
            }
            System.out.println(nat.statistics());
        }
    }

    /** {@return the time that a thread of this process has run, with or without the kernel on its behalf} */
    private static long cpu(String name, boolean system) throws IOException {
        try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                String stat = Files.readString(task.resolve("stat"));
                if (stat.contains("(" + name + ")")) {
                    String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
                    return TICK_NANOS * (Long.parseLong(fields[11]) + (system ? Long.parseLong(fields[12]) : 0));
                }
            }
        }
        return 0;
    }

    private static void host(Socket socket, boolean up, AtomicLong received) {
        byte[] block = new byte[1 << 18];
        try {
            if (up) {
                InputStream in = socket.getInputStream();
                int read;
                while ((read = in.read(block)) > 0) {
                    received.addAndGet(read);
                }
            } else {
                OutputStream out = socket.getOutputStream();
                while (true) {
                    out.write(block);
                }
            }
        } catch (IOException e) {
            // The end of the measurement.
        }
    }
}
