package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * What recorded vectors can't show of string instructions: pages, faults, devices, events, and modes other than 64-bit.
 */
class StringOpsTest {
    private static final long DATA = TestMachine.DATA;
    private static final int PAGE = 0x1000;
    private static final String REP_MOVSB = "F3 A4";

    private TestMachine machine = new TestMachine();
    private Cpu cpu = machine.cpu;

    @AfterEach
    void stop() {
        machine.close();
    }

    private void use(TestMachine other) {
        machine.close();
        machine = other;
        cpu = machine.cpu;
    }

    private void registers(long count, long source, long destination) {
        cpu.r[Cpu.RCX] = count;
        cpu.r[Cpu.RSI] = source;
        cpu.r[Cpu.RDI] = destination;
    }

    private void assertRegisters(long count, long source, long destination) {
        assertThat(cpu.r[Cpu.RCX]).as("rcx").isEqualTo(count);
        assertThat(cpu.r[Cpu.RSI]).as("rsi").isEqualTo(source);
        assertThat(cpu.r[Cpu.RDI]).as("rdi").isEqualTo(destination);
    }

    private byte[] fillRandomly(SplittableRandom random, int bytes) {
        byte[] content = new byte[bytes];
        random.nextBytes(content);
        machine.memory.write(DATA, content);
        return content;
    }

    private byte[] content(int bytes) {
        byte[] content = new byte[bytes];
        machine.memory.read(DATA, content, 0, bytes);
        return content;
    }

    @Test
    void repeatedMovesAndStoresDoWhatOneElementAfterTheOtherDoes() {
        use(TestMachine.inLongMode());
        int window = 4 * PAGE;
        SplittableRandom random = new SplittableRandom(7);
        for (int round = 0; round < 3000; round++) {
            byte[] expected = fillRandomly(random, window);
            int size = 1 << random.nextInt(4);
            boolean store = random.nextInt(3) == 0;
            boolean down = random.nextInt(3) == 0;
            int count = 1 + random.nextInt(random.nextInt(2) == 0 ? 40 : 1500 / size);
            int source = random.nextInt(2000 + PAGE, window - 2000);
            // Close together more often than not, so that they overlap in every way.
            int destination = random.nextInt(3) == 0
                    ? random.nextInt(2000, window - 2000)
                    : source + random.nextInt(-3 * size, 3 * size + 1);
            long value = random.nextBoolean() ? 0x0707_0707_0707_0707L : random.nextLong();
            naive(expected, size, count, source, destination, down, store, value);
            cpu.r[Cpu.RAX] = value;
            registers(count, DATA + source, DATA + destination);
            String prefix = size == 2 ? "66" : size == 8 ? "48" : "";
            String opcode = store ? size == 1 ? "AA" : "AB" : size == 1 ? "A4" : "A5";
            Fault fault = machine.exec((down ? "FD" : "FC") + "F3" + prefix + opcode);
            assertThat(fault).isNull();
            long moved = (long) count * size * (down ? -1 : 1);
            assertRegisters(0, DATA + source + (store ? 0 : moved), DATA + destination + moved);
            assertThat(content(window))
                    .as("round %d: size %d, count %d, 0x%x to 0x%x", round, size, count, source, destination)
                    .isEqualTo(expected);
        }
    }

