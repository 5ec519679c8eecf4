package dev.kagami.control;

import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.jr.ob.JSON;

/** Reads and writes JSON objects (RFC 8259). */
final class Json {
    private static final JSON MAPPER = JSON.std;

    private Json() {}

    static byte[] write(Object value) {
        return MAPPER.asBytes(value);
    }

    /**
     * Reads an object.
     *
     * @param text an object; nothing is one without members
     * @throws IllegalArgumentException if it is anything else
     */
    static Map<String, Object> read(byte[] text) {
        if (text.length == 0) {
            return Map.of();
        }
        try {
            return MAPPER.mapFrom(text);
        } catch (JacksonException e) {
            throw new IllegalArgumentException(e.getOriginalMessage(), e);
        }
    }
}
