package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.interpreter.Cpu;

/** Lets tests of other packages make virtual CPUs of this one. */
public final class NativeVcpus {
    private NativeVcpus() {}

    /** {@return a virtual CPU that translates everything at once} */
    public static Vcpu eager(Cpu cpu) {
        return new NativeVcpu(cpu);
    }
}
