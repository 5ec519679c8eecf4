package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Division by 128-bit dividends, and decimal arithmetic, which 64-bit mode and so the host's processor can't check. */
class IntegerArithmeticTest {
    private static final int MASK = 0xFF;

    @Test
    void divisionOf128BitsAgreesWithBigInteger() {
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 200_000; i++) {
            long divisor = random.nextLong() >>> random.nextInt(64);
            if (divisor == 0) {
                divisor = 1;
            }
            if (random.nextInt(4) == 0) {
                // Digits of all ones or all zeros provoke the corrections of algorithm D.
                divisor |= 0xFFFF_FFFF_0000_0000L;
            }
            long high = Long.remainderUnsigned(random.nextLong(), divisor);
            if (random.nextInt(4) == 0) {
                high = divisor - 1;
            }
            long low = random.nextInt(4) == 0 ? -1L : random.nextLong();
            BigInteger dividend = unsigned(high).shiftLeft(64).or(unsigned(low));
            assertThat(MulDivOps.divide128(high, low, divisor))
                    .as("%x:%x / %x", high, low, divisor)
                    .isEqualTo(dividend.divide(unsigned(divisor)).longValue());
        }
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }

    private static int packed(int value) {
        return value / 10 << 4 | value % 10;
    }

    @Test
    void packedDecimalSumsAndDifferencesComeOutDecimal() {
        try (TestMachine machine = TestMachine.inProtectedMode()) {
            Cpu cpu = machine.cpu;
            for (int a = 0; a < 100; a++) {
                for (int b = 0; b < 100; b += 3) {
                    cpu.r[Cpu.RAX] = packed(a);
                    cpu.r[Cpu.RBX] = packed(b);
                    assertThat(machine.exec("00 D8 27")).isNull(); // add al, bl; daa
                    assertThat(cpu.r[Cpu.RAX] & MASK).as("%d + %d", a, b).isEqualTo(packed((a + b) % 100));
                    assertThat(cpu.carryFlag()).isEqualTo(a + b > 99);
                    cpu.r[Cpu.RAX] = packed(a);
                    assertThat(machine.exec("28 D8 2F")).isNull(); // sub al, bl; das
                    assertThat(cpu.r[Cpu.RAX] & MASK).as("%d - %d", a, b).isEqualTo(packed((a - b + 100) % 100));
                    assertThat(cpu.carryFlag()).isEqualTo(a < b);
                }
            }
        }
    }

    @Test
    void unpackedDecimalDigitsCarryIntoAh() {
        try (TestMachine machine = TestMachine.inProtectedMode()) {
            Cpu cpu = machine.cpu;
            for (int a = 0; a < 10; a++) {
                for (int b = 0; b < 10; b++) {
                    cpu.r[Cpu.RAX] = 0x300 | a;
                    cpu.r[Cpu.RBX] = b;
                    assertThat(machine.exec("00 D8 37")).isNull(); // add al, bl; aaa
                    assertThat(cpu.r[Cpu.RAX]).isEqualTo((3 + (a + b) / 10) << 8 | (a + b) % 10);
                    assertThat(cpu.carryFlag()).isEqualTo(a + b > 9);
                    cpu.r[Cpu.RAX] = 0x300 | a;
                    assertThat(machine.exec("28 D8 3F")).isNull(); // sub al, bl; aas
                    assertThat(cpu.r[Cpu.RAX]).isEqualTo((a < b ? 2 : 3) << 8 | (a - b + 10) % 10);
                    cpu.r[Cpu.RAX] = a * b;
                    assertThat(machine.exec("D4 0A")).isNull(); // aam
                    assertThat(cpu.r[Cpu.RAX]).isEqualTo(a * b / 10 << 8 | a * b % 10);
                    assertThat(machine.exec("D5 0A")).isNull(); // aad
                    assertThat(cpu.r[Cpu.RAX]).isEqualTo(a * b);
                }
            }
        }
    }

    @Test
    void divisionsThatDontFitRaiseDivideErrorAndChangeNothing() {
        try (TestMachine machine = TestMachine.inProtectedMode()) {
            // aam 0; div bl; idiv bl; div ebx; idiv ebx
            for (String code : new String[] {"D4 00", "F6 F3", "F6 FB", "F7 F3", "F7 FB"}) {
                machine.cpu.r[Cpu.RAX] = 0x8000_0000L;
                machine.cpu.r[Cpu.RDX] = 0x8000_0000L;
                machine.cpu.r[Cpu.RBX] = 0;
                Fault fault = machine.exec(code);
                assertThat(fault).as(code).isNotNull();
                assertThat(fault.vector).isEqualTo(Vector.DIVIDE_ERROR);
                assertThat(machine.cpu.r[Cpu.RAX]).isEqualTo(0x8000_0000L);
            }
        }
    }

    @Test
    void carryBecomesAllOnesInAl() {
        try (TestMachine machine = TestMachine.inProtectedMode()) {
            machine.cpu.r[Cpu.RAX] = 0x1234;
            assertThat(machine.exec("F9 D6")).isNull(); // stc; salc
            assertThat(machine.cpu.r[Cpu.RAX]).isEqualTo(0x12FF);
            assertThat(machine.exec("F8 D6")).isNull();
            assertThat(machine.cpu.r[Cpu.RAX]).isEqualTo(0x1200);
        }
    }

    @Test
    void misaligned16ByteCompareExchangeFaults() {
        try (TestMachine machine = TestMachine.inLongMode()) {
            machine.cpu.r[Cpu.RDI] = TestMachine.DATA + 8;
            Fault fault = machine.exec("F0 48 0F C7 0F");
            assertThat(fault).isNotNull();
            assertThat(fault.vector).isEqualTo(Vector.GENERAL_PROTECTION);
        }
    }
}
