package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The local APIC's timer when expiries and the guest's settings cross each other. */
class ApicTimerTest {
    private static final int SPURIOUS = 0xF0;
    private static final int SOFTWARE_ENABLE = 1 << 8;
    private static final int LVT_TIMER = 0x320;
    private static final int INITIAL_COUNT = 0x380;
    private static final int DIVIDE = 0x3E0;
    private static final int DIVIDE_BY_1 = 11;
    private static final int ONE_SHOT = 0;
    private static final int PERIODIC = 1 << 17;
    private static final int TSC_DEADLINE = 2 << 17;
    private static final int VECTOR = 0x40;

    private final TestMachine machine = TestMachine.inLongMode();
    private final LocalApic apic = machine.cpu.apic;

    @BeforeEach
    void enable() {
        apic.write(SPURIOUS, 4, SOFTWARE_ENABLE | 0xFF);
        apic.write(DIVIDE, 4, DIVIDE_BY_1);
    }

    @AfterEach
    void close() {
        machine.close();
    }

    private void assertFiresAfter(long nanoseconds) {
        machine.timers.expireLate();
        assertThat(apic.nextVector()).as("before it is due").isEqualTo(LocalApic.NO_VECTOR);
        machine.timers.advance(nanoseconds - 1);
        machine.timers.expireLate();
        assertThat(apic.nextVector()).as("a nanosecond before it is due").isEqualTo(LocalApic.NO_VECTOR);
        machine.timers.advance(1);
        assertThat(apic.nextVector()).as("when it is due").isEqualTo(VECTOR);
    }

    @Test
    void anExpiryThatCrossesANewDeadlineDoesNotFireEarly() {
        apic.write(LVT_TIMER, 4, TSC_DEADLINE | VECTOR);
        apic.setDeadline(machine.cpu.timeStampCounter() + 1000);
        machine.timers.advance(999);
        apic.setDeadline(machine.cpu.timeStampCounter() + 5000);
        assertFiresAfter(5000);
    }

    @Test
    void anExpiryThatCrossesANewCountDoesNotFireEarly() {
        apic.write(LVT_TIMER, 4, ONE_SHOT | VECTOR);
        apic.write(INITIAL_COUNT, 4, 1000);
        machine.timers.advance(999);
        apic.write(INITIAL_COUNT, 4, 5000);
        assertFiresAfter(5000);
    }

    @Test
    void anExpiryThatCrossesANewPeriodDoesNotFireEarly() {
        apic.write(LVT_TIMER, 4, PERIODIC | VECTOR);
        apic.write(INITIAL_COUNT, 4, 1000);
        machine.timers.advance(999);
        apic.write(INITIAL_COUNT, 4, 5000);
        assertFiresAfter(5000);
        apic.acknowledge(VECTOR);
        apic.write(0xB0, 4, 0);
        assertFiresAfter(5000);
    }
}
