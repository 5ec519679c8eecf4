package dev.kagami.vm;

import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.X86State;
import dev.kagami.platform.PcMachine;
import dev.kagami.platform.bus.StatefulDevice;
import dev.kagami.virtio.transport.VirtioPci;
import dev.kagami.virtio.transport.VirtioPciState;
import dev.kagami.vm.snapshot.Sections;
import dev.kagami.vm.snapshot.SnapshotException;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes the state of a machine that stands still, and sets it.
 *
 * <p>The host may still do something to a paused machine, such as typing, so devices are looked at first and the CPUs last: an
 * interrupt that comes between has no cause when the machine goes on, and that is harmless, while it would be lost the other
 * way round.
 *
 * @param pc the machine
 * @param functions its virtio devices
 * @param processors its CPUs
 */
record MachineStates(PcMachine pc, List<VirtioPci> functions, Processors processors) {
    void save(Sections sections) {
        for (int i = 0; i < functions.size(); i++) {
            Record device = functions.get(i).driver().deviceState();
            if (device != null) {
                sections.put(device(i), device);
            }
            sections.put(virtio(i), functions.get(i).state());
        }
        for (StatefulDevice<?> device : platform()) {
            sections.put(name(device), device.state());
        }
        for (Vcpu cpu : processors.vcpus()) {
            sections.put(cpu(cpu), cpu.state());
        }
    }

    void restore(Sections sections) throws SnapshotException {
        for (StatefulDevice<?> device : pc.devices()) {
            restore(sections, device);
        }
        for (int i = 0; i < functions.size(); i++) {
            VirtioPci function = functions.get(i);
            VirtioPciState state = sections.get(virtio(i), VirtioPciState.class);
            Record device = sections.names().contains(device(i))
                    ? sections.get(device(i), function.driver().device().stateType())
                    : null;
            set(virtio(i), () -> function.setState(state, device));
        }
        for (StatefulDevice<?> device : pc.interruptControllers()) {
            restore(sections, device);
        }
        for (Vcpu cpu : processors.vcpus()) {
            X86State state = sections.get(cpu(cpu), X86State.class);
            set(cpu(cpu), () -> cpu.setState(state));
        }
    }

    private static <S extends Record> void restore(Sections sections, StatefulDevice<S> device)
            throws SnapshotException {
        S state = sections.get(name(device), device.stateType());
        set(name(device), () -> device.setState(state));
    }

    private static void set(String name, Runnable setter) throws SnapshotException {
        try {
            setter.run();
        } catch (RuntimeException e) {
            // Every checksum is right, so somebody has made this file up.
            throw new SnapshotException(
                    SnapshotException.Kind.DAMAGED, "%s can't be restored: %s".formatted(name, e.getMessage()));
        }
    }

    private List<StatefulDevice<?>> platform() {
        List<StatefulDevice<?>> all = new ArrayList<>(pc.devices());
        all.addAll(pc.interruptControllers());
        return all;
    }

    private static String name(StatefulDevice<?> device) {
        return device.getClass().getSimpleName();
    }

    private static String virtio(int index) {
        return "virtio" + index;
    }

    private static String device(int index) {
        return "virtio%d.device".formatted(index);
    }

    private static String cpu(Vcpu cpu) {
        return "cpu" + cpu.index();
    }
}
