package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class KernelModulesTest {

    private static final String DRIVERS = "./lib/modules/6.1/kernel/drivers/";

    @TempDir
    private Path directory;

    /** Returns an ELF file with the sections that matter: none, names, .modinfo. */
    private static byte[] module(String depends) {
        byte[] names = "\0.shstrtab\0.modinfo\0".getBytes(StandardCharsets.US_ASCII);
        byte[] info = ("license=GPL\0depends=" + depends + "\0name=x\0").getBytes(StandardCharsets.US_ASCII);
        int namesAt = 64;
        int infoAt = namesAt + names.length;
        int tableAt = infoAt + info.length;
        ByteBuffer elf = ByteBuffer.allocate(tableAt + 3 * 64).order(ByteOrder.LITTLE_ENDIAN);
        elf.putInt(0, 0x464c457f)
                .putLong(0x28, tableAt)
                .putShort(0x3c, (short) 3)
                .putShort(0x3e, (short) 1);
        elf.put(namesAt, names).put(infoAt, info);
        section(elf, tableAt + 64, 1, namesAt, names.length);
        section(elf, tableAt + 128, 11, infoAt, info.length);
        return elf.array();
    }

    private static void section(ByteBuffer elf, int header, int name, int offset, int size) {
        elf.putInt(header, name).putLong(header + 0x18, offset).putLong(header + 0x20, size);
    }

    private static List<String> names(List<KernelModule> modules) {
        return modules.stream().map(KernelModule::name).toList();
    }

    @Test
    void putsModulesAfterThoseTheyDependOn() throws IOException {
        Path deb = Debs.deb(
                directory.resolve("a.deb"),
                Maps.of(
                        DRIVERS + "net/virtio_net.ko", module("net_failover,virtio,virtio-ring"),
                        DRIVERS + "net/net_failover.ko", module("failover"),
                        DRIVERS + "virtio/virtio.ko", module("virtio_ring"),
                        DRIVERS + "virtio/virtio_ring.ko", module(""),
                        DRIVERS + "char/virtio-rng.ko", module("virtio"),
                        DRIVERS + "other.ko", module("virtio_net")));
        List<KernelModule> modules = KernelModules.read(List.of(deb), List.of("virtio_net", "virtio-rng", "ext4"));
        assertThat(names(modules))
                .as("failover is built in, ext4 too, and other isn't wanted")
                .containsExactly("net_failover", "virtio_ring", "virtio", "virtio_net", "virtio_rng");
        assertThat(modules.getLast().path()).isEqualTo("lib/modules/6.1/kernel/drivers/char/virtio-rng.ko");
        assertThat(modules.getLast().content()).isEqualTo(module("virtio"));
    }

    @Test
    void readsCompressedModulesAndSeveralPackages() throws IOException {
        Path first = Debs.deb(
                directory.resolve("a.deb"), Maps.of("./usr/lib/modules/6.12/kernel/fs/a.ko.xz", Debs.xz(module("b"))));
        Path second = Debs.deb(directory.resolve("b.deb"), Maps.of("./lib/modules/6.12/kernel/fs/b.ko", module("")));
        List<KernelModule> modules = KernelModules.read(List.of(first, second), List.of("a"));
        assertThat(names(modules)).containsExactly("b", "a");
        assertThat(modules.getLast().path()).isEqualTo("lib/modules/6.12/kernel/fs/a.ko");
        assertThat(modules.getLast().content()).isEqualTo(module("b"));
    }

    @Test
    void refusesCircles() throws IOException {
        Path deb = Debs.deb(
                directory.resolve("a.deb"), Maps.of(DRIVERS + "a.ko", module("b"), DRIVERS + "b.ko", module("a")));
        assertThatThrownBy(() -> KernelModules.read(List.of(deb), List.of("a")))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("circle");
    }

    @Test
    void answersDamagedModulesWithAnIoExceptionOrSomeAnswer() {
        byte[] good = module("a,b");
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            byte[] bad = i < good.length ? Arrays.copyOf(good, i) : good.clone();
            for (int j = 0; i >= good.length && j < 3; j++) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            try {
                assertThat(KernelModules.dependencies(bad)).isNotNull();
            } catch (IOException e) {
                assertThat(e).hasMessageContaining("module");
            } catch (RuntimeException e) {
                throw new AssertionError("seed " + seed + ", case " + i, e);
            }
        }
    }
}
