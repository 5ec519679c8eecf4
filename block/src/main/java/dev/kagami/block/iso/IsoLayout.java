package dev.kagami.block.iso;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Places the parts of a CD image, and writes them: system area, volume descriptors, path tables, the root directory twice,
 * a continuation area for the fields of Rock Ridge that a directory record has no room for, and the files.
 */
final class IsoLayout {
    private static final int SECTOR = 2048;
    /** ECMA-119, 6.2.1: sectors 0 to 15 are the system area. */
    private static final int PRIMARY_DESCRIPTOR = 16;

    private static final int JOLIET_DESCRIPTOR = 17;
    private static final int TERMINATOR = 18;
    private static final int PRIMARY_PATHS = 19;
    private static final int JOLIET_PATHS = 21;
    private static final int DIRECTORIES = 23;

    private static final int PATH_TABLE_BYTES = 10;
    private static final int RECORD_BYTES = 33;
    private static final int MAX_RECORD = 254;
    private static final int MAX_PRIMARY_NAME = 30;
    /** What a directory record has room for beside a primary name and the other Rock Ridge fields. */
    static final int MAX_NAME_BYTES = 140;

    private static final int FLAG_DIRECTORY = 2;
    private static final int MODE_DIRECTORY = 0040555;
    private static final int MODE_FILE = 0100444;

    /** 2000-01-01 00:00:00 UTC, so that the same files give the same image (ECMA-119, 9.1.5). */
    private static final byte[] RECORDED = {100, 1, 1, 0, 0, 0, 0};

    private static final String RECORDED_DIGITS = "2000010100000000";
    private static final String NO_DATE = "0000000000000000";

    /** RRIP 1.09, 4.3: the texts by which Rock Ridge is known. */
    private static final String[] EXTENSION = {
        "RRIP_1991A",
        "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
        "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR "
                + "FOR CONTACT INFORMATION."
    };

    private final String volumeId;
    private final List<IsoFile> files;

    private record Entry(byte[] name, IsoFile file, int sector) {}

    IsoLayout(String volumeId, List<IsoFile> files) {
        this.volumeId = volumeId;
        this.files = files;
    }

    private static int sectors(int bytes) {
        return (bytes + SECTOR - 1) / SECTOR;
    }

    byte[] write() {
        List<Entry> primary = entries(StandardCharsets.US_ASCII, primaryNames(), 0);
        List<Entry> joliet = entries(StandardCharsets.UTF_16BE, jolietNames(), 0);
        int primarySectors = directory(primary, true, 0, 0, 0).length / SECTOR;
        int jolietSectors = directory(joliet, false, 0, 0, 0).length / SECTOR;
        int primaryRoot = DIRECTORIES;
        int jolietRoot = primaryRoot + primarySectors;
        // Behind the directory that refers to it: some programs only read forwards.
        int continuation = jolietRoot + jolietSectors;
        int firstFile = continuation + 1;
        primary = entries(StandardCharsets.US_ASCII, primaryNames(), firstFile);
        joliet = entries(StandardCharsets.UTF_16BE, jolietNames(), firstFile);
        int total = firstFile;
        for (IsoFile file : files) {
            total += sectors(file.contents().length);
        }
        byte[] image = new byte[total * SECTOR];
        put(image, PRIMARY_DESCRIPTOR, descriptor(false, total, primaryRoot, primarySectors));
        put(image, JOLIET_DESCRIPTOR, descriptor(true, total, jolietRoot, jolietSectors));
        put(image, TERMINATOR, terminator());
        put(image, PRIMARY_PATHS, pathTable(primaryRoot, ByteOrder.LITTLE_ENDIAN));
        put(image, PRIMARY_PATHS + 1, pathTable(primaryRoot, ByteOrder.BIG_ENDIAN));
        put(image, JOLIET_PATHS, pathTable(jolietRoot, ByteOrder.LITTLE_ENDIAN));
        put(image, JOLIET_PATHS + 1, pathTable(jolietRoot, ByteOrder.BIG_ENDIAN));
        put(image, continuation, extensionReference());
        put(image, primaryRoot, directory(primary, true, primaryRoot, primarySectors, continuation));
        put(image, jolietRoot, directory(joliet, false, jolietRoot, jolietSectors, 0));
        for (Entry entry : primary) {
            put(image, entry.sector, entry.file.contents());
        }
        return image;
    }

    private static void put(byte[] image, int sector, byte[] bytes) {
        System.arraycopy(bytes, 0, image, sector * SECTOR, bytes.length);
    }

