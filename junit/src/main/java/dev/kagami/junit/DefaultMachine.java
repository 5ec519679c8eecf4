package dev.kagami.junit;

import dev.kagami.vm.VirtualMachineConfig;

/** The default guest, with as much of everything as machines have by default. */
public final class DefaultMachine implements MachineDefinition {
    private DefaultMachine() {}

    @Override
    public void describe(VirtualMachineConfig.Builder builder) {
        builder.defaultGuest();
    }
}
