package dev.kagami.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kagami.block.BlockImage;
import dev.kagami.block.DiskImages;
import dev.kagami.block.OpenOptions;
import dev.kagami.image.disk.TestDisks;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DiskBootTest {

    private static final int KERNEL_SIZE = 3000 * 16;

    @TempDir
    private Path directory;

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "ext4-plain", "ext2-1k", "ext4-inline", "ext4-meta-bg", "ext4-journal-csum"})
    void bootsFromEachKindOfFileSystem(String name) throws IOException {
        DiskBoot boot = DiskBoot.locate(TestDisks.of(TestDisks.withPartitions("gpt", name)));

        DiskBoot.Extracted extracted = boot.extract(directory.resolve("new/directory"));

        assertThat(boot.title()).isEqualTo("Test Linux");
        assertThat(extracted.commandLine())
                .isEqualTo("root=UUID=0123abcd-4567-89ab-cdef-0123456789ab ro console=ttyS0");
        assertThat(Files.readString(extracted.kernel())).hasSize(KERNEL_SIZE).endsWith("kernel 00003000\n");
        assertThat(Files.readString(extracted.initrd().orElseThrow())).endsWith("initrd 00002000\n");
        assertThat(boot.description())
                .matches("GRUB: \"Test Linux\", /boot/vmlinuz-6.1.0-9-amd64 with"
                        + " /boot/initrd.img-6.1.0-9-amd64, from partition 1 \\(ext[24], label test-root\\)");
        try (var files = Files.list(directory.resolve("new/directory"))) {
            assertThat(files).hasSize(2);
        }
    }

    @Test
    void bootsFromTheSecondPartitionOfAnMbr() {
        assertThat(DiskBoot.locate(TestDisks.of(TestDisks.withPartitions("mbr", "", "ext4")))
                        .description())
                .contains("from partition 2");
    }

    @Test
    void bootsFromADiskWithoutPartitions() {
        assertThat(DiskBoot.locate(TestDisks.of(TestDisks.load("ext2-1k"))).description())
                .endsWith("from the whole disk (ext2, label test-root)");
    }

    @Test
    void bootsFromAnImageInAFile() throws IOException {
        Path file = directory.resolve("disk.raw");
        Files.write(file, TestDisks.withPartitions("gpt", "ext4"));
        byte[] before = Files.readAllBytes(file);

        try (BlockImage image = DiskImages.open(file, OpenOptions.readOnly())) {
            DiskBoot.locate(image).extract(directory.resolve("boot"));
        }

        assertThat(Files.readAllBytes(file)).isEqualTo(before);
    }

    /** As Ubuntu's cloud images have it: partition 1 is the root, another one /boot. */
    @Test
    void bootsFromABootPartitionWithTheInitramfsThatUbuntuLeavesOutAtFirst() throws IOException {
        DiskBoot boot =
                DiskBoot.locate(TestDisks.of(TestDisks.withPartitions("gpt", "ubuntu-root", "", "ubuntu-boot")));

        DiskBoot.Extracted extracted = boot.extract(directory);

        assertThat(boot.description())
                .isEqualTo("GRUB: \"Ubuntu\", /vmlinuz-6.8.0-31-generic with /initrd.img-6.8.0-31-generic, from"
                        + " partition 3 (ext4, label BOOT)");
        assertThat(extracted.commandLine())
                .isEqualTo("root=PARTUUID=10071007-0000-4000-8000-000000000001 ro console=tty1 console=ttyS0");
        assertThat(Files.readString(extracted.initrd().orElseThrow())).endsWith("initrd 00002000\n");
    }

    @Test
    void followsTheLinksToTheNewestKernelWhereThereIsNoBootLoader() throws IOException {
        // The configuration's name goes: the length of the name, the type of a file, the name.
        byte[] disk = TestDisks.load("ext4-plain");
        String all = new String(disk, StandardCharsets.ISO_8859_1);
        int configuration = all.indexOf("\10\1grub.cfg");
        disk[configuration + 2] = 'G';

        DiskBoot boot = DiskBoot.locate(TestDisks.of(disk));

        assertThat(boot.description()).startsWith("no boot loader:").contains("vmlinuz-6.1.0-9-amd64");
    }

    @ParameterizedTest
    @CsvSource({"0,XFSB,XFS", "65600,_BHRfS_M,btrfs", "512,LABELONE,LVM", "0,LUKSº¾,LUKS (encrypted)"})
    void namesTheFileSystemThatIsNotReadAndTheWayOut(int offset, String magic, String name) {
        byte[] disk = TestDisks.withPartitions("gpt", "ubuntu-root");
        Arrays.fill(disk, 1 << 20, (1 << 20) + (4 << 20), (byte) 0);
        byte[] bytes = magic.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(bytes, 0, disk, (1 << 20) + offset, bytes.length);

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> DiskBoot.locate(TestDisks.of(disk)))
                .withMessageContaining("Partition 1 holds " + name)
                .satisfies(e -> assertThat(e.hint()).contains("--kernel", "--initrd", "/boot"));
    }

    @Test
    void saysWhatItLookedAtOnADiskWithNothingToBoot() {
        byte[] disk = TestDisks.withPartitions("gpt", "ext4", "ext4-plain", "ext4-plain");
        byte[] xfs = "XFSB".getBytes(StandardCharsets.US_ASCII);
        int second = (1 << 20) + (20 << 20);
        System.arraycopy(xfs, 0, disk, second, xfs.length);
        // The superblocks of the others.
        disk[(1 << 20) + 1024 + 0x78] ^= 1;
        Arrays.fill(disk, second + (6 << 20), second + (12 << 20), (byte) 0);

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> DiskBoot.locate(TestDisks.of(disk)))
                .withMessageContaining("Found no kernel to boot on the disk.")
                .withMessageContaining(
                        "Partition 1: An ext4 file system is damaged: its superblock has a wrong checksum")
                .withMessageContaining("Partition 2 holds XFS")
                .withMessageContaining("Partition 3 holds nothing that is known here")
                .satisfies(e -> assertThat(e.code()).isEqualTo(ImageException.Code.NOTHING_TO_BOOT));
    }

    @Test
    void saysWhichFilesItLookedForOnAFileSystemWithoutAKernel() {
        byte[] disk = TestDisks.load("ext4-plain");
        // Rename /boot to something else: the length of the name, the type of a directory, the name.
        String all = new String(disk, StandardCharsets.ISO_8859_1);
        int boot = all.indexOf("\4\2boot");
        disk[boot + 2] = 'B';

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> DiskBoot.locate(TestDisks.of(disk)))
                .withMessageContaining("Looked for /boot/grub/grub.cfg on the whole disk")
                .withMessageContaining("/loader/entries/*.conf")
                .withMessageContaining("/boot/extlinux/extlinux.conf")
                .withMessageContaining("/boot/vmlinuz*");
    }

    @Test
    void saysThatAnEmptyDiskIsEmpty() {
        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> DiskBoot.locate(TestDisks.of(new byte[4 << 20])))
                .withMessageContaining("The whole disk holds nothing that is known here");
    }
}
