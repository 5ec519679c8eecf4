package dev.kagami.control;

import dev.kagami.net.RuntimeDirectory;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The machines of this user that have names: those that run, each with a control socket, and what is kept of them.
 *
 * <pre>
 *   RUNTIME/machine-NAME.lock   held by the process that runs the machine, as long as it lives
 *   RUNTIME/machine-NAME.sock   its control socket
 *   DATA/NAME/                  what is kept: a disk, a log
 * </pre>
 *
 * <p>All methods throw {@link KagamiException}. Thread-safe, and safe to use from several processes.
 */
public final class Machines {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,47}");
    private static final String PREFIX = "machine-";
    private static final String SOCKET = ".sock";
    private static final String LOCK = ".lock";

    private final Path runtime;
    private final Path data;

    /**
     * Makes a view of directories, which need not exist.
     *
     * @param runtime where the sockets are; only the user may enter it
     * @param data where what is kept is
     */
    public Machines(Path runtime, Path data) {
        this.runtime = runtime.toAbsolutePath();
        this.data = data.toAbsolutePath();
    }

    /**
     * {@return the user's machines: in {@code $XDG_RUNTIME_DIR/kagami} and {@code $XDG_DATA_HOME/kagami/machines}, or what
     * stands for these (XDG Base Directory Specification 0.8)}
     */
    public static Machines ofUser() {
        String dataHome = System.getenv("XDG_DATA_HOME");
        Path base = dataHome != null && Path.of(dataHome).isAbsolute()
                ? Path.of(dataHome)
                : Path.of(System.getProperty("user.home"), ".local", "share");
        return new Machines(RuntimeDirectory.ofUser(), base.resolve("kagami").resolve("machines"));
    }

    /**
     * A name that this process has for itself until it is closed, or the process ends.
     *
     * @param name the name
     * @param socket where the control socket goes
     * @param directory where what is kept goes; need not exist
     * @param lock held
     */
    public record Claim(String name, Path socket, Path directory, FileChannel lock) implements AutoCloseable {
        /** Gives the name free. May be called again. */
        @Override
        public void close() {
            if (!lock.isOpen()) {
                return;
            }
            try {
                Files.deleteIfExists(socket);
                lock.close();
            } catch (IOException e) {
                System.getLogger(Machines.class.getName()).log(System.Logger.Level.WARNING, "freeing " + name, e);
            }
        }
    }

    private static String check(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new KagamiException(
                    ErrorCode.NAME_UNUSABLE,
                    "'%s' can't be the name of a machine".formatted(name),
                    "use up to 48 letters, digits, dots, dashes and underscores, with a letter or digit first");
        }
        return name;
    }

    /**
     * Takes a name.
     *
     * @param name up to 48 letters, digits, dots, dashes and underscores, with a letter or digit first
     * @return the name, to be closed when the machine has ended
     * @throws KagamiException with {@link ErrorCode#NAME_UNUSABLE} when it is no name, or another machine has it
     */
    public Claim claim(String name) {
        return tryClaim(check(name))
                .orElseThrow(() -> new KagamiException(
                        ErrorCode.NAME_UNUSABLE,
                        "a machine with the name '%s' runs already".formatted(name),
                        "choose another name, or stop it first: kagami stop " + name));
    }

    /** {@return a claim of a name that nobody has: {@code vm1}, {@code vm2} or the next} */
    public Claim claimAny() {
        for (int number = 1; ; number++) {
            String name = "vm" + number;
            if (!Files.exists(data.resolve(name))) {
                Optional<Claim> claim = tryClaim(name);
                if (claim.isPresent()) {
                    return claim.get();
                }
            }
        }
    }

    private Optional<Claim> tryClaim(String name) {
        try {
            RuntimeDirectory.prepare(runtime);
            FileChannel lock = FileChannel.open(
                    runtime.resolve(PREFIX + name + LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            if (tryLock(lock) == null) {
                lock.close();
                return Optional.empty();
            }
            // What a process left that was killed.
            Files.deleteIfExists(socket(name));
            return Optional.of(new Claim(name, socket(name), directory(name), lock));
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "cannot use %s for sockets: %s".formatted(runtime, e.getMessage()),
                    "make it a directory that only you can write to, or set XDG_RUNTIME_DIR to one",
                    e);
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // Another machine of this process.
            return null;
        }
    }

    private Path socket(String name) {
        return runtime.resolve(PREFIX + name + SOCKET);
    }

    /** {@return where what is kept of a machine goes; need not exist} */
    public Path directory(String name) {
        return data.resolve(check(name));
    }

    /**
     * Makes the directory of what is kept of a machine, which nobody else may enter; it may be there already.
     *
     * @param directory {@link #directory} of it
     * @throws IOException if it can't be made
     */
    public static void createDirectory(Path directory) throws IOException {
        Files.createDirectories(directory.toAbsolutePath().getParent());
        if (!Files.isDirectory(directory)) {
            RuntimeDirectory.prepare(directory);
        }
    }

    /** {@return the names of machines that run, in order; sockets that nobody listens to are taken away} */
    public List<String> running() {
        List<String> names = new ArrayList<>();
        for (String file : list(runtime)) {
            if (file.startsWith(PREFIX) && file.endsWith(SOCKET)) {
                String name = file.substring(PREFIX.length(), file.length() - SOCKET.length());
                if (NAME.matcher(name).matches() && isRunning(name)) {
                    names.add(name);
                }
            }
        }
        return names;
    }

    private boolean isRunning(String name) {
        Optional<Claim> stale = tryClaim(name);
        stale.ifPresent(Claim::close);
        return stale.isEmpty();
    }

    /** {@return whether a machine runs and has its control socket} */
    public boolean isServing(String name) {
        return Files.exists(socket(check(name))) && isRunning(name);
    }

    /** {@return the names of machines of which something is kept, in order} */
    public List<String> kept() {
        return list(data).stream().filter(name -> NAME.matcher(name).matches()).toList();
    }

    private static List<String> list(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return List.copyOf(
                    files.map(file -> file.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new)));
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "cannot list %s: %s".formatted(directory, e),
                    "make it a directory that you may read",
                    e);
        }
    }

    /**
     * Connects to a machine.
     *
     * @param name its name
     * @return the connection
     * @throws KagamiException with {@link ErrorCode#MACHINE_UNKNOWN} when no such machine runs
     */
    public ControlClient connect(String name) {
        Path socket = socket(check(name));
        if (!Files.exists(socket)) {
            throw unknown(name, null);
        }
        try {
            return ControlClient.connect(socket);
        } catch (IOException e) {
            throw unknown(name, e);
        }
    }

    private KagamiException unknown(String name, @Nullable IOException cause) {
        List<String> others = running();
        return new KagamiException(
                ErrorCode.MACHINE_UNKNOWN,
                "no machine with the name '%s' runs".formatted(name),
                others.isEmpty()
                        ? "start one: kagami run --name %s".formatted(name)
                        : "these do: " + String.join(", ", others),
                cause);
    }

    /**
     * Deletes what is kept of a machine that doesn't run.
     *
     * @param name its name
     * @throws KagamiException when it runs, or nothing is kept of it
     */
    public void remove(String name) {
        try (Claim claim = claim(name)) {
            Path directory = claim.directory();
            if (!Files.isDirectory(directory)) {
                throw new KagamiException(
                        ErrorCode.MACHINE_UNKNOWN,
                        "nothing is kept of a machine with the name '%s'".formatted(name),
                        "see what there is with: kagami ps --all");
            }
            for (String file : list(directory)) {
                Files.delete(directory.resolve(file));
            }
            Files.delete(directory);
        } catch (IOException e) {
            throw new KagamiException(
                    ErrorCode.CONTROL_FAILED,
                    "cannot delete what is kept of '%s': %s".formatted(name, e),
                    "check the permissions of " + data,
                    e);
        }
    }
}
