package dev.kagami.image.fetch;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;

/** Closes a stream under its reader when nothing comes any more, as {@link java.net.http.HttpClient} waits for ever. */
final class StallGuard implements AutoCloseable {

    private static final int LOOKS = 4;

    private final InputStream guarded;
    private final long patience;
    private final Thread thread;
    private volatile long last = System.nanoTime();
    private volatile boolean stalled;

    private StallGuard(InputStream guarded, Duration patience) {
        this.guarded = guarded;
        this.patience = patience.toNanos();
        thread = Thread.ofVirtual().name("kagami-download-guard").unstarted(this::watch);
    }

    static StallGuard start(InputStream guarded, Duration patience) {
        StallGuard guard = new StallGuard(guarded, patience);
        guard.thread.start();
        return guard;
    }

    /** Hears that something came. */
    void progressed() {
        last = System.nanoTime();
    }

    /** Returns whether the stream was closed because nothing came. */
    boolean stalled() {
        return stalled;
    }

    private void watch() {
        try {
            while (System.nanoTime() - last < patience) {
                Thread.sleep(Duration.ofNanos(patience / LOOKS));
            }
            stalled = true;
            guarded.close();
        } catch (InterruptedException e) {
            // The download has ended.
        } catch (IOException e) {
            // The reader hears of it.
        }
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
