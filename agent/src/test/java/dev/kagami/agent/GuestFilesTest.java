package dev.kagami.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Random;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Copies files to and from this machine, by the agent's program and this machine's tar. */
@Timeout(60)
class GuestFilesTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path directory;

    @Test
    void treesComeBackAsTheyWere() throws Exception {
        Path tree = directory.resolve("tree");
        Path deep = Files.createDirectories(tree.resolve("d".repeat(120) + "/" + "e".repeat(120)));
        byte[] bytes = new byte[300_000];
        new Random(1).nextBytes(bytes);
        Files.write(deep.resolve("bytes"), bytes);
        Files.setLastModifiedTime(deep.resolve("bytes"), FileTime.fromMillis(1_000_000_000_000L));
        Files.writeString(tree.resolve("it's \"odd\" \u00e9"), "x");
        Files.setPosixFilePermissions(
                tree.resolve("it's \"odd\" \u00e9"), PosixFilePermissions.fromString("r-x-w---x"));
        Files.createSymbolicLink(tree.resolve("dangling"), Path.of("/no/where"));
        AgentClient client = new LocalAgent(directory).client();
        Path there = directory.resolve("there/it's");
        GuestFiles.copyTo(client, PATIENCE, tree, there.toString());
        Path back = directory.resolve("back");
        GuestFiles.copyFrom(client, PATIENCE, there.toString(), back);
        Path copy = back.resolve(tree.relativize(deep)).resolve("bytes");
        assertThat(copy).hasBinaryContent(bytes);
        assertThat(Files.getLastModifiedTime(copy).toMillis()).isEqualTo(1_000_000_000_000L);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(back.resolve("it's \"odd\" \u00e9"))))
                .isEqualTo("r-x-w---x");
        assertThat(Files.readSymbolicLink(back.resolve("dangling"))).isEqualTo(Path.of("/no/where"));
    }

    @Test
    void singleFilesAreCopiedToANameOrIntoADirectory() throws Exception {
        AgentClient client = new LocalAgent(directory).client();
        Path file = Files.writeString(directory.resolve("file"), "1");
        GuestFiles.copyTo(client, PATIENCE, file, directory + "/a/name");
        GuestFiles.copyTo(client, PATIENCE, file, directory + "/a/");
        assertThat(directory.resolve("a/name")).hasContent("1");
        assertThat(directory.resolve("a/file")).hasContent("1");
        // What is named is copied, not the link to it.
        Files.createSymbolicLink(directory.resolve("link"), file);
        GuestFiles.copyFrom(client, PATIENCE, directory + "/link", directory.resolve("copy"));
        assertThat(Files.isRegularFile(directory.resolve("copy"), LinkOption.NOFOLLOW_LINKS))
                .isTrue();
    }

    @Test
    void whatCanNotBeCopiedIsAnErrorWithTheReason() throws Exception {
        AgentClient client = new LocalAgent(directory).client();
        assertThatThrownBy(() -> GuestFiles.copyFrom(client, PATIENCE, "/no/such", directory.resolve("x")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("/no/such");
        assertThatThrownBy(() -> GuestFiles.copyFrom(client, PATIENCE, "/", directory.resolve("x")))
                .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> GuestFiles.copyFrom(client, PATIENCE, "relative", directory.resolve("x")))
                .hasMessageContaining("absolute");
        assertThatThrownBy(() -> GuestFiles.copyTo(client, PATIENCE, directory.resolve("none"), "/tmp/x"))
                .hasMessageContaining("none");
        Path empty = Files.createDirectory(directory.resolve("empty"));
        assertThatThrownBy(() -> GuestFiles.copyTo(client, PATIENCE, empty, "/proc/kagami"))
                .isInstanceOf(IOException.class);
    }

    /** An entry of a guest that means no good. */
    private static void put(TarArchiveOutputStream tar, String name, byte type, String link, String content)
            throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, type, true);
        entry.setLinkName(link);
        entry.setSize(content.length());
        tar.putArchiveEntry(entry);
        tar.write(content.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        tar.closeArchiveEntry();
    }

    private interface Entries {
        void write(TarArchiveOutputStream tar) throws IOException;
    }

    private void unpack(Entries entries) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            entries.write(tar);
        }
        new TarReader(directory.resolve("target")).read(new ByteArrayInputStream(bytes.toByteArray()));
    }

    @Test
    void aHostileGuestWritesNothingOutsideOfTheTarget() throws Exception {
        Path outside = Files.createDirectory(directory.resolve("outside"));
        assertThatThrownBy(() -> unpack(tar -> put(tar, "x/../../outside/f", TarConstants.LF_NORMAL, "", "evil")))
                .hasMessageContaining("points elsewhere");
        // A link, and then a file by way of it: the file comes first, as if the link were a directory.
        assertThatThrownBy(() -> unpack(tar -> {
                    put(tar, "x/", TarConstants.LF_DIR, "", "");
                    put(tar, "x/link", TarConstants.LF_SYMLINK, outside.toString(), "");
                    put(tar, "x/link/f", TarConstants.LF_NORMAL, "", "evil");
                }))
                .isInstanceOf(IOException.class);
        // A link of the host's in the target is not followed either.
        Path target = directory.resolve("target");
        Files.createDirectories(target);
        Files.createSymbolicLink(target.resolve("mine"), outside);
        assertThatThrownBy(() -> unpack(tar -> put(tar, "x/mine/f", TarConstants.LF_NORMAL, "", "evil")))
                .isInstanceOf(IOException.class);
        assertThatThrownBy(() -> unpack(tar -> put(tar, "x/hard", TarConstants.LF_LINK, "x/../../outside/f", "")))
                .isInstanceOf(IOException.class);
        unpack(tar -> put(tar, "/etc/absolute", TarConstants.LF_NORMAL, "", "harmless"));
        assertThat(target.resolve("absolute")).hasContent("harmless");
        assertThatThrownBy(() -> unpack(tar -> put(tar, "x/fifo", TarConstants.LF_FIFO, "", "")))
                .isInstanceOf(IOException.class);
        assertThat(outside).isEmptyDirectory();
    }

    @Test
    void rubbishIsAnErrorOrNothing() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int i = 0; i < 300; i++) {
            byte[] bytes = new byte[512 * (1 + random.nextInt(8))];
            random.nextBytes(bytes);
            try {
                new TarReader(directory.resolve("rubbish")).read(new ByteArrayInputStream(bytes));
            } catch (IOException e) {
                // What is wanted.
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }
}
