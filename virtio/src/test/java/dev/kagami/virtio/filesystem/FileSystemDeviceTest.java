package dev.kagami.virtio.filesystem;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.virtio.SyntheticDriver;
import dev.kagami.virtio.VirtioContractTest;
import dev.kagami.virtio.VirtioDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileSystemDeviceTest extends VirtioContractTest {
    private static final long ROOT = 1;
    private static final int READ_WRITE = 2;
    private static final int WRITE_ONLY = 1;
    private static final int TRUNCATE = 01000;

    @TempDir
    Path directory;

    private Path shared = Path.of("");
    private Path secret = Path.of("");

    @BeforeEach
    void makeFiles() throws IOException {
        shared = Files.createDirectory(directory.resolve("shared"));
        secret = Files.createDirectory(directory.resolve("secret"));
        Files.writeString(secret.resolve("key"), "secret");
        Files.createDirectory(shared.resolve("sub"));
        Files.writeString(shared.resolve("sub/hello"), "hello guest");
    }

    private FileSystemDevice device(boolean readOnly) {
        return new FileSystemDevice(new FileSystemConfig(shared, "share", readOnly, 1000, 1000));
    }

    @Override
    protected VirtioDevice create() {
        return device(false);
    }

    private FuseClient client(boolean readOnly) {
        FuseClient client = new FuseClient(new SyntheticDriver(machine, machine.addPci(device(readOnly))).start());
        client.initialize();
        return client;
    }

    @Override
    protected void exercise(SyntheticDriver driver) {
        FuseClient client = new FuseClient(driver);
        client.initialize();
        long sub = client.find(ROOT, "sub");
        long hello = client.find(sub, "hello");
        long handle = client.opened(hello, 0);
        assertThat(client.read(handle, 6, 100)).isZero();
        assertThat(client.text()).isEqualTo("guest");
        assertThat(client.release(handle)).isZero();
        assertThat(client.lookUp(sub, "nothing")).isEqualTo(Errno.ENOENT);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void configurationHasTheTag() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        assertThat((char) driver.transport().config(0, 1)).isEqualTo('s');
        assertThat(driver.transport().config(36, 4)).isEqualTo(1);
        assertThatThrownBy(() -> new FileSystemDevice(FileSystemConfig.of(directory.resolve("none"), "x", false)))
                .isInstanceOf(UncheckedIOException.class);
        assertThatThrownBy(() -> FileSystemConfig.of(shared, "", false)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void filesAreMadeWrittenReadAndRemoved() throws IOException {
        FuseClient client = client(false);
        assertThat(client.create(ROOT, "new", READ_WRITE, 0100666)).isZero();
        long node = client.answer().getLong(0);
        long handle = client.answer().getLong(128);
        byte[] content = new byte[60_000];
        new Random(1).nextBytes(content);
        assertThat(client.write(handle, 100, content)).isZero();
        assertThat(client.answer().getInt(0)).isEqualTo(60_000);
        assertThat(client.begin(20, node).putLong(handle).putInt(0, 0).send())
                .as("fsync")
                .isZero();
        assertThat(client.read(handle, 100, 60_000)).isZero();
        assertThat(client.answer().array()).isEqualTo(content);
        byte[] onHost = Files.readAllBytes(shared.resolve("new"));
        assertThat(Arrays.copyOfRange(onHost, 100, onHost.length)).isEqualTo(content);
        assertThat(Files.getPosixFilePermissions(shared.resolve("new")))
                .isEqualTo(PosixFilePermissions.fromString("rw-rw-rw-"));

        assertThat(client.setAttributes(node, 8, 10, 0, 0, 0)).as("truncate").isZero();
        assertThat(Files.size(shared.resolve("new"))).isEqualTo(10);
        assertThat(client.setAttributes(node, 8, 5000, 0, 0, 0)).as("extend").isZero();
        assertThat(client.answer().getLong(16 + 8)).isEqualTo(5000);
        assertThat(client.unlink(ROOT, "new")).isZero();
        assertThat(shared.resolve("new")).doesNotExist();
        assertThat(client.getAttributes(node)).as("open without a name").isZero();
        assertThat(client.read(handle, 0, 10)).isZero();
        assertThat(client.release(handle)).isZero();
        assertThat(client.getAttributes(node)).isEqualTo(Errno.ESTALE);
        assertThat(client.read(handle, 0, 10)).isEqualTo(Errno.EBADF);
    }

    @Test
    void openTruncatesAndKeepsToItsMode() throws IOException {
        FuseClient client = client(false);
        long hello = client.find(client.find(ROOT, "sub"), "hello");
        long reader = client.opened(hello, 0);
        assertThat(client.write(reader, 0, new byte[1])).isEqualTo(Errno.EBADF);
        long writer = client.opened(hello, WRITE_ONLY | TRUNCATE);
        assertThat(client.read(writer, 0, 1)).isEqualTo(Errno.EBADF);
        assertThat(Files.size(shared.resolve("sub/hello"))).isZero();
    }

    @Test
    void attributesAreTheHosts() throws IOException {
        Path file = shared.resolve("sub/hello");
        Files.setLastModifiedTime(file, FileTime.fromMillis(1_600_000_000_123L));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        FuseClient client = client(false);
        long hello = client.find(client.find(ROOT, "sub"), "hello");
        assertThat(client.getAttributes(hello)).isZero();
        ByteBuffer attributes = client.answer().slice(16, 88).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        assertThat(attributes.getLong(0)).isEqualTo(((Number) Files.getAttribute(file, "unix:ino")).longValue());
        assertThat(attributes.getLong(8)).isEqualTo(11);
        assertThat(attributes.getLong(32)).isEqualTo(1_600_000_000L);
        assertThat(attributes.getInt(52)).isEqualTo(123_000_000);
        assertThat(attributes.getInt(60)).isEqualTo(0100640);
        assertThat(attributes.getInt(64)).as("links").isEqualTo(1);
        assertThat(attributes.getInt(68)).as("owner").isEqualTo(1000);

        assertThat(client.setAttributes(hello, 1 | 32, 0, 1_500_000_000L, 04755, 0))
                .isZero();
        assertThat(Files.getAttribute(file, "unix:mode"))
                .as("no set-user-id bit")
                .isEqualTo(0100755);
        assertThat(Files.getLastModifiedTime(file).toMillis()).isEqualTo(1_500_000_000_000L);
        assertThat(client.setAttributes(hello, 2, 0, 0, 0, 0)).as("chown").isEqualTo(Errno.EPERM);
        assertThat(client.setAttributes(hello, 2, 0, 0, 0, 1000))
                .as("to who has it")
                .isZero();
    }

    @Test
    void directoriesAreListedMadeMovedAndRemoved() throws IOException {
        FuseClient client = client(false);
        assertThat(client.makeDirectory(ROOT, "dir", 0750)).isZero();
        long dir = client.answer().getLong(0);
        assertThat(Files.getPosixFilePermissions(shared.resolve("dir")))
                .isEqualTo(PosixFilePermissions.fromString("rwxr-x---"));
        assertThat(client.makeDirectory(ROOT, "dir", 0750)).isEqualTo(Errno.EEXIST);
        List<String> expected = new ArrayList<>(List.of(".", ".."));
        for (int i = 0; i < 300; i++) {
            Files.writeString(shared.resolve("dir/file-" + i), "x");
            expected.add("file-" + i);
        }
        assertThat(list(client, dir, 28, 4096)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(list(client, dir, 44, 4096)).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(list(client, ROOT, 44, 60_000)).containsExactlyInAnyOrder(".", "..", "dir", "sub");

        assertThat(client.removeDirectory(ROOT, "dir")).isEqualTo(Errno.ENOTEMPTY);
        assertThat(client.unlink(ROOT, "dir")).isEqualTo(Errno.EISDIR);
        long sub = client.find(ROOT, "sub");
        assertThat(client.rename(ROOT, "dir", sub, "moved", 0)).isZero();
        assertThat(shared.resolve("sub/moved/file-7")).exists();
        long file = client.find(dir, "file-7");
        long handle = client.opened(file, 0);
        assertThat(client.read(handle, 0, 1)).isZero();
        assertThat(client.text()).isEqualTo("x");
        assertThat(client.rename(dir, "file-1", dir, "file-2", 1)).isEqualTo(Errno.EEXIST);
        assertThat(client.rename(dir, "file-1", dir, "file-2", 2))
                .as("exchange")
                .isEqualTo(Errno.EINVAL);
        assertThat(client.rename(dir, "file-1", dir, "file-2", 0)).isZero();
        assertThat(client.rename(ROOT, "sub", dir, "loop", 0)).isEqualTo(Errno.EINVAL);
        assertThat(client.makeDirectory(sub, "empty", 0700)).isZero();
        assertThat(client.removeDirectory(sub, "empty")).isZero();
        assertThat(client.removeDirectory(sub, "hello")).isEqualTo(Errno.ENOTDIR);
    }

    /** Reads a directory in pieces. */
    private static List<String> list(FuseClient client, long node, int opcode, int size) {
        assertThat(client.begin(27, node).putInt(0, 0).send()).isZero();
        long handle = client.answer().getLong(0);
        List<String> names = new ArrayList<>();
        long offset = 0;
        while (true) {
            assertThat(client.begin(opcode, node)
                            .putLong(handle, offset)
                            .putInt(size, 0)
                            .putLong(0)
                            .putInt(0, 0)
                            .send())
                    .isZero();
            ByteBuffer entries = client.answer();
            assertThat(entries.capacity()).isLessThanOrEqualTo(size);
            if (entries.capacity() == 0) {
                return names;
            }
            int at = 0;
            while (at < entries.capacity()) {
                at += opcode == 44 ? 128 : 0;
                offset = entries.getLong(at + 8);
                int length = entries.getInt(at + 16);
                names.add(new String(entries.array(), at + 24, length, UTF_8));
                at += 24 + length + 7 & ~7;
            }
        }
    }

    @Test
    void linksAreMadeAndReadButNeverFollowed() throws IOException {
        FuseClient client = client(false);
        assertThat(client.symbolicLink(ROOT, "out", secret.toString())).isZero();
        long out = client.answer().getLong(0);
        assertThat(client.readLink(out)).isZero();
        assertThat(client.text()).isEqualTo(secret.toString());
        assertThat(Files.readSymbolicLink(shared.resolve("out"))).isEqualTo(secret);
        assertThat(client.lookUp(out, "key")).as("through the link").isNotZero();
        assertThat(client.begin(27, out).putInt(0, 0).send())
                .as("list through the link")
                .isNotZero();
        assertThat(client.create(out, "made", READ_WRITE, 0644)).isNotZero();
        assertThat(client.makeDirectory(out, "made", 0755)).isNotZero();
        assertThat(client.unlink(out, "key")).isNotZero();
        assertThat(client.symbolicLink(ROOT, "key", secret.resolve("key").toString()))
                .isZero();
        long key = client.answer().getLong(0);
        assertThat(client.open(key, 0)).isEqualTo(Errno.ELOOP);
        assertThat(client.open(key, WRITE_ONLY | TRUNCATE)).isEqualTo(Errno.ELOOP);
        assertThat(client.setAttributes(key, 8, 0, 0, 0, 0)).as("truncate").isEqualTo(Errno.ELOOP);
        assertThat(client.setAttributes(key, 1 | 32, 0, 0, 0777, 0)).isZero();
        assertThat(client.create(ROOT, "key", READ_WRITE | TRUNCATE, 0644)).isEqualTo(Errno.ELOOP);
        assertThat(read(secret.resolve("key"))).isEqualTo("secret");
        assertThat(Files.getPosixFilePermissions(secret.resolve("key")))
                .isNotEqualTo(PosixFilePermissions.fromString("rwxrwxrwx"));

        long hello = client.find(client.find(ROOT, "sub"), "hello");
        assertThat(client.link(hello, ROOT, "second")).isZero();
        assertThat(client.answer().getLong(0)).as("the same file").isEqualTo(hello);
        assertThat(Files.isSameFile(shared.resolve("second"), shared.resolve("sub/hello")))
                .isTrue();
        assertThat(client.unlink(client.find(ROOT, "sub"), "hello")).isZero();
        assertThat(client.open(hello, 0)).as("under its other name").isZero();
        assertThat(client.link(client.find(ROOT, "sub"), ROOT, "dirlink")).isEqualTo(Errno.EPERM);
        assertThat(client.link(key, ROOT, "linkedlink")).isZero();
        assertThat(Files.isSymbolicLink(shared.resolve("linkedlink"))).isTrue();
        assertThat(client.link(hello, ROOT, "second")).isEqualTo(Errno.EEXIST);
    }

    @Test
    void namesThatLeadElsewhereAreRefused() throws IOException {
        FuseClient client = client(false);
        for (String name : List.of(
                "..",
                ".",
                "",
                "../secret",
                "sub/hello",
                "/etc/passwd",
                "a/../..",
                ".kagami-staging-x",
                "x".repeat(256))) {
            assertThat(client.lookUp(ROOT, name)).as(name).isNotZero();
            assertThat(client.create(ROOT, name, READ_WRITE, 0644)).as(name).isNotZero();
            assertThat(client.makeDirectory(ROOT, name, 0755)).as(name).isNotZero();
            assertThat(client.symbolicLink(ROOT, name, "x")).as(name).isNotZero();
            assertThat(client.unlink(ROOT, name)).as(name).isNotZero();
            assertThat(client.removeDirectory(ROOT, name)).as(name).isNotZero();
            assertThat(client.rename(ROOT, "sub", ROOT, name, 0)).as(name).isNotZero();
            assertThat(client.rename(ROOT, name, ROOT, "stolen", 0)).as(name).isNotZero();
        }
        assertThat(client.begin(1, ROOT)
                        .putBytes(new byte[] {(byte) 0xC0, (byte) 0xAF, 0})
                        .send())
                .as("overlong slash")
                .isEqualTo(Errno.EINVAL);
        assertThat(client.begin(1, ROOT).putBytes("noend".getBytes(UTF_8)).send())
                .isEqualTo(Errno.EINVAL);
        assertThat(client.begin(1, ROOT).putName("a\0b").send())
                .as("the name is a")
                .isEqualTo(Errno.ENOENT);
        assertThat(client.lookUp(77, "x")).as("no such node").isEqualTo(Errno.ESTALE);
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void devicesPipesAndSocketsAreNeitherMadeNorOpened() throws Exception {
        FuseClient client = client(false);
        for (int type : new int[] {0020000, 0060000, 0010000, 0140000}) {
            assertThat(client.makeNode(ROOT, "device", type | 0666, 0x0103)).isEqualTo(Errno.EPERM);
        }
        assertThat(client.makeNode(ROOT, "plain", 0100640, 0)).isZero();
        assertThat(Files.isRegularFile(shared.resolve("plain"))).isTrue();
        assertThat(new ProcessBuilder("mkfifo", shared.resolve("pipe").toString())
                        .start()
                        .waitFor())
                .isZero();
        long pipe = client.find(ROOT, "pipe");
        assertThat(client.answer().getInt(40 + 60) & 0170000).isEqualTo(0010000);
        assertThat(client.open(pipe, 0)).isEqualTo(Errno.EACCES);
        assertThat(client.open(pipe, WRITE_ONLY)).isEqualTo(Errno.EACCES);
    }

    @Test
    void directorySwappedForALinkLeadsNowhere() throws IOException {
        FuseClient client = client(false);
        long sub = client.find(ROOT, "sub");
        long hello = client.find(sub, "hello");
        assertThat(client.makeDirectory(sub, "deep", 0755)).isZero();
        long deep = client.answer().getLong(0);
        Files.writeString(secret.resolve("hello"), "secret");
        Files.createDirectory(secret.resolve("deep"));
        Files.move(shared.resolve("sub"), shared.resolve("moved"));
        Files.createSymbolicLink(shared.resolve("sub"), secret);
        // A second device on the same directory has nothing open yet.
        FuseClient fresh = client(false);
        long link = fresh.find(ROOT, "sub");
        assertThat(fresh.lookUp(link, "hello")).isNotZero();
        assertThat(client.create(deep, "made", READ_WRITE, 0644)).isNotNull();
        client.makeDirectory(deep, "madedir", 0755);
        client.link(hello, ROOT, "stolen");
        client.unlink(sub, "hello");
        client.open(hello, READ_WRITE | TRUNCATE);
        client.rename(sub, "deep", ROOT, "stolendir", 0);
        assertThat(read(secret.resolve("hello"))).isEqualTo("secret");
        try (Stream<Path> files = Files.walk(secret)) {
            assertThat(files.map(file -> secret.relativize(file).toString()))
                    .containsExactlyInAnyOrder("", "key", "hello", "deep");
        }
        assertThat(Files.exists(shared.resolve("stolen"), LinkOption.NOFOLLOW_LINKS)
                        && Files.isSameFile(shared.resolve("stolen"), secret.resolve("hello")))
                .isFalse();
    }

    @Test
    void readOnlyShareCannotBeChanged() throws IOException {
        FuseClient client = client(true);
        long sub = client.find(ROOT, "sub");
        long hello = client.find(sub, "hello");
        assertThat(client.open(hello, READ_WRITE)).isEqualTo(Errno.EROFS);
        assertThat(client.open(hello, TRUNCATE)).isEqualTo(Errno.EROFS);
        assertThat(client.create(ROOT, "x", READ_WRITE, 0644)).isEqualTo(Errno.EROFS);
        assertThat(client.makeDirectory(ROOT, "x", 0755)).isEqualTo(Errno.EROFS);
        assertThat(client.symbolicLink(ROOT, "x", "y")).isEqualTo(Errno.EROFS);
        assertThat(client.link(hello, ROOT, "x")).isEqualTo(Errno.EROFS);
        assertThat(client.unlink(sub, "hello")).isEqualTo(Errno.EROFS);
        assertThat(client.removeDirectory(ROOT, "sub")).isEqualTo(Errno.EROFS);
        assertThat(client.rename(sub, "hello", ROOT, "x", 0)).isEqualTo(Errno.EROFS);
        assertThat(client.setAttributes(hello, 1, 0, 0, 0777, 0)).isEqualTo(Errno.EROFS);
        long handle = client.opened(hello, 0);
        assertThat(client.write(handle, 0, new byte[1])).isEqualTo(Errno.EROFS);
        assertThat(client.read(handle, 0, 100)).isZero();
        assertThat(client.text()).isEqualTo("hello guest");
        try (Stream<Path> files = Files.walk(shared)) {
            assertThat(files).hasSize(3);
        }
    }

    @Test
    void nothingIsLeftBehind() throws IOException {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create())).start();
        FuseClient client = new FuseClient(driver);
        client.initialize();
        assertThat(client.makeDirectory(ROOT, "dir", 0755)).isZero();
        assertThat(list(client, ROOT, 28, 4096)).containsExactlyInAnyOrder(".", "..", "dir", "sub");
        long dir = client.find(ROOT, "dir");
        long sub = client.find(ROOT, "sub");
        client.begin(2, dir).putLong(2).tell();
        client.begin(42, 0).putInt(1, 0).putLong(sub, 1).tell();
        assertThat(client.getAttributes(dir)).as("forgotten").isEqualTo(Errno.ESTALE);
        assertThat(client.getAttributes(sub)).as("forgotten").isEqualTo(Errno.ESTALE);
        driver.transport().setStatus(0);
        try (Stream<Path> files = Files.list(shared)) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder("dir", "sub");
        }
    }

    @Test
    void statisticsAndUnknownRequestsAreAnswered() {
        FuseClient client = client(false);
        assertThat(client.begin(17, ROOT).send()).isZero();
        assertThat(client.answer().capacity()).isEqualTo(80);
        assertThat(client.answer().getLong(0)).isPositive();
        assertThat(client.begin(999, ROOT).send()).isEqualTo(Errno.ENOSYS);
        assertThat(client.begin(4, ROOT).putInt(1).send())
                .as("half of the arguments")
                .isEqualTo(Errno.EINVAL);
        assertThat(client.begin(1, ROOT).putBytes(new byte[20_000]).send()).isEqualTo(Errno.ENAMETOOLONG);
    }

    @Test
    void randomRequestsAreSurvived() throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try {
            FuseClient client = client(false);
            for (int i = 0; i < 5000; i++) {
                int opcode = random.nextInt(52);
                client.begin(opcode, random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(8));
                int words = random.nextInt(12);
                for (int j = 0; j < words; j++) {
                    client.putInt(random.nextInt(3) == 0 ? random.nextInt() : random.nextInt(4));
                }
                String[] names = {"sub", "hello", "..", "a", "b", "/", secret.toString()};
                client.putName(names[random.nextInt(names.length)]).putName(names[random.nextInt(names.length)]);
                if (opcode == FuseOpcode.FORGET || opcode == FuseOpcode.BATCH_FORGET) {
                    client.tell();
                } else {
                    client.send();
                }
            }
            assertThat(read(secret.resolve("key"))).isEqualTo("secret");
            try (Stream<Path> files = Files.walk(secret)) {
                assertThat(files).hasSize(2);
            }
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }
}