    private static void naive(
            byte[] memory, int size, int count, int source, int destination, boolean down, boolean store, long value) {
        int step = down ? -size : size;
        byte[] element = new byte[size];
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < size; j++) {
                element[j] = store ? (byte) (value >>> 8 * j) : memory[source + i * step + j];
            }
            System.arraycopy(element, 0, memory, destination + i * step, size);
        }
    }

    @Test
    void faultLeavesRegistersAtTheElementThatFaulted() {
        use(TestMachine.inLongMode());
        machine.map(DATA + 2 * PAGE, 0, 0);
        // The last doubleword before the hole straddles into it.
        registers(0x1000, DATA + 0x8000, DATA + PAGE + 2);
        Fault fault = machine.exec("F3 A5");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.PAGE_FAULT);
        long done = (PAGE - 2) / 4;
        assertRegisters(0x1000 - done, DATA + 0x8000 + 4 * done, DATA + PAGE + 2 + 4 * done);
        assertThat(cpu.cr2).isEqualTo(DATA + 2 * PAGE);
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE);
    }

    @Test
    void faultingComparisonLeavesTheFlags() {
        use(TestMachine.inLongMode());
        machine.map(DATA + PAGE, 0, 0);
        registers(100, DATA + PAGE - 3, DATA + 0x8000);
        machine.memory.write(DATA + PAGE - 3, new byte[] {5, 5, 5});
        machine.memory.write(DATA + 0x8000, new byte[] {5, 5, 5});
        cpu.setArithmeticFlags(Cpu.CF | Cpu.OF);
        Fault fault = machine.exec("F3 A6");
        assertThat(fault).isNotNull();
        assertRegisters(97, DATA + PAGE, DATA + 0x8003);
        assertThat(cpu.arithmeticFlags()).isEqualTo(Cpu.CF | Cpu.OF);
    }

    @Test
    void storesOverTheCodeBehindAreSeen() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.RAX] = 0x90;
        cpu.r[Cpu.RBX] = 0;
        registers(3, 0, TestMachine.CODE + 2);
        // rep stosb; inc rbx (overwritten by three NOPs)
        assertThat(machine.exec("F3 AA 48 FF C3")).isNull();
        assertThat(cpu.r[Cpu.RBX]).isZero();
        assertThat(machine.memory.readByte(TestMachine.CODE + 4)).isEqualTo(0x90);
    }

    @Test
    void pendingEventInterruptsBetweenElements() {
        use(TestMachine.inLongMode());
        long count = 100_000;
        registers(count, DATA + 0x20000 + count, DATA + count);
        machine.code(TestMachine.CODE, "FD " + REP_MOVSB + " F4");
        cpu.r[Cpu.RIP] = TestMachine.CODE;
        cpu.signal(Cpu.EVENT_KICK);
        assertThat(machine.step()).isNull();
        assertThat(machine.step()).isNull();
        assertThat(cpu.r[Cpu.RIP]).isEqualTo(TestMachine.CODE + 1);
        long left = cpu.r[Cpu.RCX];
        assertThat(left).isBetween(1L, count - 1000);
        assertRegisters(left, DATA + 0x20000 + left, DATA + left);
        cpu.clear(Cpu.EVENT_KICK);
        assertThat(machine.run(10)).isNull();
        assertRegisters(0, DATA + 0x20000, DATA);
    }

    @Test
    void deviceMemoryIsAccessedElementByElement() {
        use(TestMachine.inLongMode());
        machine.map(DATA, 0xFE00_0000L, 7);
        cpu.r[Cpu.RAX] = 0x1122_3344;
        registers(2, 0, DATA + 8);
        assertThat(machine.exec("F3 AB")).isNull();
        registers(2, DATA + 8, DATA + PAGE);
        assertThat(machine.exec("F3 66 A5")).isNull();
        assertThat(machine.bus.log)
                .containsExactly(
                        "write fe000008 4 11223344", "write fe00000c 4 11223344", "read fe000008 2", "read fe00000a 2");
        assertThat(machine.memory.readShort(DATA + PAGE)).isEqualTo(0x3344);
    }

    @Test
    void singleStepTrapsAfterEachElement() {
        use(TestMachine.inLongMode());
        // The handler counts in r8 and returns.
        machine.code(0x2_0000, "49 FF C0 48 CF");
        machine.gate(Vector.DEBUG, 0x2_0000);
        registers(5, DATA, DATA + 0x100);
        machine.code(TestMachine.CODE, "FC 9C 80 4C 24 01 01 9D " + REP_MOVSB + " 90 FA F4");
        cpu.r[8] = 0;
        machine.runDelivering();
        // Five elements, NOP, CLI and HLT; POPF itself sets TF too late for a trap of its own.
        assertThat(cpu.r[8]).isBetween(7L, 8L);
        assertThat(cpu.r[Cpu.RCX]).isZero();
    }

    @Test
    void sourceSegmentCanBeOverriddenAndTheDestinationIsInEs() {
        use(TestMachine.inLongMode());
        cpu.r[Cpu.SEGMENT_BASE + Cpu.FS] = DATA;
        machine.memory.writeLong(DATA + 0x10, 0x1234_5678L);
        registers(0, 0x10, DATA + 0x80);
        assertThat(machine.exec("64 48 A5")).isNull();
        assertThat(machine.memory.readLong(DATA + 0x80)).isEqualTo(0x1234_5678L);

        use(TestMachine.inRealMode());
        machine.segment(Cpu.SS, 0x4000, 0x4_0000, 0xFFFF, TestMachine.ATTR_DATA16);
        machine.segment(Cpu.ES, 0x5000, 0x5_0000, 0xFFFF, TestMachine.ATTR_DATA16);
        machine.segment(Cpu.CS, 0x1000, 0x1_0000, 0xFFFF, TestMachine.ATTR_CODE16);
        cpu.updateMode();
        machine.memory.writeByte(0x4_0020, 0x5A);
        registers(0, 0x20, 0x30);
        machine.code(0x1_0000, "36 A4 F4");
        cpu.r[Cpu.RIP] = 0;
        assertThat(machine.run(10)).isNull();
        assertThat(machine.memory.readByte(0x5_0030)).isEqualTo(0x5A);
    }

    @Test
    void addressesOf16BitsWrapAround() {
        use(TestMachine.inRealMode());
        machine.segment(Cpu.CS, 0x1000, 0x1_0000, 0xFFFF, TestMachine.ATTR_CODE16);
        machine.segment(Cpu.DS, 0x4000, 0x4_0000, 0xFFFF, TestMachine.ATTR_DATA16);
        machine.segment(Cpu.ES, 0x5000, 0x5_0000, 0xFFFF, TestMachine.ATTR_DATA16);
        cpu.updateMode();
        for (int i = 0; i < 8; i++) {
            machine.memory.writeByte(0x4_0000 + (0xFFFC + i & 0xFFFF), 0x10 + i);
        }
        registers(0xAAAA_0008L, 0xBBBB_FFFCL, 0xCCCC_FFFEL);
        machine.code(0x1_0000, REP_MOVSB + " F4");
        cpu.r[Cpu.RIP] = 0;
        assertThat(machine.run(10)).isNull();
        assertRegisters(0xAAAA_0000L, 0xBBBB_0004L, 0xCCCC_0006L);
        for (int i = 0; i < 8; i++) {
            assertThat(machine.memory.readByte(0x5_0000 + (0xFFFE + i & 0xFFFF)))
                    .isEqualTo(0x10 + i);
        }
    }

    @Test
    void segmentLimitStopsARepetition() {
        use(TestMachine.inProtectedMode());
        machine.segment(Cpu.ES, TestMachine.FREE, 0, DATA + 0x105, TestMachine.ATTR_DATA32);
        registers(100, 0, DATA + 0xF0);
        Fault fault = machine.exec("F3 AB");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        // Doublewords at F0, F4, F8, FC and 100 fit; the one at 104 does not.
        assertRegisters(95, 0, DATA + 0x104);
    }

    @Test
    void portStringsCheckPermissionAndPagesBeforeThePort() {
        use(TestMachine.inLongMode());
        machine.memory.write(DATA, new byte[] {1, 2, 3});
        cpu.r[Cpu.RDX] = 0x80;
        registers(3, DATA, 0);
        assertThat(machine.exec("F3 6E")).isNull();
        assertThat(machine.bus.log).containsExactly("out 80 1 1", "out 80 1 2", "out 80 1 3");
        assertRegisters(0, DATA + 3, 0);
        machine.bus.log.clear();
        machine.map(DATA + PAGE, 0, 0);
        machine.bus.ports.put(0x80, 0x1234);
        registers(2, 0, DATA + PAGE - 2);
        Fault fault = machine.exec("F3 66 6D");
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.PAGE_FAULT);
        assertThat(machine.bus.log).containsExactly("in 80 2");
        assertThat(machine.memory.readShort(DATA + PAGE - 2)).isEqualTo(0x1234);
        assertThat(cpu.portReads).isEqualTo(1);
        assertThat(cpu.portWrites).isEqualTo(3);
        machine.bus.log.clear();
        machine.userMode();
        registers(1, DATA, 0);
        Fault denied = machine.exec("F3 6E");
        assertThat(denied).isNotNull();
        assertThat(denied.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.bus.log).isEmpty();
    }
}
