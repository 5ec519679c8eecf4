package dev.kagami.cpu.x86.interpreter;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the CPUs of all machines of this process keep of decoded and translated code together. Each keeps what it has run, as
 * it may run it again. Most machines of a process that has many wait for something, though: when all keep more than the
 * budget, those that have been idle for longest give theirs back, on their own threads, until the rest is within it. A
 * machine that is alone keeps what it has, and so does one that is paused, until it goes on.
 *
 * <p>CPUs tell nothing while they run: once a second a thread looks at them, as long as several machines run. Safe for use by
 * any thread.
 */
final class CodeBudget {
    private static final int MEBIBYTE = 1 << 20;

    /** The budget of this process; the property is in MiB. */
    static final CodeBudget OF_PROCESS =
            new CodeBudget((long) MEBIBYTE * Integer.getInteger("dev.kagami.code.budget", 48), 1000);

    /** A CPU that has been idle for so long may be asked. */
    private static final long IDLE_NANOSECONDS = 2_000_000_000L;

    /** Fewer instructions from one look to the next than this are idleness: a kernel's timer, and what it wakes. */
    private static final long IDLE_INSTRUCTIONS = 5_000_000;

    /** Nobody is asked for less: the code of a kernel's timer would be decoded again each time. */
    private static final long FEW_BYTES = MEBIBYTE;

    private final long bytes;
    private final long period;
    private final List<Holder> holders = new ArrayList<>();
    private @Nullable Thread watcher;

    /** A CPU that runs. */
    private static final class Holder {
        final Cpu cpu;
        long retired;
        long idleSince;

        Holder(Cpu cpu, long now) {
            this.cpu = cpu;
            retired = cpu.retired;
            idleSince = now;
        }
    }

    /**
     * Creates a budget.
     *
     * @param bytes how much all may keep
     * @param period milliseconds from one look to the next
     */
    CodeBudget(long bytes, long period) {
        this.bytes = bytes;
        this.period = period;
    }

    /** Notes that a CPU begins to run, so that it can be asked to give its code back. */
    synchronized void enter(Cpu cpu) {
        holders.add(new Holder(cpu, System.nanoTime()));
        if (watcher == null && severalMachines()) {
            watcher = Thread.ofPlatform().daemon().name("kagami-code").start(this::watch);
        }
    }

    /** Notes that a CPU doesn't run any more. */
    void leave(Cpu cpu) {
        Thread ended = null;
        synchronized (this) {
            holders.removeIf(holder -> holder.cpu == cpu);
            if (!severalMachines()) {
                ended = watcher;
                watcher = null;
                notifyAll();
            }
        }
        if (ended != null) {
            try {
                ended.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private boolean severalMachines() {
        return holders.stream().anyMatch(holder -> holder.cpu.processors != holders.getFirst().cpu.processors);
    }

    private synchronized void watch() {
        try {
            while (watcher == Thread.currentThread()) {
                wait(period);
                look(System.nanoTime());
            }
        } catch (InterruptedException e) {
            // Nobody does that; and without the watcher all goes on.
            watcher = null;
        }
    }

    /**
     * Looks at what all keep, and asks for what is too much.
     *
     * @param now nanoseconds of {@link System#nanoTime}
     */
    synchronized void look(long now) {
        long kept = 0;
        List<Holder> idle = new ArrayList<>();
        for (Holder holder : holders) {
            // What the CPU's own thread counts may be a little old here.
            long retired = holder.cpu.retired;
            if (retired - holder.retired > IDLE_INSTRUCTIONS) {
                holder.idleSince = now;
            }
            holder.retired = retired;
            kept += holder.cpu.codeBytes();
            if (now - holder.idleSince >= IDLE_NANOSECONDS && holder.cpu.codeBytes() > FEW_BYTES) {
                idle.add(holder);
            }
        }
        if (!severalMachines()) {
            return;
        }
        idle.sort(Comparator.comparingLong(holder -> holder.idleSince));
        for (Holder holder : idle) {
            if (kept <= bytes) {
                return;
            }
            kept -= holder.cpu.codeBytes();
            holder.cpu.signal(Cpu.EVENT_GIVE_BACK);
        }
    }
}
