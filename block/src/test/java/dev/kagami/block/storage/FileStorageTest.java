package dev.kagami.block.storage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.block.BlockException;
import dev.kagami.block.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileStorageTest {
    @TempDir
    private Path directory;

    @Test
    void aWriterExcludesEverybodyElseInThisProgram() {
        Path file = directory.resolve("disk");
        try (FileStorage writer = FileStorage.create(file)) {
            assertThatThrownBy(() -> FileStorage.open(file, true)).satisfies(FileStorageTest::locked);
            assertThatThrownBy(() -> FileStorage.open(file, false)).satisfies(FileStorageTest::locked);
            writer.setLength(1);
        }
        FileStorage.open(file, true).close();
    }

    @Test
    void readersShareAndExcludeWriters() throws IOException {
        Path file = directory.resolve("disk");
        Files.write(file, new byte[] {42});
        Path link = Files.createSymbolicLink(directory.resolve("link"), file);
        try (FileStorage one = FileStorage.open(file, false)) {
            try (FileStorage two = FileStorage.open(link, false)) {
                assertThat(two.identity()).isEqualTo(one.identity());
                ByteBuffer buffer = ByteBuffer.allocate(3);
                two.read(buffer, 0);
                assertThat(buffer.array()).containsExactly(42, 0, 0);
            }
            assertThatThrownBy(() -> FileStorage.open(link, true)).satisfies(FileStorageTest::locked);
            assertThat(one.length()).isOne();
        }
    }

    @Test
    void excludesQemuAndIsExcludedByIt() throws IOException {
        QemuImg.require();
        Path file = directory.resolve("disk.raw");
        Files.write(file, new byte[4096]);
        List<String> write = List.of("qemu-io", "-f", "raw", "-c", "write 0 512", "-c", "write 0 512", file.toString());
        List<String> read = List.of("qemu-io", "-r", "-f", "raw", "-c", "read 0 512", file.toString());
        try (FileStorage writer = FileStorage.open(file, true)) {
            assertThat(QemuImg.run(write).output()).contains("lock");
            assertThat(QemuImg.run(read).output()).contains("lock");
            assertThat(writer.readOnly()).isFalse();
        }
        try (FileStorage reader = FileStorage.open(file, false)) {
            assertThat(QemuImg.run(write).output()).contains("lock");
            assertThat(QemuImg.run(read).status()).isZero();
            assertThat(reader.readOnly()).isTrue();
        }
        assertThat(QemuImg.run(write).output()).doesNotContain("lock");

        Process holder = new ProcessBuilder("qemu-io", "-f", "raw", file.toString())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("log").toFile())
                .start();
        try {
            AtomicBoolean excluded = new AtomicBoolean();
            for (int i = 0; i < 200 && !excluded.get(); i++) {
                try {
                    FileStorage.open(file, true).close();
                    Thread.sleep(20);
                } catch (BlockException e) {
                    locked(e);
                    excluded.set(true);
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            assertThat(excluded).isTrue();
        } finally {
            holder.destroy();
        }
    }

    @Test
    void interruptsNeitherLoseTheFileNorTheInterrupt() throws Exception {
        Path file = directory.resolve("disk");
        try (FileStorage storage = FileStorage.create(file);
                FileStorage temporary = FileStorage.temporary(directory)) {
            for (Storage each : List.of(storage, temporary)) {
                AtomicInteger lost = new AtomicInteger();
                AtomicBoolean stop = new AtomicBoolean();
                Runnable work = () -> {
                    ByteBuffer buffer = ByteBuffer.allocateDirect(4096);
                    long position = Thread.currentThread().threadId() * 4096;
                    for (int i = 0; i < 2000 || !stop.get(); i++) {
                        buffer.clear();
                        buffer.putInt(0, i);
                        each.write(buffer, position);
                        each.read(buffer.clear(), position);
                        if (buffer.getInt(0) != i) {
                            lost.incrementAndGet();
                        }
                    }
                    if (!Thread.currentThread().isInterrupted()) {
                        lost.incrementAndGet();
                    }
                };
                Thread[] threads = {new Thread(work), new Thread(work)};
                for (Thread thread : threads) {
                    thread.setUncaughtExceptionHandler((failed, e) -> {
                        e.printStackTrace();
                        lost.addAndGet(1000);
                    });
                    thread.start();
                }
                for (int i = 0; i < 100; i++) {
                    threads[i % 2].interrupt();
                    Thread.sleep(1);
                }
                stop.set(true);
                for (Thread thread : threads) {
                    thread.join();
                }
                assertThat(lost).hasValue(0);
            }
            assertThatThrownBy(() -> FileStorage.open(file, false)).satisfies(FileStorageTest::locked);
        }
    }

    @Test
    void aTemporaryFileIsGoneAfterwards() throws IOException {
        try (FileStorage storage = FileStorage.temporary(directory)) {
            storage.write(ByteBuffer.wrap(new byte[] {1, 2}), 5);
            assertThat(storage.length()).isEqualTo(7);
            storage.setLength(6);
            storage.force();
            ByteBuffer buffer = ByteBuffer.allocate(8);
            storage.read(buffer, 0);
            assertThat(buffer.array()).containsExactly(0, 0, 0, 0, 0, 1, 0, 0);
        }
        try (Stream<Path> left = Files.list(directory)) {
            assertThat(left).isEmpty();
        }
    }

    private static void locked(Throwable thrown) {
        assertThat(((BlockException) thrown).code()).isEqualTo(BlockException.Code.LOCKED);
    }
}
