package dev.kagami.image.seed;

import java.util.List;
import java.util.Map;

/**
 * Writes YAML documents of maps, lists, texts, whole numbers and truth values. Texts are always in double quotes, so that
 * nothing in them can mean anything else, whichever version of YAML the reader speaks.
 */
public final class Yaml {

    private static final String INDENT = "  ";

    private Yaml() {}

    /** Returns a document, one line for each value. Keys are words of the writer's own and aren't quoted. */
    public static String write(Map<String, ?> document) {
        StringBuilder text = new StringBuilder();
        writeMap(document, "", text);
        return text.toString();
    }

    private static void writeMap(Map<?, ?> map, String indent, StringBuilder text) {
        String lead = "";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            text.append(lead).append(entry.getKey()).append(':');
            writeValue(entry.getValue(), indent, text);
            lead = indent;
        }
    }

    private static void writeValue(Object value, String indent, StringBuilder text) {
        if (value instanceof Map<?, ?> map && !map.isEmpty()) {
            text.append('\n').append(indent).append(INDENT);
            writeMap(map, indent + INDENT, text);
        } else if (value instanceof List<?> list && !list.isEmpty()) {
            text.append('\n');
            list.forEach(item -> writeItem(item, indent, text));
        } else {
            text.append(' ').append(scalar(value)).append('\n');
        }
    }

    private static void writeItem(Object item, String indent, StringBuilder text) {
        text.append(indent).append("- ");
        if (item instanceof Map<?, ?> map) {
            writeMap(map, indent + INDENT, text);
        } else {
            text.append(scalar(item)).append('\n');
        }
    }

    private static String scalar(Object value) {
        if (value instanceof String string) {
            return quote(string);
        }
        if (value instanceof Boolean || value instanceof Integer) {
            return value.toString();
        }
        // What isn't empty was written item by item.
        return value instanceof List<?> ? "[]" : "{}";
    }

    /** Returns a text as a double-quoted scalar (YAML 1.1, 5.7 and 9.1.1). */
    static String quote(String value) {
        StringBuilder text = new StringBuilder("\"");
        value.codePoints().forEach(c -> {
            if (c == '"' || c == '\\') {
                text.append('\\').appendCodePoint(c);
            } else if (c == '\n') {
                text.append("\\n");
            } else if (isPlain(c)) {
                text.appendCodePoint(c);
            } else {
                text.append(c < 0x10000 ? "\\u%04X".formatted(c) : "\\U%08X".formatted(c));
            }
        });
        return text.append('"').toString();
    }

    /** Control characters, line ends beyond ASCII, marks and halves of characters need escapes. */
    private static boolean isPlain(int c) {
        return (c >= ' ' && c <= '~')
                || (c >= 0xA0 && c < 0x2028)
                || (c > 0x202F && c < Character.MIN_SURROGATE)
                || (c > Character.MAX_SURROGATE && c < 0xFEFF);
    }
}
