package dev.kagami.virtio.entropy;

import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.Virtqueue;

/** Fills the buffers of its one queue with random bytes. Thread-safe. */
public final class EntropyDevice implements VirtioDevice {
    private static final int QUEUE_SIZE = 64;
    /** A request gets at most so many bytes, and asks again if it wants more: nobody keeps the thread for long. */
    private static final int MAX_BYTES = 4096;

    private final EntropyConfig config;
    private final DeviceConfig space = new DeviceConfig(0);

    /**
     * Makes the device.
     *
     * @param config what it is made of
     */
    public EntropyDevice(EntropyConfig config) {
        this.config = config;
    }

    @Override
    public DeviceType type() {
        return DeviceType.ENTROPY;
    }

    @Override
    public String name() {
        return "rng";
    }

    @Override
    public long features() {
        return 0;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {QUEUE_SIZE};
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public QueueHandler activate(DeviceContext context) {
        return new Handler(context);
    }

    private final class Handler implements QueueHandler {
        private final Virtqueue queue;
        private final DescriptorChain chain;
        private final byte[] bytes = new byte[MAX_BYTES];

        Handler(DeviceContext context) {
            queue = context.queue(0);
            chain = new DescriptorChain(context.memory());
        }

        @Override
        public void serve(int number) {
            do {
                queue.disableNotifications();
                while (queue.pop(chain)) {
                    int length = (int) Math.min(chain.writable(), MAX_BYTES);
                    if (length == bytes.length) {
                        config.source().nextBytes(bytes);
                    } else {
                        byte[] few = new byte[length];
                        config.source().nextBytes(few);
                        System.arraycopy(few, 0, bytes, 0, length);
                    }
                    chain.write(bytes, 0, length);
                    queue.push(chain, length);
                }
            } while (queue.enableNotifications());
            queue.interrupt();
        }

        @Override
        public void close() {
            // Nothing is left under way.
        }
    }
}
