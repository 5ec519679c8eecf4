package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/** Translated code, disturbed. */
final class NativeLeader implements Leader {
    private final NativeVcpus.Gate gate;
    private final BiFunction<Cpu, NativeVcpus.Gate, Vcpu> make;
    private @Nullable Vcpu vcpu;

    /**
     * Creates a leader.
     *
     * @param seed seed of what disturbs
     * @param oneIn how rare a disturbance is
     * @param make makes the virtual CPU, {@link NativeVcpus#disturbed} or {@link NativeVcpus#following}
     */
    NativeLeader(long seed, int oneIn, BiFunction<Cpu, NativeVcpus.Gate, Vcpu> make) {
        gate = new NativeVcpus.Gate(seed, oneIn);
        this.make = make;
    }

    @Override
    public Vcpu drive(Cpu cpu) {
        Vcpu made = make.apply(cpu, gate);
        vcpu = made;
        return made;
    }

    @Override
    public void leaveAfter(int count) {
        gate.leaveAfter(count);
    }

    @Override
    public long patience() {
        return 60_000_000;
    }

    @Override
    public void close() {
        Vcpu made = vcpu;
        if (made != null) {
            NativeVcpus.close(made);
        }
    }
}
