package dev.kagami.image.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kagami.image.ImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class PartitionTableTest {

    private static final int SECTOR = 512;

    @Test
    void readsSfdisksGpt() {
        List<Partition> partitions = PartitionTable.read(TestDisks.of(TestDisks.load("gpt")));

        assertThat(partitions).extracting(Partition::number).containsExactly(1, 2, 14);
        Partition first = partitions.getFirst();
        assertThat(first.table()).isEqualTo(Partition.Table.GPT);
        assertThat(first.type()).isEqualTo("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
        assertThat(first.uuid()).isEqualTo("aaaaaaaa-0000-4000-8000-000000000001");
        assertThat(first.name()).isEqualTo("root ä");
        assertThat(first.start()).isEqualTo(2048L * SECTOR);
        assertThat(first.content().size()).isEqualTo(8192L * SECTOR);
        assertThat(partitions.getLast().content().size()).isEqualTo(2048L * SECTOR);
    }

    @Test
    void takesTheSecondCopyWhenTheFirstIsDamaged() {
        for (int damaged : new int[] {SECTOR, SECTOR + 20, SECTOR + 72, 2 * SECTOR + 5}) {
            byte[] disk = TestDisks.load("gpt");
            disk[damaged] ^= 0x10;

            assertThat(PartitionTable.read(TestDisks.of(disk)))
                    .as("byte %d", damaged)
                    .extracting(Partition::number)
                    .containsExactly(1, 2, 14);
        }
    }

    @Test
    void refusesAGptWithBothCopiesDamaged() {
        byte[] disk = TestDisks.load("gpt");
        disk[SECTOR + 20] ^= 1;
        disk[disk.length - SECTOR + 20] ^= 1;

        assertThatExceptionOfType(ImageException.class)
                .isThrownBy(() -> PartitionTable.read(TestDisks.of(disk)))
                .withMessageContaining("Both copies")
                .satisfies(e -> assertThat(e.code()).isEqualTo(ImageException.Code.DISK_INVALID));
    }

    @Test
    void readsAGptOfADiskThatWasMadeLarger() {
        byte[] disk = java.util.Arrays.copyOf(TestDisks.load("gpt"), 20 << 20);

        assertThat(PartitionTable.read(TestDisks.of(disk))).hasSize(3);
    }

    @Test
    void cutsPartitionsOffAtTheEndOfATruncatedDisk() {
        byte[] disk = java.util.Arrays.copyOf(TestDisks.load("gpt"), 6 << 20);

        List<Partition> partitions = PartitionTable.read(TestDisks.of(disk));

        assertThat(partitions).extracting(Partition::number).containsExactly(1, 2);
        assertThat(partitions.getLast().content().size()).isEqualTo(disk.length - 10240L * SECTOR);
    }

    @Test
    void readsSfdisksMbrWithLogicalPartitions() {
        List<Partition> partitions = PartitionTable.read(TestDisks.of(TestDisks.load("mbr")));

        assertThat(partitions).extracting(Partition::number).containsExactly(1, 2, 5, 6, 7);
        assertThat(partitions).extracting(Partition::type).containsExactly("83", "82", "83", "83", "0b");
        assertThat(partitions)
                .extracting(Partition::uuid)
                .containsExactly("cafe1234-01", "cafe1234-02", "cafe1234-05", "cafe1234-06", "cafe1234-07");
        assertThat(partitions)
                .extracting(partition -> partition.start() / SECTOR)
                .containsExactly(2048L, 4096L, 8192L, 12288L, 16384L);
    }

    @Test
    void leavesAChainOfLogicalPartitionsThatIsACircle() {
        byte[] disk = TestDisks.load("mbr");
        // The second entry of the first extended record, relative to the extended partition: itself.
        ByteBuffer.wrap(disk).order(ByteOrder.LITTLE_ENDIAN).putInt(6144 * SECTOR + 446 + 16 + 8, 0);

        assertThat(PartitionTable.read(TestDisks.of(disk)))
                .extracting(Partition::number)
                .containsExactly(1, 2, 5);
    }

    @Test
    void findsNoTableOnAnEmptyDiskAFileSystemOrALittleFile() {
        assertThat(PartitionTable.read(TestDisks.of(new byte[1 << 20]))).isEmpty();
        assertThat(PartitionTable.read(TestDisks.of(TestDisks.load("ext4")))).isEmpty();
        assertThat(PartitionTable.read(TestDisks.of(new byte[100]))).isEmpty();
    }

    @Test
    void takesABootSectorOfAFileSystemForNoTable() {
        byte[] disk = new byte[1 << 20];
        java.util.Arrays.fill(disk, 400, 510, (byte) 0x41);
        disk[510] = 0x55;
        disk[511] = (byte) 0xAA;

        assertThat(PartitionTable.read(TestDisks.of(disk))).isEmpty();
    }
}
