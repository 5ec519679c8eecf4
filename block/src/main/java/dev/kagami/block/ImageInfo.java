package dev.kagami.block;

import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What is known about an image.
 *
 * @param file the image
 * @param format its format
 * @param size bytes of the disk
 * @param fileSize bytes of the file; what it takes on the host may be less
 * @param qcow2 what only a qcow2 image has, or null
 */
public record ImageInfo(
        Path file,
        ImageFormat format,
        long size,
        long fileSize,
        @Nullable Qcow2 qcow2) {
    /**
     * What only a qcow2 image has.
     *
     * @param version 2 or 3
     * @param clusterSize bytes
     * @param refcountBits width of a reference count
     * @param compression of compressed clusters, if there are any
     * @param backingFile the name of the backing file as the header has it, or null
     * @param backingFormat its format as the header has it, or null
     * @param dirty whether it was not closed by a program with lazy reference counts
     * @param corrupt whether a program found its tables contradicting one another
     * @param lazyRefcounts whether reference counts may be updated late
     * @param snapshots internal snapshots
     */
    public record Qcow2(
            int version,
            int clusterSize,
            int refcountBits,
            Compression compression,
            @Nullable String backingFile,
            @Nullable String backingFormat,
            boolean dirty,
            boolean corrupt,
            boolean lazyRefcounts,
            List<Snapshot> snapshots) {}

    /**
     * An internal snapshot.
     *
     * @param id unique in the image
     * @param name given by the user
     * @param created when it was made
     * @param diskSize bytes of the disk then; 0 when not told
     * @param vmStateSize bytes of the machine's state that is in the snapshot
     */
    public record Snapshot(String id, String name, Instant created, long diskSize, long vmStateSize) {}

    /** {@return lines for people, without an end of line behind the last} */
    public String text() {
        List<String> lines = new ArrayList<>();
        lines.add("image: " + file);
        lines.add("format: " + format.id());
        lines.add("disk size: " + bytes(size));
        lines.add("file size: " + bytes(fileSize));
        if (qcow2 != null) {
            lines.add("qcow2 version: " + qcow2.version);
            lines.add("cluster size: " + bytes(qcow2.clusterSize));
            lines.add("refcount bits: " + qcow2.refcountBits);
            lines.add("compression: " + qcow2.compression.name().toLowerCase(Locale.ROOT));
            if (qcow2.backingFile != null) {
                String suffix =
                        qcow2.backingFormat == null ? "" : " (" + ImageOpener.printable(qcow2.backingFormat) + ")";
                lines.add("backing file: " + ImageOpener.printable(qcow2.backingFile) + suffix);
            }
            if (qcow2.lazyRefcounts) {
                lines.add("lazy refcounts: yes");
            }
            if (qcow2.dirty) {
                lines.add("dirty: yes, it was not closed");
            }
            if (qcow2.corrupt) {
                lines.add("corrupt: yes");
            }
            for (Snapshot snapshot : qcow2.snapshots) {
                lines.add("snapshot: %s %s, %s"
                        .formatted(
                                ImageOpener.printable(snapshot.id),
                                ImageOpener.printable(snapshot.name),
                                snapshot.created));
            }
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static String bytes(long count) {
        String[] units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        int unit = 0;
        double value = count;
        while (value >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        if (unit == 0) {
            return count + " B";
        }
        String rounded = String.format(Locale.ROOT, value == Math.rint(value) ? "%.0f" : "%.2f", value);
        return "%s %s (%d bytes)".formatted(rounded, units[unit], count);
    }

    /** {@return the same as a JSON object (RFC 8259) on one line} */
    public String json() {
        StringBuilder out = new StringBuilder("{");
        member(out, "file", file.toString());
        member(out, "format", format.id());
        member(out, "size", size);
        member(out, "fileSize", fileSize);
        if (qcow2 != null) {
            member(out, "version", qcow2.version);
            member(out, "clusterSize", qcow2.clusterSize);
            member(out, "refcountBits", qcow2.refcountBits);
            member(out, "compression", qcow2.compression.name().toLowerCase(Locale.ROOT));
            if (qcow2.backingFile != null) {
                member(out, "backingFile", qcow2.backingFile);
            }
            if (qcow2.backingFormat != null) {
                member(out, "backingFormat", qcow2.backingFormat);
            }
            member(out, "dirty", qcow2.dirty);
            member(out, "corrupt", qcow2.corrupt);
            member(out, "lazyRefcounts", qcow2.lazyRefcounts);
            name(out, "snapshots");
            out.append('[');
            for (Snapshot snapshot : qcow2.snapshots) {
                out.append(out.charAt(out.length() - 1) == '[' ? "{" : ",{");
                member(out, "id", snapshot.id);
                member(out, "name", snapshot.name);
                member(out, "created", snapshot.created.toString());
                member(out, "diskSize", snapshot.diskSize);
                member(out, "vmStateSize", snapshot.vmStateSize);
                out.append('}');
            }
            out.append(']');
        }
        return out.append('}').toString();
    }

    private static void name(StringBuilder out, String name) {
        if (out.charAt(out.length() - 1) != '{') {
            out.append(',');
        }
        out.append('"').append(name).append("\":");
    }

    private static void member(StringBuilder out, String name, Object value) {
        name(out, name);
        if (!(value instanceof String text)) {
            out.append(value);
            return;
        }
        out.append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || Character.isSurrogate(c)) {
                out.append("\\u%04x".formatted((int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
