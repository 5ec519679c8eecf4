package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Fetches images from Python's web server, which knows Last-Modified but no ranges. */
@Timeout(180)
final class ImageCacheCommandTest {
    private static final Pattern PORT = Pattern.compile("port (\\d+)");

    @TempDir
    private Path directory;

    @Test
    void imagesAreFetchedListedRunAndPruned() throws Exception {
        Path python = Path.of("/usr/bin/python3");
        assumeTrue(Files.isExecutable(python), "needs python3, for its web server");
        byte[] disk = new byte[1 << 20];
        new Random(1).nextBytes(disk);
        Path served = Files.createDirectory(directory.resolve("served"));
        Path file = Files.write(served.resolve("disk.raw"), disk);
        String digest =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(disk));
        Files.writeString(served.resolve("SHA256SUMS"), digest + "  disk.raw\n");
        Path log = directory.resolve("server.log");
        Process server = new ProcessBuilder(python.toString(), "-u", "-m", "http.server", "--bind", "127.0.0.1", "0")
                .directory(served.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            Matcher port = PORT.matcher(Files.readString(log));
            while (!port.find()) {
                assertThat(server.isAlive()).isTrue();
                Thread.sleep(20);
                port = PORT.matcher(Files.readString(log));
            }
            String url = "http://127.0.0.1:%s/disk.raw".formatted(port.group(1));
            CommandProcess kagami = new CommandProcess(directory);

            // Several processes at once, of which one fetches; the others find what it fetched, or that nothing is
            // newer.
            List<Process> others = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                others.add(kagami.builder("image", "fetch", url).start());
            }
            for (Process other : others) {
                assertThat(other.waitFor(60, TimeUnit.SECONDS)).isTrue();
                assertThat(other.exitValue()).isZero();
            }
            CommandProcess.Result fetched = kagami.run("image", "fetch", url, "--digest", "SHA256SUMS");
            assertThat(fetched.status()).as(fetched.err()).isZero();
            assertThat(Path.of(fetched.out().strip())).hasBinaryContent(disk);

            // The server answers that it has nothing newer.
            CommandProcess.Result again = kagami.run("image", "fetch", url);
            assertThat(again).isEqualTo(new CommandProcess.Result(0, fetched.out(), ""));

            CommandProcess.Result wrong = kagami.run("image", "fetch", url, "-d", "sha256:" + "0".repeat(64));
            assertThat(wrong.status()).isEqualTo(1);
            assertThat(wrong.err()).contains(url, digest, "hint: ").doesNotContain("\tat ");

            assertThat(kagami.run("image", "list").out()).contains(url, "raw", digest.substring(0, 8));

            Files.delete(file);
            CommandProcess.Result ran = kagami.run("run", "--image", url, "--image-digest", "sha256:" + digest);
            assertThat(ran.status()).isEqualTo(1);
            assertThat(ran.err()).contains("no kernel to boot");

            assertThat(kagami.run("image", "prune").out()).contains("deleted " + url);
            assertThat(kagami.run("run", "--image", url).err()).contains(url, "404");
            assertThat(Files.readAllLines(log))
                    .filteredOn(line -> line.contains("disk.raw") && line.contains(" 200 "))
                    .hasSize(1);
        } finally {
            server.destroyForcibly();
        }
    }
}
