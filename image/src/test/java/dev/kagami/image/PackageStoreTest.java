package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.image.ImageException.Code;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
final class PackageStoreTest {

    @TempDir
    private Path directory;

    private FakeApt fake;
    private PackageStore store;

    @BeforeEach
    void makeStore() throws IOException {
        fake = new FakeApt(directory.resolve("fake"));
        store = new PackageStore(directory.resolve("cache"), fake::tools);
    }

    private BootFiles prepare() {
        return DefaultGuest.prepare(store, false, ProgressListener.none());
    }

    private static void assertThrowsCode(Code code, Runnable action) {
        assertThatThrownBy(action::run)
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private List<Path> tree(String subdirectory) throws IOException {
        Path root = directory.resolve("cache").resolve(subdirectory);
        if (!Files.exists(root)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(root)) {
            return files.sorted().toList();
        }
    }

    @Test
    void fetchesOnceAndNeedsNoAptAgain() throws IOException {
        List<String> phases = new ArrayList<>();
        BootFiles first = DefaultGuest.prepare(store, false, (phase, fraction) -> phases.add(phase));
        assertThat(first.kernel()).hasBinaryContent(Debs.bzImage("first"));
        assertThat(first.initrd()).isNotEmptyFile();
        assertThat(first.commandLine()).isEqualTo("console=ttyS0");
        assertThat(phases.stream().distinct())
                .containsExactly(
                        "Reading the package lists",
                        "Fetching linux-image-cloud-amd64",
                        "Unpacking linux-image-cloud-amd64",
                        "Fetching busybox-static",
                        "Unpacking busybox-static");
        assertThat(fake.updates()).isEqualTo(1);
        assertThat(fake.downloads()).isEqualTo(2);

        PackageStore offline = new PackageStore(directory.resolve("cache"), () -> {
            throw new AssertionError("nobody should look for apt");
        });
        assertThat(DefaultGuest.prepare(offline, false, (phase, fraction) -> {
                    throw new AssertionError("there is nothing to tell");
                }))
                .isEqualTo(first);
        assertThat(tree("tmp")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmlinuz", "config", "release"})
    void fetchesAgainWhatIsDamaged(String name) throws IOException {
        BootFiles before = prepare();
        Path file = before.kernel().resolveSibling(name);
        byte[] good = Files.readAllBytes(file);
        byte[] bad = good.clone();
        bad[bad.length / 2] ^= 1;
        Files.write(file, bad);
        BootFiles after = prepare();
        assertThat(after.kernel().resolveSibling(name)).hasBinaryContent(good);
        assertThat(fake.downloads()).isEqualTo(3);
    }

    @Test
    void fetchesAgainWhatIsGoneOrCutShort() throws IOException {
        Files.delete(prepare().kernel());
        try (RandomAccessFile kernel = new RandomAccessFile(prepare().kernel().toFile(), "rw")) {
            kernel.setLength(100);
        }
        assertThat(prepare().kernel()).hasBinaryContent(Debs.bzImage("first"));
        assertThat(fake.downloads()).isEqualTo(4);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "garbage",
                "format=1\ndirectory=../../fake\nfile.vmlinuz=00\n",
                "format=1\ndirectory=.\nfile.vmlinuz=00\n",
                "format=1\ndirectory=a\nfile.../../x=00\n",
                "format=1\ndirectory=\\uzzzz\n",
                "format=99\n"
            })
    void fetchesAgainWhenTheManifestIsNonsense(String manifest) throws IOException {
        prepare();
        Files.writeString(directory.resolve("cache/packages/linux-image-cloud-amd64.manifest"), manifest);
        assertThat(prepare().kernel()).hasBinaryContent(Debs.bzImage("first"));
        assertThat(fake.downloads()).isEqualTo(3);
    }

    @Test
    void writesADamagedInitramfsAgain() throws IOException {
        BootFiles files = prepare();
        byte[] good = Files.readAllBytes(files.initrd());
        Files.write(files.initrd(), new byte[good.length]);
        assertThat(prepare().initrd()).isEqualTo(files.initrd()).hasBinaryContent(good);
    }

    @Test
    void refreshesToNewerPackagesAndKeepsThePreviousOnesForATurn() throws IOException {
        BootFiles first = prepare();
        for (int i = 2; i <= 4; i++) {
            fake.offer(FakeApt.KERNEL, "6.1.9-1", "", FakeApt.kernelFiles("release " + i));
            assertThat(prepare()).as("without asking, nothing changes").isNotNull();
            BootFiles refreshed = DefaultGuest.prepare(store, true, ProgressListener.none());
            assertThat(refreshed.kernel()).hasBinaryContent(Debs.bzImage("release " + i));
            assertThat(prepare()).isEqualTo(refreshed);
        }
        assertThat(first.kernel()).doesNotExist();
        assertThat(tree("packages")).hasSize(6);
    }

    @Test
    void keepsWhatItHasWhenARefreshFails() throws IOException {
        BootFiles first = prepare();
        fake.script("apt-get", "#!/bin/sh\necho 'E: no network' >&2; exit 100\n");
        fake.withdraw("linux-image-cloud-amd64");
        assertThatThrownBy(() -> DefaultGuest.prepare(store, true, ProgressListener.none()))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.APT_FAILED))
                .hasMessageContaining("E: no network");
        assertThat(prepare()).isEqualTo(first);
    }

