package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Share;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A directory of the host that a Debian guest works in, or tries to leave. */
@Timeout(value = 3, unit = TimeUnit.HOURS)
final class SharedDirectoryTest {
    private static final int SOURCES = 40;
    private static final String SECRET = "what the guest must not see";

    @TempDir
    private Path directory;

    @BeforeAll
    static void needs() {
        DebianGuest.require();
        HostCommand.require("git make gcc libc6-dev", "git", "make", "gcc");
    }

    @Test
    void aCheckoutAndABuildGiveTheSameAsOnTheHostAndNothingLeadsOut() throws Exception {
        Path share = Files.createDirectory(directory.resolve("share"));
        Path secret = Files.writeString(directory.resolve("secret"), SECRET);
        Path onHost = directory.resolve("on-host");
        makeRepository(directory.resolve("work"), share.resolve("origin.git"));
        host("git", "clone", "-q", share.resolve("origin.git").toString(), onHost.toString());
        host("make", "-s", "-C", onHost.toString());
        String expected = host(onHost.resolve("program").toString());
        Files.writeString(share.resolve("kept"), "kept");
        Files.createSymbolicLink(share.resolve("way-out"), Path.of("../secret"));
        UserPrincipal owner = Files.getOwner(share);

        try (DebianGuest guest =
                DebianGuest.boot(directory, UnaryOperator.identity(), c -> c.share(Share.readWrite(share, "work")))) {
            guest.awaitBooted();
            org.junit.jupiter.api.Assumptions.assumeTrue(
                    guest.ssh("command -v git make gcc").status() == 0,
                    "the image lacks programs: scripts/build-debian-image --with git --with make --with gcc --with libc6-dev");
            root(guest, "mount -t virtiofs work /mnt");
            root(guest, "git config --global --add safe.directory \"*\"");
            root(guest, "git clone -q /mnt/origin.git /mnt/tree");
            root(guest, "make -s -C /mnt/tree");
            assertThat(root(guest, "/mnt/tree/program")).isEqualTo(expected);
            assertThat(root(guest, "git -C /mnt/tree status --porcelain")).isEmpty();
            root(guest, "git -C /mnt/tree fsck --strict");
            assertThat(root(guest, "git -C /mnt/tree rev-parse HEAD"))
                    .isEqualTo(host("git", "-C", onHost.toString(), "rev-parse", "HEAD"));

            for (String attempt : List.of(
                    "cat /mnt/../secret",
                    "cat /mnt/way-out",
                    "cat /mnt/tree/../../secret",
                    "mknod /mnt/null c 1 3",
                    "chown 1234:1234 /mnt/kept",
                    "ln /etc/hostname /mnt/hostname")) {
                assertThat(guest.ssh("sudo " + attempt).status()).as(attempt).isNotZero();
            }
            // Guests follow links by themselves, to files of their own.
            root(guest, "sh -c \"echo changed > /mnt/way-out\"");
            assertThat(root(guest, "cat /secret")).isEqualTo("changed\n");
            root(guest, "ln -s / /mnt/root");
            root(guest, "umount /mnt");
            guest.powerOff();
        }

        assertThat(secret).hasContent(SECRET);
        assertThat(Files.exists(share.resolve("null"), LinkOption.NOFOLLOW_LINKS))
                .isFalse();
        try (Stream<Path> files = Files.walk(share)) {
            for (Path file : files.toList()) {
                assertThat(Files.getOwner(file, LinkOption.NOFOLLOW_LINKS))
                        .as(file.toString())
                        .isEqualTo(owner);
            }
        }
        assertThat(describe(share.resolve("tree"))).isEqualTo(describe(onHost));
    }

    /** Makes a repository of a program whose files have all that a file system can get wrong. */
    private static void makeRepository(Path work, Path bare) throws Exception {
        Files.createDirectories(work.resolve("sources/deep/er"));
        StringBuilder main = new StringBuilder("#include <stdio.h>\n");
        StringBuilder calls = new StringBuilder();
        for (int i = 0; i < SOURCES; i++) {
            Files.writeString(
                    work.resolve("sources/part" + i + ".c"),
                    "int part%d(int n) { return n * %d + 1; }%n".formatted(i, i));
            main.append("int part%d(int);%n".formatted(i));
            calls.append("    n = part%d(n) %% 65537;%n".formatted(i));
        }
        main.append("int main(void) {\n    int n = 1;\n").append(calls).append("    printf(\"%d\\n\", n);\n}\n");
        Files.writeString(work.resolve("sources/main.c"), main);
        Files.writeString(work.resolve("Makefile"), """
                objects := $(patsubst %.c,%.o,$(wildcard sources/*.c))
                program: $(objects)
                \tgcc -o $@ $(objects)
                %.o: %.c
                \tgcc -O1 -c -o $@ $<
                """);
        Files.writeString(work.resolve(".gitignore"), "*.o\nprogram\n");
        Files.writeString(work.resolve("sources/deep/er/name with spaces, ümlauts and 鏡"), "text\n");
        Files.write(work.resolve("sources/deep/large"), new byte[3_000_001]);
        Files.writeString(work.resolve("script"), "#!/bin/sh\n");
        Files.setPosixFilePermissions(work.resolve("script"), PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.createSymbolicLink(work.resolve("link"), Path.of("sources/main.c"));
        Files.createSymbolicLink(work.resolve("dangling"), Path.of("nowhere/at/all"));
        String repository = work.toString();
        host("git", "init", "-q", repository);
        host("git", "-C", repository, "add", "-A");
        host(
                "git",
                "-C",
                repository,
                "-c",
                "user.name=test",
                "-c",
                "user.email=test@example.org",
                "commit",
                "-q",
                "-m",
                "all");
        host("git", "clone", "-q", "--bare", repository, bare.toString());
    }

    private static String host(String... command) throws Exception {
        return HostCommand.run(DebianGuest.SOON, command).orFail();
    }

    private static String root(DebianGuest guest, String command) throws Exception {
        return guest.ssh("sudo " + command).orFail();
    }

    /** {@return what a checkout consists of: names, kinds, permissions and contents, but for what git and gcc make anew} */
    private static TreeMap<String, String> describe(Path tree) throws IOException {
        TreeMap<String, String> files = new TreeMap<>();
        try (Stream<Path> all = Files.walk(tree)) {
            for (Path file : all.toList()) {
                String name = tree.relativize(file).toString();
                if (name.startsWith(".git/") || name.equals(".git") || name.endsWith(".o") || name.equals("program")) {
                    continue;
                }
                String permissions = Files.isSymbolicLink(file)
                        ? "-> " + Files.readSymbolicLink(file)
                        : PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
                String contents = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        ? " %08x".formatted(java.util.Arrays.hashCode(Files.readAllBytes(file)))
                        : "";
                files.put(name, permissions + contents);
            }
        }
        return files;
    }
}
