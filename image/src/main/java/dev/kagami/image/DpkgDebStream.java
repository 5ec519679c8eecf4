package dev.kagami.image;

import java.io.FilterInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Reads a package's files as an uncompressed tar archive, by running {@code dpkg-deb}. */
final class DpkgDebStream extends FilterInputStream {

    /** Far longer than the largest package takes; then the stream just ends. */
    private static final Executor WATCHDOG = CompletableFuture.delayedExecutor(5, TimeUnit.MINUTES);

    private final Process process;

    /**
     * Starts reading.
     *
     * @param file the package
     * @throws IOException if there is no dpkg-deb
     */
    DpkgDebStream(Path file) throws IOException {
        this(new ProcessBuilder(
                        "dpkg-deb", "--fsys-tarfile", file.toAbsolutePath().toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start());
    }

    private DpkgDebStream(Process process) {
        super(process.getInputStream());
        this.process = process;
        WATCHDOG.execute(process::destroyForcibly);
    }

    @Override
    public void close() throws IOException {
        process.descendants().toList().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        super.close();
    }
}
