package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Loads and stores of segment registers, and instructions that look at descriptors (SDM 2A, 2B). */
final class SegmentOps {
    private SegmentOps() {}

    static @Nullable Op create(Instruction in) {
        int opcode = in.opcode;
        if (in.map == Instruction.MAP_PRIMARY) {
            return switch (opcode) {
                case 0x06, 0x0E, 0x16, 0x1E -> new PushSegment(in, opcode >> 3);
                case 0x07, 0x17, 0x1F -> pop(in, opcode >> 3);
                case 0x63 -> in.mode == 64 ? null : in.isMemory() ? new AdjustMemory(in) : new AdjustRegister(in);
                case 0x8C -> in.group() > Cpu.GS ? null : new StoreSegment(in);
                case 0x8E -> in.group() > Cpu.GS || in.group() == Cpu.CS ? null : load(in);
                case 0xC4, 0xC5 -> in.isMemory() ? pointer(in, opcode == 0xC4 ? Cpu.ES : Cpu.DS) : null;
                default -> null;
            };
        }
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        return switch (opcode) {
            case 0x00 -> in.group() >= 4 && in.group() <= 5 ? new Verify(in) : null;
            case 0x02, 0x03 -> new Inspect(in);
            case 0xA0, 0xA8 -> new PushSegment(in, opcode >> 3 & 7);
            case 0xA1, 0xA9 -> pop(in, opcode >> 3 & 7);
            case 0xB2, 0xB4, 0xB5 ->
                in.isMemory() ? pointer(in, opcode == 0xB2 ? Cpu.SS : opcode == 0xB4 ? Cpu.FS : Cpu.GS) : null;
            default -> null;
        };
    }

    // 64-bit mode takes no base or limit from ES, SS, DS, FS and GS that decoding or linking depend on.

    private static boolean mayStay(Instruction in, int segment) {
        return in.mode == 64 && segment != Cpu.SS;
    }

    private static Op load(Instruction in) {
        return mayStay(in, in.group()) ? new LoadSegment64(in) : new LoadSegment(in);
    }

    private static Op pop(Instruction in, int segment) {
        return mayStay(in, segment) ? new PopSegment64(in, segment) : new PopSegment(in, segment);
    }

    private static Op pointer(Instruction in, int segment) {
        return new LoadPointer(in, segment);
    }

    /** Reads a 16-bit operand from a register or memory. */
    static final class Source {
        private final @Nullable AddressOperand operand;
        private final int register;

        Source(Instruction in) {
            operand = in.isMemory() ? new AddressOperand(in, 2, false) : null;
            register = in.rm;
        }

        void place(int offset, int ordinal) {
            if (operand != null) {
                operand.place(offset, ordinal);
            }
        }

        int read(Cpu cpu) {
            return operand == null ? (int) cpu.r[register] & 0xFFFF : cpu.readShort(operand.address(cpu));
        }

        boolean usesStack() {
            return operand != null && operand.usesStack();
        }
    }

    /** Stores a system value of 16 bits in memory, or as wide as the operand size says in a register. */
    static void storeWord(Cpu cpu, int register, int operandSize, long value) {
        if (operandSize == 2) {
            cpu.setReg16(register, (int) value);
        } else {
            cpu.r[register] = value;
        }
    }

    /** MOV from a segment register. */
    private static final class StoreSegment extends Op {
        private final @Nullable AddressOperand operand;
        private final int segment;
        private final int register;
        private final int size;

        StoreSegment(Instruction in) {
            super(in);
            segment = in.group();
            register = in.rm;
            size = in.operandSize;
            operand = in.isMemory() ? new AddressOperand(in, 2, true) : null;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            if (operand != null) {
                operand.place(offset, ordinal);
            }
        }

        @Override
        boolean usesStack() {
            return operand != null && operand.usesStack();
        }

        @Override
        void execute(Cpu cpu) {
            int selector = cpu.selector[segment];
            if (operand != null) {
                cpu.writeShort(operand.address(cpu), selector);
            } else {
                storeWord(cpu, register, size, selector);
            }
        }
    }

    /** MOV to ES, DS, FS or GS in 64-bit mode. */
    private static final class LoadSegment64 extends Op {
        private final Source source;
        private final int segment;

