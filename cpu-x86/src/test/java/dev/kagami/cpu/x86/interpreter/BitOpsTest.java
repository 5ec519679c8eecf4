package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Checks bit manipulation against definitions that go bit by bit. */
final class BitOpsTest {
    private static final int ROUNDS = 400;
    private static final HexFormat HEX = HexFormat.of();
    private static final int OVERFLOW_AND_CARRY = Cpu.OF | Cpu.CF;
    private static final int RESULT_FLAGS = Cpu.OF | Cpu.CF | Cpu.ZF | Cpu.SF;

    private final SnippetMachine machine = new SnippetMachine();
    private final MachineState state = new MachineState();
    private final RandomGenerator random =
            RandomGeneratorFactory.of("L64X128MixRandom").create(7);

    @AfterEach
    void close() {
        machine.close();
    }

    private void run(String code) {
        machine.run(state, HEX.parseHex(code));
    }

    private long number() {
        return switch (random.nextInt(5)) {
            case 0 -> 0;
            case 1 -> 1L << random.nextInt(64);
            case 2 -> -1L >>> random.nextInt(64);
            case 3 -> random.nextLong() << random.nextInt(64);
            default -> random.nextLong();
        };
    }

    /** Sets rax (destination), rbx (ModRM.rm), rcx (VEX.vvvv), rdx and random arithmetic flags. */
    private void randomize() {
        state.reset();
        for (int register = 0; register < 4; register++) {
            state.gpr[register] = number();
        }
        state.flags = random.nextInt() & MachineState.FLAGS;
    }

    private static long low(long value, int bits) {
        return value & -1L >>> 64 - bits;
    }

    private static int zeroAndSign(long value, int bits) {
        return (low(value, bits) == 0 ? Cpu.ZF : 0) | (value << 64 - bits < 0 ? Cpu.SF : 0);
    }

    private static int bit(long value, int number) {
        return (int) (value >>> number) & 1;
    }

    private void expect(long rax, int flags, int mask) {
        assertThat(state.exception).isEqualTo(-1);
        assertThat(state.gpr[Cpu.RAX]).isEqualTo(rax);
        assertThat(state.flags & mask).isEqualTo(flags & mask);
    }

    @Test
    void countsBits() {
        for (int round = 0; round < ROUNDS; round++) {
            for (int bits : new int[] {16, 32, 64}) {
                String prefix = bits == 16 ? "66f3" : bits == 32 ? "f3" : "f348";
                randomize();
                long value = low(state.gpr[Cpu.RBX], bits);
                String text = value == 0 ? "" : Long.toBinaryString(value);
                long kept = bits == 16 ? state.gpr[Cpu.RAX] & ~0xFFFFL : 0;
                run(prefix + "0fb8c3");
                int ones = text.replace("0", "").length();
                expect(kept | ones, value == 0 ? Cpu.ZF : 0, Cpu.ARITHMETIC);
                run(prefix + "0fbdc3");
                int leading = bits - text.length();
                int mask = Cpu.ZF | Cpu.CF;
                expect(kept | leading, (value == 0 ? Cpu.CF : 0) | (leading == 0 ? Cpu.ZF : 0), mask);
                run(prefix + "0fbcc3");
                int trailing = value == 0 ? bits : text.length() - 1 - text.lastIndexOf('1');
                expect(kept | trailing, (value == 0 ? Cpu.CF : 0) | (trailing == 0 ? Cpu.ZF : 0), mask);
            }
        }
    }

