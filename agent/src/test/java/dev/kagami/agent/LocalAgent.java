package dev.kagami.agent;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Assumptions;

/** The agent's program on this machine, one process per connection, as on a console port. */
final class LocalAgent implements AgentTransport {
    final AgentToken token = AgentToken.random();
    final List<Process> processes = new CopyOnWriteArrayList<>();
    private final Path program;
    private final Path tokenFile;

    LocalAgent(Path directory) throws IOException {
        Assumptions.assumeTrue(
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64"),
                "the agent is a program for x86-64 Linux");
        program = directory.resolve("kagami-agent");
        tokenFile = directory.resolve("token");
        Files.write(program, AgentProgram.executable());
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Files.write(tokenFile, token.bytes());
    }

    AgentClient client() {
        return new AgentClient(this, token);
    }

    /** Starts the program with other arguments. */
    Process start(String... arguments) throws IOException {
        String[] command = new String[arguments.length + 1];
        command[0] = program.toString();
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        return new ProcessBuilder(command).start();
    }

    @Override
    public ByteChannel connect(Duration patience) throws IOException {
        Process process = start(tokenFile.toString(), "-");
        processes.add(process);
        return new ProcessChannel(process);
    }

    private static final class ProcessChannel implements ByteChannel {
        private final InputStream from;
        private final OutputStream to;
        private volatile boolean open = true;

        ProcessChannel(Process process) {
            from = process.getInputStream();
            to = process.getOutputStream();
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            int read = from.read(target.array(), target.arrayOffset() + target.position(), target.remaining());
            if (read > 0) {
                target.position(target.position() + read);
            }
            return read;
        }

        @Override
        public int write(ByteBuffer source) throws IOException {
            byte[] bytes = new byte[source.remaining()];
            source.get(bytes);
            to.write(bytes);
            to.flush();
            return bytes.length;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void close() {
            open = false;
            try {
                // The agent hangs up then, which ends a read.
                to.close();
            } catch (IOException e) {
                // It has gone already.
            }
        }
    }
}
