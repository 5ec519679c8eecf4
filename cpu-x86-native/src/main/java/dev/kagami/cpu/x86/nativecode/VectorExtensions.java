package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;

/** The instructions on vector registers that guest and host may use, besides SSE. */
enum VectorExtensions {
    /** No others. */
    NONE,
    /** AVX, AVX2, FMA and F16C. */
    AVX,
    /** Those, and AVX-512. */
    AVX512;

    /** {@return the properties of an instruction that may run on the host as it is, as {@link VectorForm} has them, or {@link VectorForm#NO}} */
    int form(Instruction in) {
        int form = this == NONE || in.encoding != Instruction.ENCODING_VEX ? VectorForm.NO : VexForm.classify(in);
        return form == VectorForm.NO && this == AVX512 ? WideForm.classify(in) : form;
    }
}
