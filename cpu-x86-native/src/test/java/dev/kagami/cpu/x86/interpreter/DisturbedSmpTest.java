package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;

/** Several CPUs whose code is translated, with rare events forced; other seeds: {@code -Dkagami.seed=N}. */
final class DisturbedSmpTest extends SmpContract {
    private static final long SEED = Long.getLong("kagami.seed", System.nanoTime());

    static {
        System.out.println("seed " + SEED);
    }

    @Override
    protected Vcpu drive(Cpu cpu) {
        return NativeVcpus.paranoid(cpu, SEED + cpu.index);
    }

    @Override
    protected void release(Vcpu vcpu) {
        NativeVcpus.close(vcpu);
    }
}
