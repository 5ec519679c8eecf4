package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Reads the configuration of extlinux and syslinux, and of U-Boot, which has the same. */
final class Extlinux {

    private static final List<String> PATHS = List.of(
            "/boot/extlinux/extlinux.conf",
            "/extlinux/extlinux.conf",
            "/extlinux.conf",
            "/boot/syslinux/syslinux.cfg",
            "/syslinux/syslinux.cfg",
            "/boot/syslinux/extlinux.conf",
            "/syslinux.cfg");

    private static final int MAX_SIZE = 256 << 10;
    private static final int MAX_INCLUDES = 16;
    private static final int MAX_LABELS = 256;
    private static final String INITRD_ARGUMENT = "initrd=";

    private final Volume volume;
    private final LookedFor lookedFor;
    private final List<Label> labels = new ArrayList<>();
    private String wanted = "";
    private String globalAppend = "";
    private int includes;

    private static final class Label {
        final String name;
        String title;
        String kernel = "";
        String initrd = "";
        Optional<String> append = Optional.empty();
        boolean marked;

        Label(String name) {
            this.name = name;
            this.title = name;
        }
    }

    private Extlinux(Volume volume, LookedFor lookedFor) {
        this.volume = volume;
        this.lookedFor = lookedFor;
    }

    static Optional<BootEntry> find(Volume volume, LookedFor lookedFor) {
        for (String path : PATHS) {
            Optional<GuestFile> file = volume.files().open(path);
            if (file.isEmpty()) {
                lookedFor.nothing(path, volume);
                continue;
            }
            Extlinux configuration = new Extlinux(volume, lookedFor);
            String directory = path.substring(0, path.lastIndexOf('/') + 1);
            configuration.parse(file.get().readText(MAX_SIZE), directory);
            Optional<BootEntry> entry = configuration.choose(directory);
            if (entry.isPresent()) {
                return entry;
            }
            lookedFor.problem(path + " on " + volume + " starts no Linux kernel that is there");
        }
        return Optional.empty();
    }

    private void parse(String text, String directory) {
        for (String line : text.split("\n")) {
            String[] words = line.strip().split("\\s+", 2);
            String rest = words.length > 1 ? words[1] : "";
            switch (words[0].toLowerCase(Locale.ROOT)) {
                case "default" -> wanted = rest;
                case "label" -> {
                    if (labels.size() < MAX_LABELS) {
                        labels.add(new Label(rest));
                    }
                }
                case "kernel", "linux" -> last().ifPresent(label -> label.kernel = rest);
                case "initrd" -> last().ifPresent(label -> label.initrd = rest);
                case "append" ->
                    last().ifPresentOrElse(label -> label.append = Optional.of(rest), () -> globalAppend = rest);
                case "menu" -> menu(rest, directory);
                case "include" -> include(rest, directory);
                default -> {}
            }
        }
    }

    private Optional<Label> last() {
        return labels.isEmpty() ? Optional.empty() : Optional.of(labels.getLast());
    }

    private void menu(String command, String directory) {
        String[] words = command.split("\\s+", 2);
        String rest = words.length > 1 ? words[1] : "";
        switch (words[0].toLowerCase(Locale.ROOT)) {
            case "default" -> last().ifPresent(label -> label.marked = true);
            case "label" -> last().ifPresent(label -> label.title = rest.replace("^", ""));
            case "include" -> include(rest, directory);
            default -> {}
        }
    }

    private void include(String path, String directory) {
        if (++includes <= MAX_INCLUDES) {
            volume.files()
                    .open(absolute(path.split("\\s+")[0], directory))
                    .ifPresent(file -> parse(file.readText(MAX_SIZE), directory));
        }
    }

    private static String absolute(String path, String directory) {
        return path.startsWith("/") ? path : directory + path;
    }

    private Optional<BootEntry> choose(String directory) {
        List<Label> order = new ArrayList<>();
        labels.stream().filter(label -> label.name.equals(wanted)).forEach(order::add);
        labels.stream().filter(label -> label.marked).forEach(order::add);
        order.addAll(labels);
        for (Label label : order) {
            Optional<BootEntry> entry = entry(label, directory);
            if (entry.isPresent()) {
                return entry;
            }
        }
        return Optional.empty();
    }

    private Optional<BootEntry> entry(Label label, String directory) {
        Optional<GuestFile> kernel =
                label.kernel.isEmpty() ? Optional.empty() : volume.files().open(absolute(label.kernel, directory));
        if (kernel.isEmpty()) {
            return Optional.empty();
        }
        List<String> arguments = new ArrayList<>();
        String initrd = label.initrd;
        // "append -" is nothing at all, not even what stands before the first label.
        String append = label.append.orElse(globalAppend);
        for (String argument : append.equals("-") ? new String[0] : append.split("\\s+")) {
            if (argument.startsWith(INITRD_ARGUMENT)) {
                initrd = initrd.isEmpty() ? argument.substring(INITRD_ARGUMENT.length()) : initrd;
            } else if (!argument.isEmpty()) {
                arguments.add(argument);
            }
        }
        List<GuestFile> initrds = new ArrayList<>();
        for (String path : initrd.isEmpty() ? new String[0] : initrd.split(",")) {
            Optional<GuestFile> file = volume.files().open(absolute(path, directory));
            if (file.isEmpty()) {
                lookedFor.missing("the initrd " + path + " of label " + label.name, volume);
                return Optional.empty();
            }
            initrds.add(file.get());
        }
        return Optional.of(new BootEntry(label.title, kernel.get(), initrds, String.join(" ", arguments)));
    }
}
