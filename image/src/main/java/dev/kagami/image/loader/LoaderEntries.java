package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** Chooses among the entries of the Boot Loader Specification (UAPI.1) as systemd-boot does. */
final class LoaderEntries {

    private static final List<String> DIRECTORIES = List.of("/loader", "/boot/loader");
    private static final int MAX_ENTRIES = 256;
    private static final int MAX_PATTERN = 256;

    /** Boot Loader Specification, "Sorting". */
    private static final Comparator<LoaderEntry> ORDER = Comparator.comparing(LoaderEntry::exhausted)
            .thenComparing(entry -> entry.sortKey().isEmpty())
            .thenComparing(LoaderEntry::sortKey)
            .thenComparing(LoaderEntry::version, VersionOrder.INSTANCE.reversed())
            .thenComparing(LoaderEntry::id, VersionOrder.INSTANCE.reversed());

    private LoaderEntries() {}

    static Optional<BootEntry> find(Volume volume, LookedFor lookedFor) {
        for (String directory : DIRECTORIES) {
            String entriesDirectory = directory + "/entries";
            List<LoaderEntry> entries = volume.files().list(entriesDirectory).stream()
                    .filter(name -> name.endsWith(".conf"))
                    .limit(MAX_ENTRIES)
                    .flatMap(name -> volume.files().open(entriesDirectory + "/" + name).stream()
                            .map(file -> LoaderEntry.parse(name, file.readText(LoaderEntry.MAX_SIZE))))
                    .filter(entry -> !entry.linux().isEmpty() && entry.runsOnX86())
                    .sorted(ORDER)
                    .toList();
            List<LoaderEntry> ordered = new ArrayList<>(entries);
            String wanted = defaultPattern(volume, directory);
            if (!wanted.isEmpty()) {
                Pattern pattern = Globs.compile(wanted);
                ordered.sort(Comparator.comparing(
                        entry -> !pattern.matcher(entry.id()).matches()
                                && !pattern.matcher(entry.id() + ".conf").matches()));
            }
            for (LoaderEntry entry : ordered) {
                Optional<BootEntry> bootable = bootable(volume, entry, lookedFor);
                if (bootable.isPresent()) {
                    return bootable;
                }
            }
            if (entries.isEmpty()) {
                lookedFor.nothing(entriesDirectory + "/*.conf", volume);
            }
        }
        return Optional.empty();
    }

    private static String defaultPattern(Volume volume, String directory) {
        Optional<GuestFile> file = volume.files().open(directory + "/loader.conf");
        if (file.isEmpty()) {
            return "";
        }
        for (String line : file.get().readText(LoaderEntry.MAX_SIZE).split("\n")) {
            String[] words = line.strip().split("\\s+", 2);
            if (words.length == 2 && words[0].equals("default") && words[1].length() <= MAX_PATTERN) {
                return words[1];
            }
        }
        return "";
    }

    private static Optional<BootEntry> bootable(Volume volume, LoaderEntry entry, LookedFor lookedFor) {
        // Paths are relative to the file system the entry lies on.
        Optional<GuestFile> kernel = volume.files().open(entry.linux());
        List<GuestFile> initrds = new ArrayList<>();
        for (String path : entry.initrds()) {
            volume.files().open(path).ifPresent(initrds::add);
        }
        if (kernel.isEmpty() || initrds.size() != entry.initrds().size()) {
            lookedFor.missing("the kernel " + entry.linux() + " of entry " + entry.id() + ", or its initrd", volume);
            return Optional.empty();
        }
        return Optional.of(new BootEntry(entry.title(), kernel.get(), initrds, entry.options()));
    }
}