        LoadSegment64(Instruction in) {
            super(in);
            source = new Source(in);
            segment = in.group();
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            source.place(offset, ordinal);
        }

        @Override
        boolean usesStack() {
            return source.usesStack();
        }

        @Override
        void execute(Cpu cpu) {
            Segmentation.load(cpu, segment, source.read(cpu));
        }
    }

    /** MOV to a segment register. */
    private static final class LoadSegment extends EndingOp {
        private final Source source;
        private final int segment;

        LoadSegment(Instruction in) {
            super(in);
            source = new Source(in);
            segment = in.group();
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            source.place(offset, ordinal);
        }

        @Override
        boolean usesStack() {
            return source.usesStack();
        }

        @Override
        void run(Cpu cpu) {
            Segmentation.load(cpu, segment, source.read(cpu));
            loaded(cpu, segment, true);
        }
    }

    private static void loaded(Cpu cpu, int segment, boolean shadows) {
        if (segment == Cpu.SS) {
            cpu.updateMode();
            if (shadows) {
                // No interrupt and no debug trap until SP is loaded too (SDM 3A 6.8.3).
                cpu.interruptShadow = true;
                cpu.debugShadow = true;
            }
        }
    }

    private static final class PushSegment extends Op {
        private final int segment;
        private final int size;

        PushSegment(Instruction in, int segment) {
            super(in);
            this.segment = segment;
            size = StackOps.size(in);
        }

