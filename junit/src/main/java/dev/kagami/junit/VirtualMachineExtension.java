package dev.kagami.junit;

import dev.kagami.vm.VirtualMachine;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionConfigurationException;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolutionException;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;
import org.junit.platform.commons.support.HierarchyTraversalMode;
import org.junit.platform.commons.support.ModifierSupport;

/**
 * Starts machines for fields and parameters of tests, and stops them. See {@link VirtualMachineTest}.
 *
 * <p>Tests may run at the same time: each has its own context, and with it its own machines; what is shared is a static
 * field's machine, which takes any number of commands at a time.
 */
public final class VirtualMachineExtension
        implements BeforeAllCallback, AfterAllCallback, BeforeEachCallback, AfterEachCallback, ParameterResolver {
    static final Namespace NAMESPACE = Namespace.create(VirtualMachineExtension.class);

    /** What a parameter without {@link Machine} gets. */
    @Machine
    private static final Object DEFAULT = new Object();

    /** Makes the extension; for JUnit. */
    public VirtualMachineExtension() {}

    /** The machines of one context, in a store that closes them at the context's end. */
    private static final class Machines implements AutoCloseable {
        private final Map<String, TestMachine> byName = new ConcurrentHashMap<>();

        @Override
        public void close() {
            byName.values().forEach(TestMachine::close);
        }
    }

    private static Machines machines(ExtensionContext context) {
        // The context's own, not an enclosing one's of the same key.
        return context.getStore(NAMESPACE).computeIfAbsent(context.getUniqueId(), id -> new Machines(), Machines.class);
    }

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        inject(context, null, ModifierSupport::isStatic);
    }

    @Override
    public void beforeEach(ExtensionContext context) throws Exception {
        for (Object instance : context.getRequiredTestInstances().getAllInstances()) {
            inject(context, instance, ModifierSupport::isNotStatic);
        }
    }

    /** Starts a machine for each field, all at once, and waits for all of them. */
    private static void inject(ExtensionContext context, @Nullable Object instance, Predicate<Field> which)
            throws Exception {
        Class<?> type = instance == null ? context.getRequiredTestClass() : instance.getClass();
        List<Field> fields =
                AnnotationSupport.findAnnotatedFields(type, Machine.class, which, HierarchyTraversalMode.TOP_DOWN);
        List<TestMachine> started = new ArrayList<>();
        for (Field field : fields) {
            if (field.getType() != VirtualMachine.class || ModifierSupport.isFinal(field)) {
                throw new ExtensionConfigurationException(
                        "@Machine is for fields of type VirtualMachine that are not final, not for " + field);
            }
            started.add(start(context, field.getName(), field.getAnnotation(Machine.class)));
        }
        for (int i = 0; i < fields.size(); i++) {
            started.get(i).awaitReady();
            fields.get(i).setAccessible(true);
            fields.get(i).set(instance, started.get(i).machine());
        }
    }

    private static TestMachine start(ExtensionContext context, String name, Machine description) {
        TestMachine machine = description.branch()
                ? TestMachine.branch(name, BranchOrigin.of(context, description))
                : TestMachine.boot(name, description);
        // Kept at once, so that a failure to come up has a console in its report, and nothing is left running.
        TestMachine other = machines(context).byName.putIfAbsent(name, machine);
        if (other != null) {
            machine.close();
            throw new ExtensionConfigurationException("two machines of one test are called " + name);
        }
        return machine;
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == VirtualMachine.class;
    }

    @Override
    public Object resolveParameter(ParameterContext context, ExtensionContext extension) {
        Parameter parameter = context.getParameter();
        if (!(context.getDeclaringExecutable() instanceof Method method)
                || AnnotationSupport.isAnnotated(method, BeforeAll.class)
                || AnnotationSupport.isAnnotated(method, AfterAll.class)) {
            throw new ParameterResolutionException(
                    "a machine as parameter is one test's own; for a constructor or a whole class, use a static field");
        }
        Machine description =
                context.findAnnotation(Machine.class).orElseGet(VirtualMachineExtension::defaultDescription);
        // The methods around a test and the test itself share what has the same name.
        TestMachine known = machines(extension).byName.get(parameter.getName());
        TestMachine machine = known != null ? known : start(extension, parameter.getName(), description);
        try {
            machine.awaitReady();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ParameterResolutionException("interrupted while the guest started", e);
        } catch (Exception e) {
            throw new ParameterResolutionException("the machine could not be prepared: " + e.getMessage(), e);
        }
        return machine.machine();
    }

    private static Machine defaultDescription() {
        try {
            return VirtualMachineExtension.class.getDeclaredField("DEFAULT").getAnnotation(Machine.class);
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException("the field is in this class", e);
        }
    }

    @Override
    public void afterEach(ExtensionContext context) {
        reportFailure(context);
    }

    @Override
    public void afterAll(ExtensionContext context) {
        reportFailure(context);
    }

    /** Adds the consoles of a failed test's machines to its report: its own, and those that it shares. */
    private static void reportFailure(ExtensionContext context) {
        if (context.getExecutionException().isEmpty()) {
            return;
        }
        for (ExtensionContext at = context; at != null; at = at.getParent().orElse(null)) {
            Machines here = at.getStore(NAMESPACE).get(at.getUniqueId(), Machines.class);
            if (here != null) {
                here.byName.values().forEach(machine -> machine.report(context));
            }
        }
    }
}
