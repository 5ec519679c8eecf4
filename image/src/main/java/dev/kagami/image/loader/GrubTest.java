package dev.kagami.image.loader;

import java.util.List;
import java.util.function.Predicate;

/** Evaluates GRUB's {@code test} and {@code [} (GNU GRUB Manual 2.06, 16.3.75). */
final class GrubTest {

    private final List<String> words;
    private final Files files;
    private int at;

    /** Answers about files. */
    interface Files {
        /** Returns whether there is a regular file. */
        boolean isFile(String path);

        /** Returns whether there is a directory with something in it. */
        boolean isDirectory(String path);

        /** Returns a file's size in bytes, or 0. */
        long size(String path);
    }

    private GrubTest(List<String> words, Files files) {
        this.words = words;
        this.files = files;
    }

    static boolean holds(List<String> words, Files files) {
        return !words.isEmpty() && new GrubTest(words, files).or(0);
    }

    private boolean or(int depth) {
        boolean value = and(depth);
        while (at < words.size() && words.get(at).equals("-o")) {
            at++;
            value |= and(depth);
        }
        return value;
    }

    private boolean and(int depth) {
        boolean value = primary(depth);
        while (at < words.size()
                && !words.get(at).equals("-o")
                && !words.get(at).equals(")")) {
            if (words.get(at).equals("-a")) {
                at++;
            }
            int before = at;
            value &= primary(depth);
            if (at == before) {
                return false;
            }
        }
        return value;
    }

    private boolean primary(int depth) {
        if (at >= words.size() || depth > words.size()) {
            return false;
        }
        String word = words.get(at);
        if (at + 2 < words.size() && isOperator(words.get(at + 1))) {
            String right = words.get(at + 2);
            at += 3;
            return compare(word, words.get(at - 2), right);
        }
        at++;
        if (word.equals("!")) {
            return !primary(depth + 1);
        }
        if (word.equals("(")) {
            boolean value = or(depth + 1);
            at++;
            return value;
        }
        if (at < words.size() && word.length() == 2 && word.charAt(0) == '-') {
            String argument = words.get(at);
            Predicate<String> test = switch (word.charAt(1)) {
                case 'd' -> files::isDirectory;
                case 'e' -> path -> files.isFile(path) || files.isDirectory(path);
                case 'f' -> files::isFile;
                case 's' -> path -> files.size(path) > 0;
                case 'n' -> text -> !text.isEmpty();
                case 'z' -> String::isEmpty;
                default -> text -> false;
            };
            at++;
            return test.test(argument);
        }
        return !word.isEmpty();
    }

    private static boolean isOperator(String word) {
        return switch (word) {
            case "=", "==", "!=", "<", "<=", ">", ">=", "-eq", "-ge", "-gt", "-le", "-lt", "-ne" -> true;
            default -> false;
        };
    }

    private static boolean compare(String left, String operator, String right) {
        int text = left.compareTo(right);
        int numbers = Long.compare(number(left), number(right));
        return switch (operator) {
            case "=", "==" -> text == 0;
            case "!=" -> text != 0;
            case "<" -> text < 0;
            case "<=" -> text <= 0;
            case ">" -> text > 0;
            case ">=" -> text >= 0;
            case "-eq" -> numbers == 0;
            case "-ge" -> numbers >= 0;
            case "-gt" -> numbers > 0;
            case "-le" -> numbers <= 0;
            case "-lt" -> numbers < 0;
            default -> numbers != 0;
        };
    }

    private static long number(String text) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
