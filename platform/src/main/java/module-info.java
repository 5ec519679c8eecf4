/** The PC: bus, legacy devices, ACPI tables and the machine that holds them together. */
@org.jspecify.annotations.NullMarked
module dev.kagami.platform {
    requires static org.jspecify;
    requires transitive dev.kagami.cpu;

    exports dev.kagami.platform;
    exports dev.kagami.platform.acpi;
    exports dev.kagami.platform.bus;
    exports dev.kagami.platform.device;
    exports dev.kagami.platform.pci;
}
