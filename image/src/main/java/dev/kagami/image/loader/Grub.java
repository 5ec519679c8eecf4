package dev.kagami.image.loader;

import dev.kagami.image.disk.GuestFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds what GRUB would boot: runs its configuration, and chooses as it would when nobody presses a key. */
final class Grub {

    private static final List<String> DIRECTORIES = List.of("/boot/grub", "/grub", "/boot/grub2", "/grub2");
    private static final int MAX_SIZE = 1 << 20;

    /** How deep submenus may be. */
    private static final int MAX_LEVELS = 8;

    /** How many other entries are tried when the default one boots no Linux. */
    private static final int MAX_TRIES = 16;

    private final Volumes volumes;
    private final LookedFor lookedFor;

    Grub(Volumes volumes, LookedFor lookedFor) {
        this.volumes = volumes;
        this.lookedFor = lookedFor;
    }

    Optional<BootEntry> find(Volume volume) {
        for (String directory : DIRECTORIES) {
            String path = directory + "/grub.cfg";
            Optional<GuestFile> file = volume.files().open(path);
            if (file.isEmpty()) {
                lookedFor.nothing(path, volume);
                continue;
            }
            Optional<BootEntry> entry = Optional.empty();
            try {
                entry = boot(volume, directory, file.get().readText(MAX_SIZE));
                if (entry.isEmpty()) {
                    lookedFor.problem(path + " on " + volume + " starts no Linux kernel that is there");
                }
            } catch (IllegalArgumentException e) {
                lookedFor.problem(path + " on " + volume + " makes no sense: " + e.getMessage());
            }
            if (entry.isPresent()) {
                return entry;
            }
        }
        return Optional.empty();
    }

    private Optional<BootEntry> boot(Volume volume, String directory, String script) {
        GrubInterpreter interpreter = new GrubInterpreter(volumes, volume.grubName(), directory);
        interpreter.run(script);
        List<GrubInterpreter.MenuEntry> menu = interpreter.menu();
        List<String> wanted = path(interpreter.variable("default"));
        Optional<BootEntry> entry = choose(interpreter, menu, wanted, 0);
        for (int i = 0; entry.isEmpty() && i < Math.min(menu.size(), MAX_TRIES); i++) {
            // GRUB would show its menu again; the next entry is what a user would try.
            entry = choose(interpreter, menu, List.of(Integer.toString(i)), 0);
        }
        return entry;
    }

    private Optional<BootEntry> choose(
            GrubInterpreter interpreter, List<GrubInterpreter.MenuEntry> menu, List<String> wanted, int level) {
        if (menu.isEmpty() || level > MAX_LEVELS) {
            return Optional.empty();
        }
        GrubInterpreter.MenuEntry entry = pick(menu, wanted.isEmpty() ? "" : wanted.getFirst());
        Optional<GrubInterpreter.Linux> linux = interpreter.choose(entry);
        if (entry.submenu()) {
            List<String> rest = wanted.isEmpty() ? wanted : wanted.subList(1, wanted.size());
            return choose(interpreter, interpreter.menu(), rest, level + 1);
        }
        return linux.flatMap(boot -> entry(entry.title(), boot));
    }

    private Optional<BootEntry> entry(String title, GrubInterpreter.Linux linux) {
        List<GuestFile> initrds = new ArrayList<>();
        for (String path : linux.initrds()) {
            volumes.open(linux.root(), path).ifPresent(initrds::add);
        }
        return volumes.open(linux.root(), linux.kernel())
                .map(kernel -> new BootEntry(title, kernel, initrds, linux.arguments()));
    }

    private static GrubInterpreter.MenuEntry pick(List<GrubInterpreter.MenuEntry> menu, String wanted) {
        if (wanted.matches("\\d{1,6}")) {
            int index = Integer.parseInt(wanted);
            return menu.get(index < menu.size() ? index : 0);
        }
        return menu.stream()
                .filter(entry -> entry.id().equals(wanted) || entry.title().equals(wanted))
                .findFirst()
                .orElse(menu.getFirst());
    }

    /** Splits {@code submenu>entry}; two such signs are one in a title. */
    private static List<String> path(String value) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c != '>') {
                part.append(c);
            } else if (i + 1 < value.length() && value.charAt(i + 1) == '>') {
                part.append(c);
                i++;
            } else {
                parts.add(part.toString());
                part.setLength(0);
            }
        }
        parts.add(part.toString());
        return parts;
    }
}
