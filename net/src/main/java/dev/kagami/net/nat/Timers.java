package dev.kagami.net.nat;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** A heap of times at which something is to be done. For one thread. Times are System.nanoTime()'s. */
final class Timers {
    /** Something to be done at a time. */
    static final class Timer {
        private final Runnable action;
        private long time;
        private int index = -1;

        Timer(Runnable action) {
            this.action = action;
        }

        boolean isArmed() {
            return index >= 0;
        }

        long time() {
            return time;
        }
    }

    private @Nullable Timer[] heap = new Timer[64];
    private int size;

    /** Sets when a timer expires, instead of an earlier setting. */
    void arm(Timer timer, long time) {
        timer.time = time;
        if (timer.index < 0) {
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, 2 * size);
            }
            place(timer, size++);
        }
        up(timer.index);
        down(timer.index);
    }

    void disarm(Timer timer) {
        int index = timer.index;
        if (index < 0) {
            return;
        }
        timer.index = -1;
        Timer last = at(--size);
        heap[size] = null;
        if (last != timer) {
            place(last, index);
            up(index);
            down(last.index);
        }
    }

    /** Does what is due. */
    void expire(long now) {
        while (size > 0 && at(0).time - now <= 0) {
            Timer timer = at(0);
            disarm(timer);
            timer.action.run();
        }
    }

    /** {@return nanoseconds until the next timer expires, at most that many} */
    long untilNext(long now, long most) {
        return size == 0 ? most : Math.clamp(at(0).time - now, 0, most);
    }

    @SuppressWarnings("NullAway")
    private Timer at(int index) {
        return heap[index];
    }

    private void place(Timer timer, int index) {
        heap[index] = timer;
        timer.index = index;
    }

    private void up(int from) {
        int index = from;
        Timer timer = at(index);
        while (index > 0) {
            Timer parent = at((index - 1) / 2);
            if (parent.time - timer.time <= 0) {
                break;
            }
            int place = (index - 1) / 2;
            place(parent, index);
            index = place;
        }
        place(timer, index);
    }

    private void down(int from) {
        int index = from;
        Timer timer = at(index);
        while (2 * index + 1 < size) {
            int child = 2 * index + 1;
            if (child + 1 < size && at(child + 1).time - at(child).time < 0) {
                child++;
            }
            if (timer.time - at(child).time <= 0) {
                break;
            }
            place(at(child), index);
            index = child;
        }
        place(timer, index);
    }
}
