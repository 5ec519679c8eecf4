package dev.kagami.image;

import dev.kagami.image.ImageException.Code;
import dev.kagami.image.Subprocess.Limits;
import dev.kagami.image.Subprocess.LineListener;
import dev.kagami.image.Subprocess.Outcome;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Fetches packages with the host's {@code apt-get}, as any user, changing nothing of the host's.
 *
 * <p>apt reads the host's configuration, sources, keys, pins and proxies as ever, and keeps what it fetches in a
 * directory of ours: package lists, locks and archives. It checks the signatures of the lists and the digests of the
 * packages; packages it can't authenticate are refused, whatever the host's configuration says.
 *
 * <p>Not thread-safe, and only one instance at a time may use a directory.
 */
final class Apt {

    /** What the guest is, whatever the host is. */
    private static final String ARCHITECTURE = "amd64";

    /** Debian Policy 5.6.1 and 5.6.12: nothing in these can be taken for an option or a shell's business. */
    private static final Pattern PACKAGE_NAME = Pattern.compile("[a-z0-9][a-z0-9+.-]{1,127}");

    private static final Pattern VERSION = Pattern.compile("[0-9][A-Za-z0-9.+~:-]{0,127}");
    private static final Pattern DEPENDENCY = Pattern.compile(
            "\\s*([a-z0-9][a-z0-9+.-]{1,127})(?::[a-z0-9-]+)?\\s*(?:\\(\\s*=\\s*([0-9][A-Za-z0-9.+~:-]{0,127})\\s*\\))?.*",
            Pattern.DOTALL);

    /** apt.conf(5), APT::Status-Fd: {@code dlstatus:item:percent:description}. */
    private static final Pattern DOWNLOAD_STATUS = Pattern.compile("dlstatus:[^:]*:([0-9]+(?:\\.[0-9]+)?):.*");

    private static final double PERCENT = 100;

    /** Longer stanzas aren't packages' but garbage. */
    private static final int MAX_SHOWN_CHARACTERS = 1 << 20;

    /**
     * Names the programs and how long each run may take.
     *
     * @param aptGet the path of apt-get
     * @param aptCache the path of apt-cache
     * @param limits how long each run may take
     */
    record Tools(Path aptGet, Path aptCache, Limits limits) {

        /** apt gives up on a stalled connection by itself, after its own timeout and retries. */
        private static final Limits DEFAULT_LIMITS = new Limits(Duration.ofMinutes(30), Duration.ofMinutes(3));

        /**
         * Finds the programs on a search path.
         *
         * @param searchPath directories, separated as in the PATH variable
         * @throws ImageException with {@link Code#APT_MISSING} if one isn't there
         */
        static Tools find(String searchPath) {
            return new Tools(find("apt-get", searchPath), find("apt-cache", searchPath), DEFAULT_LIMITS);
        }

        private static Path find(String program, String searchPath) {
            for (String directory : searchPath.split(Pattern.quote(File.pathSeparator))) {
                if (directory.startsWith(File.separator)) {
                    Path path = Path.of(directory, program);
                    if (Files.isRegularFile(path) && Files.isExecutable(path)) {
                        return path;
                    }
                }
            }
            throw ImageException.noGuest(
                    Code.APT_MISSING,
                    "The default guest is fetched with apt, and this host has no " + program
                            + " (only Debian and its relatives do).",
                    null);
        }
    }

    /**
     * A package as the sources offer it.
     *
     * @param name its name
     * @param version its version
     * @param dependencies what it depends on, in order: the first alternative of each; empty versions mean any
     */
    record Offer(String name, String version, List<Dependency> dependencies) {}

    /**
     * A package that another one depends on.
     *
     * @param name its name
     * @param version the version it must have, if only one will do
     */
    record Dependency(String name, Optional<String> version) {}

    private final Tools tools;
    private final Path directory;
    private final Path configuration;
    private Optional<String> updateComplaint = Optional.empty();

