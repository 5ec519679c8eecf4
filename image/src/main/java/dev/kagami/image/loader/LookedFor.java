package dev.kagami.image.loader;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Remembers what was looked for and not found, for the message if nothing is found at all. */
final class LookedFor {

    private static final int MAX_PROBLEMS = 30;

    private final List<String> absent = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();

    /** Notes a file that isn't there, which is no problem if there is another. */
    void nothing(String what, Volume where) {
        absent.add(what + " on " + where.partition());
    }

    /** Notes something that should be there. */
    void missing(String what, Volume where) {
        problem("There is no " + what + ", on " + where);
    }

    /** Notes something that is wrong, in a sentence without a full stop. */
    void problem(String sentence) {
        if (problems.size() < MAX_PROBLEMS) {
            problems.add(sentence);
        }
    }

    /** Returns all notes as lines. */
    String lines() {
        String found = problems.stream().map(problem -> "\n  " + problem).collect(Collectors.joining());
        return absent.isEmpty() ? found : found + "\n  Looked for " + String.join(", ", absent);
    }
}
