package dev.kagami.cpu.x86.simd;

/** Packed counts of bits, and selections of bits (SDM 2C, VPOPCNT, VPLZCNT, VPMULTISHIFTQB, VPTERNLOG). Each function yields one 64-bit lane. */
public final class PackedBits {
    private static final long PAIRS = 0x5555_5555_5555_5555L;
    private static final long QUADS = 0x3333_3333_3333_3333L;
    private static final long NIBBLES = 0x0F0F_0F0F_0F0F_0F0FL;

    private PackedBits() {}

    /** Counts the bits that are set in each byte. */
    public static long popcntb(long a) {
        long pairs = a - (a >>> 1 & PAIRS);
        long quads = (pairs & QUADS) + (pairs >>> 2 & QUADS);
        return quads + (quads >>> 4) & NIBBLES;
    }

    /** Counts the bits that are set in each word. */
    public static long popcntw(long a) {
        long bytes = popcntb(a);
        return bytes + (bytes >>> 8) & 0x00FF_00FF_00FF_00FFL;
    }

    /** Counts the bits that are set in each doubleword. */
    public static long popcntd(long a) {
        return Lanes.join(Integer.bitCount((int) a), Integer.bitCount((int) (a >>> 32)));
    }

    /** Counts the zeros above the highest bit that is set in each doubleword. */
    public static long lzcntd(long a) {
        return Lanes.join(Integer.numberOfLeadingZeros((int) a), Integer.numberOfLeadingZeros((int) (a >>> 32)));
    }

    /** Takes eight times eight neighbouring bits of a quadword, which is a ring, from where the low six bits of each control byte tell. */
    public static long multishift(long control, long a) {
        long result = 0;
        for (int at = 0; at < Long.SIZE; at += Byte.SIZE) {
            result |= (Long.rotateRight(a, (int) (control >>> at)) & 0xFF) << at;
        }
        return result;
    }

    /** Yields the bits of a quadword that the low six bits of eight control bytes name, the first as the lowest. */
    public static int shuffleBits(long a, long control) {
        int result = 0;
        for (int i = 0; i < Byte.SIZE; i++) {
            result |= (int) (a >>> (control >>> 8 * i) & 1) << i;
        }
        return result;
    }

    /**
     * Applies a function of three bits to each bit.
     *
     * @param table the function: its value for {@code a}, {@code b} and {@code c} is bit {@code 4a + 2b + c}
     */
    public static long ternary(int table, long a, long b, long c) {
        return choose(a, half(table >> 4, b, c), half(table, b, c));
    }

    private static long half(int table, long b, long c) {
        return choose(b, choose(c, bit(table, 3), bit(table, 2)), choose(c, bit(table, 1), bit(table, 0)));
    }

    private static long bit(int table, int number) {
        return -(table >> number & 1L);
    }

    private static long choose(long mask, long set, long clear) {
        return clear ^ (set ^ clear) & mask;
    }
}
