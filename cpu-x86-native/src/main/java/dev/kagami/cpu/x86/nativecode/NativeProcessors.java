package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.interpreter.InterpreterProcessors;
import dev.kagami.memory.GuestMemory;
import java.util.List;
import java.util.function.IntFunction;

/** The CPUs of one machine with the host memory of their translators. */
final class NativeProcessors implements Processors {
    private final InterpreterProcessors processors;

    /**
     * Makes CPUs in the state after reset.
     *
     * @param options how each CPU translates, by its number
     */
    NativeProcessors(
            ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers, IntFunction<NativeOptions> options) {
        int[] next = new int[1];
        processors = new InterpreterProcessors(
                config, memory, bus, timers, HostFeatures::has, cpu -> new NativeVcpu(cpu, options.apply(next[0]++)));
    }

    @Override
    public List<Vcpu> vcpus() {
        return processors.vcpus();
    }

    @Override
    public void sendMessage(long address, int data) {
        processors.sendMessage(address, data);
    }

    @Override
    public void setExternalInterrupt(boolean asserted) {
        processors.setExternalInterrupt(asserted);
    }

    @Override
    public void close() {
        // First the CPUs, which must not run while their code is dropped.
        for (Vcpu vcpu : processors.vcpus()) {
            ((NativeVcpu) vcpu).close();
        }
        processors.close();
    }
}
