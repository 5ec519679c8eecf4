package dev.kagami.cpu.x86.decode;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the operands of an EVEX-encoded instruction are (SDM 2A 2.7): all that decoding, execution and translation must know of it
 * besides what it computes. Immutable; found by a {@link Decoder}.
 */
public final class EvexForm {
    /** What a field of the encoding names. */
    public enum Operand {
        /** Nothing. */
        NONE,
        /** A vector register. */
        VECTOR,
        /** An opmask register. */
        MASK,
        /** A general register. */
        GENERAL,
        /** Nothing: it extends the opcode. */
        OPCODE
    }

    /** How large a memory operand is, and how displacements of a byte are scaled (SDM 2A 2.7.5). */
    public enum Tuple {
        /** A vector, or one element of it for all. */
        FULL,
        /** A vector. */
        FULL_MEMORY,
        /** Half of a vector, or one element of it for all. */
        HALF,
        /** Half of a vector. */
        HALF_MEMORY,
        /** A quarter of a vector. */
        QUARTER_MEMORY,
        /** An eighth of a vector. */
        EIGHTH_MEMORY,
        /** A number of bytes that doesn't depend on the length of vectors: an element, or 2, 4 or 8 of them, or 16 bytes. */
        FIXED,
        /** A vector's elements, as many as there are bits in the opmask; displacements are scaled by an element. */
        PACKED,
        /** That of VMOVDDUP: a vector, but 8 bytes for one of 128 bits. */
        DUPLICATED
    }

    /** Longest vector in bytes. */
    public static final int MAX_BYTES = 64;

    private static final int XMM = 16;

    /** Of {@code L'L} when it isn't rounding control. */
    private static final int RESERVED_LENGTH = 3;

    /** Mnemonic in small letters; several forms may have the same. */
    public final String name;

    /** How large a memory operand is. */
    public final Tuple tuple;

    /** Bytes of an element in memory: of the one that is broadcast, too. With {@link Tuple#FIXED}, of all of the operand. */
    public final int memoryElement;

    /** Bytes of what one bit of the opmask stands for. */
    public final int element;

    /** What ModRM.reg names. */
    public final Operand reg;

    /** What EVEX.vvvv names. */
    public final Operand vvvv;

    /** What ModRM.rm names when it isn't memory. */
    public final Operand rm;

    /** ModRM.rm is the destination. */
    public final boolean stores;

    /** The destination has one element from the operation, and for the rest that of another register, or zeros. */
    public final boolean scalar;

    /** ModRM.rm must be memory. */
    public final boolean memoryOnly;

    /** ModRM.rm must be a register. */
    public final boolean registerOnly;

    /** There is no opmask. */
    public final boolean plain;

    /** Between registers, EVEX.b and {@code L'L} may select a rounding mode. */
    public final boolean rounds;

    /** Between registers, EVEX.b may suppress all exceptions; so it does with {@link #rounds}. */
    public final boolean suppresses;

    /** A memory operand must be aligned to its size. */
    public final boolean aligned;

    /** All of a memory operand must be accessible whatever the opmask is: SDM 2A 2.7.11, the exception classes with NF. */
    public final boolean whole;

    /** ModRM.rm has a vector register as its index: a gather or scatter. */
    public final boolean indexed;

    /** The result is an approximation, which differs between processors. */
    public final boolean approximates;

    /** EVEX.vvvv names a register in the form without memory only: VMOVSS and VMOVSD. */
    private final boolean move;

    /** Whether there is a form with 128, 256 and 512 bits. */
    private final boolean[] lengths;

    /** The feature that it belongs to besides AVX-512 F, CD, BW, DQ and VL, as Linux calls it; or empty. */
    public final String feature;

    /** Names that Linux has for the features that {@link EvexForms} names. */
    private static final Map<String, String> FEATURES = Map.of(
            "ifma", "avx512ifma",
            "vbmi", "avx512vbmi",
            "vbmi2", "avx512_vbmi2",
            "vnni", "avx512_vnni",
            "bitalg", "avx512_bitalg",
            "vpopcntdq", "avx512_vpopcntdq",
            "gfni", "gfni",
            "vaes", "vaes",
            "vpclmulqdq", "vpclmulqdq");

