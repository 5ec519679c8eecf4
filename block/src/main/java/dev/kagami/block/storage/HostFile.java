package dev.kagami.block.storage;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** The calls to the host that an image file needs. */
sealed interface HostFile {
    /** Reads into a buffer as the host likes; -1 at the end. */
    int read(ByteBuffer target, long position) throws IOException;

    /** Writes from a buffer as the host likes. */
    int write(ByteBuffer source, long position) throws IOException;

    long size() throws IOException;

    void truncate(long length) throws IOException;

    void force() throws IOException;

    void close() throws IOException;

    /** The fast way, closed by an interrupt of a thread that is inside of it. */
    record Channel(FileChannel channel) implements HostFile {
        @Override
        public int read(ByteBuffer target, long position) throws IOException {
            return channel.read(target, position);
        }

        @Override
        public int write(ByteBuffer source, long position) throws IOException {
            return channel.write(source, position);
        }

        @Override
        public long size() throws IOException {
            return channel.size();
        }

        @Override
        public void truncate(long length) throws IOException {
            channel.truncate(length);
        }

        @Override
        public void force() throws IOException {
            channel.force(false);
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /** The slow way, which interrupts don't touch: one access at a time. */
    record Stream(RandomAccessFile file) implements HostFile {
        private static final int PIECE = 64 << 10;

        @Override
        public int read(ByteBuffer target, long position) throws IOException {
            byte[] piece = new byte[Math.min(target.remaining(), PIECE)];
            synchronized (file) {
                file.seek(position);
                int count = file.read(piece);
                if (count > 0) {
                    target.put(piece, 0, count);
                }
                return count;
            }
        }

        @Override
        public int write(ByteBuffer source, long position) throws IOException {
            byte[] piece = new byte[Math.min(source.remaining(), PIECE)];
            source.get(piece);
            synchronized (file) {
                file.seek(position);
                file.write(piece);
            }
            return piece.length;
        }

        @Override
        public long size() throws IOException {
            return file.length();
        }

        @Override
        public void truncate(long length) throws IOException {
            file.setLength(length);
        }

        @Override
        public void force() throws IOException {
            file.getFD().sync();
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
