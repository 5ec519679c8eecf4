package dev.kagami.image;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Finds the user's cache directory, and locks a directory against other threads and processes. */
final class CacheDirectory {

    /** Longer than a fetch may take. */
    private static final Duration MAX_WAIT = Duration.ofMinutes(100);

    private static final long POLL_MILLISECONDS = 100;

    /** File locks are the whole process's, so threads need another one. */
    private static final Map<Path, ReentrantLock> THREAD_LOCKS = new ConcurrentHashMap<>();

    private CacheDirectory() {}

    /** Returns {@code $XDG_CACHE_HOME/kagami}, or {@code ~/.cache/kagami} (XDG Base Directory Specification 0.8). */
    static Path ofUser() {
        return of(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home"));
    }

    static Path of(@Nullable String cacheHome, String home) {
        // The specification: relative paths are invalid and to be ignored.
        Path base = cacheHome != null && Path.of(cacheHome).isAbsolute()
                ? Path.of(cacheHome)
                : Path.of(home).resolve(".cache");
        return base.resolve("kagami");
    }

    /** A lock that is held; closing it lets go. */
    interface Lock extends AutoCloseable {
        @Override
        void close() throws IOException;
    }

    /**
     * Locks a directory, making it if need be, and waits while another thread or process holds the lock.
     *
     * @param directory the directory
     * @param progress hears of the wait
     * @return the lock
     * @throws IOException if the lock file can't be made
     */
    static Lock lock(Path directory, ProgressListener progress) throws IOException {
        Files.createDirectories(directory);
        ReentrantLock threadLock = THREAD_LOCKS.computeIfAbsent(directory.toRealPath(), path -> new ReentrantLock());
        Deadline deadline = new Deadline(directory, progress);
        while (!threadLock.tryLock()) {
            deadline.pause();
        }
        try {
            FileChannel channel =
                    FileChannel.open(directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            try {
                while (!tryLock(channel)) {
                    deadline.pause();
                }
            } catch (Throwable e) {
                channel.close();
                throw e;
            }
            return () -> {
                try {
                    channel.close();
                } finally {
                    threadLock.unlock();
                }
            };
        } catch (Throwable e) {
            threadLock.unlock();
            throw e;
        }
    }

    private static boolean tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            // This class was loaded twice in this process, and the other one holds the lock.
            return false;
        }
    }

    private static final class Deadline {
        private final long end = System.nanoTime() + MAX_WAIT.toNanos();
        private final Path directory;
        private final ProgressListener progress;
        private boolean told;

        Deadline(Path directory, ProgressListener progress) {
            this.directory = directory;
            this.progress = progress;
        }

        void pause() {
            if (System.nanoTime() - end > 0) {
                throw ImageException.cacheUnusable(
                        "Another process has held " + directory + "/lock for too long", null);
            }
            if (!told) {
                progress.progress("Waiting for another fetch to end", ProgressListener.UNKNOWN);
                told = true;
            }
            try {
                Thread.sleep(POLL_MILLISECONDS);
            } catch (InterruptedException e) {
                throw ImageException.interrupted("waiting for " + directory + "/lock", e);
            }
        }
    }
}
