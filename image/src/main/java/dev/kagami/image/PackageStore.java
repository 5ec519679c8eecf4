package dev.kagami.image;

import dev.kagami.image.Apt.Dependency;
import dev.kagami.image.Apt.Offer;
import dev.kagami.image.ImageException.Code;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Keeps files from Debian packages: fetched once, checked at every use, replaced as a whole.
 *
 * <pre>
 *   lock                     held while fetching
 *   apt/                     apt's lists, so that a later fetch gets what changed only
 *   packages/NAME.manifest   what is current: version, directory, digest of every file
 *   packages/NAME_VERSION_N/ the files
 *   tmp/                     being made; whatever is there when the lock is free is rubbish
 * </pre>
 *
 * <p>A manifest is replaced by renaming, after the files it names are in place, so a reader without the lock sees the old
 * state or the new one. Thread-safe; processes exclude each other by the lock.
 */
final class PackageStore {

    /** Changes when recipes keep other files than before, so that older entries are fetched anew. */
    private static final String FORMAT = "1";

    private static final Pattern SAFE_NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9.+~_-]{0,250}");
    private static final int MAX_PACKAGES = 8;

    private final Path root;
    private final Path packages;
    private final Supplier<Apt.Tools> tools;

    /** Says what to fetch and what to keep of it. */
    interface Recipe {
        /** Returns the name under which it is kept. */
        String name();

        /** Returns the packages that will do, the best first. */
        List<String> candidates();

        /** Says whether a package that the candidate depends on is needed too. */
        boolean needs(String dependency);

        /**
         * Says which of the files must be intact for {@link #get} to return the entry; the others are checked when they
         * are used.
         */
        boolean isEssential(String file);

        /**
         * Takes what is needed out of the packages and into a directory.
         *
         * @param packages the packages' files by package name, the dependencies first
         * @param into an empty directory, flat when done
         * @throws IOException if a file can't be read or written
         */
        void unpack(SequencedMap<String, Path> packages, Path into) throws IOException;
    }

    /**
     * Files from a package.
     *
     * @param packageName the package
     * @param version its version
     * @param directory where the files are
     * @param digests SHA-256 by file name
     */
    record Entry(String packageName, String version, Path directory, Map<String, String> digests) {

        /** Returns a file's path, if the file is what was stored. */
        Optional<Path> intact(String name) {
            String digest = digests.get(name);
            Path path = directory.resolve(name);
            try {
                return digest != null && Digests.sha256(path).equals(digest) ? Optional.of(path) : Optional.empty();
            } catch (IOException e) {
                return Optional.empty();
            }
        }
    }

    /**
     * Creates a store.
     *
     * @param root its directory; made when something is fetched
     * @param tools finds apt when something must be fetched
     */
    PackageStore(Path root, Supplier<Apt.Tools> tools) {
        this.root = root.toAbsolutePath();
        this.packages = this.root.resolve("packages");
        this.tools = tools;
    }

    /** Returns the store in the user's cache directory, with the host's apt. */
    static PackageStore ofUser() {
        return new PackageStore(CacheDirectory.ofUser(), () -> {
            String path = System.getenv("PATH");
            return Apt.Tools.find(path == null ? "" : path);
        });
    }

    /** Returns the store's directory. */
    Path root() {
        return root;
    }

    /**
     * Returns entries from the store, fetching those that aren't there or are damaged.
     *
     * @param recipes what to get
     * @param anew whether to look for newer versions of what is there
     * @param progress hears of the fetching
     * @return an entry for each recipe
     */
    @SuppressWarnings("try") // the lock is there to be held, not to be used
    List<Entry> get(List<? extends Recipe> recipes, boolean anew, ProgressListener progress) {
        if (!anew) {
            List<Entry> present = present(recipes);
            if (present.size() == recipes.size()) {
                return present;
            }
        }
        // Before anything is written, so that a host without apt is told so and nothing else.
        Apt.Tools found = tools.get();
        try (CacheDirectory.Lock lock = CacheDirectory.lock(root, progress)) {
            Files.createDirectories(packages);
            removeRubbish();
            Apt apt = new Apt(found, root.resolve("apt"));
            boolean updated = false;
            for (Recipe recipe : recipes) {
                // Another process may have fetched it while this one waited for the lock.
                if (anew || lookup(recipe).isEmpty()) {
                    if (!updated) {
                        apt.update(progress);
                        updated = true;
                    }
                    fetch(recipe, apt, progress);
                }
            }
            removeRubbish();
            List<Entry> entries = present(recipes);
            if (entries.size() != recipes.size()) {
                throw ImageException.cacheUnusable("Files just written to " + root + " aren't what was written", null);
            }
            return entries;
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't keep packages in " + root + ": " + e, e);
        }
    }

    private List<Entry> present(List<? extends Recipe> recipes) {
        return recipes.stream().flatMap(recipe -> lookup(recipe).stream()).toList();
    }

    private Optional<Entry> lookup(Recipe recipe) {
        return manifest(recipe)
                .filter(entry -> entry.digests().keySet().stream()
                        .filter(recipe::isEssential)
                        .allMatch(name -> entry.intact(name).isPresent()));
    }

    private Path manifestPath(Recipe recipe) {
        return packages.resolve(recipe.name() + ".manifest");
    }

    private Optional<Entry> manifest(Recipe recipe) {
        Properties manifest = new Properties();
        try (Reader reader = Files.newBufferedReader(manifestPath(recipe))) {
            manifest.load(reader);
        } catch (IOException | IllegalArgumentException e) {
            return Optional.empty();
        }
        String directory = manifest.getProperty("directory", "");
        if (!FORMAT.equals(manifest.getProperty("format"))
                || !SAFE_NAME.matcher(directory).matches()) {
            return Optional.empty();
        }
        Map<String, String> digests = new TreeMap<>();
        for (String key : manifest.stringPropertyNames()) {
            if (key.startsWith("file.")) {
                String name = key.substring("file.".length());
                if (!SAFE_NAME.matcher(name).matches()) {
                    return Optional.empty();
                }
                digests.put(name, manifest.getProperty(key));
            }
        }
        return digests.isEmpty()
                ? Optional.empty()
                : Optional.of(new Entry(
                        manifest.getProperty("package", ""),
                        manifest.getProperty("version", ""),
                        packages.resolve(directory),
                        Map.copyOf(digests)));
    }

    private void fetch(Recipe recipe, Apt apt, ProgressListener progress) throws IOException {
        List<Offer> offers = resolve(recipe, apt);
        Offer main = offers.getLast();
        Path temporary = Files.createDirectories(root.resolve("tmp"));
        Path downloads = Files.createTempDirectory(temporary, "download");
        Path unpacked = Files.createTempDirectory(temporary, "unpacked");
        Map<String, Path> files = apt.download(offers, downloads, progress);
        SequencedMap<String, Path> ordered = new LinkedHashMap<>();
        offers.forEach(offer -> ordered.put(offer.name(), files.get(offer.name())));
        progress.progress("Unpacking " + main.name(), ProgressListener.UNKNOWN);
        recipe.unpack(ordered, unpacked);
        publish(recipe, main, unpacked);
        removeTree(downloads);
    }

    /** Finds the package to fetch and those it needs, dependencies first. */
    private static List<Offer> resolve(Recipe recipe, Apt apt) {
        for (String candidate : recipe.candidates()) {
            Optional<Offer> offer = apt.offer(candidate, Optional.empty());
            if (offer.isPresent()) {
                SequencedMap<String, Offer> found = new LinkedHashMap<>();
                resolve(recipe, apt, offer.get(), found);
                return List.copyOf(found.reversed().values());
            }
        }
        throw ImageException.noGuest(
                apt.updateComplaint().isPresent() ? Code.APT_FAILED : Code.PACKAGE_NOT_FOUND,
                "The host's apt sources offer no " + String.join(", no ", recipe.candidates()) + " for amd64."
                        + apt.updateComplaint()
                                .map(complaint -> "\n" + complaint)
                                .orElse(""),
                null);
    }

    private static void resolve(Recipe recipe, Apt apt, Offer offer, SequencedMap<String, Offer> found) {
        found.put(offer.name(), offer);
        for (Dependency dependency : offer.dependencies()) {
            if (recipe.needs(dependency.name()) && !found.containsKey(dependency.name())) {
                if (found.size() >= MAX_PACKAGES) {
                    throw ImageException.invalidPackage(offer.name() + " depends on too many packages", null);
                }
                Offer needed = apt.offer(dependency.name(), dependency.version())
                        .orElseThrow(() -> ImageException.noGuest(
                                Code.PACKAGE_NOT_FOUND,
                                "The host's apt sources offer " + offer.name() + ", but not " + dependency.name()
                                        + " which it needs.",
                                null));
                resolve(recipe, apt, needed, found);
            }
        }
    }

    private void publish(Recipe recipe, Offer offer, Path unpacked) throws IOException {
        Optional<Path> previous = manifest(recipe).map(Entry::directory);
        String prefix = recipe.name() + "_";
        String base = prefix + offer.version().replace(':', '_') + "_";
        // Never the name of files that were there before: somebody may still read those by it.
        long number = System.currentTimeMillis();
        while (Files.exists(packages.resolve(base + number))) {
            number++;
        }
        Path directory = packages.resolve(base + number);
        StringBuilder manifest = new StringBuilder("# Files from a Debian package; see their digests (SHA-256).\n");
        manifest.append("format=").append(FORMAT).append('\n');
        manifest.append("package=").append(offer.name()).append('\n');
        manifest.append("version=").append(offer.version()).append('\n');
        manifest.append("directory=").append(directory.getFileName()).append('\n');
        for (Path file : list(unpacked)) {
            manifest.append("file.")
                    .append(file.getFileName())
                    .append('=')
                    .append(Digests.sha256(file))
                    .append('\n');
        }
        Files.move(unpacked, directory, StandardCopyOption.ATOMIC_MOVE);
        Path temporary = Files.createTempFile(root.resolve("tmp"), "manifest", null);
        Files.writeString(temporary, manifest);
        Files.move(
                temporary, manifestPath(recipe), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        for (Path old : list(packages)) {
            // The previous files may just have been handed out, so they stay for one more turn.
            boolean kept = old.equals(directory) || old.equals(previous.orElse(null));
            if (!kept && old.getFileName().toString().startsWith(prefix)) {
                removeTree(old);
            }
        }
    }

    private void removeRubbish() throws IOException {
        // What apt keeps to be quicker is quickly made again, and larger than what it is made from.
        for (Path rubbish : List.of(root.resolve("tmp"), root.resolve("apt/cache"))) {
            if (Files.isDirectory(rubbish)) {
                removeTree(rubbish);
            }
        }
    }

    private static List<Path> list(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.sorted().toList();
        }
    }

    private static void removeTree(Path tree) throws IOException {
        List<Path> paths;
        // Doesn't follow links.
        try (Stream<Path> walk = Files.walk(tree)) {
            paths = new ArrayList<>(walk.toList());
        }
        for (Path path : paths.reversed()) {
            Files.deleteIfExists(path);
        }
    }
}
