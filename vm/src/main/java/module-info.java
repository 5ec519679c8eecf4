/** Linux virtual machines for the JVM. */
@org.jspecify.annotations.NullMarked
module dev.kagami.vm {
    requires static org.jspecify;
    requires jdk.jfr;
    requires dev.kagami.agent;
    requires dev.kagami.block;
    requires dev.kagami.boot;
    // The engine that runs everywhere; others are found when they are there.
    requires dev.kagami.cpu.x86;
    requires dev.kagami.image;
    requires dev.kagami.net;
    requires dev.kagami.platform;
    requires dev.kagami.virtio;

    exports dev.kagami.vm;

    uses dev.kagami.cpu.Engine;
}
