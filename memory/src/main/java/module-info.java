/** Guest-physical memory, shared by engines, devices and boot loaders. */
@org.jspecify.annotations.NullMarked
module dev.kagami.memory {
    requires static org.jspecify;

    exports dev.kagami.memory;
}
