package dev.kagami.vm;

import java.time.Duration;
import java.util.Map;

/**
 * What can be measured of a machine at one moment; totals since its start.
 *
 * @param engine the engine that runs it
 * @param state how far it has come
 * @param running how long it has run
 * @param instructions guest instructions retired
 * @param exits how often guest code could not go on without the machine around it, by reason: {@code port-read},
 *     {@code port-write}, {@code mmio-read}, {@code mmio-write}, {@code halt}
 * @param interrupts interrupts delivered to the guest
 * @param exceptions exceptions delivered to the guest
 * @param resets how often the guest reset the machine and it started over
 * @param memory size of the guest's memory in bytes
 */
public record VirtualMachineMetrics(
        String engine,
        VirtualMachine.State state,
        Duration running,
        long instructions,
        Map<String, Long> exits,
        long interrupts,
        long exceptions,
        int resets,
        long memory) {
    /** Copies the map. */
    public VirtualMachineMetrics {
        exits = Map.copyOf(exits);
    }

    static VirtualMachineMetrics of(VirtualMachine machine) {
        VirtualMachineStats stats = machine.stats();
        return new VirtualMachineMetrics(
                machine.engine(),
                machine.state(),
                stats.running(),
                stats.instructions(),
                Map.of(
                        "port-read", stats.portReads(),
                        "port-write", stats.portWrites(),
                        "mmio-read", stats.mmioReads(),
                        "mmio-write", stats.mmioWrites(),
                        "halt", stats.halts()),
                stats.interrupts(),
                stats.exceptions(),
                stats.resets(),
                machine.config().memory().bytes());
    }
}
