package dev.kagami.bench.devices;

import dev.kagami.virtio.DriverQueue;

/** Waits as a driver without interrupts does. */
final class Polling {
    private static final long PATIENCE = 10_000_000_000L;

    /** So many looks before others may have the core, of which there may be only one. */
    private static final int LOOKS = 64;

    private Polling() {}

    /** {@return the head of the next finished request} */
    static int await(DriverQueue queue) {
        long deadline = 0;
        while (true) {
            for (int look = 0; look < LOOKS; look++) {
                int head = queue.poll();
                if (head >= 0) {
                    return head;
                }
                Thread.onSpinWait();
            }
            Thread.yield();
            long now = System.nanoTime();
            if (deadline == 0) {
                deadline = now + PATIENCE;
            } else if (now - deadline > 0) {
                throw new IllegalStateException("the device doesn't answer");
            }
        }
    }
}
