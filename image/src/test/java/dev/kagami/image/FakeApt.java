package dev.kagami.image;

import dev.kagami.image.Subprocess.Limits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * Stands in for apt: an {@code apt-get} and an {@code apt-cache} that are shell scripts and serve packages from a
 * directory. Scripts can be replaced by others that fail, hang or talk nonsense.
 */
final class FakeApt {

    static final String KERNEL = "linux-image-6.1.0-9-cloud-amd64";

    private static final String APT_CACHE = """
            #!/bin/sh
            for argument; do :; done
            file="%1$s/${argument%%%%=*}.show"
            if [ -f "$file" ]; then cat "$file"; else echo "N: Unable to locate package $argument"; exit 100; fi
            """;

    private static final String APT_GET = """
            #!/bin/sh
            echo "$@" >> "%1$s/log"
            case "$*" in
            *\\ update) echo "dlstatus:1:50.0000:Retrieving file 1 of 2"; echo "Get:1 lists" ;;
            *\\ download\\ *)
                seen=
                for argument; do
                    if [ "$seen" ]; then
                        echo "dlstatus:1:25.0000:Retrieving file 1 of 2"
                        cp "%1$s/${argument%%%%=*}.deb" "./${argument%%%%=*}_1%%3a2_amd64.deb" || exit 100
                    elif [ "$argument" = download ]; then
                        seen=1
                    fi
                done ;;
            esac
            """;

    private final Path directory;
    private Duration silence = Duration.ofSeconds(40);

    /** Makes the scripts and, to serve, a cloud kernel and a busybox. */
    FakeApt(Path directory) throws IOException {
        this.directory = Files.createDirectories(directory);
        script("apt-cache", APT_CACHE.formatted(directory));
        script("apt-get", APT_GET.formatted(directory));
        offer("linux-image-cloud-amd64", "6.1.9-1", KERNEL + " (= 6.1.9-1)", Map.of());
        offer(
                KERNEL,
                "6.1.9-1",
                "kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool",
                kernelFiles("first"));
        offer("busybox-static", "1:1.35.0-4+b1", "", Maps.of("./bin/busybox", "\u007fELF busybox"));
    }

    static Map<String, byte[]> kernelFiles(String name) {
        return Maps.of(
                "./boot/",
                "",
                "./boot/config-6.1.0-9-cloud-amd64",
                "CONFIG_" + name + "=y\n",
                "./boot/vmlinuz-6.1.0-9-cloud-amd64",
                Debs.bzImage(name),
                "./usr/share/doc/readme",
                "nothing");
    }

    void script(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.deleteIfExists(file);
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Offers a package. */
    void offer(String name, String version, String depends, Map<String, byte[]> files) throws IOException {
        Files.writeString(
                directory.resolve(name + ".show"),
                "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\nDepends: " + depends
                        + "\nDescription: a package\n with: a long description\n\nPackage: other\nVersion: 0\n");
        Debs.deb(directory.resolve(name + ".deb"), files);
    }

    /** Offers a package no more. */
    void withdraw(String name) throws IOException {
        Files.delete(directory.resolve(name + ".show"));
    }

    /** Damages a package's file. */
    void damage(String name) throws IOException {
        Files.write(directory.resolve(name + ".deb"), "garbage".getBytes(StandardCharsets.UTF_8));
    }

    void allowSilence(Duration duration) {
        silence = duration;
    }

    Apt.Tools tools() {
        return new Apt.Tools(
                directory.resolve("apt-get"),
                directory.resolve("apt-cache"),
                new Limits(Duration.ofSeconds(40), silence));
    }

    /** Returns the arguments of all runs of apt-get so far. */
    List<String> log() throws IOException {
        Path log = directory.resolve("log");
        return Files.exists(log) ? Files.readAllLines(log) : List.of();
    }

    long updates() throws IOException {
        return log().stream().filter(line -> line.endsWith(" update")).count();
    }

    long downloads() throws IOException {
        return log().stream().filter(line -> line.contains(" download ")).count();
    }
}
