package dev.kagami.cpu.x86.simd;

import static dev.kagami.cpu.x86.simd.Lanes.BYTE_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.BYTE_SIGNS;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_ONES;
import static dev.kagami.cpu.x86.simd.Lanes.WORD_SIGNS;

/**
 * The text-processing comparison of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM 2B 4.1).
 *
 * <p>Sets of elements are bit masks, bit i for element i. The inner loop broadcasts one element of the first operand and
 * compares it with all of the second at once.
 */
public final class StringCompare {
    private static final int WORDS = 1;
    private static final int SIGNED = 2;
    private static final int AGGREGATION = 3;
    private static final int EQUAL_ANY = 0;
    private static final int RANGES = 1;
    private static final int EQUAL_EACH = 2;
    private static final int NEGATIVE = 0x10;
    private static final int MASKED = 0x20;
    private static final int SELECT_HIGH = 0x40;

    private StringCompare() {}

    /** Returns how many elements an operand has: 8 words or 16 bytes, by the immediate. */
    public static int elements(int control) {
        return (control & WORDS) == 0 ? 16 : 8;
    }

    /** Clamps the magnitude of an explicit length in EAX, EDX, RAX or RDX to the number of elements. */
    public static int explicitLength(long length, int control) {
        int elements = elements(control);
        return length > -elements && length < elements ? (int) Math.abs(length) : elements;
    }

    /** Finds the length of an operand which ends at its first zero element, if any. */
    public static int implicitLength(long low, long high, int control) {
        if ((control & WORDS) == 0) {
            int zeros = PackedShuffle.pmovmskb(Lanes.zero(low, BYTE_SIGNS))
                    | PackedShuffle.pmovmskb(Lanes.zero(high, BYTE_SIGNS)) << 8;
            return Math.min(16, Integer.numberOfTrailingZeros(zeros));
        }
        return Math.min(
                8,
                Integer.numberOfTrailingZeros(
                        wordBits(Lanes.zero(low, WORD_SIGNS)) | wordBits(Lanes.zero(high, WORD_SIGNS)) << 4));
    }

    /**
     * Compares two strings.
     *
     * @param low1 low quadword of the first operand: the set, the ranges or the needle
     * @param high1 its high quadword
     * @param length1 its number of valid elements
     * @param low2 low quadword of the second operand: the text
     * @param high2 its high quadword
     * @param length2 its number of valid elements
     * @param control the instruction's immediate
     * @return IntRes2: bit i for element i of the second operand
     */
    public static int compare(long low1, long high1, int length1, long low2, long high2, int length2, int control) {
        int all = (1 << elements(control)) - 1;
        int valid2 = (1 << length2) - 1;
        int result = switch (control >> 2 & AGGREGATION) {
            case EQUAL_ANY -> equalAny(low1, high1, length1, low2, high2, control) & valid2;
            case RANGES -> ranges(low1, high1, length1, low2, high2, control) & valid2;
            case EQUAL_EACH -> {
                int valid1 = (1 << length1) - 1;
                int same = equal(low1, high1, low2, high2, control);
                yield same & valid1 & valid2 | all & ~(valid1 | valid2);
            }
            default -> equalOrdered(low1, high1, length1, low2, high2, valid2, control);
        };
        if ((control & NEGATIVE) != 0) {
            result ^= (control & MASKED) != 0 ? valid2 : all;
        }
        return result;
    }

    /** Yields the index in ECX which PCMPESTRI and PCMPISTRI report for IntRes2. */
    public static int index(int result, int control) {
        if (result == 0) {
            return elements(control);
        }
        return (control & SELECT_HIGH) == 0
                ? Integer.numberOfTrailingZeros(result)
                : 31 - Integer.numberOfLeadingZeros(result);
    }

    /** Yields the low quadword of XMM0 which PCMPESTRM and PCMPISTRM report for IntRes2. */
    public static long maskLow(int result, int control) {
        if ((control & SELECT_HIGH) == 0) {
            return result;
        }
        return (control & WORDS) == 0 ? byteMask(result & 0xFF) : PackedCompare.wordMask(result & 0xF);
    }