        @Override
        boolean usesStack() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            int selector = cpu.selector[segment];
            if (size == 4) {
                // Processors write only the lower half of a 32-bit slot (SDM 2B PUSH).
                long pointer = cpu.r[Cpu.RSP] - 4 & cpu.stackMask();
                cpu.writeShort(cpu.stackLinear(pointer, 2, true), selector);
                cpu.setStackPointer(pointer);
            } else {
                cpu.push(size, selector);
            }
        }
    }

    private static void popInto(Cpu cpu, int segment, int size) {
        int selector = (int) cpu.peek(0, 2);
        long mask = cpu.stackMask();
        Segmentation.load(cpu, segment, selector);
        long pointer = cpu.r[Cpu.RSP];
        // The size of the stack that was popped from, should SS have been loaded.
        cpu.r[Cpu.RSP] = pointer & ~mask | pointer + size & mask;
    }

    private static final class PopSegment64 extends Op {
        private final int segment;
        private final int size;

        PopSegment64(Instruction in, int segment) {
            super(in);
            this.segment = segment;
            size = StackOps.size(in);
        }

        @Override
        boolean usesStack() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            popInto(cpu, segment, size);
        }
    }

    private static final class PopSegment extends EndingOp {
        private final int segment;
        private final int size;

        PopSegment(Instruction in, int segment) {
            super(in);
            this.segment = segment;
            size = StackOps.size(in);
        }

        @Override
        boolean usesStack() {
            return true;
        }

        @Override
        void run(Cpu cpu) {
            popInto(cpu, segment, size);
            loaded(cpu, segment, true);
        }
    }

    /** LES, LDS, LSS, LFS and LGS. */
    private static final class LoadPointer extends EndingOp {
        private final AddressOperand operand;
        private final int segment;
        private final int register;
        private final int size;

        LoadPointer(Instruction in, int segment) {
            super(in);
            this.segment = segment;
            size = in.operandSize;
            register = in.reg;
            operand = new AddressOperand(in, size + 2, false);
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            operand.place(offset, ordinal);
        }

        @Override
        boolean usesStack() {
            return operand.usesStack();
        }

        @Override
        void run(Cpu cpu) {
            long address = operand.address(cpu);
            long value = cpu.read(address, size);
            int selector = cpu.readShort(cpu.wrap(address + size));
            Segmentation.load(cpu, segment, selector);
            storeWord(cpu, register, size, value);
            loaded(cpu, segment, false);
        }
    }

    private static void checkProtected(Cpu cpu) {
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            throw cpu.undefined();
        }
    }

    /** LAR and LSL. */
    private static final class Inspect extends Op {
        private final Source source;
        private final int register;
        private final int size;
        private final boolean limit;

        Inspect(Instruction in) {
            super(in);
            source = new Source(in);
            register = in.reg;
            size = in.operandSize;
            limit = in.opcode == 0x03;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            source.place(offset, ordinal);
        }

        @Override
        boolean usesStack() {
            return source.usesStack();
        }

        @Override
        void execute(Cpu cpu) {
            checkProtected(cpu);
            int selector = source.read(cpu);
            long descriptor = visible(cpu, selector);
            if (descriptor != 0 && hasValue(cpu, Segmentation.attributes(descriptor))) {
                long value = limit ? Segmentation.limit(descriptor) : descriptor >>> 32 & 0xFF_FF00;
                storeWord(cpu, register, size, value);
                cpu.setZero(true);
            } else {
                cpu.setZero(false);
            }
        }

        /** {@return whether the instruction knows this type of segment (SDM 2A tables 3-53 and 3-54)} */
        private boolean hasValue(Cpu cpu, int attributes) {
            if ((attributes & Segmentation.S) != 0) {
                return true;
            }
            boolean longMode = cpu.longMode();
            return switch (attributes & Segmentation.TYPE) {
                case Segmentation.TYPE_LDT, Segmentation.TYPE_TSS, Segmentation.TYPE_TSS_BUSY -> true;
                case Segmentation.TYPE_TSS16, Segmentation.TYPE_TSS16_BUSY -> !longMode;
                case Segmentation.TYPE_CALL_GATE16, Segmentation.TYPE_TASK_GATE -> !limit && !longMode;
                case Segmentation.TYPE_CALL_GATE -> !limit;
                default -> false;
            };
        }
    }

    /** {@return a descriptor that the current privilege level and the selector's may see, or 0} */
    private static long visible(Cpu cpu, int selector) {
        if (Segmentation.isNull(selector)) {
            return 0;
        }
        long address = Segmentation.descriptorAddress(cpu, selector, 8);
        if (address == -1) {
            return 0;
        }
        long descriptor = Segmentation.readTable(cpu, address, 8);
        int attributes = Segmentation.attributes(descriptor);
        boolean conforming = Segmentation.isCode(attributes) && Segmentation.isConforming(attributes);
        int dpl = Segmentation.dpl(attributes);
        return conforming || cpu.cpl <= dpl && (selector & 3) <= dpl ? descriptor : 0;
    }

    /** VERR and VERW. */
    private static final class Verify extends Op {
        private final Source source;
        private final boolean write;

        Verify(Instruction in) {
            super(in);
            source = new Source(in);
            write = in.group() == 5;
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            source.place(offset, ordinal);
        }

        @Override
        boolean usesStack() {
            return source.usesStack();
        }

        @Override
        void execute(Cpu cpu) {
            checkProtected(cpu);
            long descriptor = visible(cpu, source.read(cpu));
            int attributes = Segmentation.attributes(descriptor);
            boolean readable = (attributes & Segmentation.S) != 0
                    && (attributes & (Segmentation.CODE | Segmentation.READABLE)) != Segmentation.CODE;
            cpu.setZero(write ? Segmentation.isWritableData(attributes) : readable);
        }
    }

    private static final int RPL = 3;

    /** ARPL with a register. */
    private static final class AdjustRegister extends Op {
        private final int destination;
        private final int source;

        AdjustRegister(Instruction in) {
            super(in);
            destination = in.rm;
            source = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            checkProtected(cpu);
            int selector = (int) cpu.r[destination];
            int rpl = (int) cpu.r[source] & RPL;
            boolean raise = (selector & RPL) < rpl;
            if (raise) {
                cpu.setReg16(destination, selector & ~RPL | rpl);
            }
            cpu.setZero(raise);
        }
    }

    /** ARPL with memory. */
    private static final class AdjustMemory extends MemOp {
        private final int source;

        AdjustMemory(Instruction in) {
            super(in, 2, true);
            source = in.reg;
        }

        @Override
        void execute(Cpu cpu) {
            checkProtected(cpu);
            int selector = cpu.readShortToModify(address(cpu));
            int rpl = (int) cpu.r[source] & RPL;
            boolean raise = (selector & RPL) < rpl;
            if (raise) {
                cpu.modifyShort(selector & ~RPL | rpl);
            }
            cpu.setZero(raise);
        }
    }
}
