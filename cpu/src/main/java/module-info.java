/** The contract between virtual CPU engines and the machine around them. */
@org.jspecify.annotations.NullMarked
module dev.kagami.cpu {
    requires static org.jspecify;
    requires transitive dev.kagami.memory;

    exports dev.kagami.cpu;

    uses dev.kagami.cpu.Engine;
}
