/** Block storage: disk images, raw and qcow2, and the CD image that cloud-init reads. */
@org.jspecify.annotations.NullMarked
module dev.kagami.block {
    requires static org.jspecify;
    requires dev.kagami.zstd;

    exports dev.kagami.block;
    exports dev.kagami.block.iso;
}
