package dev.kagami.junit;

import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;

/** Describes a machine of tests. Needs a constructor without parameters, which may be private. */
@FunctionalInterface
public interface MachineDefinition {
    /**
     * Describes the machine.
     *
     * @param builder says what to boot, unless that is the default guest, and whatever else it needs
     */
    void describe(VirtualMachineConfig.Builder builder);

    /**
     * Prepares a machine that is up, before tests get it; does nothing by default. With {@link Machine#branch} this is done
     * once for all of them.
     *
     * @param machine the machine
     * @throws Exception to fail the tests
     */
    default void prepare(VirtualMachine machine) throws Exception {}
}
