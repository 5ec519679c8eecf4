package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.util.HexFormat;

/** Runs single instructions on a {@link SnippetMachine}'s CPU, with RDI pointing to aligned memory. */
final class X87TestMachine implements AutoCloseable {
    /** Where RDI points; aligned to 64 bytes. */
    static final long AREA = MachineState.DATA;

    private final SnippetMachine machine = new SnippetMachine();
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();

    final Cpu cpu = machine.cpu;
    final X87 x87 = cpu.x87;

    X87TestMachine() {
        cpu.r[Cpu.RDI] = AREA;
        cpu.mxcsr = 0x1F80;
        x87.initialize();
    }

    /** Runs instructions given in hexadecimal, one an argument. */
    X87TestMachine run(String... instructions) {
        for (String hex : instructions) {
            byte[] code = HexFormat.of().parseHex(hex);
            if (decoder.decode(code, 0, code.length, 64, instruction) != Decoder.OK) {
                throw new IllegalArgumentException("can't decode " + hex);
            }
            Op op = Ops.create(instruction);
            if (op == null) {
                throw cpu.undefined();
            }
            op.place(0, 0);
            op.execute(cpu);
        }
        return this;
    }

    /** {@return the vector of the fault that an instruction raises, or -1} */
    int faultOf(String hex) {
        try {
            run(hex);
            return -1;
        } catch (Fault fault) {
            return fault.vector;
        }
    }

    /** Pushes a number. */
    X87TestMachine push(double value) {
        cpu.writeLong(AREA + 0x3F0, Double.doubleToRawLongBits(value));
        return run("dd87f0030000");
    }

    /** {@return ST(0), popped and rounded to a double} */
    double pop() {
        run("dd9ff0030000");
        return Double.longBitsToDouble(cpu.readLong(AREA + 0x3F0));
    }

    @Override
    public void close() {
        machine.close();
    }
}
