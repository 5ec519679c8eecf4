package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;

final class InitramfsTest {

    private static final byte[] BUSYBOX = {0x7f, 'E', 'L', 'F'};

    private static Map<String, String> contents(CpioArchive archive) throws IOException {
        Map<String, String> contents = new LinkedHashMap<>();
        try (var in = new CpioArchiveInputStream(new ByteArrayInputStream(archive.toByteArray()))) {
            for (CpioArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                contents.put(entry.getName(), new String(in.readAllBytes(), StandardCharsets.US_ASCII));
            }
        }
        return contents;
    }

    @Test
    void theShellHasWhatTheKernelAndItsInitNeed() throws IOException {
        Map<String, String> contents = contents(Initramfs.shell(BUSYBOX, "6.1", List.of()));
        assertThat(contents)
                .containsKeys("dev/console", "bin/busybox", "proc", "sys", "dev", "run", "tmp", "root", "etc/profile")
                .containsEntry("bin/sh", "busybox");
        assertThat(contents.get("init")).startsWith("#!/bin/sh\n").contains("/etc/kagami/session");
        assertThat(contents.get("etc/kagami/session")).contains("kagami.run64", "kagami.columns");
        assertThat(contents.get("etc/profile")).contains("PS1=");
    }

    @Test
    void theTinyOneHasNothingButBusyboxAndAnInitThatPowersOff() throws IOException {
        Map<String, String> contents = contents(Initramfs.tiny(BUSYBOX));
        assertThat(contents).containsOnlyKeys("dev", "dev/console", "bin", "bin/busybox", "bin/sh", "init");
        assertThat(contents.get("init")).contains(TinyBoot.MARKER).endsWith("poweroff -f\n");
    }

    @Test
    void parametersAreQuotedOrEncodedAsNeeded() {
        assertThat(GuestParameters.run("ls -l /")).isEqualTo("kagami.run=\"ls -l /\"");
        assertThat(GuestParameters.run("echo \"a\"")).isEqualTo("kagami.run64=ZWNobyAiYSI=");
        assertThat(GuestParameters.run("a\nb")).isEqualTo("kagami.run64=YQpi");
        assertThatThrownBy(() -> GuestParameters.run("x".repeat(2000))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theTerminalIsToldOnlyWhatIsSane() {
        assertThat(GuestParameters.terminal(120, 40, "xterm-256color"))
                .isEqualTo("kagami.columns=120 kagami.rows=40 TERM=xterm-256color");
        assertThat(GuestParameters.terminal(80, 24, "evil init=/x")).isEqualTo("kagami.columns=80 kagami.rows=24");
        assertThatThrownBy(() -> GuestParameters.terminal(0, 24, "vt100")).isInstanceOf(IllegalArgumentException.class);
    }
}
