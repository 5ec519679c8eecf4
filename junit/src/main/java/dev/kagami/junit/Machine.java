package dev.kagami.junit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Says which machine a field or a parameter of type {@link dev.kagami.vm.VirtualMachine} gets. A static field's machine is
 * shared by the tests of its class; an instance field's, and a parameter's, is each test's own.
 */
@Target({ElementType.FIELD, ElementType.PARAMETER})
@Retention(RetentionPolicy.RUNTIME)
@Documented
public @interface Machine {
    /** {@return the machine's description; the default guest unless told otherwise} */
    Class<? extends MachineDefinition> value() default DefaultMachine.class;

    /**
     * {@return the engine that must run it, such as {@code interpreter}; a test fails where that can't run. By default the
     * first one that can.}
     */
    String engine() default "auto";

    /**
     * {@return whether the machine is booted once for the whole run of tests, prepared as its definition says, and each
     * field or parameter gets a branch of that: a machine that goes on from there in a fraction of a second, and shares its
     * memory as long as it doesn't write to it}
     */
    boolean branch() default false;
}
