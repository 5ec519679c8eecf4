package dev.kagami.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.memory.GuestMemory;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** What every device must do, whatever kind it is. */
public abstract class VirtioContractTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final int ROUNDS = 300;
    private static final long OUTSIDE = TestMachine.RAM + 0x1000;

    /** RAM and buses. */
    protected final TestMachine machine = new TestMachine();

    /** What a subclass's constructor sees. */
    protected VirtioContractTest() {}

    /** {@return a new device} */
    protected abstract VirtioDevice create();

    /** Does something with the device that only works when it is in good order. */
    protected abstract void exercise(SyntheticDriver driver);

    /** Does that on a driver that has done it before. */
    protected void exerciseAgain(SyntheticDriver driver) {
        exercise(driver);
    }

    /** Ends what the test itself holds open; the machine is closed before. */
    protected void closeHost() {}

    @AfterEach
    final void closeMachine() {
        machine.close();
        closeHost();
    }

    private static void within(Runnable body) {
        Assertions.assertTimeoutPreemptively(PATIENCE, body::run);
    }

    @Test
    protected final void worksOverPci() {
        VirtioDevice device = create();
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(device));
        assertThat(driver.transport().deviceId()).isEqualTo(device.type().id());
        within(() -> exercise(driver.start()));
        assertThat(driver.needsReset()).isFalse();
    }

    @Test
    protected final void worksOverMmio() {
        VirtioDevice device = create();
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addMmio(device));
        assertThat(driver.transport().deviceId()).isEqualTo(device.type().id());
        within(() -> exercise(driver.start()));
        driver.transport().setStatus(0);
    }

    @Test
    protected final void worksWithEveryMixOfRingFeatures() {
        VirtioDevice device = create();
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(device));
        for (int mix = 0; mix < 4; mix++) {
            long without = ((mix & 1) != 0 ? Features.of(Features.INDIRECT_DESCRIPTORS) : 0)
                    | ((mix & 2) != 0 ? Features.of(Features.EVENT_INDEX) : 0);
            machine.freeAll();
            within(() -> exercise(driver.start(~without, 16)));
        }
    }

    @Test
    protected final void refusesFeaturesItDoesNotHaveAndDriversWithoutVersion1() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        DriverTransport transport = driver.transport();
        long offered = transport.deviceFeatures();
        for (long features : new long[] {offered | 1L << 62, offered & ~Features.of(Features.VERSION_1), 0}) {
            transport.setStatus(0);
            transport.setStatus(3);
            transport.setDriverFeatures(features);
            transport.setStatus(11);
            assertThat(transport.status()).isEqualTo(3);
            transport.setStatus(7);
            assertThat(driver.needsReset()).as("ready without features").isTrue();
        }
        within(() -> exercise(driver.start()));
    }

    @Test
    protected final void startsOverAfterResetAnyNumberOfTimes() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        for (int i = 0; i < 20; i++) {
            machine.freeAll();
            within(() -> exercise(driver.start()));
            if (i % 3 == 0) {
                machine.pci().reset();
                assertThat(driver.transport().status()).isZero();
                ((PciTransport) driver.transport()).probe();
            }
        }
    }

    @Test
    protected final void goesOnFromItsStateAsIfNothingHadHappened() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        machine.saveAndRestore();
        within(() -> exercise(driver.start()));
        for (int i = 0; i < 5; i++) {
            machine.saveAndRestore();
            within(() -> exerciseAgain(driver));
            assertThat(driver.needsReset()).isFalse();
        }
    }

    @Test
    protected final void queuesOutsideOfMemoryNeedAReset() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        driver.negotiate(-1L);
        driver.transport().setUp(0, 16, OUTSIDE, 0xFEE0_0000L, -64L);
        driver.ready();
        assertThat(driver.needsReset()).isTrue();
        within(() -> exercise(driver.start()));
    }

    @Test
    protected final void nonsenseInAQueueNeedsAResetAndTellsTheDriver() {
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        GuestMemory memory = machine.memory();
        for (Nonsense nonsense : Nonsense.values()) {
            machine.freeAll();
            driver.start();
            int number = driver.queueCount() - 1 - nonsense.ordinal() % driver.queueCount();
            DriverQueue queue = driver.queue(servedQueue(number));
            int before = driver.transport().configInterrupts();
            long table = queue.descriptorTable();
            memory.writeLong(table, 0x2_0000);
            memory.writeInt(table + 8, 64);
            memory.writeInt(table + 12, 0);
            nonsense.prepare(memory, queue);
            memory.writeShort(queue.availableRing() + 4, nonsense == Nonsense.HEAD ? queue.size() : 0);
            memory.writeShort(queue.availableRing() + 2, nonsense == Nonsense.INDEX ? queue.size() + 1 : 1);
            driver.transport().notifyQueue(servedQueue(number));
            SyntheticDriver.await(nonsense + " breaks the queue", driver::needsReset);
            SyntheticDriver.await(
                    "the driver hears of it", () -> driver.transport().configInterrupts() > before);
        }
        machine.freeAll();
        within(() -> exercise(driver.start()));
    }

    /** {@return a queue that the device serves when it is notified, whatever else happens; by default the same} */
    protected int servedQueue(int number) {
        return number;
    }

    /** What a driver must not do. */
    private enum Nonsense {
        INDEX,
        HEAD,
        OUTSIDE_OF_MEMORY,
        ACROSS_THE_END_OF_MEMORY,
        WRAPS_AROUND,
        ZERO_LENGTH,
        LOOP,
        NEXT_OUTSIDE,
        INDIRECT_AND_NEXT,
        INDIRECT_IN_INDIRECT,
        INDIRECT_ODD_LENGTH,
        INDIRECT_EMPTY,
        INDIRECT_OUTSIDE,
        INDIRECT_NEXT_OUTSIDE,
        READABLE_BEHIND_WRITABLE;

        void prepare(GuestMemory memory, DriverQueue queue) {
            long table = queue.descriptorTable();
            switch (this) {
                case INDEX, HEAD -> {}
                case OUTSIDE_OF_MEMORY -> memory.writeLong(table, OUTSIDE);
                case ACROSS_THE_END_OF_MEMORY -> memory.writeLong(table, TestMachine.RAM - 32);
                case WRAPS_AROUND -> memory.writeLong(table, -32);
                case ZERO_LENGTH -> memory.writeInt(table + 8, 0);
                case LOOP -> memory.writeShort(table + 12, 1);
                case NEXT_OUTSIDE -> memory.writeInt(table + 12, 1 | queue.size() << 16);
                case INDIRECT_AND_NEXT -> memory.writeShort(table + 12, 5);
                case INDIRECT_IN_INDIRECT -> {
                    memory.writeLong(table, 0x2_0000);
                    memory.writeInt(table + 8, 16);
                    memory.writeShort(table + 12, 4);
                    memory.writeLong(0x2_0000, 0x2_0000);
                    memory.writeInt(0x2_0008, 16);
                    memory.writeInt(0x2_000C, 4);
                }
                case INDIRECT_ODD_LENGTH -> {
                    memory.writeInt(table + 8, 24);
                    memory.writeShort(table + 12, 4);
                }
                case INDIRECT_EMPTY -> {
                    memory.writeInt(table + 8, 0);
                    memory.writeShort(table + 12, 4);
                }
                case INDIRECT_OUTSIDE -> {
                    memory.writeLong(table, OUTSIDE);
                    memory.writeShort(table + 12, 4);
                }
                case INDIRECT_NEXT_OUTSIDE -> {
                    memory.writeInt(table + 8, 16);
                    memory.writeShort(table + 12, 4);
                    memory.writeLong(0x2_0000, 0x3_0000);
                    memory.writeInt(0x2_0008, 16);
                    memory.writeInt(0x2_000C, 1 | 1 << 16);
                }
                case READABLE_BEHIND_WRITABLE -> {
                    memory.writeInt(table + 12, 3 | 1 << 16);
                    memory.writeLong(table + 16, 0x2_0000);
                    memory.writeInt(table + 24, 64);
                    memory.writeInt(table + 28, 0);
                }
            }
        }
    }

    @Test
    protected final void survivesAnyRegisterAccess() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        PciTransport transport = machine.addPci(create());
        SyntheticDriver driver = new SyntheticDriver(machine, transport);
        try {
            within(() -> {
                for (int round = 0; round < ROUNDS; round++) {
                    if (round % 50 == 0) {
                        machine.freeAll();
                        driver.start();
                    }
                    for (int i = 0; i < 20; i++) {
                        int size = 1 << random.nextInt(3);
                        int offset = random.nextInt(8) == 0 ? random.nextInt(0x5000) : random.nextInt(0x40);
                        long value = random.nextBoolean() ? random.nextInt(16) : random.nextInt();
                        machine.bus().writeMmio(transport.commonAddress() + offset, size, value);
                        machine.bus().readMmio(transport.commonAddress() + random.nextInt(0x4000), size);
                    }
                }
                machine.freeAll();
                exercise(driver.start());
            });
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @Test
    protected final void survivesRandomRings() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        SyntheticDriver driver = new SyntheticDriver(machine, machine.addPci(create()));
        try {
            within(() -> {
                for (int round = 0; round < ROUNDS; round++) {
                    machine.freeAll();
                    driver.start(-1L, 1 << random.nextInt(1, 6));
                    RingFuzzer.scramble(random, machine.memory(), driver);
                }
                machine.freeAll();
                exercise(driver.start());
            });
        } catch (RuntimeException | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }
}
