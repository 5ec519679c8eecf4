/** The PC: bus, legacy devices, ACPI tables and boot protocols. */
@org.jspecify.annotations.NullMarked
module dev.kagami.platform {
    requires static org.jspecify;
    requires transitive dev.kagami.cpu;
}
