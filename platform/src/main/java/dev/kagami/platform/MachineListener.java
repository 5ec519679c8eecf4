package dev.kagami.platform;

/** Hears of machine events. */
@FunctionalInterface
public interface MachineListener {
    /**
     * Takes an event. Called on the vCPU thread that caused it, in the middle of an instruction and with locks of the
     * machine held: must be short and must not call the machine. The vCPUs have not stopped yet.
     *
     * @param event what happened
     */
    void machineEvent(MachineEvent event);
}
