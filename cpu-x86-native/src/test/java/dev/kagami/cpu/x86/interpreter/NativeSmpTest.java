package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;

/** Several CPUs whose code is translated. */
final class NativeSmpTest extends SmpContract {
    @Override
    protected Vcpu drive(Cpu cpu) {
        return NativeVcpus.eager(cpu);
    }

    @Override
    protected void release(Vcpu vcpu) {
        NativeVcpus.close(vcpu);
    }
}
