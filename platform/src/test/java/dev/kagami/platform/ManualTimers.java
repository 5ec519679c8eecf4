package dev.kagami.platform;

import dev.kagami.cpu.Timers;
import java.util.ArrayList;
import java.util.List;

/** Time that stands still until a test moves it. Timers run on the test's thread, in order of their deadlines. */
public final class ManualTimers implements Timers {
    private final List<Entry> armed = new ArrayList<>();
    private long now = 1_000;
    private long drift;

    public ManualTimers() {}

    @Override
    public synchronized long nanoTime() {
        now += drift;
        return now;
    }

    /** Makes every look at the time take some. */
    public synchronized void setDrift(long nanos) {
        drift = nanos;
    }

    @Override
    public Timer create(Runnable action) {
        return new Entry(action);
    }

    /** Moves time forward, running every timer that expires on the way. */
    public void advance(long nanos) {
        long end = nanoTime() + nanos;
        while (true) {
            Entry first = take(end);
            if (first == null) {
                return;
            }
            first.action.run();
        }
    }

    private synchronized Entry take(long end) {
        Entry first = null;
        for (Entry entry : armed) {
            if (entry.deadline <= end && (first == null || entry.deadline < first.deadline)) {
                first = entry;
            }
        }
        if (first == null) {
            now = end;
        } else {
            armed.remove(first);
            now = Math.max(now, first.deadline);
        }
        return first;
    }

    /** {@return the number of armed timers} */
    public synchronized int armedCount() {
        return armed.size();
    }

    private final class Entry implements Timer {
        private final Runnable action;
        private long deadline;

        Entry(Runnable action) {
            this.action = action;
        }

        @Override
        public void arm(long deadline) {
            synchronized (ManualTimers.this) {
                armed.remove(this);
                this.deadline = deadline;
                armed.add(this);
            }
        }

        @Override
        public void disarm() {
            synchronized (ManualTimers.this) {
                armed.remove(this);
            }
        }
    }
}
