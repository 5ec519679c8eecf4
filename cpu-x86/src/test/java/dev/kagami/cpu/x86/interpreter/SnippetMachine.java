package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.memory.GuestMemory;
import java.util.Arrays;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Runs a few instructions in 64-bit mode at privilege level 3: one at a time, or through blocks as the run loop does it. What
 * is under test are the decoder and the instructions, not the run loop.
 */
final class SnippetMachine implements AutoCloseable {
    /** Instructions after which a snippet is taken to hang. */
    private static final int MAX_INSTRUCTIONS = 100_000;

    private static final long TABLES = 0x1000;
    private static final long CODE_PHYSICAL = 0x10_0000;
    private static final long DATA_PHYSICAL = 0x10_2000;
    private static final long USER_TABLE = 0x67; // present, writable, user, accessed, dirty

    private final GuestMemory memory;
    final Cpu cpu;
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final BlockBuilder builder;

    private final @Nullable InterpreterVcpu translating;
    private boolean twice;
    private int traces;

    /**
     * {@return a machine whose {@link #runBlocks} runs the code once, which makes traces of it, and then those}
     *
     * @param size bytes of RAM
     */
    static SnippetMachine traced(long size) {
        SnippetMachine machine =
                new SnippetMachine(size, cpu -> new InterpreterVcpu(cpu, null, TraceRecorder.Mode.EAGER));
        machine.twice = true;
        return machine;
    }

    /** {@return how many snippets began with a trace the second time} */
    int traces() {
        return traces;
    }

    SnippetMachine() {
        this(null);
    }

    /**
     * Creates a machine whose {@link #runBlocks} goes through a translator.
     *
     * @param drive makes the virtual CPU, or null for none
     */
    SnippetMachine(@Nullable Function<Cpu, Vcpu> drive) {
        this(GuestMemory.MIN_SIZE, drive);
    }

    private SnippetMachine(long size, @Nullable Function<Cpu, Vcpu> drive) {
        memory = GuestMemory.allocate(size);
        ProcessorConfig config = new ProcessorConfig(1, CpuModel.MAX, null);
        InterpreterProcessors processors = drive == null
                ? new InterpreterProcessors(config, memory, new NoBus(), new NoTimers())
                : new InterpreterProcessors(config, memory, new NoBus(), new NoTimers(), drive);
        cpu = processors.cpu(0);
        translating =
                drive == null ? null : (InterpreterVcpu) processors.vcpus().getFirst();
        long pointer = TABLES + 0x1000;
        long data = TABLES + 0x2000;
        long codeTable = TABLES + 0x3000;
        long dataTable = TABLES + 0x4000;
        memory.writeLong(TABLES, pointer | USER_TABLE);
        memory.writeLong(pointer, data | USER_TABLE);
        memory.writeLong(data + (MachineState.CODE >> 21) * 8, codeTable | USER_TABLE);
        memory.writeLong(data + (MachineState.DATA >> 21) * 8, dataTable | USER_TABLE);
        memory.writeLong(codeTable, CODE_PHYSICAL | USER_TABLE);
        memory.writeLong(dataTable, DATA_PHYSICAL | USER_TABLE);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_WP | Cpu.CR0_PG;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT | Cpu.CR4_OSXSAVE;
        cpu.xcr0 = X87State.COMPONENT_X87 | EvexOp.COMPONENTS;
        cpu.efer = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.cr3 = TABLES;
        cpu.cpl = 3;
        for (int segment = 0; segment < 6; segment++) {
            cpu.limit[segment] = 0xFFFF_FFFFL;
            cpu.attributes[segment] = Segmentation.PRESENT
                    | Segmentation.S
                    | 3 << Segmentation.DPL_SHIFT
                    | Segmentation.WRITABLE
                    | Segmentation.ACCESSED
                    | Segmentation.GRANULARITY
                    | (segment == Cpu.CS ? Segmentation.CODE | Segmentation.LONG : Segmentation.BIG);
            cpu.selector[segment] = segment == Cpu.CS ? 0x33 : 0x2B;
        }
        cpu.updateMode();
        builder = new BlockBuilder(cpu);
    }

