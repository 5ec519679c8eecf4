package dev.kagami.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class SharedConsoleTest {
    private final SharedConsole console = new SharedConsole();
    private final ByteQueue silence = new ByteQueue(1);

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private Thread attach(InputStream in, OutputStream out) {
        int before = console.viewers();
        Thread thread = Thread.ofVirtual().start(() -> {
            try {
                console.attach(in, out);
            } catch (IOException e) {
                // He has left.
            }
        });
        while (console.viewers() == before && thread.isAlive()) {
            Thread.onSpinWait();
        }
        return thread;
    }

    @Test
    void whoComesLateSeesWhatWasPrintedBeforeAndAllThatFollowsOnce() throws Exception {
        Random random = new Random(1);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteArrayOutputStream early = new ByteArrayOutputStream();
        ByteArrayOutputStream late = new ByteArrayOutputStream();
        Thread first = attach(silence.input(), early);
        Thread second = null;
        for (int i = 0; i < 1000; i++) {
            byte[] chunk = new byte[random.nextInt(200)];
            random.nextBytes(chunk);
            all.write(chunk);
            console.output().write(chunk);
            if (i == 500) {
                second = attach(silence.input(), late);
            }
        }
        console.close();
        first.join();
        second.join();
        assertThat(early.toByteArray()).isEqualTo(all.toByteArray());
        assertThat(late.toByteArray()).isEqualTo(all.toByteArray());
    }

    @Test
    void theScrollbackIsTheLastOfIt() throws Exception {
        byte[] much = new byte[SharedConsole.SCROLLBACK * 2 + 123];
        new Random(2).nextBytes(much);
        console.output().write(much, 0, 1000);
        console.output().write(much, 1000, much.length - 1000);
        assertThat(console.scrollback())
                .isEqualTo(Arrays.copyOfRange(much, much.length - SharedConsole.SCROLLBACK, much.length));
    }

    @Test
    void allMayTypeAndTheEndOfOneIsNotTheEnd() throws Exception {
        attach(new ByteArrayInputStream(bytes("one ")), OutputStream.nullOutputStream())
                .join();
        attach(new ByteArrayInputStream(bytes("two ")), OutputStream.nullOutputStream())
                .join();
        console.type(bytes("three"), 0, 5);
        console.close();
        assertThat(console.input().readAllBytes()).isEqualTo(bytes("one two three"));
    }

    @Test
    void aViewerWhoDoesNotReadIsLeftBehindAndKeepsNobodyWaiting() throws Exception {
        CountDownLatch stuck = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        Thread viewer = attach(silence.input(), new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                write(new byte[1], 0, 1);
            }

            @Override
            public void write(byte[] chunk, int offset, int length) throws IOException {
                if (length == 0) {
                    return;
                }
                stuck.countDown();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
        });
        byte[] chunk = new byte[64 << 10];
        console.output().write(chunk);
        stuck.await();
        for (int i = 0; i < 64; i++) {
            console.output().write(chunk);
        }
        release.countDown();
        viewer.join();
        assertThat(console.viewers()).isZero();
    }

    @Test
    void whoTypesToAGuestThatDoesNotReadWaitsUntilTheEnd() throws Exception {
        Thread viewer = attach(new ByteArrayInputStream(new byte[1 << 20]), OutputStream.nullOutputStream());
        console.output().write(bytes("the guest goes on"));
        console.close();
        viewer.join();
        console.awaitViewers(Duration.ofSeconds(10));
        assertThat(console.viewers()).isZero();
    }

    @Test
    void aSinkThatFailsIsLeftOut() throws Exception {
        ByteArrayOutputStream good = new ByteArrayOutputStream();
        console.addSink(new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("full");
            }
        });
        console.addSink(good);
        console.output().write(bytes("a"));
        console.output().write(bytes("b"));
        assertThat(good.toByteArray()).isEqualTo(bytes("ab"));
    }
}