    @Test
    void goesOnWhenOneOfTheSourcesFailsButTheOthersHaveWhatIsNeeded() throws IOException {
        String script = Files.readString(directory.resolve("fake/apt-get"));
        fake.script("apt-get", script.replace("echo \"Get:1 lists\"", "echo 'E: one mirror is down'; exit 100"));
        assertThat(prepare().kernel()).hasBinaryContent(Debs.bzImage("first"));
    }

    @Test
    void takesTheNextOfKinOnARelatedDistribution() throws IOException {
        fake.withdraw("linux-image-cloud-amd64");
        fake.offer("linux-image-virtual", "6.8-1", "linux-image-6.8.0-9-generic, linux-firmware", Map.of());
        fake.offer(
                "linux-image-6.8.0-9-generic",
                "6.8-1",
                "linux-modules-6.8.0-9-generic",
                Maps.of("./boot/vmlinuz-6.8.0-9-generic", Debs.bzImage("virtual")));
        fake.offer(
                "linux-modules-6.8.0-9-generic", "6.8-1", "", Maps.of("./boot/config-6.8.0-9-generic", "CONFIG_X=y\n"));
        DebianKernel kernel = DebianKernel.fetch(store, DebianKernel.CLOUD, ProgressListener.none());
        assertThat(kernel.image()).hasBinaryContent(Debs.bzImage("virtual"));
        assertThat(kernel.release()).isEqualTo("6.8.0-9-generic");
        assertThat(kernel.configuration()).hasContent("CONFIG_X=y\n");
    }

    @Test
    void saysSoWhenTheSourcesHaveNoKernel() throws IOException {
        fake.withdraw("linux-image-cloud-amd64");
        assertThatThrownBy(this::prepare).isInstanceOfSatisfying(ImageException.class, e -> {
            assertThat(e.code()).isEqualTo(Code.PACKAGE_NOT_FOUND);
            assertThat(e).hasMessageContaining("linux-image-cloud-amd64");
            assertThat(e.hint()).contains("--kernel", "--initrd");
        });
        fake.offer("linux-image-cloud-amd64", "6.1.9-1", "linux-image-gone (= 1)", Map.of());
        assertThrowsCode(Code.PACKAGE_NOT_FOUND, this::prepare);
    }

    @Test
    void refusesPackagesThatAreDamagedOrMissTheirFiles() throws IOException {
        fake.damage(FakeApt.KERNEL);
        assertThrowsCode(Code.PACKAGE_INVALID, this::prepare);
        fake.offer(FakeApt.KERNEL, "6.1.9-1", "", Maps.of("./boot/config-6.1", "x"));
        assertThrowsCode(Code.PACKAGE_INVALID, this::prepare);
        fake.offer(FakeApt.KERNEL, "6.1.9-1", "", Maps.of("./boot/config-6.1", "x", "./boot/vmlinuz-6.1", "no"));
        assertThrowsCode(Code.PACKAGE_INVALID, this::prepare);
        fake.offer(FakeApt.KERNEL, "6.1.9-1", "", FakeApt.kernelFiles("good"));
        fake.offer("busybox-static", "1", "", Maps.of("./bin/busybux", "no"));
        assertThrowsCode(Code.PACKAGE_INVALID, this::prepare);
        fake.offer("busybox-static", "1", "", Maps.of("./usr/bin/busybox", "yes"));
        assertThat(prepare().kernel()).hasBinaryContent(Debs.bzImage("good"));
    }

    @Test
    void refusesPackagesThatNeedEachOtherWithoutEnd() throws IOException {
        fake.offer(FakeApt.KERNEL, "6.1.9-1", "linux-modules-0", FakeApt.kernelFiles("first"));
        for (int i = 0; i < 20; i++) {
            fake.offer("linux-modules-" + i, "1", "linux-modules-" + (i + 1) + ", linux-modules-0", Map.of());
        }
        assertThrowsCode(Code.PACKAGE_INVALID, this::prepare);
    }

