package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.StringCompare;

/** PCMPESTRM, PCMPESTRI, PCMPISTRM and PCMPISTRI (SDM 2B 4.1). */
final class SimdText extends SimdOp {
    private final int control;
    private final boolean explicitLengths;
    private final boolean wideLengths;
    private final boolean index;

    SimdText(Instruction in) {
        super(in);
        control = (int) in.immediate & 0xFF;
        explicitLengths = (in.opcode & 2) == 0;
        wideLengths = in.w;
        index = (in.opcode & 1) != 0;
    }

    private int explicitLength(long register) {
        return StringCompare.explicitLength(wideLengths ? register : (int) register, control);
    }

    @Override
    void execute(Cpu cpu) {
        int s = unalignedSource(cpu);
        long[] v = cpu.vec;
        long low1 = v[destination];
        long high1 = v[destination + 1];
        long low2 = v[s];
        long high2 = v[s + 1];
        int length1 =
                explicitLengths ? explicitLength(cpu.r[Cpu.RAX]) : StringCompare.implicitLength(low1, high1, control);
        int length2 =
                explicitLengths ? explicitLength(cpu.r[Cpu.RDX]) : StringCompare.implicitLength(low2, high2, control);
        int result = StringCompare.compare(low1, high1, length1, low2, high2, length2, control);
        if (index) {
            cpu.r[Cpu.RCX] = StringCompare.index(result, control);
        } else {
            v[0] = StringCompare.maskLow(result, control);
            v[1] = StringCompare.maskHigh(result, control);
        }
        int elements = StringCompare.elements(control);
        cpu.setArithmeticFlags((result != 0 ? Cpu.CF : 0)
                | (length2 < elements ? Cpu.ZF : 0)
                | (length1 < elements ? Cpu.SF : 0)
                | ((result & 1) != 0 ? Cpu.OF : 0));
    }
}
