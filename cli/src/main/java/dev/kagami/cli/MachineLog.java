package dev.kagami.cli;

import dev.kagami.control.Machines;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * The file with what a machine in the background prints, and its process has to say. When it becomes too long, it is emptied,
 * and what was in it is kept in a second file until that happens again.
 */
final class MachineLog extends OutputStream {
    static final String NAME = "log";

    private static final String EARLIER = "log.1";
    private static final long MAX_SIZE = 8 << 20;

    private final Path file;
    private final long maxSize;
    /** Appends, as the process's own standard error does, so that both can empty the file. */
    private final FileChannel channel;

    private MachineLog(Path file, long maxSize) throws IOException {
        this.file = file;
        this.maxSize = maxSize;
        channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    static MachineLog open(Path directory) throws IOException {
        return open(directory, MAX_SIZE);
    }

    static MachineLog open(Path directory, long maxSize) throws IOException {
        Machines.createDirectory(directory);
        return new MachineLog(directory.resolve(NAME), maxSize);
    }

    /** Begins a new file for a new run; that of the last one is kept. */
    static Path begin(Path directory) throws IOException {
        Machines.createDirectory(directory);
        Path file = directory.resolve(NAME);
        if (Files.exists(file)) {
            Files.move(file, directory.resolve(EARLIER), StandardCopyOption.REPLACE_EXISTING);
        }
        return Files.createFile(file);
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (channel.size() + length > maxSize) {
            Files.copy(file, file.resolveSibling(EARLIER), StandardCopyOption.REPLACE_EXISTING);
            channel.truncate(0);
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, length);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
