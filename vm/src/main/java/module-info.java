/** Linux virtual machines for the JVM. */
@org.jspecify.annotations.NullMarked
module dev.kagami.vm {
    requires static org.jspecify;
    requires dev.kagami.platform;
    requires dev.kagami.image;

    uses dev.kagami.cpu.Engine;
}
