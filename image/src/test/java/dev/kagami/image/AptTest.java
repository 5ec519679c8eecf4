package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.image.Apt.Dependency;
import dev.kagami.image.Apt.Offer;
import dev.kagami.image.ImageException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
final class AptTest {

    @TempDir
    private Path directory;

    private FakeApt fake;
    private Path downloads;

    @BeforeEach
    void makeFakes() throws IOException {
        fake = new FakeApt(directory.resolve("fake"));
        downloads = Files.createDirectory(directory.resolve("downloads"));
    }

    private Apt apt() throws IOException {
        return new Apt(fake.tools(), directory.resolve("state"));
    }

    private static final Offer BUSYBOX = new Offer("busybox-static", "1:1.35.0-4+b1", List.of());

    @Test
    void findsTheToolsOnASearchPath() throws IOException {
        Path bin = directory.resolve("fake");
        assertThat(Apt.Tools.find("relative::/nonexistent:" + bin).aptGet()).isEqualTo(bin.resolve("apt-get"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/nonexistent", "."})
    void saysWhichFilesToPassWhereThereIsNoApt(String searchPath) {
        assertThatThrownBy(() -> Apt.Tools.find(searchPath)).isInstanceOfSatisfying(ImageException.class, e -> {
            assertThat(e.code()).isEqualTo(Code.APT_MISSING);
            assertThat(e).hasMessageContaining("apt-get");
            assertThat(e.hint()).contains("--kernel", "--initrd");
        });
    }

    @Test
    void keepsAllStateInItsOwnDirectory() throws IOException {
        Apt apt = apt();
        apt.update(ProgressListener.none());
        apt.download(List.of(BUSYBOX), downloads, ProgressListener.none());
        String configuration = Files.readString(directory.resolve("state/apt.conf"));
        Path state = directory.resolve("state");
        assertThat(configuration)
                .contains("Dir::State \"" + state + "\";")
                .contains("Dir::State::lists \"" + state + "/lists\";")
                .contains("Dir::Cache \"" + state + "/cache\";")
                .contains("APT::Architecture \"amd64\";")
                .contains("APT::Get::AllowUnauthenticated \"false\";");
        assertThat(fake.log()).hasSize(2).allSatisfy(line -> assertThat(line).startsWith("-c=" + state + "/apt.conf "));
    }

    @Test
    void readsWhatAPackageIsAndNeeds() throws IOException {
        assertThat(apt().offer("linux-image-cloud-amd64", Optional.empty()))
                .contains(new Offer(
                        "linux-image-cloud-amd64",
                        "6.1.9-1",
                        List.of(new Dependency(FakeApt.KERNEL, Optional.of("6.1.9-1")))));
        assertThat(apt().offer(FakeApt.KERNEL, Optional.of("6.1.9-1"))
                        .orElseThrow()
                        .dependencies())
                .containsExactly(
                        new Dependency("kmod", Optional.empty()),
                        new Dependency("linux-base", Optional.empty()),
                        new Dependency("initramfs-tools", Optional.empty()));
    }

    @Test
    void saysSoWhenAPackageIsNotOffered() throws IOException {
        assertThat(apt().offer("linux-image-unheard-of", Optional.empty())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "head -c 3000000 /dev/urandom",
                "yes Package: busybox-static | head -200000",
                "echo Package: busybox-static; echo 'Version: -o Evil=1'",
                "echo Package: other; echo Version: 1",
                "echo; echo; echo Version: 1",
                ":"
            })
    void takesGarbageForNoOffer(String script) throws IOException {
        fake.script("apt-cache", "#!/bin/sh\n" + script + "\n");
        assertThat(apt().offer("busybox-static", Optional.empty())).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"-o", "a b", "a;b", "A", "", "../x", "a=1"})
    void refusesNamesThatCouldBeOptions(String name) {
        assertThatThrownBy(() -> apt().offer(name, Optional.empty())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> apt().offer("busybox", Optional.of("1 -o x")))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void reportsProgressThatOnlyGrows() throws IOException {
        fake.script("apt-get", """
                #!/bin/sh
                for percent in 0.0000 10.5000 10.5000 7.0000 100.0000 900.0000 nonsense; do
                    echo "dlstatus:1:$percent:Retrieving file 1 of 2"
                done
                touch busybox-static_1_amd64.deb
                """);
        List<Double> fractions = new ArrayList<>();
        List<String> phases = new ArrayList<>();
        apt().download(List.of(BUSYBOX), downloads, (phase, fraction) -> {
            phases.add(phase);
            fractions.add(fraction);
        });
        assertThat(fractions).containsExactly(0.0, 0.0, 0.105, 1.0);
        assertThat(phases).containsOnly("Fetching busybox-static");
    }

    @Test
    void downloadsExactVersions() throws IOException {
        assertThat(apt().download(List.of(BUSYBOX), downloads, ProgressListener.none()))
                .containsOnlyKeys("busybox-static")
                .allSatisfy((name, file) -> assertThat(file).isRegularFile().hasParent(downloads));
        assertThat(fake.log().getLast()).endsWith("download busybox-static=1:1.35.0-4+b1");
    }

    @Test
    void reportsAFailureWithAptsOwnWords() throws IOException {
        fake.script("apt-get", "#!/bin/sh\necho \"E: Couldn't be bothered\" >&2; exit 100\n");
        assertThatThrownBy(() -> apt().download(List.of(BUSYBOX), downloads, ProgressListener.none()))
                .isInstanceOfSatisfying(ImageException.class, e -> {
                    assertThat(e.code()).isEqualTo(Code.APT_FAILED);
                    assertThat(e).hasMessageContaining("status 100").hasMessageContaining("E: Couldn't be bothered");
                    assertThat(e.hint()).contains("--kernel");
                });
    }

    @Test
    void remembersAFailedUpdate() throws IOException {
        fake.script("apt-get", "#!/bin/sh\necho 'W: Failed to fetch http://example.org/'; exit 0\n");
        Apt apt = apt();
        apt.update(ProgressListener.none());
        assertThat(apt.updateComplaint())
                .hasValueSatisfying(text -> assertThat(text).contains("example.org"));
    }

    @Test
    void stopsAptWhenItHangs() throws IOException {
        fake.script("apt-get", "#!/bin/sh\necho Waiting for headers; exec sleep 1000\n");
        fake.allowSilence(Duration.ofSeconds(1));
        assertThatThrownBy(() -> apt().download(List.of(BUSYBOX), downloads, ProgressListener.none()))
                .isInstanceOfSatisfying(ImageException.class, e -> {
                    assertThat(e.code()).isEqualTo(Code.APT_TIMEOUT);
                    assertThat(e).hasMessageContaining("Waiting for headers");
                });
        fake.script("apt-cache", "#!/bin/sh\nexec sleep 1000\n");
        assertThatThrownBy(() -> apt().offer("busybox-static", Optional.empty()))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.APT_TIMEOUT));
    }

    @Test
    void complainsWhenAptSucceedsAndLeavesNothing() throws IOException {
        fake.script("apt-get", "#!/bin/sh\nln -s /etc/passwd busybox-static_1_amd64.deb\n");
        assertThatThrownBy(() -> apt().download(List.of(BUSYBOX), downloads, ProgressListener.none()))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.APT_FAILED))
                .hasMessageContaining("left no file");
    }

    @Test
    void isInterruptible() throws IOException {
        fake.script("apt-get", "#!/bin/sh\nexec sleep 1000\n");
        Apt apt = apt();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> apt.update(ProgressListener.none()))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.INTERRUPTED));
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void refusesADirectoryThatItsConfigurationCanNotName() {
        assertThatThrownBy(() -> new Apt(fake.tools(), directory.resolve("a\"b")))
                .isInstanceOfSatisfying(
                        ImageException.class, e -> assertThat(e.code()).isEqualTo(Code.CACHE_UNUSABLE));
    }
}