    /**
     * Runs a snippet to its end or to a fault.
     *
     * @param state the state to begin with; replaced by the state it ends with
     * @param code the instructions
     */
    void run(MachineState state, byte[] code) {
        load(state);
        long[] r = cpu.r;
        long end = MachineState.CODE + code.length;
        r[Cpu.RIP] = MachineState.CODE;
        state.exception = -1;
        state.errorCode = -1;
        for (int i = 0; i < MAX_INSTRUCTIONS && r[Cpu.RIP] != end; i++) {
            int position = (int) (r[Cpu.RIP] - MachineState.CODE);
            if (position < 0 || position > code.length) {
                throw new IllegalStateException("left the snippet for 0x" + Long.toHexString(r[Cpu.RIP]));
            }
            if (!step(state, code, position)) {
                break;
            }
        }
        store(state);
    }

    /**
     * Does the same as {@link #run}, but through blocks as the run loop has them.
     *
     * @param state the state to begin with; replaced by the state it ends with
     * @param code the instructions; jumps must lead to the start of instructions
     */
    void runBlocks(MachineState state, byte[] code) {
        load(state);
        byte[] withEnd = Arrays.copyOf(code, code.length + 2);
        withEnd[code.length] = 0x0F;
        withEnd[code.length + 1] = 0x0B; // UD2 ends it
        memory.write(CODE_PHYSICAL, withEnd);
        cpu.code.dropWritten();
        cpu.clear(Cpu.EVENT_CODE_WRITTEN);
        long[] r = cpu.r;
        r[Cpu.RIP] = MachineState.CODE;
        state.exception = -1;
        state.errorCode = -1;
        if (translating != null) {
            runTranslating(translating, state, code.length);
            if (twice) {
                load(state);
                r[Cpu.RIP] = MachineState.CODE;
                state.exception = -1;
                state.errorCode = -1;
                runTranslating(translating, state, code.length);
                cpu.r[Cpu.RIP] = MachineState.CODE;
                Block first = cpu.code.find(MachineState.CODE, cpu.codeMode);
                traces += first != null && first.trace != null && first.trace.isCurrent(cpu) ? 1 : 0;
            }
            store(state);
            return;
        }
        cpu.next = null;
        cpu.linkFrom = null;
        for (int i = 0; i < MAX_INSTRUCTIONS; i++) {
            if (!block(state, code.length)) {
                break;
            }
        }
        store(state);
    }

    /** Runs until the first exception, which shuts the CPU down because it has no interrupt descriptor table. */
    private void runTranslating(InterpreterVcpu vcpu, MachineState state, int end) {
        cpu.idtLimit = 0;
        ExitReason reason = vcpu.run();
        if (reason != ExitReason.SHUTDOWN) {
            throw new IllegalStateException(reason + " " + vcpu.exitDetail());
        }
        int position = (int) (cpu.r[Cpu.RIP] - MachineState.CODE);
        if (vcpu.exceptionVector != Vector.INVALID_OPCODE || position != end) {
            state.exception = vcpu.exceptionVector;
            state.errorCode = vcpu.exceptionErrorCode;
            state.faultOffset = position;
        }
    }

    private boolean block(MachineState state, int end) {
        Op[] ops = new Op[0];
        int i = 0;
        try {
            Block block = cpu.next;
            if (block == null) {
                block = cpu.code.find(cpu.codeAddress(), cpu.codeMode);
            }
            if (block == null) {
                block = builder.build(cpu.codeAddress());
            }
            BranchOp from = cpu.linkFrom;
            if (from != null) {
                cpu.linkFrom = null;
                from.link(block, cpu.linkTaken);
            }
            cpu.next = null;
            ops = block.ops;
            for (i = 0; i < ops.length; i++) {
                ops[i].execute(cpu);
            }
            return true;
        } catch (Fault fault) {
            Op op = ops[i];
            cpu.r[Cpu.RIP] += op.offset;
            cpu.next = null;
            if (fault.vector == Fault.RESTART) {
                return true;
            }
            int position = (int) (cpu.r[Cpu.RIP] - MachineState.CODE);
            if (fault.vector == Vector.INVALID_OPCODE && position == end) {
                return false;
            }
            state.exception = fault.nonCanonical && op.usesStack() ? Vector.STACK_FAULT : fault.vector;
            state.errorCode = fault.hasErrorCode ? fault.errorCode : -1;
            state.faultOffset = position;
            return false;
        }
    }