    /**
     * Prepares the directory.
     *
     * @param tools the programs
     * @param directory where apt keeps its state; made if need be
     * @throws IOException if the directory can't be written
     */
    Apt(Tools tools, Path directory) throws IOException {
        this.tools = tools;
        this.directory = directory.toAbsolutePath();
        this.configuration = this.directory.resolve("apt.conf");
        Files.createDirectories(this.directory.resolve("lists/partial"));
        Files.createDirectories(this.directory.resolve("cache/archives/partial"));
        Files.writeString(configuration, configurationText());
    }

    private String configurationText() {
        if (directory.toString().matches("(?s).*[\"\\\\\\p{Cntrl}].*")) {
            throw ImageException.cacheUnusable(
                    "apt can't be told of a directory with a quote, backslash or control character in its name: "
                            + directory,
                    null);
        }
        // Read after the host's own files, so it wins. Hooks are cleared: they tell the host's desktop about lists that
        // aren't its own. The sandbox user couldn't write below a home directory; as root, apt stays root.
        return """
                #clear APT::Update::Pre-Invoke;
                #clear APT::Update::Post-Invoke;
                #clear APT::Update::Post-Invoke-Success;
                #clear APT::Architectures;
                APT::Architecture "%1$s";
                APT::Architectures { "%1$s"; };
                APT::Sandbox::User "root";
                APT::Get::AllowUnauthenticated "false";
                Acquire::AllowInsecureRepositories "false";
                Acquire::Languages "none";
                Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
                Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
                Acquire::Retries "3";
                Acquire::http::Timeout "30";
                Acquire::https::Timeout "30";
                Dir::State "%2$s";
                Dir::State::lists "%2$s/lists";
                Dir::State::status "%2$s/status";
                Dir::State::extended_states "%2$s/extended_states";
                Dir::Cache "%2$s/cache";
                Dir::Cache::archives "%2$s/cache/archives";
                Dir::Cache::pkgcache "pkgcache.bin";
                Dir::Cache::srcpkgcache "srcpkgcache.bin";
                Dir::Log "%2$s";
                """.formatted(ARCHITECTURE, directory);
    }

    /**
     * Fetches the package lists anew. A source that fails is remembered, to be told of if a package isn't found then:
     * the others may well have what we need.
     *
     * @param progress hears of it
     */
    void update(ProgressListener progress) {
        String phase = "Reading the package lists";
        progress.progress(phase, ProgressListener.UNKNOWN);
        Outcome outcome = run(
                List.of(tools.aptGet.toString(), "-c=" + configuration, "-q", "-o", "APT::Status-Fd=1", "update"),
                directory,
                downloadProgress(phase, progress));
        if (!outcome.succeeded() || outcome.output().contains("W: Failed to fetch")) {
            updateComplaint = Optional.of(describe("apt-get update", outcome));
        }
    }

    /**
     * Looks up what the sources offer under a name.
     *
     * @param name a package's name
     * @param version the version wanted, or empty for the one that apt would install
     * @return the offer, or empty if there is none
     */
    Optional<Offer> offer(String name, Optional<String> version) {
        StringBuilder shown = new StringBuilder();
        Outcome outcome = run(
                List.of(
                        tools.aptCache.toString(),
                        "-c=" + configuration,
                        "-q=0",
                        "--no-all-versions",
                        "show",
                        exactly(name, version)),
                directory,
                line -> {
                    if (shown.length() < MAX_SHOWN_CHARACTERS) {
                        shown.append(line).append('\n');
                    }
                    return false;
                });
        if (outcome.stopped().isPresent()) {
            throw failure("apt-cache show " + name, outcome);
        }
        if (!outcome.succeeded()) {
            return Optional.empty();
        }
        Map<String, String> fields = ControlFile.parse(shown.toString());
        String offered = fields.getOrDefault("Version", "");
        if (!name.equals(fields.get("Package")) || !VERSION.matcher(offered).matches()) {
            return Optional.empty();
        }
        List<Dependency> dependencies = new ArrayList<>();
        String depends = fields.getOrDefault("Pre-Depends", "") + "," + fields.getOrDefault("Depends", "");
        for (String dependency : depends.split(",")) {
            Matcher matcher = DEPENDENCY.matcher(dependency);
            if (matcher.matches()) {
                dependencies.add(new Dependency(matcher.group(1), Optional.ofNullable(matcher.group(2))));
            }
        }
        return Optional.of(new Offer(name, offered, List.copyOf(dependencies)));
    }

