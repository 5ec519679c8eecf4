package dev.kagami.control;

import dev.kagami.vm.Network;
import dev.kagami.vm.VirtualMachine;
import java.time.Duration;
import java.util.List;

/**
 * What a machine is and does.
 *
 * @param name its name
 * @param state how far it has come
 * @param pid the process that runs it
 * @param engine the engine that runs its CPUs
 * @param engineReason why that engine was chosen
 * @param cpus how many CPUs it has
 * @param memoryBytes how much memory it has, in bytes
 * @param uptime how long it has run
 * @param forwards ports of the host that lead to it
 */
public record MachineStatus(
        String name,
        VirtualMachine.State state,
        long pid,
        String engine,
        String engineReason,
        int cpus,
        long memoryBytes,
        Duration uptime,
        List<Network.Forward> forwards) {}
