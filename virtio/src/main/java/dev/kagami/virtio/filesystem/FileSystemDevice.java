package dev.kagami.virtio.filesystem;

import dev.kagami.virtio.DescriptorChain;
import dev.kagami.virtio.DeviceConfig;
import dev.kagami.virtio.DeviceContext;
import dev.kagami.virtio.DeviceType;
import dev.kagami.virtio.QueueHandler;
import dev.kagami.virtio.VirtioDevice;
import dev.kagami.virtio.Virtqueue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** A shared directory (virtio 1.2, 5.11). Thread-safe. */
public final class FileSystemDevice implements VirtioDevice {
    private static final int QUEUE_SIZE = 128;
    private static final int QUEUES = 2;
    private static final int CONFIG_SIZE = FileSystemConfig.MAX_TAG + 4;

    private final FileSystemConfig config;
    private final DeviceConfig space = new DeviceConfig(CONFIG_SIZE);

    /**
     * Makes the device.
     *
     * @param config what it is made of
     * @throws UncheckedIOException when the directory can't be opened, or the host has no way to confine a guest to it
     */
    public FileSystemDevice(FileSystemConfig config) {
        this.config = config;
        byte[] tag = config.tag().getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < tag.length; i++) {
            space.set(i, 1, tag[i]);
        }
        // All queues but the one for urgent requests.
        space.set(FileSystemConfig.MAX_TAG, 4, QUEUES - 1L);
        try {
            new SharedTree(config.directory()).close();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot share the directory " + config.directory(), e);
        }
    }

    @Override
    public DeviceType type() {
        return DeviceType.FILE_SYSTEM;
    }

    @Override
    public String name() {
        return "fs " + config.tag();
    }

    @Override
    public long features() {
        return 0;
    }

    @Override
    public int[] queueSizes() {
        return new int[] {QUEUE_SIZE, QUEUE_SIZE};
    }

    @Override
    public DeviceConfig config() {
        return space;
    }

    @Override
    public QueueHandler activate(DeviceContext context) {
        try {
            return new Handler(context, new FuseServer(config, context.memory()));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot share the directory " + config.directory(), e);
        }
    }

    private static final class Handler implements QueueHandler {
        private final DeviceContext context;
        private final FuseServer server;
        private final DescriptorChain chain;

        Handler(DeviceContext context, FuseServer server) {
            this.context = context;
            this.server = server;
            this.chain = new DescriptorChain(context.memory());
        }

        @Override
        public void serve(int number) {
            Virtqueue queue = context.queue(number);
            do {
                queue.disableNotifications();
                while (queue.pop(chain)) {
                    server.serve(chain);
                    queue.push(chain, chain.written());
                    // The guest usually waits for this one answer.
                    queue.interrupt();
                }
            } while (queue.enableNotifications());
        }

        @Override
        public void close() {
            server.close();
        }
    }
}
