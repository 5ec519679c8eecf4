package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kagami.image.ImageException.Code;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DebPackageTest {

    @TempDir
    private Path directory;

    private Path file;

    @BeforeEach
    void nameTheFile() {
        file = directory.resolve("a.deb");
    }

    private static Map<String, String> contents(DebPackage deb) {
        Map<String, String> contents = new LinkedHashMap<>();
        deb.visit((path, content) -> {
            contents.put(path, new String(content.readAllBytes(), StandardCharsets.UTF_8));
            return true;
        });
        return contents;
    }

    private void assertRefused(String reason) {
        assertThatThrownBy(() -> contents(new DebPackage(file)))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.PACKAGE_INVALID))
                .hasMessageContaining(file.toString())
                .hasMessageContaining(reason);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".gz", ".xz"})
    void showsTheFilesInOrderWhateverTheCompression(String suffix) throws IOException {
        byte[] tar = Debs.tar(Maps.of("./", "", "./boot/", "", "./boot/b", "bee", "./a", "ay", "c", "sea"));
        Debs.deb(file, suffix, suffix.isEmpty() ? tar : suffix.equals(".gz") ? Debs.gzip(tar) : Debs.xz(tar));
        assertThat(contents(new DebPackage(file)))
                .containsExactly(Map.entry("boot/b", "bee"), Map.entry("a", "ay"), Map.entry("c", "sea"));
    }

    @Test
    void readsZstdWithTheHelpOfDpkgIfTheHostHasIt() throws Exception {
        Path tree = Files.createDirectory(directory.resolve("tree"));
        Files.createDirectories(tree.resolve("DEBIAN"));
        Files.writeString(
                tree.resolve("DEBIAN/control"),
                "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n");
        Files.createDirectories(tree.resolve("boot"));
        Files.writeString(tree.resolve("boot/b"), "bee");
        assumeTrue(dpkgDebBuilds(tree), "no dpkg-deb here, or none that knows zstd");
        assertThat(contents(new DebPackage(file))).containsExactly(Map.entry("boot/b", "bee"));
    }

    private boolean dpkgDebBuilds(Path tree) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(
                            "dpkg-deb", "--root-owner-group", "-Zzstd", "-b", tree.toString(), file.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("log").toFile())
                    .start();
            return process.waitFor(1, TimeUnit.MINUTES) && process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    void stopsWhenTheVisitorHasEnough() throws IOException {
        Debs.deb(file, Maps.of("./a", "ay", "./b", "bee"));
        Map<String, String> seen = new LinkedHashMap<>();
        new DebPackage(file).visit((path, content) -> {
            seen.put(path, "");
            return false;
        });
        assertThat(seen).containsOnlyKeys("a");
    }

    @Test
    void showsNoLinksAndNoDevices() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            for (byte type : new byte[] {
                TarConstants.LF_SYMLINK,
                TarConstants.LF_LINK,
                TarConstants.LF_CHR,
                TarConstants.LF_BLK,
                TarConstants.LF_FIFO
            }) {
                TarArchiveEntry entry = new TarArchiveEntry("./boot/vmlinuz-1", type);
                entry.setLinkName("/etc/passwd");
                tar.putArchiveEntry(entry);
                tar.closeArchiveEntry();
            }
        }
        Debs.deb(file, "", bytes.toByteArray());
        assertThat(contents(new DebPackage(file))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../etc/passwd", "./a/../../b", "/etc/passwd", "..", ".//etc/passwd"})
    void refusesNamesOutsideOfThePackage(String name) throws IOException {
        Debs.deb(file, Maps.of("./ok", "fine", name, "evil"));
        assertRefused("outside of its tree");
    }

    @Test
    void refusesToDecompressWithoutEnd() throws IOException {
        Debs.deb(file, Maps.of("./zeros", new byte[1 << 20], "./more", new byte[1 << 20]));
        assertThat(Files.size(file)).isLessThan(10_000);
        DebPackage bounded = new DebPackage(file, 1 << 20);
        assertThatThrownBy(() -> contents(bounded))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("more than is sensible");
        assertThatThrownBy(() -> bounded.visit((path, content) -> true))
                .as("also when files are skipped")
                .isInstanceOf(ImageException.class);
    }

    @Test
    void refusesFilesLargerThanTheVisitorCanTake() throws IOException {
        Debs.deb(file, Maps.of("./a", new byte[101]));
        assertThatThrownBy(() -> new DebPackage(file).visit((path, content) -> {
                    DebPackage.readAll(content, 100);
                    return true;
                }))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("larger than 100 bytes");
    }

    @Test
    void refusesWhatIsNoPackage() throws IOException {
        Files.writeString(file, "");
        assertRefused("");
        Files.writeString(file, "#!/bin/sh\necho not a package\n");
        assertRefused("");
        Debs.ar(file, Maps.of("readme", "hello"));
        assertRefused("isn't a Debian package");
        Debs.ar(file, Maps.of("debian-binary", "3.0\n", "data.tar", Debs.tar(Map.of())));
        assertRefused("isn't a Debian package");
        Debs.ar(file, Maps.of("debian-binary", "2.0\n", "control.tar", ""));
        assertRefused("no data.tar");
        Debs.deb(file, ".lzma", new byte[10]);
        assertRefused("isn't supported: .lzma");
        Files.delete(file);
        assertRefused("");
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        byte[] content = new byte[3000];
        new Random(1).nextBytes(content);
        Debs.deb(file, Maps.of("./a", content, "./b", "bee"));
        byte[] whole = Files.readAllBytes(file);
        // ar pads members to even sizes, and the very last byte may be that.
        for (int length = 0; length < whole.length - 1; length += 7) {
            Files.write(file, Arrays.copyOf(whole, length));
            assertRefused("");
        }
    }

    @Test
    void survivesDamageAnywhere() throws IOException {
        Debs.deb(file, ".gz", Debs.gzip(Debs.tar(Maps.of("./a", "some text", "./b", "bee"))));
        byte[] whole = Files.readAllBytes(file);
        byte[] tarOnly = Debs.tar(Maps.of("./a", "some text", "./b", "bee"));
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 2000; i++) {
            byte[] damaged = i % 2 == 0 ? whole.clone() : null;
            if (damaged == null) {
                byte[] tar = tarOnly.clone();
                damage(tar, random);
                Debs.deb(file, "", tar);
            } else {
                damage(damaged, random);
                Files.write(file, damaged);
            }
            try {
                contents(new DebPackage(file));
            } catch (ImageException e) {
                assertThat(e.code()).as("seed %d", seed).isEqualTo(Code.PACKAGE_INVALID);
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ", case " + i, e);
            }
        }
    }

    private static void damage(byte[] bytes, Random random) {
        for (int i = random.nextInt(1, 4); i > 0; i--) {
            bytes[random.nextInt(Math.min(bytes.length, 2048))] = (byte) random.nextInt();
        }
    }
}