    @Test
    void doesTheThreeOperandForms() {
        for (int round = 0; round < ROUNDS; round++) {
            for (int bits : new int[] {32, 64}) {
                // C4 escape, map 0F38, vvvv = rcx; rax, rbx in ModRM.
                int wide = bits == 64 ? 0x80 : 0;
                String none = "c4e2%02x".formatted(0x70 | wide);
                String p66 = "c4e2%02x".formatted(0x71 | wide);
                String pf3 = "c4e2%02x".formatted(0x72 | wide);
                String pf2 = "c4e2%02x".formatted(0x73 | wide);
                randomize();
                int flags = state.flags;
                long b = low(state.gpr[Cpu.RBX], bits);
                long c = low(state.gpr[Cpu.RCX], bits);
                int count = (int) c & bits - 1;

                run(none + "f2c3"); // andn
                expect(~c & b, zeroAndSign(~c & b, bits), RESULT_FLAGS);
                state.flags = flags;
                run(p66 + "f7c3"); // shlx
                expect(low(b << count, bits), flags, Cpu.ARITHMETIC);
                run(pf3 + "f7c3"); // sarx
                expect(low(b << 64 - bits >> 64 - bits >> count, bits), flags, Cpu.ARITHMETIC);
                run(pf2 + "f7c3"); // shrx
                expect(b >>> count, flags, Cpu.ARITHMETIC);
                run(pf2 + "f5c3"); // pdep
                expect(deposit(c, b), flags, Cpu.ARITHMETIC);
                run(pf3 + "f5c3"); // pext
                expect(extract(c, b), flags, Cpu.ARITHMETIC);

                int index = (int) c & 0xFF;
                long kept = index >= bits ? b : b & ~(-1L << index);
                run(none + "f5c3"); // bzhi
                expect(kept, zeroAndSign(kept, bits) | (index >= bits ? Cpu.CF : 0), RESULT_FLAGS);
                BigInteger field = BigInteger.valueOf(b)
                        .and(BigInteger.ONE.shiftLeft(bits).subtract(BigInteger.ONE))
                        .shiftRight(index)
                        .and(BigInteger.ONE.shiftLeft((int) c >> 8 & 0xFF).subtract(BigInteger.ONE));
                run(none + "f7c3"); // bextr
                expect(field.longValue(), field.signum() == 0 ? Cpu.ZF : 0, OVERFLOW_AND_CARRY | Cpu.ZF);
            }
        }
    }

    private static long deposit(long value, long mask) {
        long result = 0;
        int next = 0;
        for (int i = 0; i < 64; i++) {
            if (bit(mask, i) != 0) {
                result |= (long) bit(value, next++) << i;
            }
        }
        return result;
    }

    private static long extract(long value, long mask) {
        long result = 0;
        int next = 0;
        for (int i = 0; i < 64; i++) {
            if (bit(mask, i) != 0) {
                result |= (long) bit(value, i) << next++;
            }
        }
        return result;
    }

    @Test
    void changesTheLowestSetBit() {
        for (int round = 0; round < ROUNDS; round++) {
            for (int bits : new int[] {32, 64}) {
                // The destination is vvvv = rax, the group's number is in ModRM.reg.
                String prefix = "c4e2%02x".formatted(0x78 | (bits == 64 ? 0x80 : 0));
                randomize();
                long value = low(state.gpr[Cpu.RBX], bits);
                int lowest = value == 0 ? -1 : Long.numberOfTrailingZeros(value);
                int carry = value == 0 ? Cpu.CF : 0;
                long reset = value == 0 ? 0 : value ^ 1L << lowest;
                run(prefix + "f3cb"); // blsr
                expect(reset, zeroAndSign(reset, bits) | carry, RESULT_FLAGS);
                long mask = value == 0 ? low(-1, bits) : -1L >>> 63 - lowest;
                run(prefix + "f3d3"); // blsmsk
                expect(mask, zeroAndSign(mask, bits) | carry, RESULT_FLAGS);
                long isolated = value == 0 ? 0 : 1L << lowest;
                run(prefix + "f3db"); // blsi
                expect(isolated, zeroAndSign(isolated, bits) | (carry ^ Cpu.CF), RESULT_FLAGS);
            }
        }
    }

    /** Puts a value into memory, where rbx then points. */
    private void pointTo(long value) {
        for (int i = 0; i < Long.BYTES; i++) {
            state.data[i] = (byte) (value >>> 8 * i);
        }
        state.gpr[Cpu.RBX] = MachineState.DATA;
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }

    @Test
    void multipliesAndRotatesWithoutFlags() {
        for (int round = 0; round < ROUNDS; round++) {
            for (int bits : new int[] {32, 64}) {
                int wide = bits == 64 ? 0x80 : 0;
                randomize();
                int flags = state.flags;
                long b = low(state.gpr[Cpu.RBX], bits);
                BigInteger product = unsigned(b).multiply(unsigned(low(state.gpr[Cpu.RDX], bits)));
                run("c4e2%02xf6c3".formatted(0x73 | wide)); // mulx rax, rcx, rbx
                expect(product.shiftRight(bits).longValue(), flags, Cpu.ARITHMETIC);
                assertThat(state.gpr[Cpu.RCX]).isEqualTo(low(product.longValue(), bits));
                run("c4e2%02xf6c3".formatted(0x7B | wide)); // mulx rax, rax, rbx
                expect(product.shiftRight(bits).longValue(), flags, Cpu.ARITHMETIC);
                int count = random.nextInt(bits);
                run("c4e3%02xf0c3%02x".formatted(0x7B | wide, count)); // rorx
                expect(low(b >>> count | (count == 0 ? 0 : b << bits - count), bits), flags, Cpu.ARITHMETIC);
                pointTo(b);
                run("c4e2%02xf603".formatted(0x73 | wide)); // mulx rax, rcx, [rbx]
                expect(product.shiftRight(bits).longValue(), flags, Cpu.ARITHMETIC);
                assertThat(state.gpr[Cpu.RCX]).isEqualTo(low(product.longValue(), bits));
                run("c4e2%02xf603".formatted(0x7B | wide)); // mulx rax, rax, [rbx]
                expect(product.shiftRight(bits).longValue(), flags, Cpu.ARITHMETIC);
            }
        }
    }

