package dev.kagami.image.loader;

import java.util.List;

/** A statement of a GRUB script. */
sealed interface GrubStatement {

    /**
     * A command.
     *
     * @param words its name and arguments
     * @param block the script in braces that ends a {@code menuentry} or {@code submenu}; else empty
     */
    record Command(List<GrubWord> words, List<GrubStatement> block) implements GrubStatement {}

    /**
     * {@code if}.
     *
     * @param condition what decides, by its last command's status
     * @param then what is run if that is 0
     * @param otherwise what is run if not
     */
    record If(List<GrubStatement> condition, List<GrubStatement> then, List<GrubStatement> otherwise)
            implements GrubStatement {}

    /**
     * {@code while} or {@code until}.
     *
     * @param condition what decides
     * @param until whether it runs until, not while, the status is 0
     * @param body what is run
     */
    record Loop(List<GrubStatement> condition, boolean until, List<GrubStatement> body) implements GrubStatement {}

    /**
     * {@code for}.
     *
     * @param variable takes one value after the other
     * @param values the values
     * @param body what is run
     */
    record For(GrubWord variable, List<GrubWord> values, List<GrubStatement> body) implements GrubStatement {}

    /**
     * {@code function}.
     *
     * @param name its name
     * @param body what is run when it is called
     */
    record Function(String name, List<GrubStatement> body) implements GrubStatement {}
}
