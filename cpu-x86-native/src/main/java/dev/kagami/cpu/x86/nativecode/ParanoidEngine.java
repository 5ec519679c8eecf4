package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.memory.GuestMemory;
import java.util.SortedSet;

/**
 * The native engine with rare events forced to happen often, to find defects of it: a guest must not see a difference. The
 * seed is logged; {@code -Ddev.kagami.native.seed=N} sets it.
 */
public final class ParanoidEngine implements Engine {
    private static final System.Logger LOGGER = System.getLogger(ParanoidEngine.class.getName());
    private static final String SEED = "dev.kagami.native.seed";

    private final NativeEngine engine = new NativeEngine();

    /** Creates the engine; for {@link java.util.ServiceLoader}. */
    public ParanoidEngine() {}

    @Override
    public String name() {
        return engine.name() + ":paranoid";
    }

    @Override
    public String description() {
        return "the same, several times slower: forces rare events, to find defects";
    }

    @Override
    public int priority() {
        return -20;
    }

    @Override
    public Availability availability() {
        return engine.availability();
    }

    @Override
    public Availability supports(CpuModel model) {
        return engine.supports(model);
    }

    @Override
    public SortedSet<String> features(CpuModel model) {
        return engine.features(model);
    }

    @Override
    public CpuModel defaultModel() {
        return engine.defaultModel();
    }

    @Override
    public Processors createProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers) {
        long seed = Long.getLong(SEED, System.nanoTime());
        LOGGER.log(System.Logger.Level.INFO, "%s: -D%s=%d".formatted(name(), SEED, seed));
        return new NativeProcessors(
                config, memory, bus, timers, index -> NativeOptions.disturbed(new Disturbance(seed + index, 8)));
    }
}
