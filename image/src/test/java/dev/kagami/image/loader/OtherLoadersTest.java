package dev.kagami.image.loader;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.image.disk.GuestFile;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OtherLoadersTest {

    private final LookedFor lookedFor = new LookedFor();

    private static FakeFiles files() {
        return new FakeFiles("u", "l").withPaths("/k1", "/k2", "/k3", "/i1", "/i2");
    }

    @Test
    void takesTheNewestEntryOfTheBootLoaderSpecification() {
        FakeFiles files = files().with("/loader/entries/a-6.9.conf", "title A\nversion 6.9\nlinux /k1\n")
                .with("/loader/entries/a-6.10.conf", """
                        # comment
                        title   B
                        version 6.10
                        linux   /k2
                        initrd  /i1
                        initrd  /i2
                        options root=LABEL=x
                        options   quiet
                        """)
                .with("/loader/entries/a-6.11+0-3.conf", "title C\nversion 6.11\nlinux /k3\n")
                .with("/loader/entries/arm.conf", "version 7\nlinux /k3\narchitecture aa64\n")
                .with("/loader/entries/efi.conf", "version 8\nefi /k3\n");

        BootEntry entry = LoaderEntries.find(files.on(1), lookedFor).orElseThrow();

        assertThat(entry.title()).isEqualTo("B");
        assertThat(entry.commandLine()).isEqualTo("root=LABEL=x quiet");
        assertThat(entry.initrds()).extracting(GuestFile::path).containsExactly("/i1", "/i2");
    }

    @ParameterizedTest
    @CsvSource({"a-6.9.conf, /k1", "*-6.9*, /k1", "a-?.9, /k1", "b*, /k2", "'', /k2", "a*6*9*, /k1", "*, /k2"})
    void takesTheEntryThatLoaderConfNames(String wanted, String kernel) {
        FakeFiles files = files().with("/loader/loader.conf", "timeout 3\ndefault " + wanted + "\n")
                .with("/loader/entries/a-6.9.conf", "version 6.9\nlinux /k1\n")
                .with("/loader/entries/a-6.10.conf", "version 6.10\nlinux /k2\n");

        assertThat(LoaderEntries.find(files.on(1), lookedFor)
                        .orElseThrow()
                        .kernel()
                        .path())
                .isEqualTo(kernel);
    }

    @Test
    void passesOverAnEntryWhoseFilesAreMissing() {
        FakeFiles files = files().with("/boot/loader/entries/a.conf", "version 2\nlinux /k1\ninitrd /gone\n")
                .with("/boot/loader/entries/b.conf", "version 1\nlinux /k2\n");

        assertThat(LoaderEntries.find(files.on(1), lookedFor)
                        .orElseThrow()
                        .kernel()
                        .path())
                .isEqualTo("/k2");
        assertThat(lookedFor.lines()).contains("the kernel /k1 of entry a");
    }

    @Test
    void readsExtlinux() {
        FakeFiles files = files().with("/boot/extlinux/extlinux.conf", """
                        DEFAULT two
                        PROMPT 0
                        MENU TITLE Boot
                        LABEL one
                          LINUX /k1
                          INITRD /i1
                          APPEND root=/dev/vda1
                        LABEL two
                          MENU LABEL ^Second
                          KERNEL ../../k2
                          APPEND initrd=/i1,/i2 root=/dev/vda2   ro
                        """).withPaths("/boot/extlinux/../../k2");

        BootEntry entry = Extlinux.find(files.on(1), lookedFor).orElseThrow();

        assertThat(entry.title()).isEqualTo("Second");
        assertThat(entry.commandLine()).isEqualTo("root=/dev/vda2 ro");
        assertThat(entry.initrds()).extracting(GuestFile::path).containsExactly("/i1", "/i2");
    }

    @Test
    void readsExtlinuxMenusThatIncludeEachOther() {
        FakeFiles files = files().with("/extlinux/extlinux.conf", "include more.conf\nappend quiet\n")
                .with("/extlinux/more.conf", """
                        include extlinux.conf
                        label a
                          linux /gone
                        label b
                          menu default
                          linux /k3
                        """);

        BootEntry entry = Extlinux.find(files.on(1), lookedFor).orElseThrow();

        assertThat(entry.kernel().path()).isEqualTo("/k3");
        assertThat(entry.initrds()).isEmpty();
    }

    @Test
    void takesTheNewestKernelWithoutABootLoader() {
        FakeFiles files = files().withPaths(
                        "/boot/vmlinuz-6.1.0-9-amd64",
                        "/boot/vmlinuz-6.1.0-10-amd64",
                        "/boot/vmlinuz-0-rescue-1234",
                        "/boot/initrd.img-6.1.0-9-amd64",
                        "/boot/initrd.img-6.1.0-10-amd64");

        BootEntry entry = NewestKernel.find(files.on(1), lookedFor).orElseThrow();

        assertThat(entry.kernel().path()).isEqualTo("/boot/vmlinuz-6.1.0-10-amd64");
        assertThat(entry.initrds()).extracting(GuestFile::path).containsExactly("/boot/initrd.img-6.1.0-10-amd64");
        assertThat(entry.commandLine()).isEqualTo("root=PARTUUID=part-1 rw console=ttyS0");
    }

    @Test
    void ordersVersions() {
        List<String> ordered = List.of("6.1~rc1", "6.1", "6.1.0-9", "6.1.0-010", "6.1.0-11-cloud", "6.2", "6.10");

        assertThat(ordered.reversed().stream().sorted(VersionOrder.INSTANCE)).containsExactlyElementsOf(ordered);
        assertThat(VersionOrder.INSTANCE.compare("1.007", "1.7")).isZero();
    }
}
