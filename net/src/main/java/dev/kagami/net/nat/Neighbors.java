package dev.kagami.net.nat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Which Ethernet address a guest's IP address has. For one thread. */
final class Neighbors {
    static final int MAXIMUM = 256;

    /** Someone who wants to talk to a guest whose Ethernet address isn't known. */
    interface Waiter {
        /** Says that the address is known now. */
        void resolved();

        /** Says that nobody answers. */
        void unreachable();
    }

    private static final class Question {
        final List<Waiter> waiters = new ArrayList<>();
        int asked;
    }

    private static final long ASK_INTERVAL = 1_000_000_000L;
    private static final int ASK_LIMIT = 30;
    private static final int MAXIMUM_QUESTIONS = 64;

    private final Map<IpAddress, Long> known = new LinkedHashMap<>(16, 0.75f, true);
    private final Map<IpAddress, Question> questions = new LinkedHashMap<>();
    private final Timers timers;
    private final Timers.Timer timer = new Timers.Timer(this::askAgain);
    private final java.util.function.Consumer<IpAddress> ask;

    /** Makes an empty table; the function sends a question for an address. */
    Neighbors(Timers timers, java.util.function.Consumer<IpAddress> ask) {
        this.timers = timers;
        this.ask = ask;
    }

    /** {@return the Ethernet address of a guest; -1 if it isn't known} */
    long find(IpAddress address) {
        Long mac = known.get(address);
        return mac == null ? -1 : mac;
    }

    /** Notes what a guest says about itself. */
    void learn(IpAddress address, long mac) {
        known.put(address, mac);
        if (known.size() > MAXIMUM) {
            known.remove(known.keySet().iterator().next());
        }
        Question question = questions.remove(address);
        if (question != null) {
            question.waiters.forEach(Waiter::resolved);
        }
    }

    /** Notes where a packet came from, if nothing is known about its sender. */
    void suggest(IpAddress address, long mac) {
        if (!known.containsKey(address)) {
            learn(address, mac);
        }
    }

    void clear() {
        known.clear();
    }

    /** Asks for an address, and tells the waiter the outcome. */
    void resolve(IpAddress address, @Nullable Waiter waiter) {
        Question question = questions.get(address);
        if (question == null) {
            if (questions.size() >= MAXIMUM_QUESTIONS) {
                if (waiter != null) {
                    waiter.unreachable();
                }
                return;
            }
            question = new Question();
            questions.put(address, question);
            question.asked = 1;
            ask.accept(address);
            if (!timer.isArmed()) {
                timers.arm(timer, System.nanoTime() + ASK_INTERVAL);
            }
        }
        if (waiter != null && !question.waiters.contains(waiter)) {
            question.waiters.add(waiter);
        }
    }

    private void askAgain() {
        for (Map.Entry<IpAddress, Question> entry : List.copyOf(questions.entrySet())) {
            Question question = entry.getValue();
            if (question.asked++ >= ASK_LIMIT || question.waiters.isEmpty()) {
                questions.remove(entry.getKey());
                question.waiters.forEach(Waiter::unreachable);
            } else {
                ask.accept(entry.getKey());
            }
        }
        if (!questions.isEmpty()) {
            timers.arm(timer, System.nanoTime() + ASK_INTERVAL);
        }
    }
}
