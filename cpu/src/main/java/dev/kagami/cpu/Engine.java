package dev.kagami.cpu;

import dev.kagami.memory.GuestMemory;
import java.util.SortedSet;

/** A way to virtualize CPUs. Found by {@link java.util.ServiceLoader}; implementations are stateless and thread-safe. */
public interface Engine {
    /** {@return the name that users choose the engine by, for example {@code interpreter}} */
    String name();

    /** {@return one line about how the engine works} */
    String description();

    /** {@return the order of automatic choice: the available engine with the highest value wins} */
    int priority();

    /** {@return whether the engine can run on this host, with the reason when it can't} */
    Availability availability();

    /**
     * Tells whether guests can be given a CPU model.
     *
     * @param model the model
     * @return whether engine and host can do it, with the reason when they can't
     */
    Availability supports(CpuModel model);

    /** {@return the model that guests get unless another is asked for: the best that is fast here} */
    CpuModel defaultModel();

    /**
     * Lists what guests with a CPU model are shown of CPUID.
     *
     * @param model a supported one
     * @return names of features, as Linux has them
     */
    SortedSet<String> features(CpuModel model);

    /**
     * Makes the processors of one machine.
     *
     * @param config how many CPUs and which
     * @param memory the RAM of the machine
     * @param bus everything else of the machine
     * @param timers where the processors' timers run
     * @return the processors, in the state after reset; the boot processor is number 0
     */
    Processors createProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers);
}
