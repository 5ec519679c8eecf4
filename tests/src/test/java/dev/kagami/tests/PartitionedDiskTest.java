package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.vm.Disk;
import dev.kagami.vm.LinuxBoot;
import dev.kagami.vm.MemorySize;
import dev.kagami.vm.Outcome;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Boots from disks whose kernel lies in a partition of its own, made by the tools that installers use. */
@Timeout(300)
final class PartitionedDiskTest {
    private static final Duration BOOT = Duration.ofSeconds(120);
    private static final Duration SOON = Duration.ofSeconds(60);
    private static final long MEBIBYTE = 1 << 20;

    private static final String BOOT_UUID = "b0070000-0000-4000-8000-000000000001";
    private static final String ROOT_UUID = "50070000-0000-4000-8000-000000000002";

    /** As update-grub writes it on Ubuntu for a /boot of its own. */
    private static final String MENU_ENTRIES = """
            set default="0"
            function gfxmode { set gfxpayload="${1}" }
            menuentry 'Ubuntu' --class ubuntu --class gnu-linux $menuentry_id_option 'gnulinux-simple-%2$s' {
                insmod gzio
                if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
                insmod part_gpt
                insmod ext2
                search --no-floppy --fs-uuid --set=root %1$s
                linux   /vmlinuz-6.1 root=UUID=%2$s ro console=ttyS0 made=here
                initrd  /initrd.img-6.1
            }
            submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-%2$s' {
                menuentry 'Ubuntu, with Linux 6.1 (recovery mode)' {
                    search --no-floppy --fs-uuid --set=root %1$s
                    linux   /vmlinuz-6.1 root=UUID=%2$s ro recovery nomodeset
                    initrd  /initrd.img-6.1
                }
            }
            """;

    /** As Fedora's grub.cfg, which leaves the entries to files. */
    private static final String BLS_CONFIGURATION = """
            search --no-floppy --fs-uuid --set=root %1$s
            set boot=$root
            set kernelopts="root=UUID=%2$s ro console=ttyS0 made=here"
            insmod blscfg
            blscfg
            """;

    private static final String BLS_ENTRY = """
            title Linux (6.1)
            version 6.1
            linux /vmlinuz-6.1
            initrd /initrd.img-6.1
            options $kernelopts
            """;

    @TempDir
    private Path directory;

    @BeforeAll
    static void needs() {
        HostCommand.require("e2fsprogs", "mke2fs");
        HostCommand.require("fdisk", "sfdisk");
    }

    @ParameterizedTest(name = "{0}, {1}")
    @CsvSource({"dos,menu", "gpt,menu", "gpt,bls", "dos,links"})
    void bootsTheKernelOfTheBootPartitionAndFindsTheRoot(String table, String loader) throws Exception {
        LinuxBoot guest = Guests.cloud();
        Path boot = Files.createDirectories(directory.resolve("boot"));
        Files.copy(guest.kernel(), boot.resolve("vmlinuz-6.1"));
        Files.copy(Objects.requireNonNull(guest.initrd()), boot.resolve("initrd.img-6.1"));
        Files.createSymbolicLink(boot.resolve("vmlinuz"), Path.of("vmlinuz-6.1"));
        Files.createSymbolicLink(boot.resolve("initrd.img"), Path.of("initrd.img-6.1"));
        Path configuration = Files.createDirectories(boot.resolve(loader.equals("bls") ? "grub2" : "grub"))
                .resolve("grub.cfg");
        switch (loader) {
            case "menu" -> Files.writeString(configuration, MENU_ENTRIES.formatted(BOOT_UUID, ROOT_UUID));
            case "bls" -> {
                Files.writeString(configuration, BLS_CONFIGURATION.formatted(BOOT_UUID, ROOT_UUID));
                Path entries = Files.createDirectories(boot.resolve("loader/entries"));
                Files.writeString(entries.resolve("0123-6.1.conf"), BLS_ENTRY);
            }
            default -> Files.delete(configuration.getParent());
        }
        Path root = Files.createDirectories(directory.resolve("root/etc"));
        Files.writeString(root.resolve("marker"), "this is the root");
        Path disk = disk(table, fileSystem("boot", BOOT_UUID, 160), fileSystem("root", ROOT_UUID, 16));

        try (SerialSession session =
                SerialSession.start(c -> c.disk(Disk.temporary(disk)).memory(MemorySize.ofMebibytes(256)))) {
            session.await(SerialSession.PROMPT, BOOT);
            String commandLine = session.run("cat /proc/cmdline");
            if (!loader.equals("links")) {
                assertThat(commandLine).contains("root=UUID=" + ROOT_UUID + " ro console=ttyS0 made=here");
            }
            assertThat(session.run("mount -o ro UUID=%s /mnt; cat /mnt/etc/marker; echo".formatted(ROOT_UUID)))
                    .contains("this is the root");
            session.line("poweroff");
            assertThat(session.awaitOutcome(SOON)).isEqualTo(new Outcome.PoweredOff());
        }
    }

    private Path fileSystem(String name, String uuid, int mebibytes) throws Exception {
        Path file = directory.resolve(name + ".ext4");
        HostCommand.run(
                        SOON,
                        "mke2fs",
                        "-q",
                        "-t",
                        "ext4",
                        "-L",
                        name,
                        "-U",
                        uuid,
                        "-d",
                        directory.resolve(name).toString(),
                        file.toString(),
                        mebibytes + "M")
                .orFail();
        return file;
    }

    /** Makes a disk of two partitions. */
    private Path disk(String table, Path first, Path second) throws Exception {
        Path disk = directory.resolve("disk.raw");
        long start = MEBIBYTE;
        long next = start + Files.size(first);
        Path script = directory.resolve("table");
        Files.writeString(script, """
                label: %s
                start=%d, size=%d
                start=%d, size=%d
                """.formatted(
                        table, start / 512, Files.size(first) / 512, next / 512, Files.size(second) / 512));
        try (FileChannel target = FileChannel.open(disk, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            copy(first, target, start);
            copy(second, target, next);
            // The second copy of a GPT.
            target.write(java.nio.ByteBuffer.allocate(1), next + Files.size(second) + MEBIBYTE - 1);
        }
        HostCommand.run(SOON, "sh", "-c", "sfdisk --quiet '%s' < '%s'".formatted(disk, script))
                .orFail();
        return disk;
    }

    private static void copy(Path file, FileChannel target, long position) throws IOException {
        try (FileChannel source = FileChannel.open(file)) {
            target.position(position);
            source.transferTo(0, source.size(), target);
        }
    }
}
