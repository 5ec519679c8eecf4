package dev.kagami.platform;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.TimerThread;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import dev.kagami.platform.acpi.AcpiTables;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PcMachineTest {
    private static final int SHUT_DOWN = 5 << 10 | 1 << 13;

    private final ByteArrayOutputStream serial = new ByteArrayOutputStream();
    private final ManualTimers timers = new ManualTimers();
    private final FakeProcessors processors = new FakeProcessors();
    private final List<MachineEvent> heard = new ArrayList<>();
    private final GuestMemory memory = GuestMemory.allocate(64 << 20);
    private final PcMachine machine = make();

    private PcMachine make() {
        PcConfig config = PcConfig.of(2, serial).withDebugExit(0xF4).withTestDevice(true);
        PcMachine made = new PcMachine(config, memory, timers, heard::add);
        made.connect(processors);
        return made;
    }

    @AfterEach
    void close() {
        machine.close();
        assertThat(timers.armedCount()).isZero();
        memory.close();
    }

    @Test
    void sleepTypeOfS5PowersOffAndKicks() {
        machine.bus().writePort(0x604, 2, SHUT_DOWN);

        assertThat(heard).containsExactly(new MachineEvent.PowerOff());
        assertThat(processors.kicks).isEqualTo(1);
        assertThat(machine.takeEvent()).isEqualTo(new MachineEvent.PowerOff());
        assertThat(machine.takeEvent()).isNull();
    }

    @Test
    void everyResetPortResets() {
        machine.bus().writePort(0x64, 1, 0xFE);
        assertThat(machine.takeEvent()).isEqualTo(new MachineEvent.Reset());
        machine.bus().writePort(0xCF9, 1, 0x02);
        assertThat(machine.takeEvent()).isNull();
        machine.bus().writePort(0xCF9, 1, 0x06);
        assertThat(machine.takeEvent()).isEqualTo(new MachineEvent.Reset());
        machine.bus().writePort(0x92, 1, 0x01);
        assertThat(machine.takeEvent()).isEqualTo(new MachineEvent.Reset());
    }

    @Test
    void diagnosticPortReadsBack() {
        machine.bus().writePort(0x80, 1, 0x42);

        assertThat(machine.bus().readPort(0x80, 1)).isEqualTo(0x42);
    }

    @Test
    void debugExitGivesOddStatus() {
        machine.bus().writePort(0xF4, 4, 3);

        assertThat(machine.takeEvent()).isEqualTo(new MachineEvent.DebugExit(7));
    }

    @Test
    void serialOutputReachesTheStreamBeforeCloseReturns() {
        for (byte b : "hello".getBytes(StandardCharsets.US_ASCII)) {
            machine.bus().writePort(0x3F8, 1, b);
        }
        machine.close();

        assertThat(serial.toString(StandardCharsets.US_ASCII)).isEqualTo("hello");
    }

    @Test
    void timerReachesPinTwoAndTheLegacyController() {
        initializePics();
        // Pin 2 of the I/O APIC: vector 0x30, edge, not masked.
        writeIoApic(0x10 + 2 * 2, 0x30);
        // Counter 0, mode 2, 1193 ticks or 1 ms.
        machine.bus().writePort(0x43, 1, 0x34);
        machine.bus().writePort(0x40, 1, 1193 & 0xFF);
        machine.bus().writePort(0x40, 1, 1193 >> 8);
        processors.messages.clear();

        timers.advance(10_050_000);

        assertThat(processors.messages).hasSize(10).allMatch(data -> (data & 0xFF) == 0x30);
        assertThat(processors.external).isTrue();
        assertThat(machine.bus().acknowledgeExternalInterrupt()).isEqualTo(0x20);
    }

    @Test
    void systemControlInterruptIsLevelTriggeredInBothControllers() {
        initializePics();
        assertThat(machine.bus().readPort(0x4D0, 2)).isEqualTo(0x0200);
        writeIoApic(0x10 + 2 * 9, 0x39 | 1 << 15);
        machine.bus().writePort(0x602, 2, 0x100);

        machine.pressPowerButton();
        assertThat(processors.messages).hasSize(1);
        machine.bus().endOfInterrupt(0x39);
        assertThat(processors.messages).hasSize(2);
        machine.bus().writePort(0x600, 2, 0x100);
        machine.bus().endOfInterrupt(0x39);
        assertThat(processors.messages).hasSize(2);
    }

    @Test
    void memoryMapCoversRamWithoutTheFirmwareArea() {
        List<MemoryRegion> map = machine.memoryMap();

        assertThat(map).isSortedAccordingTo((a, b) -> Long.compare(a.start(), b.start()));
        for (int i = 1; i < map.size(); i++) {
            assertThat(map.get(i).start()).isGreaterThanOrEqualTo(map.get(i - 1).end());
        }
        for (MemoryRegion region : map) {
            if (region.type() == MemoryRegion.Type.USABLE) {
                assertThat(memory.isRam(region.start(), region.size())).isTrue();
            }
        }
        assertThat(map)
                .filteredOn(region -> region.type() == MemoryRegion.Type.USABLE)
                .last()
                .returns(64L << 20, MemoryRegion::end);
    }

    @Test
    void rootPointerIsWhereKernelsLook() {
        long rsdp = machine.writeTables();

        assertThat(rsdp).isBetween(0xE_0000L, 0xF_FFFFL).matches(address -> address % 16 == 0);
        byte[] signature = new byte[8];
        memory.read(rsdp, signature, 0, 8);
        assertThat(new String(signature, StandardCharsets.US_ASCII)).isEqualTo("RSD PTR ");
        assertThat(rsdp).isGreaterThanOrEqualTo(AcpiTables.ADDRESS);
    }

    @Test
    void anyAccessAnywhereIsHarmless() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        try {
            for (int port = 0; port < 0x1_0000; port++) {
                hostilePort(random, port);
            }
            for (int i = 0; i < 200_000; i++) {
                hostilePort(random, INTERESTING[random.nextInt(INTERESTING.length)] + random.nextInt(12) - 2);
                hostileMmio(random);
                if (random.nextInt(16) == 0) {
                    timers.advance(random.nextInt(3_000_000));
                    machine.bus().acknowledgeExternalInterrupt();
                    machine.bus().endOfInterrupt(random.nextInt(256));
                }
            }
        } catch (RuntimeException e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    private static final int[] INTERESTING = {
        0x20, 0x40, 0x60, 0x70, 0x80, 0x92, 0xA0, 0xE0, 0xE8, 0xF4, 0x3F8, 0x4D0, 0x600, 0x608, 0xCF9, 0x2000, 0x2010,
        0xFFFE
    };
    private static final long[] WINDOWS = {0xFEC0_0000L, 0xFED0_0000L, 0xFED0_0100L, 0xFF00_0000L, 0xFF00_FFF8L};

    private void hostilePort(Random random, int port) {
        int size = 1 << random.nextInt(3);
        if (random.nextBoolean()) {
            machine.bus().writePort(port, size, random.nextInt());
        } else {
            assertThat(machine.bus().readPort(port, size) >>> 8 * size - 1 >>> 1)
                    .isZero();
        }
    }

    private void hostileMmio(Random random) {
        long address = random.nextInt(8) == 0
                ? random.nextLong()
                : WINDOWS[random.nextInt(WINDOWS.length)] + random.nextInt(0x60) - 8;
        int size = 1 << random.nextInt(4);
        if (random.nextBoolean()) {
            machine.bus().writeMmio(address, size, random.nextLong());
        } else {
            long value = machine.bus().readMmio(address, size);
            assertThat(value >>> 8 * size - 1 >>> 1).isZero();
        }
    }

    @Test
    void accessesFromManyThreadsDontDeadlock() throws InterruptedException {
        try (TimerThread real = new TimerThread()) {
            PcMachine shared = new PcMachine(PcConfig.of(1, serial).withTestDevice(true), memory, real, event -> {});
            shared.connect(processors);
            AtomicReference<Throwable> failure = new AtomicReference<>();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                Random random = new Random(t);
                threads.add(Thread.ofPlatform().daemon().start(() -> {
                    try {
                        for (int i = 0; i < 30_000; i++) {
                            int port = INTERESTING[random.nextInt(INTERESTING.length)] + random.nextInt(8);
                            shared.bus().writePort(port, 1 << random.nextInt(3), random.nextInt());
                            shared.bus().readPort(port, 1);
                            shared.bus()
                                    .writeMmio(
                                            WINDOWS[random.nextInt(3)] + 4 * random.nextInt(12), 4, random.nextInt());
                            shared.bus().acknowledgeExternalInterrupt();
                            shared.bus().endOfInterrupt(random.nextInt(256));
                        }
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                }));
            }
            for (Thread thread : threads) {
                thread.join(60_000);
                assertThat(thread.isAlive()).as("deadlock").isFalse();
            }
            assertThat(failure.get()).isNull();
            shared.close();
        }
    }

    @Test
    void resetSilencesEverything() {
        machine.bus().writePort(0x3F9, 1, 0x02);
        assertThat(machine.bus().readPort(0x3FA, 1)).isEqualTo(0x02);
        machine.bus().writePort(0x2005, 1, 1);
        machine.reset();

        assertThat(machine.bus().readPort(0x3F9, 1)).isZero();
        assertThat(processors.external).isFalse();
        assertThat(machine.bus().readPort(0x4D0, 2)).isEqualTo(0x0200);
    }

    private void initializePics() {
        for (int port : new int[] {0x20, 0xA0}) {
            machine.bus().writePort(port, 1, 0x11);
            machine.bus().writePort(port + 1, 1, port == 0x20 ? 0x20 : 0x28);
            machine.bus().writePort(port + 1, 1, port == 0x20 ? 4 : 2);
            machine.bus().writePort(port + 1, 1, 1);
        }
    }

    private void writeIoApic(int index, int value) {
        machine.bus().writeMmio(0xFEC0_0000L, 4, index);
        machine.bus().writeMmio(0xFEC0_0010L, 4, value);
    }
}