    /** Gives each file its place, and sorts by name as directories must be (ECMA-119, 9.3). */
    private List<Entry> entries(Charset charset, List<String> names, int firstSector) {
        List<Entry> entries = new ArrayList<>();
        int sector = firstSector;
        for (int i = 0; i < files.size(); i++) {
            IsoFile file = files.get(i);
            int length = sectors(file.contents().length);
            // An empty file has no place.
            entries.add(new Entry(names.get(i).getBytes(charset), file, length == 0 ? 0 : sector));
            sector += length;
        }
        entries.sort(Comparator.comparing(Entry::name, Arrays::compareUnsigned));
        return entries;
    }

    /** Names in capital letters, digits and underscores (ECMA-119, 7.4.1 and 7.5), made different by a number. */
    private List<String> primaryNames() {
        List<String> names = new ArrayList<>();
        Set<String> taken = new HashSet<>();
        for (IsoFile file : files) {
            String upper = file.name().toUpperCase(Locale.ROOT);
            int dot = upper.lastIndexOf('.');
            String base = plain(dot > 0 ? upper.substring(0, dot) : upper);
            String extension = dot > 0 ? plain(upper.substring(dot + 1)) : "";
            extension = extension.substring(0, Math.min(extension.length(), 8));
            int room = MAX_PRIMARY_NAME - extension.length();
            String name = base.substring(0, Math.min(base.length(), room));
            for (int number = 1; !taken.add(name + "." + extension); number++) {
                String suffix = "_" + number;
                name = base.substring(0, Math.min(base.length(), room - suffix.length())) + suffix;
            }
            names.add(name + "." + extension + ";1");
        }
        return names;
    }

    private static String plain(String name) {
        return name.replaceAll("[^A-Z0-9_]", "_");
    }

    private List<String> jolietNames() {
        return files.stream().map(file -> file.name() + ";1").toList();
    }

    private static void bothEndian32(ByteBuffer to, int at, int value) {
        to.order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
        to.order(ByteOrder.BIG_ENDIAN).putInt(at + 4, value);
    }

    private static void bothEndian16(ByteBuffer to, int at, int value) {
        to.order(ByteOrder.LITTLE_ENDIAN).putShort(at, (short) value);
        to.order(ByteOrder.BIG_ENDIAN).putShort(at + 2, (short) value);
    }

    private static byte[] padded(String text, int length, Charset charset) {
        byte[] bytes = (text + " ".repeat(length)).getBytes(charset);
        return Arrays.copyOf(bytes, length);
    }

    /** ECMA-119, 8.4 and 8.5; Joliet, the supplementary one, in UCS-2 level 3. */
    private byte[] descriptor(boolean joliet, int total, int root, int rootSectors) {
        Charset charset = joliet ? StandardCharsets.UTF_16BE : StandardCharsets.US_ASCII;
        ByteBuffer sector = ByteBuffer.allocate(SECTOR);
        sector.put(0, (byte) (joliet ? 2 : 1)).put(1, "CD001".getBytes(StandardCharsets.US_ASCII));
        sector.put(6, (byte) 1);
        sector.put(8, padded(joliet ? "" : "LINUX", 32, charset));
        sector.put(40, padded(volumeId, 32, charset));
        bothEndian32(sector, 80, total);
        if (joliet) {
            sector.put(88, "%/E".getBytes(StandardCharsets.US_ASCII));
        }
        bothEndian16(sector, 120, 1);
        bothEndian16(sector, 124, 1);
        bothEndian16(sector, 128, SECTOR);
        bothEndian32(sector, 132, PATH_TABLE_BYTES);
        int paths = joliet ? JOLIET_PATHS : PRIMARY_PATHS;
        sector.order(ByteOrder.LITTLE_ENDIAN).putInt(140, paths);
        sector.order(ByteOrder.BIG_ENDIAN).putInt(148, paths + 1);
        sector.put(156, record(new byte[1], FLAG_DIRECTORY, root, rootSectors * SECTOR, new byte[0]));
        // Volume set, publisher, data preparer, application; then three file names.
        for (int at = 190; at < 702; at += 128) {
            sector.put(at, padded("", 128, charset));
        }
        for (int at = 702; at < 813; at += 37) {
            sector.put(at, padded("", 37, charset));
        }
        String[] dates = {RECORDED_DIGITS, RECORDED_DIGITS, NO_DATE, NO_DATE};
        for (int i = 0; i < dates.length; i++) {
            sector.put(813 + 17 * i, dates[i].getBytes(StandardCharsets.US_ASCII));
        }
        sector.put(881, (byte) 1);
        return sector.array();
    }

    private static byte[] terminator() {
        return ByteBuffer.allocate(7)
                .put((byte) 255)
                .put("CD001".getBytes(StandardCharsets.US_ASCII))
                .put((byte) 1)
                .array();
    }

