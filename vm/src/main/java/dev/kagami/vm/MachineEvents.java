package dev.kagami.vm;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.Period;
import jdk.jfr.StackTrace;

/** What machines tell the Flight Recorder, when one records. */
final class MachineEvents {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final Set<MachineEvents> RUNNING = ConcurrentHashMap.newKeySet();

    static {
        FlightRecorder.addPeriodicEvent(Statistics.class, () -> RUNNING.forEach(MachineEvents::recordStatistics));
    }

    private final int number = COUNT.incrementAndGet();
    private final VirtualMachine machine;

    MachineEvents(VirtualMachine machine) {
        this.machine = machine;
    }

    /** A machine has gone from one state to another. */
    @Name("dev.kagami.StateChange")
    @Label("State Change")
    @Description("A machine has gone from one state to another")
    @Category("Kagami")
    @StackTrace(false)
    static final class StateChange extends Event {
        @Label("Machine")
        int machine;

        @Label("From")
        String from = "";

        @Label("To")
        String to = "";
    }

    /** A machine was saved, or a snapshot taken of it, or it was made from one. */
    @Name("dev.kagami.Snapshot")
    @Label("Snapshot")
    @Description("A machine was saved, a snapshot taken of it, or it was made from one")
    @Category("Kagami")
    @StackTrace(false)
    static final class SnapshotTaken extends Event {
        @Label("Machine")
        int machine;

        @Label("Operation")
        String operation = "";
    }

    /** The counters of a running machine, since it was started. */
    @Name("dev.kagami.Statistics")
    @Label("Machine Statistics")
    @Description("Exits by reason, interrupts and instructions of a running machine since its start")
    @Category("Kagami")
    @StackTrace(false)
    @Period("1 s")
    static final class Statistics extends Event {
        @Label("Machine")
        int machine;

        @Label("Guest Instructions")
        long instructions;

        @Label("Port Reads")
        long portReads;

        @Label("Port Writes")
        long portWrites;

        @Label("MMIO Reads")
        long mmioReads;

        @Label("MMIO Writes")
        long mmioWrites;

        @Label("Halts")
        long halts;

        @Label("Interrupts")
        long interrupts;

        @Label("Exceptions")
        long exceptions;

        @Label("Memory Size")
        @DataAmount
        long memory;
    }

    void changed(VirtualMachine.State from, VirtualMachine.State to) {
        StateChange event = new StateChange();
        if (event.isEnabled()) {
            event.machine = number;
            event.from = from.name();
            event.to = to.name();
            event.commit();
        }
        if (to == VirtualMachine.State.STOPPED) {
            RUNNING.remove(this);
        } else {
            RUNNING.add(this);
        }
    }

    /** {@return an event that has begun; to be handed to {@link #finish}} */
    SnapshotTaken begin(String operation) {
        SnapshotTaken event = new SnapshotTaken();
        event.machine = number;
        event.operation = operation;
        event.begin();
        return event;
    }

    static void finish(SnapshotTaken event) {
        event.commit();
    }

    private void recordStatistics() {
        VirtualMachineStats stats = machine.stats();
        Statistics event = new Statistics();
        event.machine = number;
        event.instructions = stats.instructions();
        event.portReads = stats.portReads();
        event.portWrites = stats.portWrites();
        event.mmioReads = stats.mmioReads();
        event.mmioWrites = stats.mmioWrites();
        event.halts = stats.halts();
        event.interrupts = stats.interrupts();
        event.exceptions = stats.exceptions();
        event.memory = machine.config().memory().bytes();
        event.commit();
    }
}