    private boolean step(MachineState state, byte[] code, int position) {
        int result = decoder.decode(code, position, code.length, 64, instruction);
        Op op = result == Decoder.OK ? Ops.create(instruction) : null;
        if (op == null) {
            boolean tooLong = result == Decoder.TOO_LONG;
            state.exception = tooLong ? Vector.GENERAL_PROTECTION : Vector.INVALID_OPCODE;
            state.errorCode = tooLong ? 0 : -1;
            state.faultOffset = position;
            return false;
        }
        op.place(0, 0);
        try {
            cpu.next = null;
            op.execute(cpu);
            if (!(op instanceof BranchOp)) {
                cpu.r[Cpu.RIP] += op.length;
            }
            return true;
        } catch (Fault fault) {
            if (fault.vector == Fault.RESTART) {
                return true;
            }
            state.exception = fault.nonCanonical && op.usesStack() ? Vector.STACK_FAULT : fault.vector;
            state.errorCode = fault.hasErrorCode ? fault.errorCode : -1;
            state.faultOffset = position;
            return false;
        }
    }

    private void load(MachineState state) {
        System.arraycopy(state.gpr, 0, cpu.r, 0, 16);
        cpu.setArithmeticFlags(state.flags);
        cpu.systemFlags = 2 | Cpu.IF | state.flags & Cpu.DF;
        System.arraycopy(state.wide, 0, cpu.vec, 0, state.wide.length);
        for (int i = 0; i < 16; i++) {
            cpu.vec[i * 8] = state.xmmLow[i];
            cpu.vec[i * 8 + 1] = state.xmmHigh[i];
            cpu.vec[i * 8 + 2] = state.ymmLow[i];
            cpu.vec[i * 8 + 3] = state.ymmHigh[i];
        }
        cpu.mxcsr = state.mxcsr;
        X87 x87 = cpu.x87;
        x87.control = state.control;
        x87.status = state.status;
        x87.tag = 0;
        int top = state.status >> 11 & 7;
        for (int i = 0; i < 8; i++) {
            int physical = top + i & 7;
            x87.significand[physical] = state.significand[i];
            x87.signExponent[physical] = (short) state.signExponent[i];
            x87.tag |= tag(state, physical, i) << 2 * physical;
        }
        memory.write(DATA_PHYSICAL, state.data);
    }

    /** {@return the full tag that FXRSTOR works out for a register (SDM 1 10.5.1.1, table 10-1)} */
    private static int tag(MachineState state, int physical, int i) {
        if ((state.tag >> physical & 1) == 0) {
            return 3;
        }
        int exponent = state.signExponent[i] & 0x7FFF;
        if (exponent == 0 && state.significand[i] == 0) {
            return 1;
        }
        return exponent == 0 || exponent == 0x7FFF || state.significand[i] >= 0 ? 2 : 0;
    }

    private void store(MachineState state) {
        System.arraycopy(cpu.r, 0, state.gpr, 0, 16);
        state.flags = cpu.flags() & MachineState.FLAGS;
        for (int i = 0; i < 16; i++) {
            state.xmmLow[i] = cpu.vec[i * 8];
            state.xmmHigh[i] = cpu.vec[i * 8 + 1];
            state.ymmLow[i] = cpu.vec[i * 8 + 2];
            state.ymmHigh[i] = cpu.vec[i * 8 + 3];
        }
        for (int i = 0; i < state.wide.length; i++) {
            state.wide[i] = i < 16 * 8 && i % 8 < 4 ? 0 : cpu.vec[i];
        }
        state.mxcsr = cpu.mxcsr;
        X87 x87 = cpu.x87;
        state.control = x87.control;
        state.status = x87.status;
        state.tag = 0;
        int top = x87.status >> 11 & 7;
        for (int i = 0; i < 8; i++) {
            int physical = top + i & 7;
            state.significand[i] = x87.significand[physical];
            state.signExponent[i] = x87.signExponent[physical] & 0xFFFF;
            if ((x87.tag >> 2 * physical & 3) != 3) {
                state.tag |= 1 << physical;
            }
        }
        memory.read(DATA_PHYSICAL, state.data, 0, MachineState.DATA_SIZE);
    }

    @Override
    public void close() {
        memory.close();
    }

    /** A machine without devices. */
    private static final class NoBus implements Bus {
        @Override
        public int readPort(int port, int size) {
            return -1;
        }

        @Override
        public void writePort(int port, int size, int value) {}

        @Override
        public long readMmio(long address, int size) {
            return -1;
        }

        @Override
        public void writeMmio(long address, int size, long value) {}

        @Override
        public int acknowledgeExternalInterrupt() {
            return 0xFF;
        }

        @Override
        public void endOfInterrupt(int vector) {}
    }

    /** Time stands still. */
    private static final class NoTimers implements Timers {
        @Override
        public long nanoTime() {
            return 0;
        }

        @Override
        public Timer create(Runnable action) {
            return new Timer() {
                @Override
                public void arm(long deadline) {}

                @Override
                public void disarm() {}
            };
        }
    }
}
