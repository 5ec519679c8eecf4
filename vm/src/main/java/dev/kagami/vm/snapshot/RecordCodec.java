package dev.kagami.vm.snapshot;

import java.io.ByteArrayOutputStream;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Writes records as bytes and reads them back.
 *
 * <p>The components are written in their order, without names: {@code boolean} and {@code byte} as one byte, {@code short},
 * {@code int} and {@code long} little-endian, enums as their name; strings (UTF-8), arrays of primitives and lists with
 * their length before them; records and the values of lists in the same way; maps from int to long as pairs. Nothing else
 * is known, and nothing is null.
 *
 * @param <R> the record
 */
public final class RecordCodec<R extends Record> {
    /** The kinds of values there are. */
    private sealed interface Kind {
        /** One that the class says all about. */
        record Plain(Class<?> type) implements Kind {}

        /** A nested record. */
        record Nested(RecordCodec<?> codec) implements Kind {}

        /** A list of records. */
        record Many(RecordCodec<?> element) implements Kind {}

        /** An array of records. */
        record Array(RecordCodec<?> codec, Class<?> element) implements Kind {}

        /** A map from int to long. */
        record Registers() implements Kind {}
    }

    private final Class<R> type;
    private final RecordComponent[] components;
    private final List<Kind> kinds = new ArrayList<>();
    private final Constructor<R> constructor;

    private RecordCodec(Class<R> type) {
        this.type = type;
        components = type.getRecordComponents();
        Class<?>[] parameters = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            parameters[i] = components[i].getType();
            kinds.add(kind(components[i].getGenericType()));
        }
        try {
            constructor = type.getDeclaredConstructor(parameters);
        } catch (NoSuchMethodException e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Makes the codec of a record.
     *
     * @param type its class, public in an exported package
     * @param <R> the record
     * @return the codec
     * @throws IllegalArgumentException when it has components of other types than those above
     */
    public static <R extends Record> RecordCodec<R> of(Class<R> type) {
        return new RecordCodec<>(type);
    }

    private static Kind kind(Type type) {
        if (type instanceof Class<?> plain) {
            if (plain.isRecord()) {
                return new Kind.Nested(of(plain.asSubclass(Record.class)));
            }
            Class<?> element = plain.getComponentType();
            if (element != null && element.isRecord()) {
                return new Kind.Array(of(element.asSubclass(Record.class)), element);
            }
            if (plain.isPrimitive() || plain == String.class || plain.isEnum() || isPrimitiveArray(plain)) {
                return new Kind.Plain(plain);
            }
        }
        if (type instanceof ParameterizedType generic) {
            Type[] arguments = generic.getActualTypeArguments();
            if (generic.getRawType() == List.class && arguments[0] instanceof Class<?> element && element.isRecord()) {
                return new Kind.Many(of(element.asSubclass(Record.class)));
            }
            if (generic.getRawType() == SortedMap.class
                    && Arrays.equals(arguments, new Type[] {Integer.class, Long.class})) {
                return new Kind.Registers();
            }
        }
        throw new IllegalArgumentException("a state can't have a component of type " + type.getTypeName());
    }

    private static boolean isPrimitiveArray(Class<?> type) {
        Class<?> element = type.getComponentType();
        return element != null && element.isPrimitive();
    }

    /** {@return names and types of all components, for finding out whether two versions mean the same} */
    public String schema() {
        StringBuilder schema = new StringBuilder("(");
        for (int i = 0; i < components.length; i++) {
            schema.append(components[i].getName())
                    .append(':')
                    .append(schema(kinds.get(i)))
                    .append(',');
        }
        return schema.append(')').toString();
    }

    private static String schema(Kind kind) {
        return switch (kind) {
            case Kind.Plain(Class<?> plain) -> plain.getSimpleName();
            case Kind.Nested(RecordCodec<?> codec) -> codec.schema();
            case Kind.Many(RecordCodec<?> element) -> element.schema() + "*";
            case Kind.Array(RecordCodec<?> codec, Class<?> _) -> codec.schema() + "*";
            case Kind.Registers() -> "int=long*";
        };
    }

    // ---------------------------------------------------------------- writing

    /**
     * Writes a record.
     *
     * @param value the record
     * @return its bytes
     */
    public byte[] write(Record value) {
        Output output = new Output();
        write(value, output);
        return output.bytes.toByteArray();
    }

    private void write(Record value, Output output) {
        for (int i = 0; i < components.length; i++) {
            write(get(components[i], value), kinds.get(i), output);
        }
    }

    private static Object get(RecordComponent component, Record value) {
        try {
            return component.getAccessor().invoke(value);
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new AssertionError("cannot read " + component, e);
        }
    }

    private static void write(Object value, Kind kind, Output output) {
        switch (kind) {
            case Kind.Plain _ -> writePlain(value, output);
            case Kind.Nested(RecordCodec<?> codec) -> codec.write((Record) value, output);
            case Kind.Many(RecordCodec<?> element) -> {
                List<?> list = (List<?>) value;
                output.putInt(list.size());
                list.forEach(item -> element.write((Record) item, output));
            }
            case Kind.Array(RecordCodec<?> codec, Class<?> _) -> {
                Record[] array = (Record[]) value;
                output.putInt(array.length);
                for (Record item : array) {
                    codec.write(item, output);
                }
            }
            case Kind.Registers() -> {
                SortedMap<?, ?> map = (SortedMap<?, ?>) value;
                output.putInt(map.size());
                map.forEach((number, content) -> {
                    output.putInt((Integer) number);
                    output.putLong((Long) content);
                });
            }
        }
    }

    private static void writePlain(Object value, Output output) {
        switch (value) {
            case Boolean bit -> output.putByte(bit ? 1 : 0);
            case Byte octet -> output.putByte(octet);
            case Short number -> output.putShort(number);
            case Integer number -> output.putInt(number);
            case Long number -> output.putLong(number);
            case String text -> output.putBytes(text.getBytes(StandardCharsets.UTF_8));
            case Enum<?> constant -> output.putBytes(constant.name().getBytes(StandardCharsets.UTF_8));
            case byte[] array -> output.putBytes(array);
            case short[] array -> {
                output.putInt(array.length);
                for (short element : array) {
                    output.putShort(element);
                }
            }
            case int[] array -> {
                output.putInt(array.length);
                for (int element : array) {
                    output.putInt(element);
                }
            }
            case long[] array -> {
                output.putInt(array.length);
                for (long element : array) {
                    output.putLong(element);
                }
            }
            default -> throw new AssertionError("no kind allows a " + value.getClass());
        }
    }

    private static final class Output {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        void putByte(int value) {
            bytes.write(value);
        }

        void putShort(int value) {
            putByte(value);
            putByte(value >> 8);
        }

        void putInt(int value) {
            putShort(value);
            putShort(value >> 16);
        }

        void putLong(long value) {
            putInt((int) value);
            putInt((int) (value >> 32));
        }

        void putBytes(byte[] value) {
            putInt(value.length);
            bytes.writeBytes(value);
        }
    }

    // ---------------------------------------------------------------- reading

    /**
     * Reads a record.
     *
     * @param bytes what {@link #write} has written, and nothing else
     * @return the record
     * @throws IllegalArgumentException when it is something else, or the record refuses the values
     */
    public R read(byte[] bytes) {
        ByteBuffer input = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        R value;
        try {
            value = read(input);
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("the end is missing", e);
        }
        if (input.hasRemaining()) {
            throw new IllegalArgumentException("%d bytes too many".formatted(input.remaining()));
        }
        return value;
    }

    private R read(ByteBuffer input) {
        Object[] values = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            values[i] = read(kinds.get(i), input);
        }
        try {
            return constructor.newInstance(values);
        } catch (ReflectiveOperationException e) {
            if (e.getCause() instanceof RuntimeException refused) {
                throw new IllegalArgumentException(refused.getMessage(), refused);
            }
            throw new AssertionError("cannot make a " + type, e);
        }
    }

