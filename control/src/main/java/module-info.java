/** Machines that other processes can find by their names and control. */
@org.jspecify.annotations.NullMarked
module dev.kagami.control {
    requires static org.jspecify;
    requires dev.kagami.net;
    requires transitive dev.kagami.vm;
    requires tools.jackson.jr.ob;

    exports dev.kagami.control;
}
