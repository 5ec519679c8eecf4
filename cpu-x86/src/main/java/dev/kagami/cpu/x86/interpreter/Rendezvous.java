package dev.kagami.cpu.x86.interpreter;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Lets one CPU of a machine do something while no other CPU is within a guest instruction.
 *
 * <p>A CPU <em>enters</em> before it runs guest code and <em>leaves</em> when it stops doing so, also to wait in HLT. In
 * between it looks at {@link Cpu#EVENT_STOP} together with its other events, between two blocks, and leaves and enters once
 * when it is set. So running guest code costs nothing, and whoever holds the rendezvous has waited for the end of every
 * access that other CPUs had begun. This holds in the same way for translated code, which is left for every event.
 *
 * <p>A CPU that waits for its own turn counts as one that has left: it must be between two accesses, and has to look afresh
 * at whatever another CPU may have changed meanwhile.
 *
 * <p>Thread-safe. With one CPU nothing here does anything.
 */
final class Rendezvous {
    /** How often to look again before parking; others need a microsecond when they have a core of the host each. */
    private static final int SPINS = 100;

    private static final VarHandle HOLDER;

    static {
        try {
            HOLDER = MethodHandles.lookup().findVarHandle(Rendezvous.class, "holder", Cpu.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final List<Cpu> cpus;
    private final boolean alone;

    /** Who holds it, if anybody. */
    private volatile @Nullable Cpu holder;

    /** What the rendezvous knows of one CPU. */
    static final class Member {
        /** Between {@link #enter} and {@link #leave}. */
        private volatile boolean inside;

        /** Its thread waits for {@link Rendezvous#holder} to become free. */
        private volatile boolean waiting;

        /** The thread that runs it. */
        private volatile @Nullable Thread thread;
    }

    /**
     * Creates the rendezvous.
     *
     * @param cpus the CPUs of the machine; may be filled later, before any of them runs
     * @param count how many there will be
     */
    Rendezvous(List<Cpu> cpus, int count) {
        this.cpus = cpus;
        alone = count == 1;
    }

    /** Begins to run guest code on the calling thread, when nobody holds the rendezvous any more. */
    void enter(Cpu cpu) {
        if (alone) {
            return;
        }
        Member member = cpu.member;
        member.thread = Thread.currentThread();
        member.inside = true;
        // Both this and begin() write their own mark and then look at the other's, so one of them sees the other.
        while (holder != null) {
            leave(cpu);
            awaitRelease(member);
            member.inside = true;
        }
    }

    /** Ends running guest code. */
    void leave(Cpu cpu) {
        if (alone) {
            return;
        }
        cpu.member.inside = false;
        Cpu waiting = holder;
        if (waiting != null) {
            LockSupport.unpark(waiting.member.thread);
        }
    }

    /** Takes the rendezvous: returns when no other CPU is inside, and keeps them out until {@link #end}. Does not nest. */
    void begin(Cpu cpu) {
        if (alone) {
            return;
        }
        Member member = cpu.member;
        leave(cpu);
        while (!HOLDER.compareAndSet(this, null, cpu)) {
            awaitRelease(member);
        }
        for (Cpu other : cpus) {
            if (other != cpu && other.member.inside) {
                other.signal(Cpu.EVENT_STOP);
            }
        }
        for (Cpu other : cpus) {
            if (other != cpu) {
                awaitLeave(other.member);
            }
        }
        member.inside = true;
    }

    /** Lets the others go on. */
    void end(Cpu cpu) {
        if (alone) {
            return;
        }
        holder = null;
        for (Cpu other : cpus) {
            if (other.member.waiting) {
                LockSupport.unpark(other.member.thread);
            }
        }
    }

    private void awaitRelease(Member member) {
        for (int i = 0; i < SPINS; i++) {
            if (holder == null) {
                return;
            }
            Thread.onSpinWait();
        }
        member.waiting = true;
        while (holder != null) {
            LockSupport.park(this);
        }
        member.waiting = false;
    }

    private void awaitLeave(Member other) {
        for (int i = 0; i < SPINS; i++) {
            if (!other.inside) {
                return;
            }
            Thread.onSpinWait();
        }
        while (other.inside) {
            LockSupport.park(this);
        }
    }
}