    /** Takes a line of {@link EvexForms}. */
    EvexForm(String[] words) {
        name = words[4];
        String memory = words[5];
        int colon = memory.indexOf(':');
        String size = (colon < 0 ? memory : memory.substring(0, colon)).replaceAll("\\D", "");
        memoryElement = Integer.parseInt(size);
        tuple = switch (memory.replaceAll("\\d.*", "")) {
            case "FV" -> Tuple.FULL;
            case "FM" -> Tuple.FULL_MEMORY;
            case "HV" -> Tuple.HALF;
            case "HM" -> Tuple.HALF_MEMORY;
            case "QM" -> Tuple.QUARTER_MEMORY;
            case "OM" -> Tuple.EIGHTH_MEMORY;
            case "T", "M" -> Tuple.FIXED;
            case "P" -> Tuple.PACKED;
            case "DD" -> Tuple.DUPLICATED;
            default -> throw new AssertionError(memory);
        };
        element = colon < 0 ? memoryElement : Integer.parseInt(memory.substring(colon + 1));
        reg = operand(words[6].charAt(0));
        vvvv = operand(words[6].charAt(1));
        rm = operand(words[6].charAt(2));
        List<String> properties = List.of(words).subList(7, words.length);
        stores = properties.contains("store");
        scalar = properties.contains("scalar");
        memoryOnly = properties.contains("memory");
        registerOnly = properties.contains("register");
        plain = properties.contains("plain");
        rounds = properties.contains("round");
        suppresses = rounds || properties.contains("sae");
        aligned = properties.contains("aligned");
        whole = properties.contains("whole");
        indexed = properties.contains("indexed");
        approximates = name.contains("14");
        move = properties.contains("move");
        boolean narrow = properties.contains("128");
        boolean longest = properties.contains("512");
        lengths = new boolean[] {
            !longest && !properties.contains("wide"), !longest && !narrow, !narrow,
        };
        feature = properties.stream()
                .filter(FEATURES::containsKey)
                .map(FEATURES::get)
                .findFirst()
                .orElse("");
    }

    private static Operand operand(char letter) {
        return switch (letter) {
            case 'V' -> Operand.VECTOR;
            case 'K' -> Operand.MASK;
            case 'G' -> Operand.GENERAL;
            case '/' -> Operand.OPCODE;
            case '-' -> Operand.NONE;
            default -> throw new AssertionError(letter);
        };
    }

    /** {@return whether EVEX.b selects rounding or suppresses exceptions, rather than broadcasts} */
    public boolean roundsStatically(Instruction in) {
        return in.broadcast && !in.isMemory();
    }

    /** {@return the bytes of a vector: 16, 32 or 64; for a scalar instruction, 16} */
    public int vectorBytes(Instruction in) {
        return scalar ? XMM : roundsStatically(in) ? MAX_BYTES : XMM << in.vectorLength;
    }

    /** {@return the bytes of the memory operand; for one with indexes, of each element; for {@link Tuple#PACKED}, the most} */
    public int memoryBytes(Instruction in) {
        int vector = XMM << in.vectorLength;
        return switch (tuple) {
            case FULL -> in.broadcast ? memoryElement : vector;
            case FULL_MEMORY, PACKED -> vector;
            case HALF -> in.broadcast ? memoryElement : vector / 2;
            case HALF_MEMORY -> vector / 2;
            case QUARTER_MEMORY -> vector / 4;
            case EIGHTH_MEMORY -> vector / 8;
            case FIXED -> memoryElement;
            case DUPLICATED -> vector == XMM ? memoryElement : vector;
        };
    }

    /** {@return by what a displacement of a byte is multiplied} */
    public int displacementScale(Instruction in) {
        return tuple == Tuple.PACKED ? memoryElement : memoryBytes(in);
    }

    /** {@return whether an instruction of this form has no field with a value that the form doesn't allow} */
    boolean allows(Instruction in) {
        boolean memory = in.isMemory();
        if (memory ? registerOnly : memoryOnly) {
            return false;
        }
        if (in.broadcast && !(memory ? tuple == Tuple.FULL || tuple == Tuple.HALF : suppresses)) {
            return false;
        }
        boolean length = scalar
                ? in.vectorLength != RESERVED_LENGTH || roundsStatically(in)
                : roundsStatically(in) || in.vectorLength != RESERVED_LENGTH && lengths[in.vectorLength];
        boolean toMask = reg == Operand.MASK;
        boolean opmask = plain
                ? in.opmask == 0 && !in.zeroing
                : (!in.zeroing || in.opmask != 0 && !toMask && !(stores && memory)) && (!indexed || in.opmask != 0);
        boolean second = in.vvvv == 0 || vvvv != Operand.NONE && !(move && memory);
        // What names an opmask or general register must not have the fields that reach the upper vector registers.
        boolean registers = in.reg < (toMask ? 8 : reg == Operand.GENERAL ? 16 : 32);
        return length && opmask && second && registers && (!indexed || distinct(in));
    }

    /** A gather's destination must not be its index. */
    private boolean distinct(Instruction in) {
        return !in.zeroing && (stores || in.reg != in.index);
    }

    /** {@return the form of an EVEX-encoded instruction by its map, prefix, opcode, ModRM.reg and W alone, or null} */
    static @Nullable EvexForm find(Instruction in) {
        return EvexForms.find(in);
    }

    @Override
    public String toString() {
        return name;
    }
}
