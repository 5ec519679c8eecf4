/** Runs x86-64 guests on x86-64 hosts by translating their code to host code; needs native access. */
@org.jspecify.annotations.NullMarked
module dev.kagami.cpu.x86.nativecode {
    requires static org.jspecify;
    requires dev.kagami.cpu.x86;
    requires jdk.jfr;

    provides dev.kagami.cpu.Engine with
            dev.kagami.cpu.x86.nativecode.NativeEngine,
            dev.kagami.cpu.x86.nativecode.ParanoidEngine;
}
