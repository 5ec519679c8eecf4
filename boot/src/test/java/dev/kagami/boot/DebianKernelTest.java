package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Loads a real kernel; runs when the environment variable KAGAMI_TEST_KERNEL names a bzImage. */
class DebianKernelTest {
    @Test
    void realKernelIsUnpackedAndPlaced() {
        String name = System.getenv("KAGAMI_TEST_KERNEL");
        assumeTrue(name != null && Files.isRegularFile(Path.of(name)), "KAGAMI_TEST_KERNEL names no file");
        try (GuestMemory memory = GuestMemory.allocate(256 << 20)) {
            List<MemoryRegion> map = List.of(
                    new MemoryRegion(0, 0x9_F000, MemoryRegion.Type.USABLE),
                    new MemoryRegion(0x10_0000, 255 << 20, MemoryRegion.Type.USABLE));
            LoadedKernel kernel = BootLoader.load(memory, map, 0, BootSource.of(Path.of(name)));
            assertThat(kernel.protocol()).isEqualTo(BootProtocol.LINUX);
            assertThat(kernel.description()).contains("unpacked on the host");
            assertThat(kernel.entryPoint()).isEqualTo(0x100_0000);
        }
    }
}
