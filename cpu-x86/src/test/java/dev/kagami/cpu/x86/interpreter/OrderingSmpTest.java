package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Vcpu;

/** Several CPUs that are interpreted , and run as traces, as on a host whose processors don't keep the order of x86. */
final class OrderingSmpTest extends SmpContract {
    @Override
    protected Vcpu drive(Cpu cpu) {
        return new InterpreterVcpu(cpu, null, true, TraceRecorder.Mode.EAGER);
    }
}
