package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;

/** Several CPUs that are interpreted. */
final class SmpTest extends SmpContract {
    @Override
    protected Vcpu drive(Cpu cpu) {
        return new InterpreterVcpu(cpu, null);
    }
}
