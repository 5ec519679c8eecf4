package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a machine is refused by a host without memory, room for temporary files, open files, or directories of the user. */
@Timeout(120)
final class PoorHostTest {
    @TempDir
    private Path directory;

    @Test
    void whatTheHostHasNotIsAnErrorWithCodeNameAndHint() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "needs a shell that limits open files");
        Map<String, String[]> told = run();
        assertRefused(told, ErrorCode.IMAGE_UNAVAILABLE, "digest", "disk.raw", "sha256:000");
        assertRefused(told, ErrorCode.DEFAULT_GUEST_UNAVAILABLE, "guest", "cache/kagami");
        assertRefused(told, ErrorCode.NETWORK_UNUSABLE, "switch", "the switch lan", "run/kagami");
        assertRefused(told, ErrorCode.HOST_OUT_OF_MEMORY, "large", "1024G of guest memory");
        assertRefused(told, ErrorCode.SNAPSHOT_UNWRITABLE, "snapshot-disk", "missing");
        assertThat(told.get("snapshot-before")).containsExactly("done");
        assertRefused(told, ErrorCode.SNAPSHOT_UNWRITABLE, "snapshot", "cannot take a snapshot", "tmp");
        assertThat(told.get("state")).containsExactly("RUNNING");
        assertRefused(told, ErrorCode.HOST_OUT_OF_MEMORY, "memory", "16M of guest memory", "tmp");
        assertRefused(told, ErrorCode.DISK_UNUSABLE, "temporary", "tmp");
        assertRefused(told, ErrorCode.HOST_OUT_OF_MEMORY, "restore", "the memory of snapshot", "saved", "tmp");
        assertThat(told.get("network-before")).containsExactly("done");
        assertRefused(told, ErrorCode.NETWORK_UNUSABLE, "network", "cannot start the network", "open files");
    }

    private static void assertRefused(Map<String, String[]> told, ErrorCode code, String what, String... named) {
        assertThat(told.get(what)).as(what).hasSize(3);
        assertThat(told.get(what)[0]).as(what).isEqualTo(code.name());
        assertThat(told.get(what)[1]).as(what).contains(named);
        assertThat(told.get(what)[2]).as(what).isNotBlank();
    }

    private Map<String, String[]> run() throws Exception {
        for (String name : new String[] {"tmp", "cache", "run"}) {
            Files.createDirectory(directory.resolve(name));
        }
        Path classes = Path.of(PoorHost.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        Path tests = Path.of("target", "test-classes").toAbsolutePath();
        ProcessBuilder builder = new ProcessBuilder(
                "/bin/sh",
                "-c",
                "ulimit -n 256 && exec \"$@\"",
                "limited",
                ProcessHandle.current().info().command().orElseThrow(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx64m",
                "-Djava.io.tmpdir=" + directory.resolve("tmp"),
                "--class-path",
                String.join(
                        File.pathSeparator,
                        tests.toString(),
                        classes.toString(),
                        System.getProperty("jdk.module.path")),
                PoorHost.class.getName(),
                directory.toString());
        builder.environment().put("XDG_CACHE_HOME", directory.resolve("cache").toString());
        builder.environment().put("XDG_RUNTIME_DIR", directory.resolve("run").toString());
        Path errors = directory.resolve("errors");
        Process process = builder.redirectError(errors.toFile()).start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor()).as(Files.readString(errors)).isZero();
            return output.lines()
                    .map(line -> line.split("\t", 2))
                    .collect(Collectors.toMap(parts -> parts[0], parts -> parts[1].split("\t")));
        } finally {
            process.destroyForcibly();
        }
    }
}
