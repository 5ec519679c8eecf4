package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.vm.Disk;
import dev.kagami.vm.ErrorCode;
import dev.kagami.vm.KagamiException;
import dev.kagami.vm.Network;
import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachineConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots of a guest with disks: what it wrote goes with it, and copies don't see each other's. */
@Timeout(600)
final class DiskSnapshotTest {
    private static final Duration PATIENCE = Duration.ofMinutes(5);
    private static final int BLOCK = 4096;

    @TempDir
    private Path directory;

    private Path temporary = Path.of("temporary");
    private Path written = Path.of("written");

    private Consumer<VirtualMachineConfig.Builder> description() {
        return c -> c.linux(Guests.cloud())
                .disk(Disk.temporary(temporary))
                .disk(Disk.of(written))
                .network(Network.nat());
    }

    private static void write(SerialSession session, String disk, String text) throws InterruptedException {
        session.run("printf '%-4096s' '" + text + "' | dd of=/dev/" + disk
                + " bs=4096 seek=7 conv=fsync,notrunc 2>/dev/null");
    }

    private static String read(SerialSession session, String disk) throws InterruptedException {
        session.run("echo 3 > /proc/sys/vm/drop_caches");
        String answer =
                session.run("dd if=/dev/" + disk + " bs=4k skip=7 count=1 2>&-").strip();
        // A long command's echo may be broken in two.
        return answer.substring(answer.lastIndexOf('\n') + 1);
    }

    private Path image(String name) throws IOException {
        byte[] bytes = new byte[64 * BLOCK];
        bytes[7 * BLOCK] = '-';
        return Files.write(directory.resolve(name), bytes);
    }

    @Test
    void disksGoWithTheGuestAndCopiesAreApart() throws Exception {
        temporary = image("temporary.raw");
        written = image("written.raw");
        Path file = directory.resolve("machine.snapshot");
        try (SerialSession session = SerialSession.start(description())) {
            session.await(SerialSession.PROMPT, PATIENCE);
            write(session, "vda", "one");
            write(session, "vdb", "two");
            try (Snapshot snapshot = session.machine().snapshot()) {
                write(session, "vda", "three");
                write(session, "vdb", "four");
                for (int i = 0; i < 2; i++) {
                    try (SerialSession branch = SerialSession.branch(snapshot)) {
                        assertThat(read(branch, "vda")).isEqualTo("one");
                        assertThat(read(branch, "vdb")).isEqualTo("two");
                        write(branch, "vda", "branch");
                        write(branch, "vdb", "branch");
                        assertThat(read(branch, "vda")).isEqualTo("branch");
                    }
                }
            }
            assertThat(read(session, "vda")).isEqualTo("three");
            assertThat(read(session, "vdb")).isEqualTo("four");
            session.machine().pause();
            session.machine().save(file);
            session.machine().save(file);
        }
        // The images: one is as it was, the other as the guest has left it.
        assertThat(Files.readAllBytes(temporary)[7 * BLOCK]).isEqualTo((byte) '-');
        assertThat(Files.readAllBytes(written)[7 * BLOCK]).isEqualTo((byte) 'f');
        try (Stream<Path> files = Files.list(directory)) {
            assertThat(files.filter(each -> each.toString().contains(".disk"))).hasSize(1);
        }
        try (Snapshot snapshot = Snapshot.open(file);
                SerialSession session = SerialSession.resume(snapshot, description())) {
            assertThat(read(session, "vda")).isEqualTo("three");
            assertThat(read(session, "vdb")).isEqualTo("four");
            write(session, "vdb", "five");
        }
        KagamiException refused = catchThrowableOfType(KagamiException.class, () -> Snapshot.open(file));
        assertThat(refused.code()).isEqualTo(ErrorCode.SNAPSHOT_MISMATCH);
        assertThat(refused).hasMessageContaining("written.raw").hasMessageContaining("changed");
    }
}
