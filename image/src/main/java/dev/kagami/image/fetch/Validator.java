package dev.kagami.image.fetch;

import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Properties;

/**
 * What tells one state of a server's file from another (RFC 9110, 8.8).
 *
 * @param entityTag the {@code ETag} field; empty if there was none
 * @param lastModified the {@code Last-Modified} field; empty if there was none
 * @param length how many bytes the whole file has, if the server says
 */
public record Validator(String entityTag, String lastModified, OptionalLong length) {

    /** What is known of a file that was never seen. */
    public static final Validator NONE = new Validator("", "", OptionalLong.empty());

    private static final String ENTITY_TAG = "entity-tag";
    private static final String LAST_MODIFIED = "last-modified";
    private static final String LENGTH = "length";
    private static final String WEAK = "W/";

    static Validator of(HttpResponse<?> response) {
        return new Validator(
                response.headers().firstValue("ETag").orElse(""),
                response.headers().firstValue("Last-Modified").orElse(""),
                response.headers().firstValueAsLong("Content-Length"));
    }

    /** Returns what a file holds; {@link #NONE} if it can't be read. */
    static Validator read(Path file) {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
            return of(properties);
        } catch (IOException | IllegalArgumentException e) {
            return NONE;
        }
    }

    /** Returns what properties hold; what isn't there is unknown. */
    public static Validator of(Properties properties) {
        String length = properties.getProperty(LENGTH, "");
        return new Validator(
                properties.getProperty(ENTITY_TAG, ""),
                properties.getProperty(LAST_MODIFIED, ""),
                length.matches("\\d{1,18}") ? OptionalLong.of(Long.parseLong(length)) : OptionalLong.empty());
    }

    /** Adds what is known to properties. */
    public void addTo(Properties properties) {
        properties.setProperty(ENTITY_TAG, entityTag);
        properties.setProperty(LAST_MODIFIED, lastModified);
        length.ifPresent(bytes -> properties.setProperty(LENGTH, Long.toString(bytes)));
    }

    void write(Path file) throws IOException {
        Properties properties = new Properties();
        addTo(properties);
        try (Writer writer = Files.newBufferedWriter(file)) {
            properties.store(writer, null);
        }
    }

    boolean isComplete(long size) {
        return isStrong() && length.isPresent() && length.getAsLong() == size;
    }

    /** Says whether a range can be asked for on condition that it is one of the same bytes (RFC 9110, 13.1.5). */
    boolean isStrong() {
        return !strong().isEmpty();
    }

    String strong() {
        return entityTag.isEmpty() || entityTag.startsWith(WEAK) ? lastModified : entityTag;
    }

    /** Says whether an answer with a range is one of the same file, as some servers don't heed {@code If-Range}. */
    boolean agreesWith(Validator earlier) {
        return (entityTag.isEmpty() || entityTag.equals(earlier.entityTag))
                && (lastModified.isEmpty() || lastModified.equals(earlier.lastModified));
    }

    /** Lets a request have an answer only if the file has changed. */
    void addConditions(HttpRequest.Builder request) {
        if (!entityTag.isEmpty()) {
            request.header("If-None-Match", entityTag);
        } else if (!lastModified.isEmpty()) {
            request.header("If-Modified-Since", lastModified);
        }
    }
}
