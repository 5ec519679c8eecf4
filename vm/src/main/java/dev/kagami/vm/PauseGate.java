package dev.kagami.vm;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** Holds virtual CPUs back between two calls of {@link dev.kagami.cpu.Vcpu#run}. Thread-safe. */
final class PauseGate {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    /** CPUs that are within {@code run}. */
    private int running;

    private boolean shut;
    private boolean open;

    /** Waits until the gate isn't shut, and counts the caller as running. */
    void enter() {
        lock.lock();
        try {
            while (shut && !open) {
                changed.awaitUninterruptibly();
            }
            running++;
        } finally {
            lock.unlock();
        }
    }

    /** Counts the caller as not running. */
    void leave() {
        lock.lock();
        try {
            running--;
            if (shut) {
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Shuts the gate and waits until nobody runs.
     *
     * @param kick makes those who run leave soon; called once
     */
    void shut(Runnable kick) {
        lock.lock();
        try {
            shut = true;
            kick.run();
            while (running > 0) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets everybody go on. */
    void unshut() {
        lock.lock();
        try {
            shut = false;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** Lets everybody go on for good: the machine ends. */
    void openForever() {
        lock.lock();
        try {
            open = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
