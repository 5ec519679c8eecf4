package dev.kagami.boot;

import dev.kagami.boot.BootException.Code;
import dev.kagami.memory.GuestMemory;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;

/** A file that goes into guest memory, read piece by piece. Not mapped: a file cut short meanwhile must not be a fault. */
final class ImageFile implements AutoCloseable {
    /** Size of the pieces in bytes. */
    private static final int PIECE = 128 << 10;

    private final String name;
    private final FileChannel channel;
    private final long size;

    private ImageFile(String name, FileChannel channel, long size) {
        this.name = name;
        this.channel = channel;
        this.size = size;
    }

    /**
     * Opens a regular file.
     *
     * @param path the file
     * @param role what it is for, to name in messages
     * @return the file
     * @throws BootException when it can't be opened
     */
    static ImageFile open(Path path, String role) {
        String name = role + " " + path;
        try {
            if (Files.exists(path) && !Files.isRegularFile(path)) {
                throw new BootException(
                        Code.FILE_UNREADABLE,
                        name + ": is not a regular file",
                        "name a file, not a folder or a device");
            }
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            try {
                return new ImageFile(name, channel, channel.size());
            } catch (IOException e) {
                channel.close();
                throw e;
            }
        } catch (NoSuchFileException e) {
            throw new BootException(Code.FILE_UNREADABLE, name + ": no such file", "check the path", e);
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    private static BootException unreadable(String name, IOException cause) {
        return new BootException(
                Code.FILE_UNREADABLE,
                name + ": cannot be read (" + cause + ")",
                "check the file's permissions and its disk",
                cause);
    }

    /** {@return role and path, for messages} */
    String name() {
        return name;
    }

    /** {@return the size in bytes when the file was opened} */
    long size() {
        return size;
    }

    /**
     * Reads the beginning.
     *
     * @param length bytes wanted
     * @return that many bytes, or less when the file is shorter
     * @throws BootException when it can't be read
     */
    byte[] head(int length) {
        try {
            return stream(0, size).readNBytes((int) Math.min(length, size));
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    /**
     * Reads some bytes.
     *
     * @param position offset in the file
     * @param length bytes
     * @return the bytes
     * @throws BootException when the file doesn't hold them or can't be read
     */
    byte[] read(long position, int length) {
        try {
            byte[] bytes = stream(position, length).readNBytes(length);
            if (bytes.length < length) {
                throw BootException.corrupt(name, "ends before 0x%x".formatted(position + length));
            }
            return bytes;
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    /**
     * Copies a part of the file into guest memory that the caller has claimed.
     *
     * @param memory guest memory
     * @param address guest-physical address
     * @param position offset in the file
     * @param length bytes
     * @throws BootException when the file doesn't hold that part or can't be read
     */
    void copyTo(GuestMemory memory, long address, long position, long length) {
        long[] copied = {0};
        feed(position, length, (bytes, offset, count) -> {
            memory.write(address + copied[0], bytes, offset, count);
            copied[0] += count;
        });
        if (copied[0] < length) {
            throw BootException.corrupt(name, "ends before 0x%x".formatted(position + length));
        }
    }

    /**
     * Gives a part of the file, or as much of it as there is, to a sink.
     *
     * @param position offset in the file
     * @param length bytes
     * @param sink takes the bytes
     * @throws BootException when the file can't be read
     */
    void feed(long position, long length, ByteSink sink) {
        byte[] piece = new byte[Math.clamp(length, 0, PIECE)];
        try (InputStream in = stream(position, length)) {
            for (int count = in.read(piece); count > 0; count = in.read(piece)) {
                sink.accept(piece, 0, count);
            }
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    /**
     * Reads a part of the file as a stream. Closing the stream does nothing.
     *
     * @param position offset in the file
     * @param length bytes at most
     * @return the stream, unbuffered
     */
    InputStream stream(long position, long length) {
        return new Part(position, position + length);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unreadable(name, e);
        }
    }

    private final class Part extends InputStream {
        private final long end;
        private long position;

        Part(long position, long end) {
            this.position = position;
            this.end = end;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, target.length);
            if (length == 0) {
                return 0;
            }
            // The channel keeps a native buffer of the size of the largest read: hence in pieces.
            int wanted = (int) Math.min(Math.min(length, PIECE), end - position);
            if (wanted <= 0) {
                return -1;
            }
            int count = channel.read(ByteBuffer.wrap(target, offset, wanted), position);
            position += Math.max(count, 0);
            return count <= 0 ? -1 : count;
        }
    }
}
