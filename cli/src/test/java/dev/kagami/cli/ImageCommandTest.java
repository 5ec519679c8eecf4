package dev.kagami.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

@Timeout(120)
final class ImageCommandTest {
    private static final int MEBIBYTE = 1 << 20;
    /** qcow2: the offset of the refcount table's offset in the header. */
    private static final int REFCOUNT_TABLE_OFFSET = 48;

    private static final int CLUSTER = 64 << 10;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path directory;

    /** Runs {@code kagami image}, where names of images are in the directory of the test. */
    private int image(String... arguments) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        CommandLine commandLine = Kagami.commandLine();
        commandLine.setOut(new PrintWriter(out));
        commandLine.setErr(new PrintWriter(err));
        return commandLine.execute(Stream.concat(
                        Stream.of("image"),
                        Arrays.stream(arguments).map(each -> each.matches("\\w+\\.(raw|qcow2)") ? path(each) : each))
                .toArray(String[]::new));
    }

    private String path(String name) {
        return directory.resolve(name).toString();
    }

    private void must(String... arguments) {
        assertThat(image(arguments)).as(err.toString()).isZero();
    }

    private void mustFail(int status, String named, String... arguments) {
        assertThat(image(arguments)).as(err.toString()).isEqualTo(status);
        assertThat(err.toString()).contains(named).contains("hint: ").doesNotContain("\tat ");
    }

    /** Runs qemu-img, if it is there, which must succeed. */
    private void qemuImg(String... arguments) throws Exception {
        if (!hasQemuImg()) {
            return;
        }
        ProcessBuilder builder = new ProcessBuilder("qemu-img").directory(directory.toFile());
        builder.command().addAll(List.of(arguments));
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor())
                .as("%s said: %s", builder.command(), output)
                .isZero();
    }

    private static boolean hasQemuImg() {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(each -> Files.isExecutable(Path.of(each, "qemu-img")));
    }

    /** Makes a raw image whose first mebibyte can't be compressed, whose second can, and whose rest is zeros. */
    private Path rawImage() throws Exception {
        byte[] random = new byte[MEBIBYTE];
        new Random(1).nextBytes(random);
        byte[] content = Arrays.copyOf(random, 4 * MEBIBYTE);
        Arrays.fill(content, MEBIBYTE, 2 * MEBIBYTE, (byte) 'k');
        return Files.write(directory.resolve("source.raw"), content);
    }

    @Test
    void helpOfEveryCommandDescribesEveryOption() {
        must("--help");
        assertThat(out.toString()).contains("create", "info", "resize", "convert", "check");
        CommandLine image = Kagami.commandLine().getSubcommands().get("image");
        assertThat(image.getSubcommands()).containsKeys("create", "info", "resize", "convert", "check");
        image.getSubcommands().values().forEach(command -> {
            assertThat(command.getCommandSpec().options())
                    .allSatisfy(option -> assertThat(option.description()).isNotEmpty());
            assertThat(command.getUsageMessage()).doesNotContain("${");
        });
        must("check", "--help");
        assertThat(out.toString()).contains("nothing, leaks, all", "Exit status", "3");
    }

    @Test
    void refusesToRunWithoutACommand() {
        mustFail(2, "Missing command");
    }

    @Test
    void createsWhatInfoDescribes() throws Exception {
        must("create", "new.qcow2", "10G", "--cluster-size", "2M");
        must("info", "new.qcow2");
        assertThat(out.toString()).contains("format: qcow2", "10737418240", "cluster size: 2 MiB");
        must("info", "--json", "new.qcow2");
        assertThat(out.toString().strip())
                .startsWith("{")
                .endsWith("}")
                .contains("\"format\":\"qcow2\"", "\"size\":10737418240", "\"clusterSize\":2097152");
        qemuImg("info", "-f", "qcow2", "new.qcow2");
        qemuImg("check", "-f", "qcow2", "new.qcow2");
    }

    @Test
    void createsARawImageOfExactlyTheSize() throws Exception {
        must("create", "--format", "raw", "new.raw", "1000");
        assertThat(Files.size(directory.resolve("new.raw"))).isEqualTo(1000);
    }

    @Test
    void createsAnImageOverABackingFile() throws Exception {
        rawImage();
        must("create", "over.qcow2", "--backing", "source.raw", "--backing-format", "raw");
        must("info", "--json", "over.qcow2");
        assertThat(out.toString())
                .contains("\"backingFile\":\"source.raw\"", "\"backingFormat\":\"raw\"", "\"size\":4194304");
        qemuImg("check", "over.qcow2");
        qemuImg("compare", "-F", "raw", "over.qcow2", "source.raw");
        must("create", "larger.qcow2", "8M", "--backing", "over.qcow2");
        must("info", "--json", "larger.qcow2");
        assertThat(out.toString()).contains("\"backingFormat\":\"qcow2\"", "\"size\":8388608");
        mustFail(1, "over.qcow2", "create", "smaller.qcow2", "1M", "--backing", "over.qcow2");
        assertThat(directory.resolve("smaller.qcow2")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"new.qcow2", "new.raw"})
    void resizesToASizeOrByOne(String name) throws Exception {
        must("create", name, "1M", "--format", name.substring(name.indexOf('.') + 1));
        must("resize", name, "3M");
        must("resize", name, "+2MiB");
        must("info", "--json", name);
        assertThat(out.toString()).contains("\"size\":5242880");
        mustFail(1, name, "resize", name, "1M");
        mustFail(2, "more than a disk can have", "resize", name, "+9007199254740991K");
        qemuImg("info", name);
    }

    @ParameterizedTest
    @CsvSource({"none,64K", "zlib,64K", "zstd,4K", "none,512K"})
    void convertsThereAndBackWithoutAChange(String compression, String clusterSize) throws Exception {
        Path source = rawImage();
        must("convert", "source.raw", "copy.qcow2", "-c", compression, "--cluster-size", clusterSize);
        assertThat(err.toString()).contains("converting " + source);
        assertThat(Files.size(directory.resolve("copy.qcow2")))
                .isLessThan(compression.equals("none") ? 5 * MEBIBYTE : 2 * MEBIBYTE);
        must("check", "copy.qcow2");
        qemuImg("check", "-f", "qcow2", "copy.qcow2");
        qemuImg("compare", "-f", "raw", "-F", "qcow2", "source.raw", "copy.qcow2");
        must("convert", "copy.qcow2", "back.raw", "--format", "raw");
        assertThat(directory.resolve("back.raw")).hasSameBinaryContentAs(source);
    }

    @Test
    void convertsAnOverlayToAnImageThatStandsAlone() throws Exception {
        Path source = rawImage();
        must("create", "over.qcow2", "--backing", "source.raw");
        must("convert", "over.qcow2", "alone.qcow2");
        must("info", "--json", "alone.qcow2");
        assertThat(out.toString()).doesNotContain("backingFile");
        must("convert", "alone.qcow2", "back.raw", "-f", "raw");
        assertThat(directory.resolve("back.raw")).hasSameBinaryContentAs(source);
    }

    @Test
    void readsWhatQemuImgMade() throws Exception {
        assumeTrue(hasQemuImg(), "qemu-img is not installed (Debian and Ubuntu: apt install qemu-utils)");
        Path source = rawImage();
        qemuImg("convert", "-f", "raw", "-O", "qcow2", "-c", "source.raw", "theirs.qcow2");
        must("check", "theirs.qcow2");
        must("convert", "theirs.qcow2", "back.raw", "-f", "RAW");
        assertThat(directory.resolve("back.raw")).hasSameBinaryContentAs(source);
    }

    /** A count of 1 for a cluster behind all others that nothing refers to is a leak, and is 0 after a repair. */
    @Test
    void checkFindsALeakAndRepairsIt() throws Exception {
        must("create", "new.qcow2", "1M");
        must("check", "new.qcow2");
        assertThat(out.toString()).contains("found: 0 errors, 0 leaked clusters");
        int leaked = setRefcount("new.qcow2", 1);
        assertThat(image("check", "new.qcow2")).isEqualTo(3);
        assertThat(out.toString()).contains("found: 0 errors, 1 leaked clusters");
        must("check", "new.qcow2", "--repair", "leaks");
        assertThat(out.toString()).contains("corrected: 0 errors, 1 leaked clusters");
        assertThat(leaked).isPositive();
        qemuImg("check", "new.qcow2");
    }

    @Test
    void checkTellsErrorsFromLeaks() throws Exception {
        must("create", "new.qcow2", "1M");
        try (RandomAccessFile file = new RandomAccessFile(path("new.qcow2"), "rw")) {
            // The count of the header, which is in use.
            file.seek(refcountBlock(file));
            file.writeShort(0);
        }
        assertThat(image("check", "new.qcow2")).isEqualTo(2);
        assertThat(out.toString()).containsPattern("found: [1-9]\\d* errors");
        must("check", "new.qcow2", "-r", "all");
        qemuImg("check", "new.qcow2");
    }

    @Test
    void checkOfARawImageIsClean() throws Exception {
        rawImage();
        must("check", "source.raw");
    }

    /** Appends a cluster to an image and gives it a reference count; returns its number. */
    private int setRefcount(String name, int count) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(path(name), "rw")) {
            int cluster = Math.toIntExact((file.length() + CLUSTER - 1) / CLUSTER);
            file.setLength((cluster + 1L) * CLUSTER);
            file.seek(refcountBlock(file) + (long) cluster * Short.BYTES);
            file.writeShort(count);
            return cluster;
        }
    }

    private static long refcountBlock(RandomAccessFile file) throws Exception {
        file.seek(REFCOUNT_TABLE_OFFSET);
        file.seek(file.readLong());
        return file.readLong();
    }

    @Test
    void namesAnImageThatIsNotThere() {
        mustFail(1, path("none.qcow2"), "info", "none.qcow2");
        mustFail(1, path("none.qcow2"), "resize", "none.qcow2", "1G");
        mustFail(1, path("none.qcow2"), "check", "none.qcow2");
        mustFail(1, path("none.qcow2"), "create", "new.qcow2", "-b", "none.qcow2");
        mustFail(1, path("none.qcow2"), "convert", "none.qcow2", "new.qcow2");
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void refusesAFileThatIsNoImage() throws Exception {
        Files.writeString(directory.resolve("letter.raw"), "This is a letter.");
        mustFail(1, path("letter.raw"), "info", "letter.raw", "--format", "qcow2");
        mustFail(1, path("letter.raw"), "check", "letter.raw", "--format", "qcow2");
        mustFail(1, path("letter.raw"), "convert", "letter.raw", "new.qcow2", "-s", "qcow2");
        Files.write(directory.resolve("cut.qcow2"), new byte[] {'Q', 'F', 'I', (byte) 0xfb, 0, 0, 0, 3});
        mustFail(1, path("cut.qcow2"), "info", "cut.qcow2");
        assertThat(directory.resolve("new.qcow2")).doesNotExist();
        mustFail(1, directory.toString(), "info", directory.toString());
    }

    @Test
    void neverOverwritesAFile() throws Exception {
        Path kept = Files.writeString(directory.resolve("kept.qcow2"), "kept");
        rawImage();
        mustFail(1, kept.toString(), "create", "kept.qcow2", "1G");
        mustFail(1, kept.toString(), "create", "kept.qcow2", "--backing", "source.raw");
        mustFail(1, kept.toString(), "convert", "source.raw", "kept.qcow2");
        assertThat(kept).hasContent("kept");
    }

    @ParameterizedTest
    @ValueSource(strings = {"big", "-1", "10X", "1.5G", "", "+1G", "9999999P", "99999999999999999999"})
    void refusesABadSize(String size) {
        assertThat(image("create", "new.qcow2", size)).isEqualTo(2);
        assertThat(err.toString()).contains("hint: ").doesNotContain("\tat ");
        assertThat(directory).isEmptyDirectory();
    }

    @Test
    void refusesWhatTheFormatCannotHave() {
        mustFail(1, path("new.qcow2"), "create", "new.qcow2", "8191P");
        mustFail(1, "cluster size", "create", "new.qcow2", "1G", "--cluster-size", "1000");
        mustFail(2, "not the size of a cluster", "create", "new.qcow2", "1G", "--cluster-size", "16G");
        mustFail(2, "--cluster-size", "create", "new.raw", "1G", "-f", "raw", "--cluster-size", "64K");
        mustFail(2, "--compression", "convert", "new.raw", "new.qcow2", "-f", "raw", "-c", "zstd");
        mustFail(2, "--backing", "create", "new.raw", "-f", "raw", "-b", "base.raw");
        mustFail(2, "SIZE", "create", "new.qcow2");
        assertThat(directory).isEmptyDirectory();
    }

    /** Status 2 of a check says that the image has errors. */
    @Test
    void checkDoesNotTakeAWrongCommandLineForADamagedImage() {
        mustFail(1, "--repair", "check", "new.qcow2", "--repair", "everything");
        mustFail(1, "FILE", "check");
    }
}
