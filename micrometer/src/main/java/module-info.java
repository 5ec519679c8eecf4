/** Meters of virtual machines, for Micrometer. */
@org.jspecify.annotations.NullMarked
@SuppressWarnings("requires-transitive-automatic")
module dev.kagami.micrometer {
    requires static org.jspecify;
    requires transitive dev.kagami.vm;
    requires transitive micrometer.core;

    exports dev.kagami.micrometer;
}
