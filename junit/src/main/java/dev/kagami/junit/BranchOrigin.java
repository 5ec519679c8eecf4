package dev.kagami.junit;

import dev.kagami.vm.Snapshot;
import dev.kagami.vm.VirtualMachine;
import dev.kagami.vm.VirtualMachineConfig;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A machine as it was when it was up and prepared, for any number of branches. Lives as long as the run of tests. */
final class BranchOrigin implements AutoCloseable {
    private final Snapshot snapshot;
    private final VirtualMachineConfig config;

    private BranchOrigin(Snapshot snapshot, VirtualMachineConfig config) {
        this.snapshot = snapshot;
        this.config = config;
    }

    /** What makes one origin differ from another. */
    private record Key(Class<?> definition, String engine) {}

    /**
     * Gets the origin of a machine, which is booted for the first who asks; others wait for that.
     *
     * @param context the test's
     * @param description which machine
     * @return the origin
     */
    static BranchOrigin of(ExtensionContext context, Machine description) {
        return context.getRoot()
                .getStore(VirtualMachineExtension.NAMESPACE)
                .computeIfAbsent(
                        new Key(description.value(), description.engine()),
                        key -> make(context, description),
                        BranchOrigin.class);
    }

    private static BranchOrigin make(ExtensionContext context, Machine description) {
        try (TestMachine machine = TestMachine.boot(description.value().getSimpleName(), description)) {
            try {
                machine.awaitReady();
                return new BranchOrigin(
                        machine.machine().snapshot(), machine.machine().config());
            } catch (Exception e) {
                machine.report(context);
                if (e instanceof InterruptedException) {
                    Thread.currentThread().interrupt();
                }
                throw new IllegalStateException(
                        "the machine %s, which branches were wanted of, did not come up: %s"
                                .formatted(description.value().getName(), e.getMessage()),
                        e);
            }
        }
    }

    VirtualMachine branch() {
        VirtualMachine machine = snapshot.restore(config);
        try {
            machine.resume();
            return machine;
        } catch (RuntimeException | Error e) {
            machine.close();
            throw e;
        }
    }

    @Override
    public void close() {
        snapshot.close();
    }
}
