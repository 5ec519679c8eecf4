package dev.kagami.image.loader;

import java.util.regex.Pattern;

/** Makes regular expressions of shell patterns with {@code *} and {@code ?}. */
final class Globs {

    private Globs() {}

    /** Returns a pattern that takes no more than time proportional to the text's length, whatever the shell pattern. */
    static Pattern compile(String glob) {
        StringBuilder regex = new StringBuilder();
        StringBuilder literal = new StringBuilder();
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            if (c != '*' && c != '?') {
                literal.append(c);
                continue;
            }
            regex.append(Pattern.quote(literal.toString()));
            literal.setLength(0);
            if (c == '?') {
                regex.append('.');
            } else if (i + 1 == glob.length() || glob.indexOf('*', i + 1) < 0) {
                regex.append(".*");
            } else {
                // A shortest match of all stars but the last never needs to be tried again: atomic.
                int next = i + 1;
                StringBuilder following = new StringBuilder();
                while (glob.charAt(next) != '*') {
                    char d = glob.charAt(next++);
                    following.append(d == '?' ? "." : Pattern.quote(String.valueOf(d)));
                }
                regex.append("(?>.*?").append(following).append(')');
                i = next - 1;
            }
        }
        return Pattern.compile(regex.append(Pattern.quote(literal.toString())).toString(), Pattern.DOTALL);
    }
}
