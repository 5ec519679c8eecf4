/** x86-64 virtual CPUs in portable Java: decoder, interpreter, MMU, local APIC. */
@org.jspecify.annotations.NullMarked
module dev.kagami.cpu.x86 {
    requires static org.jspecify;
    requires transitive dev.kagami.cpu;

    exports dev.kagami.cpu.x86.decode to
            dev.kagami.cpu.x86.nativecode;
    exports dev.kagami.cpu.x86.interpreter to
            dev.kagami.cpu.x86.nativecode;

    provides dev.kagami.cpu.Engine with
            dev.kagami.cpu.x86.InterpreterEngine;
}
