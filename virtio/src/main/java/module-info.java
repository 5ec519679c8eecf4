/** virtio 1.2: devices, queues, and the PCI and MMIO transports. */
@org.jspecify.annotations.NullMarked
module dev.kagami.virtio {
    requires jdk.jfr;
    requires static org.jspecify;
    requires transitive dev.kagami.block;
    requires transitive dev.kagami.net;
    requires transitive dev.kagami.platform;

    exports dev.kagami.virtio;
    exports dev.kagami.virtio.balloon;
    exports dev.kagami.virtio.console;
    exports dev.kagami.virtio.disk;
    exports dev.kagami.virtio.entropy;
    exports dev.kagami.virtio.filesystem;
    exports dev.kagami.virtio.network;
    exports dev.kagami.virtio.socket;
    exports dev.kagami.virtio.transport;
}