    /** Yields the high quadword of XMM0 which PCMPESTRM and PCMPISTRM report for IntRes2. */
    public static long maskHigh(int result, int control) {
        if ((control & SELECT_HIGH) == 0) {
            return 0;
        }
        return (control & WORDS) == 0 ? byteMask(result >> 8) : PackedCompare.wordMask(result >> 4);
    }

    private static long byteMask(int bits) {
        // Every byte keeps its own bit of the broadcast; what is not zero then becomes ones.
        long own = bits * BYTE_ONES & 0x8040_2010_0804_0201L;
        return ~Lanes.fillBytes(Lanes.zero(own, BYTE_SIGNS));
    }

    private static int wordBits(long signs) {
        return (int) (signs >>> 15 & 1 | signs >>> 30 & 2 | signs >>> 45 & 4 | signs >>> 60 & 8);
    }

    private static int equal(long low1, long high1, long low2, long high2, int control) {
        if ((control & WORDS) == 0) {
            return PackedShuffle.pmovmskb(Lanes.zero(low1 ^ low2, BYTE_SIGNS))
                    | PackedShuffle.pmovmskb(Lanes.zero(high1 ^ high2, BYTE_SIGNS)) << 8;
        }
        return wordBits(Lanes.zero(low1 ^ low2, WORD_SIGNS)) | wordBits(Lanes.zero(high1 ^ high2, WORD_SIGNS)) << 4;
    }

    /** Copies one element into all elements of a quadword. */
    private static long broadcast(long low, long high, int index, int control) {
        if ((control & WORDS) == 0) {
            return ((index < 8 ? low : high) >>> (index << 3) & 0xFF) * BYTE_ONES;
        }
        return ((index < 4 ? low : high) >>> (index << 4) & Lanes.WORD) * WORD_ONES;
    }

    private static int equalAny(long low1, long high1, int length1, long low2, long high2, int control) {
        int result = 0;
        for (int i = 0; i < length1; i++) {
            long element = broadcast(low1, high1, i, control);
            result |= equal(element, element, low2, high2, control);
        }
        return result;
    }

    /** Yields the elements where {@code low1:high1 > low2:high2}. */
    private static int greater(long low1, long high1, long low2, long high2, int control) {
        return switch (control & (WORDS | SIGNED)) {
            case 0 ->
                PackedShuffle.pmovmskb(Lanes.below(low2, low1, BYTE_SIGNS))
                        | PackedShuffle.pmovmskb(Lanes.below(high2, high1, BYTE_SIGNS)) << 8;
            case WORDS ->
                wordBits(Lanes.below(low2, low1, WORD_SIGNS)) | wordBits(Lanes.below(high2, high1, WORD_SIGNS)) << 4;
            case SIGNED ->
                PackedShuffle.pmovmskb(Lanes.less(low2, low1, BYTE_SIGNS))
                        | PackedShuffle.pmovmskb(Lanes.less(high2, high1, BYTE_SIGNS)) << 8;
            default ->
                wordBits(Lanes.less(low2, low1, WORD_SIGNS)) | wordBits(Lanes.less(high2, high1, WORD_SIGNS)) << 4;
        };
    }

    private static int ranges(long low1, long high1, int length1, long low2, long high2, int control) {
        int result = 0;
        for (int i = 0; i + 1 < length1; i += 2) {
            long first = broadcast(low1, high1, i, control);
            long last = broadcast(low1, high1, i + 1, control);
            result |= ~greater(first, first, low2, high2, control) & ~greater(low2, high2, last, last, control);
        }
        return result;
    }

    private static int equalOrdered(
            long low1, long high1, int length1, long low2, long high2, int valid2, int control) {
        int elements = elements(control);
        int result = (1 << elements) - 1;
        for (int i = 0; i < length1; i++) {
            long element = broadcast(low1, high1, i, control);
            int same = equal(element, element, low2, high2, control) & valid2;
            // Positions whose needle reaches past the end of the register count as matching there.
            int beyond = ~((1 << elements - i) - 1);
            result &= same >>> i | beyond;
        }
        return result;
    }
}
