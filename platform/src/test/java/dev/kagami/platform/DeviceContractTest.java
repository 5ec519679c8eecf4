package dev.kagami.platform;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.platform.bus.PcBus;
import dev.kagami.platform.bus.StatefulDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * What every device must do: survive any access, and come back from it by a reset.
 *
 * @param <D> the device
 */
public abstract class DeviceContractTest<D extends StatefulDevice<?>> {
    private static final int ACCESSES = 30_000;

    /** Time of all devices of the test. */
    protected final ManualTimers timers = new ManualTimers();

    /** The line that {@link #create} gives to the device. */
    protected final RecordingLine line = new RecordingLine();

    /** What a subclass's constructor sees. */
    protected DeviceContractTest() {}

    /** {@return a new device on {@link #timers} and {@link #line}} */
    protected abstract D create();

    /** Puts the device on the bus. */
    protected abstract void attach(D device, PcBus bus);

    /** {@return ports around which to access} */
    protected List<Integer> ports() {
        return List.of();
    }

    /** {@return addresses around which to access} */
    protected List<Long> addresses() {
        return List.of();
    }

    /** {@return what the guest can see of the state, without what time alone changes} */
    protected abstract List<Long> visibleState(PcBus bus);

    /** Does what the host could do to the device. */
    protected void disturb(D device, Random random) {}

    /** Sets the inputs of a copy to what {@link #disturb} has set those of the device to. */
    protected void connect(D copy) {}

    private void access(D device, PcBus bus, Random random) {
        int size = 1 << random.nextInt(4);
        if (!ports().isEmpty() && size < 8) {
            int port = ports().get(random.nextInt(ports().size())) + random.nextInt(7) - 3;
            if (random.nextInt(3) > 0) {
                bus.writePort(port, size, random.nextBoolean() ? random.nextInt() : random.nextInt(256));
            } else {
                assertThat(bus.readPort(port, size) >>> 8 * size - 1 >>> 1).isZero();
            }
        }
        if (!addresses().isEmpty()) {
            long address = addresses().get(random.nextInt(addresses().size())) + random.nextInt(0x50) - 8;
            if (random.nextInt(3) > 0) {
                bus.writeMmio(address, size, random.nextBoolean() ? random.nextLong() : random.nextInt(256));
            } else {
                assertThat(bus.readMmio(address, size) >>> 8 * size - 1 >>> 1).isZero();
            }
        }
        if (random.nextInt(8) == 0) {
            disturb(device, random);
        }
        if (random.nextInt(20) == 0) {
            timers.advance(random.nextInt(2_000_000));
        }
    }

    @Test
    protected final void survivesAnyAccessAndIsAsNewAfterReset() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try {
            D device = create();
            PcBus bus = new PcBus();
            attach(device, bus);
            List<Long> fresh = visibleState(bus);
            for (int round = 0; round < 4; round++) {
                for (int i = 0; i < ACCESSES / 4; i++) {
                    access(device, bus, random);
                }
                device.reset();
                assertThat(line.asserted()).as("line after reset").isFalse();
                assertThat(timers.armedCount()).as("timers after reset").isZero();
                assertThat(visibleState(bus)).isEqualTo(fresh);
            }
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @Test
    protected final void aCopyWithItsStateBehavesAsItDoes() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try {
            D device = create();
            PcBus bus = new PcBus();
            attach(device, bus);
            for (int round = 0; round < 200; round++) {
                for (int i = 0; i < 50; i++) {
                    access(device, bus, random);
                }
                D copy = create();
                PcBus copyBus = new PcBus();
                attach(copy, copyBus);
                connect(copy);
                StatefulDevice<?> target = copy;
                setState(target, device);
                assertThat(visibleState(copyBus)).isEqualTo(visibleState(bus));
                // What was hidden shows when the same is done to both.
                long both = random.nextLong();
                assertThat(answers(copyBus, new Random(both))).isEqualTo(answers(bus, new Random(both)));
                copy.reset();
            }
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @SuppressWarnings("unchecked")
    private static <S extends Record> void setState(StatefulDevice<S> copy, StatefulDevice<?> original) {
        assertThat(original.stateType()).isEqualTo(copy.stateType());
        copy.setState((S) original.state());
    }

    private List<Long> answers(PcBus bus, Random random) {
        List<Long> answers = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            int size = 1 << random.nextInt(3);
            if (!ports().isEmpty()) {
                int port = ports().get(random.nextInt(ports().size())) + random.nextInt(4);
                answers.add((long) bus.readPort(port, size));
                bus.writePort(port, size, random.nextInt());
            }
            if (!addresses().isEmpty()) {
                long address = addresses().get(random.nextInt(addresses().size())) + 4 * random.nextInt(16);
                answers.add(bus.readMmio(address, size));
                bus.writeMmio(address, size, random.nextInt());
            }
        }
        return answers;
    }

    /** {@return the values of ports, read bytewise in order} */
    protected static List<Long> readPorts(PcBus bus, int... ports) {
        List<Long> values = new ArrayList<>();
        for (int port : ports) {
            values.add((long) bus.readPort(port, 1));
        }
        return values;
    }
}
