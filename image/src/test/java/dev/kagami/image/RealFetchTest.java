package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kagami.image.ImageException.Code;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Fetches from the host's real sources, into the user's real cache: once per machine, then it is quick. */
@Timeout(value = 40, unit = TimeUnit.MINUTES)
final class RealFetchTest {

    private static BootFiles prepare() {
        try {
            return DefaultGuest.prepare(ProgressListener.none());
        } catch (ImageException e) {
            assumeTrue(e.code() != Code.APT_MISSING && e.code() != Code.PACKAGE_NOT_FOUND, e.getMessage());
            throw e;
        }
    }

    @Test
    void aHostWithAptGetsAKernelAndAnInitramfs() throws Exception {
        BootFiles files = prepare();
        byte[] kernel = Files.readAllBytes(files.kernel());
        assertThat(new String(kernel, 0x202, 4, StandardCharsets.US_ASCII)).isEqualTo("HdrS");
        assertThat(Files.readAllBytes(files.initrd())).startsWith("070701".getBytes(StandardCharsets.US_ASCII));
        assertThat(prepare()).isEqualTo(files);
    }

    @Test
    void theKernelHasWhatABootNeedsAndTheModulesOfItsVirtualDevices() throws Exception {
        prepare();
        DebianKernel kernel = DebianKernel.fetch(DebianKernel.CLOUD, ProgressListener.none());
        assertThat(kernel.release()).isNotEmpty();
        assertThat(Files.readAllLines(kernel.configuration()))
                .contains("CONFIG_SERIAL_8250_CONSOLE=y", "CONFIG_BLK_DEV_INITRD=y", "CONFIG_DEVTMPFS=y");
        List<KernelModule> modules = kernel.modules(List.of("virtio_net", "virtio_blk"));
        assertThat(modules).extracting(KernelModule::name).containsSubsequence("virtio_ring", "virtio", "virtio_net");
        assertThat(modules.getFirst().path()).startsWith("lib/modules/" + kernel.release() + "/kernel/");
    }

    @Test
    void theTinyBootSharesTheKernel() {
        BootFiles files = prepare();
        BootFiles tiny = TinyBoot.prepare(ProgressListener.none());
        assertThat(tiny.kernel()).isEqualTo(files.kernel());
        assertThat(tiny.initrd()).isRegularFile();
    }
}