    /** ECMA-119, 9.4: the root directory, its own parent. */
    private static byte[] pathTable(int root, ByteOrder order) {
        ByteBuffer table = ByteBuffer.allocate(PATH_TABLE_BYTES).order(order);
        return table.put(0, (byte) 1).putInt(2, root).putShort(6, (short) 1).array();
    }

    private static byte[] directory(List<Entry> entries, boolean rockRidge, int sector, int sectors, int continuation) {
        List<byte[]> records = new ArrayList<>();
        int size = sectors * SECTOR;
        byte[] self = rockRidge
                ? concatenate(sharingProtocol(), posix(MODE_DIRECTORY, 2), continuation(continuation))
                : new byte[0];
        byte[] parent = rockRidge ? posix(MODE_DIRECTORY, 2) : new byte[0];
        records.add(record(new byte[] {0}, FLAG_DIRECTORY, sector, size, self));
        records.add(record(new byte[] {1}, FLAG_DIRECTORY, sector, size, parent));
        for (Entry entry : entries) {
            byte[] extra = rockRidge ? concatenate(posix(MODE_FILE, 1), name(entry.file.name())) : new byte[0];
            records.add(record(entry.name, 0, entry.sector, entry.file.contents().length, extra));
        }
        // A record doesn't go on in the next sector (ECMA-119, 6.8.1.1).
        int end = 0;
        for (byte[] record : records) {
            if (end % SECTOR + record.length > SECTOR) {
                end = sectors(end) * SECTOR;
            }
            end += record.length;
        }
        byte[] directory = new byte[sectors(end) * SECTOR];
        int at = 0;
        for (byte[] record : records) {
            if (at % SECTOR + record.length > SECTOR) {
                at = sectors(at) * SECTOR;
            }
            System.arraycopy(record, 0, directory, at, record.length);
            at += record.length;
        }
        return directory;
    }

    /** ECMA-119, 9.1. */
    private static byte[] record(byte[] name, int flags, int sector, int size, byte[] systemUse) {
        int systemUseAt = RECORD_BYTES + name.length + (name.length & 1 ^ 1);
        int length = systemUseAt + systemUse.length + 1 & ~1;
        if (length > MAX_RECORD) {
            throw new IllegalArgumentException("directory record of %d bytes".formatted(length));
        }
        ByteBuffer record = ByteBuffer.allocate(length);
        record.put(0, (byte) length);
        bothEndian32(record, 2, sector);
        bothEndian32(record, 10, size);
        record.put(18, RECORDED);
        record.put(25, (byte) flags);
        bothEndian16(record, 28, 1);
        record.put(32, (byte) name.length).put(RECORD_BYTES, name).put(systemUseAt, systemUse);
        return record.array();
    }

    private static ByteBuffer field(String signature, int length) {
        return ByteBuffer.allocate(length)
                .put(0, signature.getBytes(StandardCharsets.US_ASCII))
                .put(2, (byte) length)
                .put(3, (byte) 1);
    }

    /** SUSP 1.10, 5.3: that fields such as these are used at all. */
    private static byte[] sharingProtocol() {
        return field("SP", 7).put(4, (byte) 0xBE).put(5, (byte) 0xEF).array();
    }

    /** SUSP 1.10, 5.1: where the field is that has no room here. */
    private static byte[] continuation(int sector) {
        ByteBuffer field = field("CE", 28);
        bothEndian32(field, 4, sector);
        bothEndian32(field, 12, 0);
        bothEndian32(field, 20, extensionReference().length);
        return field.array();
    }

    /** SUSP 1.10, 5.5. */
    private static byte[] extensionReference() {
        int length = 8 + EXTENSION[0].length() + EXTENSION[1].length() + EXTENSION[2].length();
        ByteBuffer field = field("ER", length);
        field.put(7, (byte) 1);
        int at = 8;
        for (int i = 0; i < EXTENSION.length; i++) {
            field.put(4 + i, (byte) EXTENSION[i].length());
            field.put(at, EXTENSION[i].getBytes(StandardCharsets.US_ASCII));
            at += EXTENSION[i].length();
        }
        return field.array();
    }

    /** RRIP 1.09, 4.1.1: mode and links; owned by root. */
    private static byte[] posix(int mode, int links) {
        ByteBuffer field = field("PX", 36);
        bothEndian32(field, 4, mode);
        bothEndian32(field, 12, links);
        return field.array();
    }

    /** RRIP 1.09, 4.1.4. */
    private static byte[] name(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return field("NM", 5 + bytes.length).put(5, bytes).array();
    }

    private static byte[] concatenate(byte[]... parts) {
        int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
        ByteBuffer all = ByteBuffer.allocate(length);
        for (byte[] part : parts) {
            all.put(part);
        }
        return all.array();
    }
}
