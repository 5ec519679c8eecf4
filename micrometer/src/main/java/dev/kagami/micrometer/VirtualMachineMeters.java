package dev.kagami.micrometer;

import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachine.State;
import dev.kagami.vm.VirtualMachineMetrics;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Meters of one machine: {@code kagami.instructions}, {@code kagami.exits} by {@code reason}, {@code kagami.interrupts},
 * {@code kagami.exceptions}, {@code kagami.resets}, {@code kagami.memory.size} and {@code kagami.running}, which is 1 while the
 * machine runs.
 *
 * <p>Registries hold the machine weakly: one that nobody has any more is no longer counted.
 */
public final class VirtualMachineMeters implements MeterBinder {
    private static final List<String> REASONS = List.of("port-read", "port-write", "mmio-read", "mmio-write", "halt");

    private final VirtualMachine machine;
    private final Iterable<Tag> tags;

    /**
     * Describes the meters.
     *
     * @param machine the machine, started or not
     * @param tags what tells it from others
     */
    public VirtualMachineMeters(VirtualMachine machine, Iterable<Tag> tags) {
        this.machine = machine;
        this.tags = tags;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        count(registry, "kagami.instructions", "Guest instructions retired", VirtualMachineMetrics::instructions);
        count(registry, "kagami.interrupts", "Interrupts delivered to the guest", VirtualMachineMetrics::interrupts);
        count(registry, "kagami.exceptions", "Exceptions delivered to the guest", VirtualMachineMetrics::exceptions);
        count(registry, "kagami.resets", "Times that the guest reset the machine", VirtualMachineMetrics::resets);
        for (String reason : REASONS) {
            FunctionCounter.builder(
                            "kagami.exits", machine, m -> m.metrics().exits().get(reason))
                    .description("Times that guest code could not go on by itself")
                    .tags(tags)
                    .tag("reason", reason)
                    .register(registry);
        }
        Gauge.builder("kagami.memory.size", machine, m -> m.config().memory().bytes())
                .description("Size of the guest's memory")
                .baseUnit(BaseUnits.BYTES)
                .tags(tags)
                .register(registry);
        Gauge.builder("kagami.running", machine, m -> m.state() == State.RUNNING ? 1 : 0)
                .description("Whether the machine runs")
                .tags(tags)
                .register(registry);
    }

    private void count(
            MeterRegistry registry, String name, String description, ToDoubleFunction<VirtualMachineMetrics> value) {
        FunctionCounter.builder(name, machine, m -> value.applyAsDouble(m.metrics()))
                .description(description)
                .tags(tags)
                .register(registry);
    }
}
