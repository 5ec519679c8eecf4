package dev.kagami.cli;

import dev.kagami.vm.Disk;
import dev.kagami.vm.DiskImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads {@code FILE[,OPTION...]} in the way of QEMU: a comma of a file's name is written twice, FILE may be {@code file=FILE}. */
final class DiskConverter implements ITypeConverter<Disk> {
    /** What may follow the file, for the help. */
    static final String OPTIONS =
            "readonly, temporary, overlay=FILE, format=raw|qcow2, serial=TEXT, queues=N, size=SIZE";

    @Override
    public Disk convert(String value) {
        Path file = null;
        Path overlay = null;
        Disk.Mode mode = Disk.Mode.READ_WRITE;
        DiskImage.Format format = null;
        String serial = null;
        int queues = 1;
        Long size = null;
        for (String part : split(value)) {
            int equals = part.indexOf('=');
            String key = equals < 0 ? part : part.substring(0, equals);
            String text = part.substring(equals + 1);
            if (file == null) {
                file = Path.of(key.equals("file") && equals > 0 ? text : part);
                continue;
            }
            switch (equals < 0 ? part : key + "=") {
                case "readonly", "ro" -> mode = only(value, mode, Disk.Mode.READ_ONLY);
                case "temporary" -> mode = only(value, mode, Disk.Mode.TEMPORARY);
                case "overlay=" -> {
                    mode = only(value, mode, Disk.Mode.OVERLAY);
                    overlay = Path.of(text);
                }
                case "format=" -> format = format(text);
                case "serial=" -> serial = text;
                case "queues=" -> queues = queues(text);
                case "size=" -> size = new DiskSize.AbsoluteConverter().convert(text);
                default ->
                    throw new TypeConversionException(
                            "'%s' is nothing that a disk has; behind the file there may be: %s. Write a comma in a file's name twice"
                                    .formatted(part, OPTIONS));
            }
        }
        if (file == null || file.toString().isEmpty()) {
            throw new TypeConversionException("'%s' names no file".formatted(value));
        }
        return new Disk(file, mode, overlay, format, serial, queues, size);
    }

    private static List<String> split(String value) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        for (int i = 0; i < value.length(); i++) {
            char next = value.charAt(i);
            if (next != ',') {
                part.append(next);
            } else if (i + 1 < value.length() && value.charAt(i + 1) == ',') {
                part.append(',');
                i++;
            } else {
                parts.add(part.toString());
                part.setLength(0);
            }
        }
        parts.add(part.toString());
        return parts;
    }

    private static Disk.Mode only(String value, Disk.Mode before, Disk.Mode mode) {
        if (before != Disk.Mode.READ_WRITE) {
            throw new TypeConversionException(
                    "'%s': readonly, temporary and overlay exclude each other".formatted(value));
        }
        return mode;
    }

    private static DiskImage.@Nullable Format format(String text) {
        try {
            return DiskImage.Format.valueOf(text.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException("'%s' is no format; write raw or qcow2".formatted(text));
        }
    }

    private static int queues(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'%s' is no number of queues; write for example 4".formatted(text));
        }
    }
}
