package dev.kagami.image.loader;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Splits a GRUB script into words and ends of commands (GNU GRUB Manual 2.06, 6.2 "Writing full configuration files"). */
final class GrubLexer {

    /** Ends a command: a semicolon or the end of a line. */
    static final GrubWord SEPARATOR = new GrubWord(List.of(new GrubWord.Text(";", false)));

    private final String script;
    private int at;

    GrubLexer(String script) {
        this.script = script;
    }

    /** Returns the next word or {@link #SEPARATOR}; null at the end. */
    @Nullable
    GrubWord next() {
        while (at < script.length()) {
            char c = script.charAt(at);
            if (c == '\n' || c == ';') {
                at++;
                return SEPARATOR;
            }
            if (c == '#') {
                skipLine();
            } else if (c == '\\' && at + 1 < script.length() && script.charAt(at + 1) == '\n') {
                at += 2;
            } else if (isBlank(c)) {
                at++;
            } else {
                return word();
            }
        }
        return null;
    }

    private void skipLine() {
        while (at < script.length() && script.charAt(at) != '\n') {
            at++;
        }
    }

    private static boolean isBlank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
    }

    private GrubWord word() {
        List<GrubWord.Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        boolean escaped = false;
        while (at < script.length()) {
            char c = script.charAt(at);
            if (isBlank(c) || c == '\n' || c == ';') {
                break;
            }
            if (c == '\'') {
                flush(parts, text, escaped);
                singleQuoted(parts);
            } else if (c == '"') {
                flush(parts, text, escaped);
                doubleQuoted(parts);
            } else if (c == '$') {
                flush(parts, text, escaped);
                variable(parts, text, false);
            } else if (c == '\\' && at + 1 < script.length()) {
                if (script.charAt(at + 1) != '\n') {
                    text.append(script.charAt(at + 1));
                    escaped = true;
                }
                at += 2;
            } else {
                text.append(c);
                at++;
            }
        }
        flush(parts, text, escaped);
        return new GrubWord(List.copyOf(parts));
    }

    private static void flush(List<GrubWord.Part> parts, StringBuilder text, boolean quoted) {
        if (!text.isEmpty()) {
            parts.add(new GrubWord.Text(text.toString(), quoted));
            text.setLength(0);
        }
    }

    private void singleQuoted(List<GrubWord.Part> parts) {
        int end = script.indexOf('\'', at + 1);
        int stop = end < 0 ? script.length() : end;
        parts.add(new GrubWord.Text(script.substring(at + 1, stop), true));
        at = Math.min(stop + 1, script.length());
    }

    private void doubleQuoted(List<GrubWord.Part> parts) {
        StringBuilder text = new StringBuilder();
        at++;
        while (at < script.length() && script.charAt(at) != '"') {
            char c = script.charAt(at);
            if (c == '$') {
                flush(parts, text, true);
                variable(parts, text, true);
            } else if (c == '\\' && at + 1 < script.length()) {
                char next = script.charAt(at + 1);
                if (next != '$' && next != '"' && next != '\\' && next != '\n') {
                    text.append(c);
                }
                if (next != '\n') {
                    text.append(next);
                }
                at += 2;
            } else {
                text.append(c);
                at++;
            }
        }
        at = Math.min(at + 1, script.length());
        // Also when empty: "" is a word.
        parts.add(new GrubWord.Text(text.toString(), true));
    }

    /** Reads a variable, or a dollar that isn't one. */
    private void variable(List<GrubWord.Part> parts, StringBuilder text, boolean quoted) {
        int start = at + 1;
        if (start < script.length() && script.charAt(start) == '{') {
            int end = script.indexOf('}', start);
            if (end > 0) {
                parts.add(new GrubWord.Variable(script.substring(start + 1, end), quoted));
                at = end + 1;
                return;
            }
        }
        int end = start;
        if (start < script.length() && "?#*@0123456789".indexOf(script.charAt(start)) >= 0) {
            end++;
        } else {
            while (end < script.length() && isNameCharacter(script.charAt(end))) {
                end++;
            }
        }
        if (end == start) {
            text.append('$');
        } else {
            parts.add(new GrubWord.Variable(script.substring(start, end), quoted));
        }
        at = end;
    }

    private static boolean isNameCharacter(char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
}
