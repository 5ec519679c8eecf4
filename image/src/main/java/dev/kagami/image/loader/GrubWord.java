package dev.kagami.image.loader;

import java.util.List;

/** A word of a GRUB script, before its variables have values. */
record GrubWord(List<Part> parts) {

    /** A piece of a word. */
    sealed interface Part {}

    /**
     * Text as it stands there.
     *
     * @param text the text
     * @param quoted whether it stood in quotes, and so makes a word even when empty
     */
    record Text(String text, boolean quoted) implements Part {}

    /**
     * A variable.
     *
     * @param name its name
     * @param quoted whether it stood in double quotes: else its value is split at spaces
     */
    record Variable(String name, boolean quoted) implements Part {}

    /** Returns the word if it is plain unquoted text, such as a keyword; else an empty string. */
    String keyword() {
        return parts.size() == 1 && parts.getFirst() instanceof Text text && !text.quoted() ? text.text() : "";
    }
}
