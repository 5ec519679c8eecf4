package dev.kagami.image.ext4;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kagami.image.ImageException;
import dev.kagami.image.disk.Disk;
import dev.kagami.image.disk.GuestFile;
import dev.kagami.image.disk.TestDisks;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Ext4FileSystemTest {

    private static final int MAX = 1 << 20;
    private static final long FAR = 80L << 20;

    private static Ext4FileSystem open(String name) {
        return new Ext4FileSystem(TestDisks.of(TestDisks.load(name)));
    }

    private static String text(Ext4FileSystem files, String path) {
        return files.open(path).orElseThrow().readText(MAX);
    }

    private static String numbers(String word, int count) {
        return IntStream.rangeClosed(1, count)
                .mapToObj("%s %%08d\n".formatted(word)::formatted)
                .collect(Collectors.joining());
    }

    @ParameterizedTest
    @CsvSource({
        "ext4, ext4",
        "ext4-plain, ext4",
        "ext2-1k, ext2",
        "ext4-inline, ext4",
        "ext4-meta-bg, ext4",
        "ext4-journal, ext4",
        "ext4-journal-csum, ext4"
    })
    void readsWhatDebugfsReads(String name, String type) {
        Ext4FileSystem files = open(name);

        assertThat(files.type()).isEqualTo(type);
        assertThat(files.label()).isEqualTo("test-root");
        assertThat(files.uuid()).isEqualTo("0123abcd-4567-89ab-cdef-0123456789ab");
        assertThat(text(files, "/boot/vmlinuz-6.1.0-9-amd64")).isEqualTo(numbers("kernel", 3000));
        assertThat(text(files, "/vmlinuz")).isEqualTo(numbers("kernel", 3000));
        assertThat(text(files, "//initrd.img")).isEqualTo(numbers("initrd", 2000));
        assertThat(text(files, "/etc/short")).isEqualTo(numbers("line", 20));
        assertThat(text(files, "/empty")).isEmpty();
        assertThat(files.list("/"))
                .containsExactlyInAnyOrder(
                        "boot", "etc", "many", "links", "vmlinuz", "initrd.img", "holes", "far", "empty", "lost+found");
        assertThat(files.list("/many"))
                .hasSize(200)
                .contains("a-rather-long-name-to-fill-the-directory-1", "a-rather-long-name-to-fill-the-directory-200");
        assertThat(files.list("/links/absolute")).contains("hostname", "short");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "ext4-plain", "ext2-1k", "ext4-inline", "ext4-meta-bg"})
    void readsHolesAndManyExtents(String name) {
        GuestFile file = open(name).open("/holes").orElseThrow();
        byte[] content = file.readAll(2 << 20);

        for (int i = 0; i < 150; i++) {
            String piece = numbers("piece " + i, 200).substring(0, 2048);
            assertThat(new String(content, i * 8192, 2048, StandardCharsets.UTF_8))
                    .isEqualTo(piece);
            for (int j = i * 8192 + 2048; j < Math.min((i + 1) * 8192, content.length); j++) {
                assertThat(content[j]).isZero();
            }
        }
        byte[] some = new byte[5000];
        file.read(8192 - 1000, some, 0, some.length);
        assertThat(some).isEqualTo(java.util.Arrays.copyOfRange(content, 7192, 12192));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "ext4-plain", "ext2-1k", "ext4-inline", "ext4-meta-bg"})
    void readsWhatLiesBehindALongHole(String name) {
        GuestFile file = open(name).open("/far").orElseThrow();
        byte[] end = new byte[4 + 9];

        file.read(FAR - 4, end, 0, end.length);

        assertThat(file.size()).isEqualTo(FAR + 9);
        assertThat(new String(end, StandardCharsets.US_ASCII)).isEqualTo("\0\0\0\0far away\n");
        byte[] middle = new byte[100];
        file.read(FAR / 2, middle, 0, middle.length);
        assertThat(middle).containsOnly(0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "ext4-plain", "ext2-1k", "ext4-inline", "ext4-meta-bg"})
    void followsLinksAsLinuxDoes(String name) {
        Ext4FileSystem files = open(name);

        assertThat(text(files, "/links/deep/up")).isEqualTo("debian\n");
        assertThat(text(files, "/links/absolute/hostname")).isEqualTo("debian\n");
        assertThat(text(files, "/links/long")).isEqualTo("debian\n");
        assertThat(text(files, "/links/absolute/../boot/../etc/./hostname")).isEqualTo("debian\n");
        assertThat(files.open("/links/loop1")).isEmpty();
        assertThat(files.open("/links/no-such")).isEmpty();
        assertThat(files.open("/etc/hostname/below-a-file")).isEmpty();
        assertThat(files.open("/etc")).isEmpty();
        assertThat(files.open("/nothing")).isEmpty();
        assertThat(files.list("/etc/hostname")).isEmpty();
        assertThat(text(files, "/../../etc/hostname")).isEqualTo("debian\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4-journal", "ext4-journal-csum"})
    void readsWhatTheJournalHasNewer(String name) {
        Ext4FileSystem files = open(name);

        assertThat(text(files, "/etc/hostname")).isEqualTo("third!\n");
        assertThat(text(files, "/etc/short")).as("revoked").isEqualTo(numbers("line", 20));
        byte[] magic = files.open("/etc/magic").orElseThrow().readAll(MAX);
        assertThat(ByteBuffer.wrap(magic).getInt(0)).as("escaped").isEqualTo(0xC03B3998);
        assertThat(new String(magic, 4, 4, StandardCharsets.US_ASCII)).isEqualTo("567\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4-journal", "ext4-journal-csum"})
    void leavesOutATransactionWhoseCommitIsTorn(String name) {
        byte[] disk = TestDisks.load(name);
        // The last commit block (type 2) with the journal's signature, of transaction 5.
        ByteBuffer bytes = ByteBuffer.wrap(disk);
        for (int block = 0; block < disk.length; block += 4096) {
            if (bytes.getInt(block) == 0xC03B3998 && bytes.getInt(block + 4) == 2 && bytes.getInt(block + 8) == 4) {
                disk[block + 11] ^= 0x40;
            }
        }

        assertThat(text(new Ext4FileSystem(TestDisks.of(disk)), "/etc/hostname"))
                .isEqualTo("first!\n");
    }

    @Test
    void seesADamagedCommitByItsChecksum() {
        byte[] disk = TestDisks.load("ext4-journal-csum");
        ByteBuffer bytes = ByteBuffer.wrap(disk);
        for (int block = 0; block < disk.length; block += 4096) {
            if (bytes.getInt(block) == 0xC03B3998 && bytes.getInt(block + 4) == 2 && bytes.getInt(block + 8) == 4) {
                disk[block + 100] ^= 0x40;
            }
        }

        assertThat(text(new Ext4FileSystem(TestDisks.of(disk)), "/etc/hostname"))
                .isEqualTo("first!\n");
    }

    @Test
    void seesDamageByChecksums() {
        byte[] superblock = TestDisks.load("ext4");
        superblock[1024 + 0x78] ^= 1;
        byte[] descriptor = TestDisks.load("ext4");
        descriptor[4096 + 8] ^= 1;

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> new Ext4FileSystem(TestDisks.of(superblock)))
                .withMessageContaining("superblock has a wrong checksum");
        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> new Ext4FileSystem(TestDisks.of(descriptor)).list("/"))
                .withMessageContaining("descriptor of block group 0 has a wrong checksum");
    }

    @Test
    void refusesFeaturesItDoesNotKnow() {
        byte[] disk = TestDisks.load("ext4-plain");
        ByteBuffer.wrap(disk).order(ByteOrder.LITTLE_ENDIAN).putInt(1024 + 0x60, 0x40000049);

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> new Ext4FileSystem(TestDisks.of(disk)))
                .withMessageContaining("compression, a journal on another device, 0x40000000")
                .satisfies(e -> assertThat(e.code()).isEqualTo(ImageException.Code.FILE_SYSTEM_UNSUPPORTED));
    }

    @Test
    void refusesAFileSystemLongerThanItsPartition() {
        Disk half = TestDisks.of(TestDisks.load("ext4-plain")).slice(0, 3 << 20);

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> new Ext4FileSystem(half))
                .withMessageContaining("6144 blocks of 1024 bytes");
    }

    @Test
    void refusesAFileThatIsTooLong() {
        GuestFile file = open("ext4").open("/vmlinuz").orElseThrow();

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> file.readAll(1000))
                .withMessageContaining("/vmlinuz has 48000 bytes, more than the 1000");
    }
}
