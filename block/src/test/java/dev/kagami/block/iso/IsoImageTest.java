package dev.kagami.block.iso;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.BlockException;
import dev.kagami.block.BlockImage;
import dev.kagami.block.QemuImg;
import dev.kagami.block.TestDisk;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IsoImageTest {
    private static final int SECTOR = 2048;

    @TempDir
    private Path directory;

    private static Map<String, byte[]> seed() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("user-data", "#cloud-config\npassword: ubuntu\n".getBytes(StandardCharsets.UTF_8));
        files.put("meta-data", "instance-id: one\nlocal-hostname: foobar\n".getBytes(StandardCharsets.UTF_8));
        files.put("network-config", new byte[0]);
        files.put("vendor-data", TestDisk.contents(3, 10_000));
        return files;
    }

    /** Files of a directory by name, read as the specification says. */
    private static Map<String, byte[]> read(byte[] image, boolean joliet) {
        ByteBuffer bytes = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        int descriptor = (joliet ? 17 : 16) * SECTOR;
        assertThat(bytes.get(descriptor)).isEqualTo((byte) (joliet ? 2 : 1));
        assertThat(text(image, descriptor + 1, 5)).isEqualTo("CD001");
        int root = descriptor + 156;
        int at = bytes.getInt(root + 2) * SECTOR;
        int end = at + bytes.getInt(root + 10);
        Map<String, byte[]> files = new TreeMap<>();
        while (at < end) {
            int length = bytes.get(at) & 0xFF;
            if (length == 0) {
                at = (at / SECTOR + 1) * SECTOR;
                continue;
            }
            int nameLength = bytes.get(at + 32);
            boolean directory = (bytes.get(at + 25) & 2) != 0;
            if (!directory) {
                String name = joliet
                        ? new String(image, at + 33, nameLength, StandardCharsets.UTF_16BE).replace(";1", "")
                        : rockRidgeName(image, at + 33 + nameLength + (nameLength & 1 ^ 1), at + length);
                int start = bytes.getInt(at + 2) * SECTOR;
                int size = bytes.getInt(at + 10);
                files.put(name, java.util.Arrays.copyOfRange(image, start, start + size));
            }
            at += length;
        }
        return files;
    }

    private static String rockRidgeName(byte[] image, int from, int end) {
        for (int at = from; at + 4 <= end; at += image[at + 2]) {
            if (text(image, at, 2).equals("NM")) {
                return new String(image, at + 5, image[at + 2] - 5, StandardCharsets.UTF_8);
            }
        }
        throw new AssertionError("no name");
    }

    private static String text(byte[] image, int at, int length) {
        return new String(image, at, length, StandardCharsets.US_ASCII);
    }

    @Test
    void holdsTheFilesUnderTheirNamesTwice() {
        byte[] image = IsoImage.of(IsoImage.CLOUD_INIT_SEED, seed()).toBytes();
        for (boolean joliet : new boolean[] {false, true}) {
            Map<String, byte[]> files = read(image, joliet);
            assertThat(files.keySet()).isEqualTo(seed().keySet());
            seed().forEach((name, contents) -> assertThat(files.get(name)).isEqualTo(contents));
        }
        assertThat(text(image, 16 * SECTOR + 40, 32)).isEqualTo("cidata" + " ".repeat(26));
        assertThat(image.length % SECTOR).isZero();
    }

    @Test
    void theSameFilesGiveTheSameBytesInAnyOrder() {
        byte[] image = IsoImage.of("cidata", seed()).toBytes();
        assertThat(IsoImage.of("cidata", new TreeMap<>(seed())).toBytes()).isEqualTo(image);
    }

    @Test
    void manyFilesAndLongNamesFit() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int i = 0; i < 300; i++) {
            files.put(
                    "a file with a rather long name, ä€ and all, number %03d.text".formatted(i), new byte[] {(byte) i});
        }
        byte[] image = IsoImage.of("many", files).toBytes();
        for (boolean joliet : new boolean[] {false, true}) {
            Map<String, byte[]> read = read(image, joliet);
            assertThat(read.keySet()).containsExactlyInAnyOrderElementsOf(files.keySet());
            files.forEach((name, contents) -> assertThat(read.get(name)).isEqualTo(contents));
        }
    }

    @Test
    void refusesWhatDoesNotFitTheFormat() {
        for (String name : new String[] {"", ".", "..", "a/b", "a;1", "a\nb", "x".repeat(65), "\uD800"}) {
            assertThatThrownBy(() -> IsoImage.of("cidata", Map.of(name, new byte[1])))
                    .isInstanceOf(BlockException.class)
                    .satisfies(
                            e -> assertThat(((BlockException) e).code()).isEqualTo(BlockException.Code.OUT_OF_RANGE));
        }
        assertThatThrownBy(() -> IsoImage.of("a volume identifier", Map.of())).isInstanceOf(BlockException.class);
        assertThatThrownBy(() -> IsoImage.of("", Map.of())).isInstanceOf(BlockException.class);
        assertThatThrownBy(() -> IsoImage.of("large", Map.of("a", new byte[65 << 20])))
                .isInstanceOf(BlockException.class);
    }

    @Test
    void isADiskInMemoryAndAFile() throws IOException {
        IsoImage image = IsoImage.of("cidata", seed());
        Path file = directory.resolve("seed.iso");
        image.write(file);
        assertThat(file).hasBinaryContent(image.toBytes());
        assertThatThrownBy(() -> image.write(file)).isInstanceOf(BlockException.class);
        try (BlockImage disk = image.toBlockImage()) {
            TestDisk.same(TestDisk.read(disk), image.toBytes(), "disk");
            assertThat(disk.readOnly()).isTrue();
        }
    }

    @Test
    void otherProgramsReadIt() throws IOException {
        Path file = directory.resolve("seed.iso");
        IsoImage.of("cidata", seed()).write(file);
        boolean any = false;
        for (String tool : new String[] {"isoinfo", "xorriso", "bsdtar", "blkid"}) {
            Path program = tool(tool);
            if (program == null) {
                continue;
            }
            any = true;
            switch (tool) {
                case "isoinfo" -> {
                    for (String names : new String[] {"-R", "-J"}) {
                        assertThat(QemuImg.must(program.toString(), "-f", names, "-i", file.toString()))
                                .contains("/user-data", "/meta-data", "/network-config", "/vendor-data");
                    }
                    assertThat(QemuImg.must(program.toString(), "-d", "-i", file.toString()))
                            .contains("Volume id: cidata", "Rock Ridge", "Joliet");
                }
                case "xorriso" -> {
                    Path out = Files.createDirectory(directory.resolve("xorriso"));
                    QemuImg.must(
                            program.toString(),
                            "-osirrox",
                            "on",
                            "-indev",
                            file.toString(),
                            "-extract",
                            "/",
                            out.toString());
                    assertSeed(out);
                }
                case "bsdtar" -> {
                    Path out = Files.createDirectory(directory.resolve("bsdtar"));
                    QemuImg.must(program.toString(), "-xf", file.toString(), "-C", out.toString());
                    assertSeed(out);
                }
                default ->
                    assertThat(QemuImg.must(program.toString(), "-p", file.toString()))
                            .contains("LABEL=\"cidata\"", "TYPE=\"iso9660\"");
            }
        }
        Assumptions.assumeTrue(any, "none of isoinfo, xorriso, bsdtar and blkid is installed");
    }

    private static Path tool(String name) {
        for (String place : new String[] {"/usr/bin", "/usr/sbin", "/sbin", "/bin"}) {
            Path program = Path.of(place, name);
            if (Files.isExecutable(program)) {
                return program;
            }
        }
        return null;
    }

    private static void assertSeed(Path out) {
        seed().forEach((name, contents) -> assertThat(out.resolve(name)).hasBinaryContent(contents));
    }
}
