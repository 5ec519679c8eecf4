package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Floating-point instructions of AVX-512. */
final class EvexFloats {
    private static final int COMPARE = 0x1C2;
    private static final int UCOMIS = 0x12E;
    private static final int COMIS = 0x12F;

    private EvexFloats() {}

    /** {@return the op of an EVEX-encoded instruction, or null when it isn't one of these} */
    static @Nullable Op create(Instruction in, EvexForm form) {
        if (form.name.startsWith("vcvt")) {
            return EvexConvert.create(in, form);
        }
        if (EvexArithmetic.is(in)) {
            return new EvexArithmetic(in);
        }
        if (FusedOperation.is(in)) {
            return new EvexFused(in);
        }
        if (EvexFloatFunction.is(in)) {
            return new EvexFloatFunction(in);
        }
        return switch (in.mapAndOpcode()) {
            case COMPARE -> new EvexCompare(in);
            case UCOMIS, COMIS -> new EvexCompare.ToFlags(in);
            default -> null;
        };
    }
}
