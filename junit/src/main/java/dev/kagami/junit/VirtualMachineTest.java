package dev.kagami.junit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Gives the class's tests virtual machines: in fields annotated with {@link Machine}, and in parameters of type
 * {@link dev.kagami.vm.VirtualMachine}. The same as {@code @ExtendWith(VirtualMachineExtension.class)}.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Documented
@Inherited
@ExtendWith(VirtualMachineExtension.class)
public @interface VirtualMachineTest {}