    @Test
    void addsWithSeparateCarryChains() {
        for (int round = 0; round < ROUNDS; round++) {
            for (int bits : new int[] {32, 64}) {
                for (int way = 0; way < 4; way++) {
                    int flag = way < 2 ? Cpu.CF : Cpu.OF;
                    boolean memory = (way & 1) != 0;
                    randomize();
                    int flags = state.flags;
                    BigInteger sum = unsigned(low(state.gpr[Cpu.RAX], bits))
                            .add(unsigned(low(state.gpr[Cpu.RBX], bits)))
                            .add((flags & flag) != 0 ? BigInteger.ONE : BigInteger.ZERO);
                    if (memory) {
                        pointTo(state.gpr[Cpu.RBX]);
                    }
                    String prefix = (flag == Cpu.CF ? "66" : "f3") + (bits == 64 ? "48" : "");
                    run(prefix + "0f38f6" + (memory ? "03" : "c3"));
                    int expected = flags & ~flag | (sum.testBit(bits) ? flag : 0);
                    expect(low(sum.longValue(), bits), expected, Cpu.ARITHMETIC);
                }
            }
        }
    }

    @Test
    void swapsBytesToAndFromMemory() {
        state.gpr[Cpu.RBX] = MachineState.DATA;
        System.arraycopy(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, 0, state.data, 0, 8);
        state.gpr[Cpu.RAX] = -1;
        run("660f38f003");
        expect(0xFFFF_FFFF_FFFF_0102L, 0, 0);
        run("0f38f003");
        expect(0x0102_0304L, 0, 0);
        run("480f38f003");
        expect(0x0102_0304_0506_0708L, 0, 0);
        run("660f38f10b" + "0f38f14304" + "480f38f14308"); // [rbx] from cx, [rbx+4] from eax, [rbx+8] from rax
        assertThat(HEX.formatHex(state.data, 0, 16)).startsWith("%04x".formatted(state.gpr[Cpu.RCX] & 0xFFFF));
        assertThat(HEX.formatHex(state.data, 4, 16)).isEqualTo("050607080102030405060708");
    }

    @Test
    void accumulatesCrcs() {
        state.gpr[Cpu.RAX] = 0xFFFF_FFFFL;
        state.gpr[Cpu.RBX] = 0x3837_3635_3433_3231L;
        state.gpr[Cpu.RCX] = 0x3900; // ch = '9'
        run("f2480f38f1c3" + "f20f38f0c5"); // crc32 rax, rbx; crc32 eax, ch
        CRC32C expected = new CRC32C();
        expected.update("123456789".getBytes(StandardCharsets.US_ASCII));
        expect(~expected.getValue() & 0xFFFF_FFFFL, 0, 0);
        state.gpr[Cpu.RAX] = 0xFFFF_FFFFL;
        run("66f20f38f1c3"); // "12"
        expected.reset();
        expected.update("12".getBytes(StandardCharsets.US_ASCII));
        expect(~expected.getValue() & 0xFFFF_FFFFL, 0, 0);
    }

    @Test
    void formsThatDoNotExistAreUndefined() {
        // VEX.L = 1; RORX with a second register; MOVBE between registers; LOCK; group numbers 0 and 4 of BLS.
        for (String code : List.of(
                "c4e274f2c3",
                "c4e373f0c301",
                "0f38f0c3",
                "f00f38f003",
                "c4e278f3c3",
                "c4e278f3e3",
                "c4e271f5c3",
                "f30f38f0c3",
                "0f38f6c3",
                "c4e270f6c3",
                "0fb8c3")) {
            run(code);
            assertThat(state.exception).as(code).isEqualTo(Vector.INVALID_OPCODE);
        }
    }
}