    @Test
    void cleansUpAfterAFetchThatWasKilled() throws IOException {
        Path rubbish = Files.createDirectories(directory.resolve("cache/tmp/download123/partial"));
        Files.writeString(rubbish.resolve("half.deb"), "half");
        prepare();
        assertThat(tree("tmp")).isEmpty();
    }

    @Test
    void fetchesOnceForManyThreads() throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            Callable<BootFiles> task = this::prepare;
            List<Future<BootFiles>> results = threads.invokeAll(List.of(task, task, task, task));
            BootFiles expected = prepare();
            for (Future<BootFiles> result : results) {
                assertThat(result.get()).isEqualTo(expected);
            }
        }
        assertThat(fake.updates()).isEqualTo(1);
        assertThat(fake.downloads()).isEqualTo(2);
    }

    @Test
    void waitsForAnotherHolderOfTheLockAndCanBeInterrupted() throws Exception {
        Files.createDirectories(directory.resolve("cache"));
        List<String> phases = new ArrayList<>();
        try (FileChannel held = FileChannel.open(
                directory.resolve("cache/lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            assertThat(held.tryLock()).isNotNull();
            Thread.currentThread().interrupt();
            assertThrowsCode(
                    Code.INTERRUPTED, () -> DefaultGuest.prepare(store, false, (phase, fraction) -> phases.add(phase)));
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(phases).containsExactly("Waiting for another fetch to end");
        assertThat(prepare()).as("the lock is free again").isNotNull();
    }

    @Test
    void excludesOtherProcesses() throws Exception {
        Path cache = Files.createDirectories(directory.resolve("cache")).toRealPath();
        // In this process, the system's lock is invisible: ask from another one, by its own Java.
        Path program = Files.writeString(directory.resolve("Holder.java"), """
                import java.nio.channels.FileChannel;
                import java.nio.file.Path;
                import java.nio.file.StandardOpenOption;
                public class Holder {
                    public static void main(String[] arguments) throws Exception {
                        try (var channel = FileChannel.open(Path.of(arguments[0]),
                                StandardOpenOption.CREATE, StandardOpenOption.WRITE); var lock = channel.lock()) {
                            System.out.println("held");
                            System.in.read();
                        }
                    }
                }
                """);
        Process holder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin/java").toString(),
                        program.toString(),
                        cache.resolve("lock").toString())
                .start();
        try {
            assertThat(holder.inputReader().readLine()).isEqualTo("held");
            List<String> phases = new ArrayList<>();
            BootFiles files = DefaultGuest.prepare(store, false, (phase, fraction) -> {
                phases.add(phase);
                if (phase.startsWith("Waiting")) {
                    holder.destroyForcibly();
                }
            });
            assertThat(phases.getFirst()).startsWith("Waiting");
            assertThat(files.kernel()).exists();
        } finally {
            holder.destroyForcibly();
        }
    }

    @Test
    void saysSoWhenTheCacheCanNotBeWritten() throws IOException {
        Path file = Files.writeString(directory.resolve("file"), "");
        PackageStore impossible = new PackageStore(file.resolve("cache"), fake::tools);
        assertThatThrownBy(() -> DefaultGuest.prepare(impossible, false, ProgressListener.none()))
                .isInstanceOfSatisfying(ImageException.class, e -> {
                    assertThat(e.code()).isEqualTo(Code.CACHE_UNUSABLE);
                    assertThat(e.hint()).contains("XDG_CACHE_HOME");
                });
    }

    @Test
    void anExceptionOfTheListenerEndsTheFetchAndLetsGoOfTheLock() {
        assertThatThrownBy(() -> DefaultGuest.prepare(store, false, (phase, fraction) -> {
                    throw new IllegalStateException("enough");
                }))
                .hasMessage("enough");
        assertThat(prepare()).isNotNull();
    }

    @Test
    void theUsersDirectoryFollowsTheSpecification() {
        assertThat(CacheDirectory.of("/x", "/home/a")).isEqualTo(Path.of("/x/kagami"));
        assertThat(CacheDirectory.of(null, "/home/a")).isEqualTo(Path.of("/home/a/.cache/kagami"));
        assertThat(CacheDirectory.of("", "/home/a")).isEqualTo(Path.of("/home/a/.cache/kagami"));
        assertThat(CacheDirectory.of("relative", "/home/a")).isEqualTo(Path.of("/home/a/.cache/kagami"));
    }
}
