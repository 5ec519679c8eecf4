package dev.kagami.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** QEMU's image tools, which judge our images and make some for us to read. */
public final class QemuImg {
    private static final long TIMEOUT_SECONDS = 60;

    private QemuImg() {}

    /** What a tool said, and its exit status. */
    public record Result(int status, String output) {}

    /** Skips the test when the tools are not installed. */
    public static void require() {
        Assumptions.assumeTrue(
                found("qemu-img") && found("qemu-io"),
                "qemu-img and qemu-io are not installed (Debian and Ubuntu: apt install qemu-utils)");
    }

    private static boolean found(String tool) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, tool)));
    }

    /** Runs a tool and returns what it said, whatever its exit status. */
    public static Result run(List<String> command) {
        try {
            Path output = Files.createTempFile("kagami-tool", ".txt");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
                if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    return fail("%s takes too long", command);
                }
                return new Result(process.exitValue(), new String(Files.readAllBytes(output), StandardCharsets.UTF_8));
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    /** Runs a tool that must succeed. */
    public static String must(String... command) {
        Result result = run(List.of(command));
        assertThat(result.status())
                .as("%s said: %s", String.join(" ", command), result.output())
                .isZero();
        return result.output();
    }

    /** Runs {@code qemu-img check}, which must find neither errors nor leaks. */
    public static void check(Path image, String context) {
        Result result = run(List.of("qemu-img", "check", "-f", "qcow2", image.toString()));
        assertThat(result.status()).as("%s: %s", context, result.output()).isZero();
    }

    /** Runs {@code qemu-img check}, which may find leaked clusters but no error. */
    public static void checkAllowingLeaks(Path image, String context) {
        Result result = run(List.of("qemu-img", "check", "-f", "qcow2", image.toString()));
        assertThat(result.status()).as("%s: %s", context, result.output()).isIn(0, 3);
    }

    /** Demands that two images hold the same disk. */
    public static void compare(Path image, String format, Path other, String otherFormat) {
        must("qemu-img", "compare", "-f", format, "-F", otherFormat, image.toString(), other.toString());
    }
}
