package dev.kagami.image;

import java.util.HashMap;
import java.util.Map;

/** Parses a paragraph of fields as Debian writes them in control files and package lists (Debian Policy 5.1). */
final class ControlFile {

    private ControlFile() {}

    /**
     * Parses the first paragraph of a text. Lines that are no field and continue none are skipped, and of a repeated
     * field the first counts.
     *
     * @param text the text
     * @return values by field name, continuation lines joined by line feeds
     */
    static Map<String, String> parse(String text) {
        Map<String, String> fields = new HashMap<>();
        String current = "";
        for (String line : text.lines().dropWhile(String::isBlank).toList()) {
            if (line.isBlank()) {
                break;
            }
            int colon = line.indexOf(':');
            if (line.charAt(0) == ' ' || line.charAt(0) == '\t') {
                fields.computeIfPresent(current, (name, value) -> value + "\n" + line.strip());
            } else if (colon > 0) {
                String name = line.substring(0, colon);
                current = fields.putIfAbsent(name, line.substring(colon + 1).strip()) == null ? name : "";
            }
        }
        return fields;
    }
}