    /** Says why the last update may not have shown all there is, in apt's words. */
    Optional<String> updateComplaint() {
        return updateComplaint;
    }

    /**
     * Downloads packages into a directory, which apt checks against the signed lists.
     *
     * @param offers what to fetch, at least one
     * @param into an empty directory
     * @param progress hears of it
     * @return the packages' files, by package name
     * @throws IOException if the directory can't be read
     */
    Map<String, Path> download(List<Offer> offers, Path into, ProgressListener progress) throws IOException {
        String phase = "Fetching " + offers.getLast().name();
        progress.progress(phase, 0);
        List<String> command = new ArrayList<>(
                List.of(tools.aptGet.toString(), "-c=" + configuration, "-q", "-o", "APT::Status-Fd=1", "download"));
        offers.forEach(offer -> command.add(exactly(offer.name(), Optional.of(offer.version()))));
        Outcome outcome = run(command, into, downloadProgress(phase, progress));
        if (!outcome.succeeded()) {
            throw failure("apt-get download", outcome);
        }
        Map<String, Path> files = new HashMap<>();
        for (Offer offer : offers) {
            files.put(offer.name(), downloaded(offer.name(), into, outcome));
        }
        return files;
    }

    private static Path downloaded(String name, Path into, Outcome outcome) throws IOException {
        // name_version_architecture.deb, with an escaped version; a name has no underscore.
        try (Stream<Path> files = Files.list(into)) {
            return files.filter(file -> file.getFileName().toString().startsWith(name + "_"))
                    .filter(file -> file.getFileName().toString().endsWith(".deb"))
                    .filter(file -> Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS))
                    .findFirst()
                    .orElseThrow(() -> failure("apt-get download left no file for " + name + "; it", outcome));
        }
    }

    private static String exactly(String name, Optional<String> version) {
        if (!PACKAGE_NAME.matcher(name).matches()
                || version.isPresent() && !VERSION.matcher(version.get()).matches()) {
            throw new IllegalArgumentException("Not a package's name and version: " + name + " " + version);
        }
        return version.map(exact -> name + "=" + exact).orElse(name);
    }

    private Outcome run(List<String> command, Path workingDirectory, LineListener listener) {
        try {
            return Subprocess.run(command, workingDirectory, tools.limits, listener);
        } catch (IOException e) {
            throw ImageException.noGuest(Code.APT_FAILED, "Can't run " + command.getFirst() + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            throw ImageException.interrupted("waiting for " + command.getFirst(), e);
        }
    }

    private static LineListener downloadProgress(String phase, ProgressListener progress) {
        return new LineListener() {
            private double last = -1;

            @Override
            public boolean take(String line) {
                Matcher matcher = DOWNLOAD_STATUS.matcher(line);
                if (matcher.matches()) {
                    double fraction = Math.clamp(Double.parseDouble(matcher.group(1)) / PERCENT, 0, 1);
                    // apt repeats itself; and it knows of more to fetch only after it has fetched some.
                    if (fraction > last) {
                        progress.progress(phase, fraction);
                        last = fraction;
                    }
                    return true;
                }
                return line.startsWith("dlstatus:");
            }
        };
    }

    private static ImageException failure(String what, Outcome outcome) {
        return ImageException.noGuest(
                outcome.stopped().isPresent() ? Code.APT_TIMEOUT : Code.APT_FAILED, describe(what, outcome), null);
    }

    private static String describe(String what, Outcome outcome) {
        String ending = outcome.stopped()
                .map(why -> " was stopped: " + why)
                .orElse(outcome.exitStatus() == 0 ? " had trouble" : " failed with status " + outcome.exitStatus());
        // Ignored attempts are told of again when the last one fails.
        String output = outcome.output()
                .lines()
                .filter(line -> !line.startsWith("Ign:"))
                .collect(Collectors.joining("\n"));
        return what + ending + (output.isBlank() ? "" : ":\n" + output.indent(2).stripTrailing());
    }
}
