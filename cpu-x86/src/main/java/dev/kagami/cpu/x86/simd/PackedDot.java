package dev.kagami.cpu.x86.simd;

/** Products that are added to a third operand: VNNI and IFMA (SDM 2C, VPDPBUSD to VPDPWSSDS, VPMADD52). Each function yields one 64-bit lane. */
public final class PackedDot {
    private static final long FRACTION = (1L << 52) - 1;

    private PackedDot() {}

    /** Adds the products of four unsigned bytes of {@code a} and signed ones of {@code b} to each doubleword. */
    public static long dpbusd(long sum, long a, long b, boolean saturating) {
        return Lanes.join(
                add((int) sum, bytes((int) a, (int) b), saturating),
                add((int) (sum >>> 32), bytes((int) (a >>> 32), (int) (b >>> 32)), saturating));
    }

    private static int bytes(int a, int b) {
        return (a & 0xFF) * (byte) b
                + (a >> 8 & 0xFF) * (byte) (b >> 8)
                + (a >> 16 & 0xFF) * (byte) (b >> 16)
                + (a >>> 24) * (b >> 24);
    }

    /** Adds the products of two signed words to each doubleword. */
    public static long dpwssd(long sum, long a, long b, boolean saturating) {
        return Lanes.join(
                add((int) sum, words((int) a, (int) b), saturating),
                add((int) (sum >>> 32), words((int) (a >>> 32), (int) (b >>> 32)), saturating));
    }

    /** Both products may be 2^30, so that the sum needs 33 bits. */
    private static long words(int a, int b) {
        return (long) ((short) a * (short) b) + (a >> 16) * (b >> 16);
    }

    private static int add(int sum, long products, boolean saturating) {
        long exact = sum + products;
        return saturating ? Math.clamp(exact, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) exact;
    }

    /** Adds the low 52 bits of a product of two unsigned numbers of 52 bits. */
    public static long madd52lo(long sum, long a, long b) {
        return sum + ((a & FRACTION) * (b & FRACTION) & FRACTION);
    }

    /** Adds the high 52 bits of a product of two unsigned numbers of 52 bits. */
    public static long madd52hi(long sum, long a, long b) {
        // Shifted so that the product's 104 bits end where the high quadword ends.
        return sum + Math.unsignedMultiplyHigh((a & FRACTION) << 12, b & FRACTION);
    }
}
