package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.function.BooleanSupplier;

/** A driver that brings a device up as Linux does. */
public final class SyntheticDriver {
    private final TestMachine machine;
    private final DriverTransport transport;
    private DriverQueue[] queues = {};
    private long features;

    public SyntheticDriver(TestMachine machine, DriverTransport transport) {
        this.machine = machine;
        this.transport = transport;
    }

    public DriverTransport transport() {
        return transport;
    }

    public TestMachine machine() {
        return machine;
    }

    public long features() {
        return features;
    }

    public DriverQueue queue(int number) {
        return queues[number];
    }

    public int queueCount() {
        return queues.length;
    }

    /** Resets the device and negotiates, up to where queues are set up. */
    public void negotiate(long wanted) {
        transport.setStatus(0);
        assertThat(transport.status()).isZero();
        transport.setStatus(DriverInterface.ACKNOWLEDGE);
        transport.setStatus(DriverInterface.ACKNOWLEDGE | DriverInterface.DRIVER);
        features = transport.deviceFeatures() & wanted;
        transport.setDriverFeatures(features);
        transport.setStatus(DriverInterface.ACKNOWLEDGE | DriverInterface.DRIVER | DriverInterface.FEATURES_OK);
        assertThat(transport.status() & DriverInterface.FEATURES_OK)
                .as("FEATURES_OK")
                .isNotZero();
    }

    /** {@return the same driver, of a device that has taken over from its own after {@link #negotiate}} */
    public SyntheticDriver movedTo(DriverTransport other) {
        SyntheticDriver moved = new SyntheticDriver(machine, other);
        moved.features = features;
        return moved;
    }

    /** Brings the device up with all its features. */
    public SyntheticDriver start() {
        return start(-1L, Integer.MAX_VALUE);
    }

    /** Brings the device up. */
    public SyntheticDriver start(long wanted, int maxQueueSize) {
        negotiate(wanted);
        setUpQueues(maxQueueSize);
        ready();
        return this;
    }

    public void setUpQueues(int maxQueueSize) {
        int count = 0;
        while (count < 64 && transport.queueMax(count) != 0) {
            count++;
        }
        queues = new DriverQueue[count];
        for (int i = 0; i < count; i++) {
            int size = Math.min(transport.queueMax(i), maxQueueSize);
            queues[i] = new DriverQueue(machine, transport, i, size, features);
        }
    }

    /** Sets queues up where they were. */
    public void setUpQueuesAgain() {
        for (DriverQueue queue : queues) {
            queue.setUpAgain();
        }
    }

    public void ready() {
        transport.setStatus(transport.status() | DriverInterface.DRIVER_OK);
    }

    public boolean needsReset() {
        return (transport.status() & DriverInterface.NEEDS_RESET) != 0;
    }

    /** Waits for something that a device does on its own thread. */
    public static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("timed out: " + what);
            }
            Thread.yield();
        }
    }
}
