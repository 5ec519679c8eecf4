package dev.kagami.agent;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Copies files and trees between host and guest, as tar streams through a command. The guest needs {@code tar}, GNU's or
 * busybox's.
 */
public final class GuestFiles {
    private GuestFiles() {}

    /**
     * Copies to the guest. Permissions, times and symbolic links are kept; root owns the copy.
     *
     * @param client who runs commands there
     * @param patience how long to wait for the agent
     * @param source a file or a directory
     * @param target the copy's path in the guest, or, with a slash at its end, the directory it goes into; directories are
     *     made as needed, and files replaced
     * @throws IOException when either side fails
     * @throws AgentException when the agent can't be reached
     * @throws InterruptedException when the calling thread is interrupted
     */
    public static void copyTo(AgentClient client, Duration patience, Path source, String target)
            throws IOException, AgentException, InterruptedException {
        String path = checked(target);
        Path name = source.toAbsolutePath().normalize().getFileName();
        if (path.endsWith("/")) {
            path = path + (name == null ? "." : name);
        }
        int slash = path.lastIndexOf('/');
        String directory = slash <= 0 ? "/" : path.substring(0, slash);
        TarWriter tar = TarWriter.of(source, path.substring(slash + 1));
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        // Busybox's tar has no bad status for directories that can't be made.
        String command = "mkdir -p \"$DIR\" && cd \"$DIR\" && tar -xpf - && [ -e ./%s ]"
                .formatted(GuestCommand.quote(path.substring(slash + 1)));
        GuestProcess process = start(client, patience, command, directory, null, error);
        IOException failure = null;
        try (OutputStream input = new BufferedOutputStream(process.getOutputStream(), 64 << 10)) {
            tar.write(input);
        } catch (IOException e) {
            failure = e;
        }
        finish(process, error, failure);
    }

    /**
     * Copies from the guest. Permissions, times and symbolic links are kept; the calling user owns the copy.
     *
     * @param client who runs commands there
     * @param patience how long to wait for the agent
     * @param source a path in the guest; when that is a symbolic link, what it points to
     * @param target the copy's path; its directory must exist, files are replaced, and nothing is written outside of it
     * @throws IOException when either side fails
     * @throws AgentException when the agent can't be reached
     * @throws InterruptedException when the calling thread is interrupted
     */
    public static void copyFrom(AgentClient client, Duration patience, String source, Path target)
            throws IOException, AgentException, InterruptedException {
        String path = checked(source);
        if (Path.of(path).normalize().getFileName() == null) {
            throw new IOException("the root directory can't be copied as a whole");
        }
        ByteArrayOutputStream error = new ByteArrayOutputStream();
        // The last component of the real path is what tar's names start with, whatever it is called.
        String command = "p=$(readlink -f \"$DIR\") && [ -e \"$p\" ] || { echo \"$DIR: no such file\" >&2; exit 1; }\n"
                + "exec tar -cf - -C \"${p%/*}/\" \"./${p##*/}\"";
        GuestProcess process = start(client, patience, command, path, null, error);
        IOException failure = null;
        try (InputStream output = process.getInputStream()) {
            new TarReader(target).read(output);
            output.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            failure = e;
            process.destroyForcibly();
        }
        finish(process, error, failure);
    }

    private static String checked(String path) throws IOException {
        if (!path.startsWith("/") || path.indexOf('\0') >= 0) {
            throw new IOException("'%s' is not an absolute path".formatted(path));
        }
        return path;
    }

    private static GuestProcess start(
            AgentClient client,
            Duration patience,
            String command,
            String directory,
            @Nullable OutputStream output,
            OutputStream error)
            throws AgentException, InterruptedException {
        return client.start(
                new GuestCommand(command, Map.of("DIR", directory), null, null, output, error, null), patience);
    }

    private static void finish(GuestProcess process, ByteArrayOutputStream error, @Nullable IOException failure)
            throws IOException, InterruptedException {
        int status;
        try {
            status = process.waitFor();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            throw e;
        }
        String said = error.toString(StandardCharsets.UTF_8).strip();
        // What the guest says explains more than the broken pipe it leaves.
        if (!said.isEmpty() && status != 0) {
            throw new IOException(said, failure);
        }
        if (failure != null) {
            throw failure;
        }
        if (status != 0) {
            throw new IOException("tar in the guest ended with status " + status);
        }
    }
}