    private static Object read(Kind kind, ByteBuffer input) {
        return switch (kind) {
            case Kind.Plain(Class<?> plain) -> readPlain(plain, input);
            case Kind.Nested(RecordCodec<?> codec) -> codec.read(input);
            case Kind.Many(RecordCodec<?> element) -> {
                int count = count(input, 1);
                List<Record> list = new ArrayList<>();
                for (int i = 0; i < count; i++) {
                    list.add(element.read(input));
                }
                yield list;
            }
            case Kind.Array(RecordCodec<?> codec, Class<?> element) -> {
                Object array = Array.newInstance(element, count(input, 1));
                for (int i = 0; i < Array.getLength(array); i++) {
                    Array.set(array, i, codec.read(input));
                }
                yield array;
            }
            case Kind.Registers() -> {
                int count = count(input, Integer.BYTES + Long.BYTES);
                SortedMap<Integer, Long> map = new TreeMap<>(Integer::compareUnsigned);
                for (int i = 0; i < count; i++) {
                    map.put(input.getInt(), input.getLong());
                }
                yield map;
            }
        };
    }

    /** Reads a length; one that can't be never takes memory. */
    private static int count(ByteBuffer input, int elementSize) {
        int count = input.getInt();
        if (count < 0 || (long) count * elementSize > input.remaining()) {
            throw new IllegalArgumentException("%d elements in %d bytes".formatted(count, input.remaining()));
        }
        return count;
    }

    private static Object readPlain(Class<?> plain, ByteBuffer input) {
        if (plain == boolean.class) {
            return input.get() != 0;
        } else if (plain == byte.class) {
            return input.get();
        } else if (plain == short.class) {
            return input.getShort();
        } else if (plain == int.class) {
            return input.getInt();
        } else if (plain == long.class) {
            return input.getLong();
        } else if (plain == byte[].class) {
            return readBytes(input);
        } else if (plain == String.class) {
            return new String(readBytes(input), StandardCharsets.UTF_8);
        } else if (plain == short[].class) {
            short[] array = new short[count(input, Short.BYTES)];
            input.asShortBuffer().get(array);
            input.position(input.position() + array.length * Short.BYTES);
            return array;
        } else if (plain == int[].class) {
            int[] array = new int[count(input, Integer.BYTES)];
            input.asIntBuffer().get(array);
            input.position(input.position() + array.length * Integer.BYTES);
            return array;
        } else if (plain == long[].class) {
            long[] array = new long[count(input, Long.BYTES)];
            input.asLongBuffer().get(array);
            input.position(input.position() + array.length * Long.BYTES);
            return array;
        }
        String name = new String(readBytes(input), StandardCharsets.UTF_8);
        for (Object constant : plain.getEnumConstants()) {
            if (((Enum<?>) constant).name().equals(name)) {
                return constant;
            }
        }
        throw new IllegalArgumentException("no %s is called '%s'".formatted(plain.getSimpleName(), name));
    }

    private static byte[] readBytes(ByteBuffer input) {
        byte[] bytes = new byte[count(input, 1)];
        input.get(bytes);
        return bytes;
    }
}
