package dev.kagami.cli;

import dev.kagami.control.Machines;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code kagami logs}. */
@Command(
        name = "logs",
        description =
                "Prints what a machine in the background has printed on its console since it was started last, and what"
                        + " Kagami had to say about it; also when it has ended.",
        mixinStandardHelpOptions = true,
        versionProvider = Kagami.Version.class,
        exitCodeListHeading = MachineCommands.STATUS,
        exitCodeList = {MachineCommands.STATUS_OK, MachineCommands.STATUS_FAILED, MachineCommands.STATUS_USAGE})
final class LogsCommand implements Callable<Integer> {
    private static final int POLL_MILLISECONDS = 200;

    @Parameters(paramLabel = "NAME", description = "The machine's name.")
    private String name = "";

    @Option(
            names = {"-f", "--follow"},
            description = "Go on with what comes, until the machine ends.")
    private boolean follow;

    @Override
    public Integer call() throws InterruptedException {
        Machines machines = Machines.ofUser();
        Path log = machines.directory(name).resolve(MachineLog.NAME);
        if (!Files.exists(log)) {
            throw new KagamiException(
                    ErrorCode.MACHINE_UNKNOWN,
                    "there is no log of a machine with the name '%s'".formatted(name),
                    "machines started with -d have one; see 'kagami ps --all'");
        }
        try (FileChannel in = FileChannel.open(log)) {
            OutputStream out = new FileOutputStream(FileDescriptor.out);
            boolean more = true;
            while (more) {
                // Asked before, so that nothing of what it printed last is missed.
                more = follow && machines.isServing(name);
                copy(in, out);
                if (more) {
                    Thread.sleep(POLL_MILLISECONDS);
                }
            }
            return 0;
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.FILE_UNREADABLE, "%s: can't be read (%s)".formatted(log, e), "check its permissions", e);
        }
    }

    private static void copy(FileChannel in, OutputStream out) throws IOException {
        if (in.size() < in.position()) {
            // It was emptied because it had become too long.
            in.position(0);
        }
        ByteBuffer chunk = ByteBuffer.allocate(64 << 10);
        while (in.read(chunk) > 0) {
            out.write(chunk.array(), 0, chunk.position());
            chunk.clear();
        }
    }
}
