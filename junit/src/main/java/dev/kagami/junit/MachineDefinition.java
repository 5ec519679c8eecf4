package dev.kagami.junit;

import dev.kagami.vm.VirtualMachineConfig;

/** Describes a machine of a test. Needs a constructor without parameters, which may be private. */
@FunctionalInterface
public interface MachineDefinition {
    /**
     * Describes the machine.
     *
     * @param builder says what to boot, unless that is the default guest, and whatever else it needs
     */
    void describe(VirtualMachineConfig.Builder builder);
}
