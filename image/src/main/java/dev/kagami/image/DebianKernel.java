package dev.kagami.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import java.util.regex.Pattern;

/**
 * A Linux kernel from the host's Debian package sources, unmodified.
 *
 * <p>{@link #fetch} gets it in the same way, with the same cache, as {@link DefaultGuest} gets its own. Immutable.
 */
public final class DebianKernel {

    /** The package with the kernel for virtual machines, the default guest's. */
    public static final String CLOUD = "linux-image-cloud-amd64";

    /** The package with the kernel for all 64-bit PCs. */
    public static final String GENERIC = "linux-image-amd64";

    private static final String IMAGE = "vmlinuz";
    private static final String CONFIGURATION = "config";
    private static final String RELEASE = "release";
    private static final String PACKAGE_PREFIX = "package-";

    private static final int MAX_IMAGE_BYTES = 128 << 20;
    private static final int MAX_CONFIGURATION_BYTES = 4 << 20;

    /** Documentation/arch/x86/boot.rst: the header's magic number, "HdrS". */
    private static final int HEADER_OFFSET = 0x202;

    private static final int HEADER_MAGIC = 0x53726448;

    private final PackageStore.Entry entry;
    private final String release;

    private DebianKernel(PackageStore.Entry entry, String release) {
        this.entry = entry;
        this.release = release;
    }

    /**
     * Returns a kernel, fetching it if it isn't in the cache yet.
     *
     * @param packageName the package that is or depends on it: {@link #CLOUD}, {@link #GENERIC}, or one of a certain
     *     release such as {@code "linux-image-6.1.0-56-amd64"}. On an Ubuntu host, its nearest relative takes the place
     *     of the first two.
     * @param progress hears of the fetching; not called if there is nothing to fetch
     * @return the kernel
     * @throws ImageException if it can't be had
     * @throws IllegalArgumentException if that isn't a kernel package's name
     */
    public static DebianKernel fetch(String packageName, ProgressListener progress) {
        return fetch(PackageStore.ofUser(), packageName, progress);
    }

    static DebianKernel fetch(PackageStore store, String packageName, ProgressListener progress) {
        return of(store.get(List.of(recipe(packageName)), false, progress).getFirst());
    }

    /** Returns the release as {@code uname -r} tells it, such as {@code "6.1.0-56-cloud-amd64"}. */
    public String release() {
        return release;
    }

    /** Returns the package's version, such as {@code "6.1.192-2"}. */
    public String version() {
        return entry.version();
    }

    /** Returns the kernel's image, a bzImage. */
    public Path image() {
        return entry.directory().resolve(IMAGE);
    }

    /** Returns the kernel's build configuration: {@code CONFIG_...} lines. */
    public Path configuration() {
        return entry.directory().resolve(CONFIGURATION);
    }

    /**
     * Reads modules and all modules they depend on from the kernel's package. Takes seconds: a package is one long
     * compressed stream.
     *
     * @param names the modules' names; {@code '-'} and {@code '_'} are the same in them. Those that are built into the
     *     kernel, or that this kernel doesn't have, are left out.
     * @return the modules in an order in which they can be inserted: each after those it depends on
     * @throws ImageException if the package is damaged, or was removed from the cache
     */
    public List<KernelModule> modules(List<String> names) {
        List<Path> packages = entry.digests().keySet().stream()
                .filter(name -> name.startsWith(PACKAGE_PREFIX))
                .sorted()
                .map(name -> entry.intact(name)
                        .orElseThrow(() -> ImageException.cacheUnusable(
                                "The package " + entry.directory().resolve(name) + " is damaged or gone", null)))
                .toList();
        return KernelModules.read(packages, names);
    }

    static DebianKernel of(PackageStore.Entry entry) {
        try {
            return new DebianKernel(
                    entry, Files.readString(entry.directory().resolve(RELEASE)).strip());
        } catch (IOException e) {
            throw ImageException.cacheUnusable("Can't read " + entry.directory() + ": " + e, e);
        }
    }

    static PackageStore.Recipe recipe(String packageName) {
        if (!packageName.startsWith("linux-image-")) {
            throw new IllegalArgumentException("Not a kernel package's name: " + packageName);
        }
        return new Recipe(packageName);
    }

    private record Recipe(String name) implements PackageStore.Recipe {

        /** Kernels are split differently over the years; modules-extra are drivers of real hardware. */
        private static final Pattern PARTS = Pattern.compile("linux-(image|binary|modules)-(?!extra).*");

        private static final Pattern IMAGE_PATH = Pattern.compile("boot/vmlinuz-([A-Za-z0-9.+~_-]{1,100})");
        private static final Pattern CONFIGURATION_PATH = Pattern.compile("boot/config-.*");

        @Override
        public List<String> candidates() {
            return switch (name) {
                case CLOUD -> List.of(CLOUD, "linux-image-virtual", "linux-image-kvm", GENERIC, "linux-image-generic");
                case GENERIC -> List.of(GENERIC, "linux-image-generic");
                default -> List.of(name);
            };
        }

        @Override
        public boolean needs(String dependency) {
            return PARTS.matcher(dependency).matches();
        }

        @Override
        public boolean isEssential(String file) {
            return !file.startsWith(PACKAGE_PREFIX);
        }

        @Override
        public void unpack(SequencedMap<String, Path> packages, Path into) throws IOException {
            for (Path deb : packages.values()) {
                // The files are at the front of the archive, and reading on to its end would take seconds.
                new DebPackage(deb).visit((path, content) -> {
                    var image = IMAGE_PATH.matcher(path);
                    if (image.matches()) {
                        Files.write(into.resolve(IMAGE), DebPackage.readAll(content, MAX_IMAGE_BYTES));
                        Files.writeString(into.resolve(RELEASE), image.group(1));
                    } else if (CONFIGURATION_PATH.matcher(path).matches()) {
                        Files.write(into.resolve(CONFIGURATION), DebPackage.readAll(content, MAX_CONFIGURATION_BYTES));
                    }
                    boolean complete = Files.exists(into.resolve(IMAGE)) && Files.exists(into.resolve(CONFIGURATION));
                    return !complete && !KernelModules.isModule(path);
                });
            }
            String last = packages.lastEntry().getValue().getFileName().toString();
            if (!Files.exists(into.resolve(IMAGE)) || !Files.exists(into.resolve(CONFIGURATION))) {
                throw ImageException.invalidPackage(
                        "The package " + last + " and those it needs have no boot/vmlinuz and boot/config", null);
            }
            checkImage(into.resolve(IMAGE), last);
            int number = 0;
            for (Path deb : packages.values()) {
                Files.move(deb, into.resolve(PACKAGE_PREFIX + number + ".deb"));
                number++;
            }
        }

        private static void checkImage(Path image, String packageFile) throws IOException {
            ByteBuffer header;
            try (var in = Files.newInputStream(image)) {
                header = ByteBuffer.wrap(in.readNBytes(HEADER_OFFSET + Integer.BYTES))
                        .order(ByteOrder.LITTLE_ENDIAN);
            }
            if (header.limit() < HEADER_OFFSET + Integer.BYTES || header.getInt(HEADER_OFFSET) != HEADER_MAGIC) {
                throw ImageException.invalidPackage("The kernel in " + packageFile + " isn't a bzImage", null);
            }
        }
    }
}
