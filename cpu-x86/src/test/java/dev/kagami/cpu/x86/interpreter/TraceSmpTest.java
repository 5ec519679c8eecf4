package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;

/** Several CPUs that run everything as traces. */
final class TraceSmpTest extends SmpContract {
    @Override
    protected Vcpu drive(Cpu cpu) {
        return new InterpreterVcpu(cpu, null, TraceRecorder.Mode.EAGER);
    }
}
