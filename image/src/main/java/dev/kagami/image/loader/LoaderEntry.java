package dev.kagami.image.loader;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file of the Boot Loader Specification (UAPI.1, type #1).
 *
 * @param id its name without {@code .conf} and without the count of tries
 * @param title what the user sees
 * @param version the kernel's version; may be empty
 * @param sortKey what orders entries of several systems; may be empty
 * @param architecture what it runs on; empty if it doesn't say
 * @param linux the kernel's path; empty if it starts something else
 * @param initrds paths of the initramfs's parts
 * @param options the command line
 * @param exhausted whether it was tried as often as it may, and failed
 */
record LoaderEntry(
        String id,
        String title,
        String version,
        String sortKey,
        String architecture,
        String linux,
        List<String> initrds,
        String options,
        boolean exhausted) {

    static final int MAX_SIZE = 64 << 10;

    private static final Pattern NAME = Pattern.compile("(.*?)(\\+(\\d{1,9})(-\\d{1,9})?)?\\.conf");
    private static final Pattern LINE = Pattern.compile("\\s*(\\S+)\\s+(.*?)\\s*");

    static LoaderEntry parse(String fileName, String text) {
        Map<String, String> values = new HashMap<>();
        List<String> initrds = new ArrayList<>();
        List<String> options = new ArrayList<>();
        for (String line : text.split("\n")) {
            Matcher parts = LINE.matcher(line);
            if (line.startsWith("#") || !parts.matches()) {
                continue;
            }
            switch (parts.group(1)) {
                // Several may stand in a line where GRUB reads the file.
                case "initrd" -> initrds.addAll(List.of(parts.group(2).split("\\s+")));
                case "options" -> options.add(parts.group(2));
                default -> values.put(parts.group(1), parts.group(2));
            }
        }
        Matcher name = NAME.matcher(fileName);
        boolean named = name.matches();
        String id = named ? name.group(1) : fileName;
        return new LoaderEntry(
                id,
                values.getOrDefault("title", id),
                values.getOrDefault("version", ""),
                values.getOrDefault("sort-key", ""),
                values.getOrDefault("architecture", ""),
                values.getOrDefault("linux", ""),
                List.copyOf(initrds),
                String.join(" ", options),
                named && name.group(3) != null && Integer.parseInt(name.group(3)) == 0);
    }

    boolean runsOnX86() {
        return architecture.isEmpty() || architecture.equalsIgnoreCase("x64");
    }
}
