package dev.kagami.vm;

import dev.kagami.virtio.socket.SocketDevice;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One virtual machine, from its making to its end; it runs once.
 *
 * <p>Thread-safety: every method may be called from any thread. A machine runs on threads of its own; they end before
 * {@link #awaitShutdown} returns, except a daemon that may be blocked reading the serial input.
 */
public final class VirtualMachine implements AutoCloseable {
    /** How far a machine has come. */
    public enum State {
        /** Made, never started. */
        CREATED,
        /** Running guest code. */
        RUNNING,
        /** Ended; the {@link Outcome} says how. */
        STOPPED
    }

    private final VirtualMachineConfig config;
    private final Engines.Choice engine;
    private final Devices devices;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private State state = State.CREATED;
    private boolean stopRequested;
    private @Nullable Machine machine;
    private @Nullable Outcome outcome;
    private VirtualMachineStats earlier = VirtualMachineStats.NONE;
    private int resets;
    private long startNanos;
    private long endNanos;

    private VirtualMachine(VirtualMachineConfig config, Engines engines) {
        List<Problem> problems = config.validate(engines);
        if (!problems.isEmpty()) {
            throw KagamiException.of(problems);
        }
        this.config = config;
        this.engine = engines.choose(config.engine());
        this.devices = new Devices(config);
    }

    /**
     * Makes a machine.
     *
     * @param description fills the builder
     * @return the machine, not started
     * @throws KagamiException when the description has problems, or no engine can run it here
     */
    public static VirtualMachine create(Consumer<VirtualMachineConfig.Builder> description) {
        return create(VirtualMachineConfig.of(description));
    }

    /**
     * Makes a machine.
     *
     * @param config what it is
     * @return the machine, not started
     * @throws KagamiException when the description has problems, or no engine can run it here
     */
    public static VirtualMachine create(VirtualMachineConfig config) {
        return create(config, Engines.installed());
    }

    static VirtualMachine create(VirtualMachineConfig config, Engines engines) {
        return new VirtualMachine(config, engines);
    }

    /** {@return the engines of this installation, in the order of choice} */
    public static List<EngineInfo> engines() {
        return Engines.installed().list();
    }

    /** {@return the description this machine was made from} */
    public VirtualMachineConfig config() {
        return config;
    }

    /** {@return the name of the engine that was chosen} */
    public String engine() {
        return engine.engine().name();
    }

    /** {@return why that engine was chosen, a few words} */
    public String engineReason() {
        return engine.reason();
    }

    /** {@return how far the machine has come} */
    public State state() {
        lock.lock();
        try {
            return state;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Loads the kernel and starts the CPUs.
     *
     * @throws KagamiException when the kernel can't be loaded or the host has no room for the memory; the machine can't
     *     be used any more
     * @throws IllegalStateException when the machine was started or closed before
     */
    public void start() {
        lock.lock();
        try {
            if (state != State.CREATED) {
                throw new IllegalStateException("start needs a machine that is CREATED; this one is " + state);
            }
            startNanos = System.nanoTime();
            SerialInput input = new SerialInput(config.serial().input());
            Machine first;
            try {
                devices.open();
                first = Machine.powerOn(config, engine.engine(), devices);
            } catch (Throwable e) {
                devices.close();
                ended(new Outcome.Stopped());
                throw e;
            }
            machine = first;
            state = State.RUNNING;
            input.start();
            Thread.ofPlatform().name("kagami-machine").start(() -> supervise(first, input));
        } finally {
            lock.unlock();
        }
    }

    /** Runs the machine through its resets to its end. */
    private void supervise(Machine first, SerialInput input) {
        Outcome result;
        Machine current = first;
        try {
            while (true) {
                input.connect(current.serialInput());
                result = current.run();
                input.connect(null);
                VirtualMachineStats counted = current.addTo(stats(false));
                boolean again;
                lock.lock();
                try {
                    earlier = counted;
                    machine = null;
                    again = result instanceof Outcome.Reset
                            && config.onReset() == ResetPolicy.RESTART
                            && !stopRequested;
                } finally {
                    lock.unlock();
                }
                current.close();
                if (!again) {
                    break;
                }
                current = Machine.powerOn(config, engine.engine(), devices);
                lock.lock();
                try {
                    resets++;
                    machine = current;
                    if (stopRequested) {
                        current.end(new Outcome.Stopped());
                    }
                } finally {
                    lock.unlock();
                }
            }
        } catch (KagamiException e) {
            result = new Outcome.Crashed(Outcome.Reason.RESTART_FAILED, String.valueOf(e.getMessage()));
        } catch (RuntimeException | Error e) {
            // Whatever goes wrong in here is our bug, and must end this machine rather than hang those who wait for it.
            result = new Outcome.Crashed(Outcome.Reason.ENGINE_ERROR, Machine.describe(e));
        }
        input.close();
        devices.close();
        lock.lock();
        try {
            machine = null;
            ended(result);
        } finally {
            lock.unlock();
        }
    }

    private void ended(Outcome result) {
        state = State.STOPPED;
        outcome = result;
        endNanos = System.nanoTime();
        changed.signalAll();
    }

    /**
     * Waits for the machine's end.
     *
     * @return how it ended
     * @throws InterruptedException when the calling thread is interrupted; the machine goes on
     * @throws IllegalStateException when the machine was never started
     */
    public Outcome awaitShutdown() throws InterruptedException {
        return awaitShutdown(Duration.ofNanos(Long.MAX_VALUE)).orElseThrow();
    }

    /**
     * Waits for the machine's end, but not for ever.
     *
     * @param timeout how long at most
     * @return how it ended; empty when it still runs
     * @throws InterruptedException when the calling thread is interrupted; the machine goes on
     * @throws IllegalStateException when the machine was never started
     */
    public Optional<Outcome> awaitShutdown(Duration timeout) throws InterruptedException {
        lock.lock();
        try {
            if (state == State.CREATED) {
                throw new IllegalStateException("awaitShutdown needs a machine that was started; this one is " + state);
            }
            long left = timeout.toNanos();
            while (outcome == null && left > 0) {
                left = changed.awaitNanos(left);
            }
            return Optional.ofNullable(outcome);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Pulls the plug: asks the machine to end with {@link Outcome.Stopped} and returns without waiting. Nothing happens
     * when it has ended already.
     *
     * @throws IllegalStateException when the machine was never started
     */
    public void stop() {
        lock.lock();
        try {
            if (state == State.CREATED) {
                throw new IllegalStateException("stop needs a machine that was started; this one is " + state);
            }
            stopRequested = true;
            if (machine != null) {
                machine.end(new Outcome.Stopped());
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Gets the host's end of the machine's vsock device.
     *
     * @return it, at any time: a program may listen before the machine is started
     * @throws IllegalStateException when the machine has no such device
     */
    public VsockEndpoint vsock() {
        SocketDevice device = devices.sockets();
        if (device == null) {
            throw new IllegalStateException("the machine has no vsock device; describe one: c.vsock(v -> {})");
        }
        return new VsockEndpoint(device);
    }

    /** {@return the counters so far; those of a running machine may lag by a few blocks of code} */
    public VirtualMachineStats stats() {
        return stats(true);
    }

    private VirtualMachineStats stats(boolean current) {
        lock.lock();
        try {
            VirtualMachineStats sum = current && machine != null ? machine.addTo(earlier) : earlier;
            long until = state == State.STOPPED ? endNanos : System.nanoTime();
            return sum.running(Duration.ofNanos(state == State.CREATED ? 0 : until - startNanos), resets);
        } finally {
            lock.unlock();
        }
    }

    /** Stops the machine if it runs, waits for its end, and frees what it held. May be called again. */
    @Override
    public void close() {
        lock.lock();
        try {
            if (state == State.CREATED) {
                startNanos = System.nanoTime();
                devices.close();
                ended(new Outcome.Stopped());
                return;
            }
            stop();
            while (outcome == null) {
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }
}
