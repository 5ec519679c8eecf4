package dev.kagami.cpu.x86;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.x86.interpreter.FeatureNames;
import dev.kagami.cpu.x86.interpreter.InterpreterProcessors;
import dev.kagami.memory.GuestMemory;
import java.util.SortedSet;

/** The portable engine: interprets x86-64 code, needs nothing but a JVM. */
public final class InterpreterEngine implements Engine {
    /** Creates the engine; for {@link java.util.ServiceLoader}. */
    public InterpreterEngine() {}

    @Override
    public String name() {
        return "interpreter";
    }

    @Override
    public String description() {
        return "x86-64 interpreted in Java; runs anywhere";
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Availability availability() {
        return new Availability.Available();
    }

    @Override
    public Availability supports(CpuModel model) {
        return new Availability.Available();
    }

    @Override
    public SortedSet<String> features(CpuModel model) {
        return FeatureNames.of(model, feature -> true);
    }

    @Override
    public CpuModel defaultModel() {
        return CpuModel.V3;
    }

    @Override
    public Processors createProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers) {
        return new InterpreterProcessors(config, memory, bus, timers);
    }
}
