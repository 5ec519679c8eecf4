package dev.kagami.vm;

import java.util.EnumSet;
import java.util.Set;

/** An operation was asked for that the machine's state doesn't allow. The message names the states that do. */
public final class MachineStateException extends IllegalStateException {
    private static final long serialVersionUID = 1L;

    private final VirtualMachine.State actual;
    private final EnumSet<VirtualMachine.State> required;

    MachineStateException(String operation, VirtualMachine.State actual, EnumSet<VirtualMachine.State> required) {
        super("%s needs a machine that is %s; this one is %s".formatted(operation, names(required), actual));
        this.actual = actual;
        this.required = EnumSet.copyOf(required);
    }

    private static String names(EnumSet<VirtualMachine.State> states) {
        return String.join(" or ", states.stream().map(Enum::name).toList());
    }

    /** {@return the state that the machine was in} */
    public VirtualMachine.State actual() {
        return actual;
    }

    /** {@return the states in which the operation is possible} */
    public Set<VirtualMachine.State> required() {
        return EnumSet.copyOf(required);
    }
}
