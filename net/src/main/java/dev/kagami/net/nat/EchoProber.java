package dev.kagami.net.nat;

import java.io.IOException;
import java.net.InetAddress;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Finds out whether an address outside answers pings, as far as a process without privileges can. A few at a time: the call blocks.
 */
final class EchoProber implements AutoCloseable {
    private static final int THREADS = 4;
    private static final int QUEUE = 16;
    private static final int TIMEOUT_MILLIS = 2_000;

    private final Consumer<Runnable> loop;
    private final ThreadPoolExecutor threads;

    /** Makes a prober whose answers are given to the function that runs them on the loop's thread. */
    EchoProber(Consumer<Runnable> loop) {
        this.loop = loop;
        threads = new ThreadPoolExecutor(
                THREADS,
                THREADS,
                10,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(QUEUE),
                Thread.ofPlatform().daemon().name("kagami-nat-ping-", 0).factory());
        threads.allowCoreThreadTimeOut(true);
    }

    /** Runs the answer on the loop if the address is reachable. */
    void probe(IpAddress address, Runnable answer) {
        try {
            threads.execute(() -> {
                if (isReachable(address.toInetAddress())) {
                    loop.accept(answer);
                }
            });
        } catch (RejectedExecutionException e) {
            // Too many at once: a ping that isn't answered.
        }
    }

    private static boolean isReachable(InetAddress address) {
        try {
            return address.isReachable(TIMEOUT_MILLIS);
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
