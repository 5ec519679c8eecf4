package dev.kagami.image.loader;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Parses a GRUB script. What makes no sense is an {@link IllegalArgumentException} with a reason. */
final class GrubParser {

    /** Far more than anyone writes, and far less than the stack holds. */
    private static final int MAX_DEPTH = 64;

    private static final int MAX_STATEMENTS = 100_000;

    private final GrubLexer lexer;
    private @Nullable GrubWord word;
    private int depth;
    private int statements;

    private GrubParser(String script) {
        lexer = new GrubLexer(script);
        word = lexer.next();
    }

    static List<GrubStatement> parse(String script) {
        GrubParser parser = new GrubParser(script);
        List<GrubStatement> statements = parser.statements(Set.of());
        if (parser.word != null) {
            throw new IllegalArgumentException("there is an unexpected " + parser.keyword());
        }
        return statements;
    }

    private void advance() {
        word = lexer.next();
    }

    private String keyword() {
        return word == null ? "" : word.keyword();
    }

    private boolean atSeparator() {
        return word == GrubLexer.SEPARATOR;
    }

    private void skipSeparators() {
        while (atSeparator()) {
            advance();
        }
    }

    private void expect(String keyword) {
        skipSeparators();
        if (!keyword().equals(keyword)) {
            throw new IllegalArgumentException("\"" + keyword + "\" is missing"
                    + (word == null ? " at the end" : " before \"" + keyword() + "\""));
        }
        advance();
    }

    /** Parses statements up to one of some keywords, which stays to be read. */
    private List<GrubStatement> statements(Set<String> ends) {
        if (++depth > MAX_DEPTH) {
            throw new IllegalArgumentException("it is nested too deeply");
        }
        List<GrubStatement> list = new ArrayList<>();
        skipSeparators();
        while (word != null && !ends.contains(keyword())) {
            if (++statements > MAX_STATEMENTS) {
                throw new IllegalArgumentException("it has too many commands");
            }
            list.add(statement());
            skipSeparators();
        }
        depth--;
        return List.copyOf(list);
    }

    private GrubStatement statement() {
        return switch (keyword()) {
            case "if" -> {
                advance();
                yield ifStatement();
            }
            case "while" -> loop(false);
            case "until" -> loop(true);
            case "for" -> forLoop();
            case "function" -> function();
            case "}", "then", "fi", "do", "done", "elif", "else" ->
                throw new IllegalArgumentException("there is an unexpected \"" + keyword() + "\"");
            default -> command();
        };
    }

    private GrubStatement ifStatement() {
        List<GrubStatement> condition = statements(Set.of("then"));
        expect("then");
        List<GrubStatement> then = statements(Set.of("elif", "else", "fi"));
        List<GrubStatement> otherwise = List.of();
        if (keyword().equals("elif")) {
            advance();
            if (++depth > MAX_DEPTH) {
                throw new IllegalArgumentException("it is nested too deeply");
            }
            otherwise = List.of(ifStatement());
            depth--;
            return new GrubStatement.If(condition, then, otherwise);
        }
        if (keyword().equals("else")) {
            advance();
            otherwise = statements(Set.of("fi"));
        }
        expect("fi");
        return new GrubStatement.If(condition, then, otherwise);
    }

    private GrubStatement loop(boolean until) {
        advance();
        List<GrubStatement> condition = statements(Set.of("do"));
        return new GrubStatement.Loop(condition, until, body());
    }

    private GrubStatement forLoop() {
        advance();
        GrubWord variable = word;
        if (variable == null) {
            throw new IllegalArgumentException("\"for\" stands at the end");
        }
        advance();
        expect("in");
        List<GrubWord> values = words(false);
        return new GrubStatement.For(variable, values, body());
    }

    private List<GrubStatement> body() {
        expect("do");
        List<GrubStatement> body = statements(Set.of("done"));
        expect("done");
        return body;
    }

    private GrubStatement function() {
        advance();
        String name = keyword();
        advance();
        return new GrubStatement.Function(name, block());
    }

    private List<GrubStatement> block() {
        expect("{");
        List<GrubStatement> block = statements(Set.of("}"));
        expect("}");
        return block;
    }

    private GrubStatement command() {
        List<GrubWord> words = words(true);
        return new GrubStatement.Command(words, keyword().equals("{") ? block() : List.of());
    }

    private List<GrubWord> words(boolean stopAtBlock) {
        List<GrubWord> words = new ArrayList<>();
        while (word != null && !atSeparator() && !keyword().equals("}")) {
            if (stopAtBlock && !words.isEmpty() && keyword().equals("{")) {
                break;
            }
            words.add(word);
            advance();
        }
        return List.copyOf(words);
    }
}
