package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.EvexForm.Operand;
import dev.kagami.cpu.x86.decode.EvexForm.Tuple;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.decode.MaskForm;

/**
 * Tells which AVX-512 instructions run on the host as they are: properties as {@link VectorForm} has them. An encoding that doesn't
 * exist has no {@link EvexForm}. Gathers, scatters, expansions from and compressions to memory, whose accesses depend on the
 * opmask, and approximations are left to the interpreter. What the opmask keeps from being accessed is looked up as all of the
 * operand is; when that fails, the interpreter finds out whether the instruction faults.
 */
final class WideForm {
    private WideForm() {}

    /** {@return the properties of an instruction, or {@link VectorForm#NO}} */
    static int classify(Instruction in) {
        if (in.mode != 64 || in.addressSize < 4) {
            return VectorForm.NO;
        }
        EvexForm form = in.evex;
        return form == null ? mask(in) : evex(in, form);
    }

    private static int evex(Instruction in, EvexForm form) {
        boolean packed = form.tuple == Tuple.PACKED && in.isMemory();
        boolean known = form.feature.isEmpty() || HostFeatures.has(form.feature);
        if (form.indexed || form.approximates || packed || !known) {
            return VectorForm.NO;
        }
        return (in.isMemory() ? form.memoryBytes(in) : 0)
                | (form.aligned ? VectorForm.ALIGNED : 0)
                | (form.stores ? VectorForm.WRITES : 0)
                | (form.reg == Operand.GENERAL ? VectorForm.GENERAL_REGISTER : 0)
                | (form.reg == Operand.OPCODE ? VectorForm.EXTENSION : 0)
                | (form.rm == Operand.GENERAL ? VectorForm.GENERAL_OPERAND : 0);
    }

    /** {@return the properties of an instruction on opmask registers} */
    private static int mask(Instruction in) {
        int bits = MaskForm.bits(in);
        if (bits == 0) {
            return VectorForm.NO;
        }
        return switch (in.map == Instruction.MAP_0F ? in.opcode : 0) {
            case 0x90 -> in.isMemory() ? bits / 8 : 0;
            case 0x91 -> bits / 8 | VectorForm.WRITES;
            case 0x92 -> VectorForm.GENERAL_OPERAND;
            case 0x93 -> VectorForm.GENERAL_REGISTER;
            default -> 0;
        };
    }
}
