package dev.kagami.image.loader;

import java.util.Comparator;

/** Orders versions of kernels: numbers in them count as numbers, and a tilde comes before anything, even the end. */
final class VersionOrder implements Comparator<String> {

    static final VersionOrder INSTANCE = new VersionOrder();

    private VersionOrder() {}

    @Override
    public int compare(String left, String right) {
        int l = 0;
        int r = 0;
        while (l < left.length() || r < right.length()) {
            int leftEnd = digitsEnd(left, l);
            int rightEnd = digitsEnd(right, r);
            int order;
            if (leftEnd > l && rightEnd > r) {
                order = compareNumbers(left.substring(l, leftEnd), right.substring(r, rightEnd));
                l = leftEnd;
                r = rightEnd;
            } else {
                order = Integer.compare(weight(left, l++), weight(right, r++));
            }
            if (order != 0) {
                return order;
            }
        }
        return 0;
    }

    private static int digitsEnd(String text, int from) {
        int end = Math.min(from, text.length());
        while (end < text.length() && isDigit(text.charAt(end))) {
            end++;
        }
        return end;
    }

    private static boolean isDigit(char character) {
        return character >= '0' && character <= '9';
    }

    private static int compareNumbers(String left, String right) {
        String l = left.replaceFirst("^0+", "");
        String r = right.replaceFirst("^0+", "");
        return l.length() != r.length() ? Integer.compare(l.length(), r.length()) : l.compareTo(r);
    }

    private static int weight(String text, int at) {
        if (at >= text.length()) {
            return 0;
        }
        return text.charAt(at) == '~' ? -1 : text.charAt(at) + 1;
    }
}
