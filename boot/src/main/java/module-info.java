/** Boot protocols: puts a kernel into guest memory and says with which registers it starts. */
@org.jspecify.annotations.NullMarked
module dev.kagami.boot {
    requires static org.jspecify;
    requires dev.kagami.zstd;
    requires transitive dev.kagami.cpu;
    requires org.tukaani.xz;

    exports dev.kagami.boot;
}
