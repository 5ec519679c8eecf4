package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class CpioArchiveTest {

    private static final byte[] ODD = "seven b".getBytes(StandardCharsets.UTF_8);

    @TempDir
    private Path directory;

    private static CpioArchive sample() {
        return new CpioArchive()
                .directory("dev", 0755)
                .characterDevice("dev/console", 0600, 5, 1)
                .file("/usr/lib/odd", 04711, ODD)
                .symbolicLink("bin/sh", "busybox")
                .file("empty", 0644, "");
    }

    private record Seen(String name, long mode, String content, long inode) {}

    private static List<Seen> readBack(byte[] archive) throws IOException {
        List<Seen> seen = new ArrayList<>();
        try (var in = new CpioArchiveInputStream(new ByteArrayInputStream(archive))) {
            for (CpioArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                assertThat(entry.getFormat()).isEqualTo(CpioArchiveEntry.FORMAT_NEW);
                assertThat(entry.getTime()).isZero();
                assertThat(entry.getUID()).isZero();
                assertThat(entry.getGID()).isZero();
                seen.add(new Seen(
                        entry.getName(),
                        entry.getMode(),
                        new String(in.readAllBytes(), StandardCharsets.UTF_8),
                        entry.getInode()));
            }
        }
        return seen;
    }

    @Test
    void isReadBackByAnotherReaderEntryByEntry() throws IOException {
        assertThat(readBack(sample().toByteArray()))
                .containsExactly(
                        new Seen("dev", 0040755, "", 1),
                        new Seen("dev/console", 0020600, "", 2),
                        new Seen("usr", 0040755, "", 3),
                        new Seen("usr/lib", 0040755, "", 4),
                        new Seen("usr/lib/odd", 0104711, "seven b", 5),
                        new Seen("bin", 0040755, "", 6),
                        new Seen("bin/sh", 0120777, "busybox", 7),
                        new Seen("empty", 0100644, "", 8));
    }

    @Test
    void carriesTheNumbersOfDevices() throws IOException {
        try (var in = new CpioArchiveInputStream(new ByteArrayInputStream(sample().toByteArray()))) {
            in.getNextEntry();
            CpioArchiveEntry console = in.getNextEntry();
            assertThat(console.getRemoteDeviceMaj()).isEqualTo(5);
            assertThat(console.getRemoteDeviceMin()).isEqualTo(1);
        }
    }

    @Test
    void isTheSameBytesEveryTimeAndWholeBlocks() {
        assertThat(sample().toByteArray()).isEqualTo(sample().toByteArray());
        assertThat(sample().toByteArray().length % 512).isZero();
    }

    @Test
    void anEmptyArchiveIsItsTrailer() throws IOException {
        assertThat(readBack(new CpioArchive().toByteArray())).isEmpty();
        assertThat(new String(new CpioArchive().toByteArray(), StandardCharsets.US_ASCII))
                .startsWith("070701")
                .contains("TRAILER!!!");
    }

    @Test
    void isListedByTheCpioProgramIfTheHostHasOne() throws Exception {
        Path archive = Files.write(directory.resolve("archive"), sample().toByteArray());
        Path listing = directory.resolve("listing");
        Process process;
        try {
            process = new ProcessBuilder("cpio", "-t", "--quiet")
                    .redirectInput(archive.toFile())
                    .redirectOutput(listing.toFile())
                    .start();
        } catch (IOException e) {
            assumeTrue(false, "no cpio here");
            return;
        }
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        assertThat(process.exitValue()).isZero();
        assertThat(Files.readAllLines(listing))
                .containsExactly("dev", "dev/console", "usr", "usr/lib", "usr/lib/odd", "bin", "bin/sh", "empty");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/", "a//b", "./a", "a/..", "../a", "a/./b", "a\0b", "TRAILER!!!", "a/"})
    void refusesNamesThatAreNoPaths(String path) {
        assertThatThrownBy(() -> new CpioArchive().file(path, 0644, "")).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesPathsAddedTwiceTooLongOrBelowFiles() {
        CpioArchive archive = new CpioArchive().file("a", 0644, "");
        assertThatThrownBy(() -> archive.directory("a", 0755)).hasMessageContaining("twice");
        assertThatThrownBy(() -> archive.file("a/b", 0644, "")).hasMessageContaining("a is a file");
        assertThatThrownBy(() -> archive.file("x".repeat(4096), 0644, "")).hasMessageContaining("longer");
        assertThatThrownBy(() -> archive.file("b", 0100644, "")).hasMessageContaining("permission");
        assertThatThrownBy(() -> archive.symbolicLink("c", "")).hasMessageContaining("target");
        assertThatThrownBy(() -> archive.characterDevice("d", 0600, -1, 0)).hasMessageContaining("negative");
    }
}
