package dev.kagami.junit;

import dev.kagami.vm.AgentChannel;
import dev.kagami.vm.ExecResult;
import dev.kagami.vm.VirtualMachine;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Map;
import org.junit.jupiter.api.MediaType;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.platform.commons.support.ReflectionSupport;

/** A machine that runs for a test, or for a class of tests. Closed by the store that it is kept in. */
final class TestMachine implements AutoCloseable {
    private final String name;
    private final VirtualMachine machine;
    private final MachineDefinition definition;
    /** Whether it is still to be waited for. */
    private boolean booting;

    private TestMachine(String name, VirtualMachine machine, MachineDefinition definition, boolean booting) {
        this.name = name;
        this.machine = machine;
        this.definition = definition;
        this.booting = booting;
    }

    /**
     * Makes a machine and starts it, without waiting for its guest.
     *
     * @param name what it is called in reports: the field's or parameter's name
     * @param description which machine
     * @return the machine
     */
    static TestMachine boot(String name, Machine description) {
        MachineDefinition definition = ReflectionSupport.newInstance(description.value());
        VirtualMachine machine = VirtualMachine.create(c -> {
            c.engine(description.engine());
            definition.describe(c);
        });
        try {
            machine.start();
        } catch (RuntimeException | Error e) {
            machine.close();
            throw e;
        }
        return new TestMachine(name, machine, definition, true);
    }

    /**
     * Makes a machine that goes on from a snapshot.
     *
     * @param name what it is called in reports
     * @param origin the snapshot
     * @return the machine, running
     */
    static TestMachine branch(String name, BranchOrigin origin) {
        VirtualMachine machine = origin.branch();
        return new TestMachine(name, machine, builder -> {}, false);
    }

    VirtualMachine machine() {
        return machine;
    }

    /** Waits until the guest takes commands, if it is one that ever will, and is prepared. */
    synchronized void awaitReady() throws Exception {
        if (!booting) {
            return;
        }
        if (machine.config().agentChannel() != AgentChannel.NONE) {
            ExecResult result = machine.exec("true");
            if (result.exitStatus() != 0) {
                throw new IllegalStateException("the guest of %s runs no commands: %s".formatted(name, result));
            }
        }
        definition.prepare(machine);
        booting = false;
    }

    /** Adds to a report what helps to understand a failure. */
    void report(ExtensionContext context) {
        context.publishReportEntry(Map.of(
                "kagami." + name + ".engine",
                "%s: %s".formatted(machine.engine(), machine.engineReason()),
                "kagami." + name + ".state",
                machine.state().toString()));
        publish(context, "screen", machine.console().screen());
        publish(context, "console", machine.console().transcript());
    }

    private void publish(ExtensionContext context, String what, String text) {
        context.publishFile(
                "%s-%s.txt".formatted(name, what),
                MediaType.TEXT_PLAIN_UTF_8,
                file -> Files.writeString(file, text + "\n", StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
        machine.close();
    }
}
