package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** Opcode groups 6 and 7: descriptor-table registers, machine status word, INVLPG, and what shares their encodings (SDM 2D A.4). */
final class SystemTables {
    private SystemTables() {}

    static @Nullable Op create(Instruction in) {
        if (in.opcode == 0x00) {
            return switch (in.group()) {
                case 0 -> new StoreWord(in, StoreWord.LOCAL_TABLE);
                case 1 -> new StoreWord(in, StoreWord.TASK);
                case 2 -> new LoadLocalTable(in);
                case 3 -> new LoadTask(in);
                default -> null;
            };
        }
        if (!in.isMemory()) {
            return switch (in.group()) {
                case 4 -> new StoreWord(in, StoreWord.MACHINE_STATUS);
                case 6 -> new LoadMachineStatus(in);
                default -> in.pp == Instruction.PP_NONE ? createWithoutOperand(in) : null;
            };
        }
        return switch (in.group()) {
            case 0, 1 -> new StoreTable(in);
            case 2, 3 -> new LoadTable(in);
            case 4 -> new StoreWord(in, StoreWord.MACHINE_STATUS);
            case 6 -> new LoadMachineStatus(in);
            case 7 -> new InvalidatePage(in);
            default -> null;
        };
    }

    private static @Nullable Op createWithoutOperand(Instruction in) {
        return switch (in.group() << 3 | in.rm & 7) {
            case 0x01, 0x19 -> new SystemCallOps.Hypercall(in); // VMCALL, VMMCALL
            case 0x0A, 0x0B -> new AccessControl(in); // CLAC, STAC
            case 0x10 -> new SystemOps.ExtendedControl(in, false);
            case 0x11 -> new SystemOps.ExtendedControl(in, true);
            case 0x38 -> in.mode == 64 ? new SwapGs(in) : null;
            case 0x39 -> new SystemOps.ReadTime(in, true);
            default -> null;
        };
    }

    /** User-mode instruction prevention (SDM 3A 2.5). */
    private static void checkUserMode(Cpu cpu) {
        if (cpu.cpl == 3 && (cpu.cr4 & Cpu.CR4_UMIP) != 0) {
            throw cpu.generalProtection();
        }
    }

    private static void requireSegmentation(Cpu cpu) {
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            throw cpu.undefined();
        }
    }

    /** SLDT, STR and SMSW. */
    private static final class StoreWord extends Op {
        static final int LOCAL_TABLE = 0;
        static final int TASK = 1;
        static final int MACHINE_STATUS = 2;

        private final @Nullable AddressOperand operand;
        private final int register;
        private final int size;
        private final int what;

        StoreWord(Instruction in, int what) {
            super(in);
            this.what = what;
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
            if (what != MACHINE_STATUS) {
                requireSegmentation(cpu);
            }
            checkUserMode(cpu);
            long value = switch (what) {
                case LOCAL_TABLE -> cpu.selector[Cpu.LDTR];
                case TASK -> cpu.selector[Cpu.TR];
                default -> cpu.cr0;
            };
            if (operand != null) {
                cpu.writeShort(operand.address(cpu), (int) value);
            } else {
                Operands.setRegister(cpu, register, size, false, value);
            }
        }
    }

    /** SGDT and SIDT. */
    private static final class StoreTable extends MemOp {
        private final boolean interrupts;
        private final int baseSize;

        StoreTable(Instruction in) {
            super(in, in.mode == 64 ? 10 : 6, true);
            interrupts = in.group() == 1;
            baseSize = in.mode == 64 ? 8 : 4;
        }

        @Override
        void execute(Cpu cpu) {
            checkUserMode(cpu);
            long address = address(cpu);
            int tableLimit = interrupts ? cpu.idtLimit : cpu.gdtLimit;
            long base = interrupts ? cpu.idtBase : cpu.gdtBase;
            cpu.mmu.probe(address, baseSize + 2, true);
            cpu.writeShort(address, tableLimit);
            cpu.write(cpu.wrap(address + 2), baseSize, base);
        }
    }

    /** LGDT and LIDT. */
    private static final class LoadTable extends EndingOp {
        private final AddressOperand operand;
        private final boolean interrupts;
        private final int baseSize;
        private final long mask;

        LoadTable(Instruction in) {
            super(in);
            operand = new AddressOperand(in, in.mode == 64 ? 10 : 6, false);
            interrupts = in.group() == 3;
            baseSize = in.mode == 64 ? 8 : 4;
            // With 16-bit operands the base has 24 bits (SDM 2A LGDT).
            mask = in.mode == 64 ? -1L : in.operandSize == 2 ? 0xFF_FFFFL : 0xFFFF_FFFFL;
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
            SystemOps.requireSupervisor(cpu);
            long address = operand.address(cpu);
            int tableLimit = cpu.readShort(address);
            long base = cpu.read(cpu.wrap(address + 2), baseSize) & mask;
            if (baseSize == 8 && !cpu.mmu.canonical(base)) {
                throw cpu.generalProtection();
            }
            if (interrupts) {
                cpu.idtBase = base;
                cpu.idtLimit = tableLimit;
            } else {
                cpu.gdtBase = base;
                cpu.gdtLimit = tableLimit;
            }
        }
    }

    /** LMSW: the low four bits of CR0; PE can be set but not cleared. */
    private static final class LoadMachineStatus extends EndingOp {
        private final SegmentOps.Source source;

        LoadMachineStatus(Instruction in) {
            super(in);
            source = new SegmentOps.Source(in);
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
            SystemOps.requireSupervisor(cpu);
            long changeable = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_EM | Cpu.CR0_TS;
            long value = source.read(cpu) & changeable | cpu.cr0 & Cpu.CR0_PE;
            ControlRegisters.writeCr0(cpu, cpu.cr0 & ~changeable | value);
        }
    }

    /** Reads the descriptor of an LDT or TSS; its upper half, in long mode, into {@link Cpu#high}. */
    private static long readSystemDescriptor(Cpu cpu, int selector) {
        int error = Segmentation.error(selector, 0);
        boolean wide = cpu.longMode();
        long address = (selector & 4) != 0 ? -1 : Segmentation.descriptorAddress(cpu, selector, wide ? 16 : 8);
        if (address == -1) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, error);
        }
        long descriptor = Segmentation.readTable(cpu, address, 8);
        cpu.high = wide ? Segmentation.readTable(cpu, address + 8, 8) : 0;
        return descriptor;
    }

    private static void checkSystemDescriptor(Cpu cpu, int selector, boolean rightType, int attributes, long base) {
        int error = Segmentation.error(selector, 0);
        boolean upperType = (cpu.high >>> 40 & 0x1F) != 0;
        if (!rightType || upperType || !cpu.mmu.canonical(base)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, error);
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, error);
        }
    }

    private static final class LoadLocalTable extends EndingOp {
        private final SegmentOps.Source source;

        LoadLocalTable(Instruction in) {
            super(in);
            source = new SegmentOps.Source(in);
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
            requireSegmentation(cpu);
            SystemOps.requireSupervisor(cpu);
            int selector = source.read(cpu);
            if (Segmentation.isNull(selector)) {
                cpu.selector[Cpu.LDTR] = selector;
                cpu.attributes[Cpu.LDTR] = 0;
                return;
            }
            long descriptor = readSystemDescriptor(cpu, selector);
            int attributes = Segmentation.attributes(descriptor);
            long base = Segmentation.base(descriptor) | cpu.high << 32;
            boolean rightType = (attributes & (Segmentation.TYPE | Segmentation.S)) == Segmentation.TYPE_LDT;
            checkSystemDescriptor(cpu, selector, rightType, attributes, base);
            cpu.selector[Cpu.LDTR] = selector;
            cpu.ldtBase = base;
            cpu.limit[Cpu.LDTR] = Segmentation.limit(descriptor);
            cpu.attributes[Cpu.LDTR] = attributes;
        }
    }

    private static final class LoadTask extends EndingOp {
        private final SegmentOps.Source source;

        LoadTask(Instruction in) {
            super(in);
            source = new SegmentOps.Source(in);
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
            requireSegmentation(cpu);
            SystemOps.requireSupervisor(cpu);
            int selector = source.read(cpu);
            if (Segmentation.isNull(selector)) {
                throw cpu.generalProtection();
            }
            long descriptor = readSystemDescriptor(cpu, selector);
            int attributes = Segmentation.attributes(descriptor);
            long base = Segmentation.base(descriptor) | cpu.high << 32;
            int type = attributes & (Segmentation.TYPE | Segmentation.S);
            boolean rightType = type == Segmentation.TYPE_TSS || type == Segmentation.TYPE_TSS16 && !cpu.longMode();
            checkSystemDescriptor(cpu, selector, rightType, attributes, base);
            descriptor |= Segmentation.DESCRIPTOR_BUSY;
            Segmentation.writeTable(cpu, Segmentation.descriptorAddress(cpu, selector, 8) + 5, 1, descriptor >>> 40);
            cpu.selector[Cpu.TR] = selector;
            cpu.trBase = base;
            cpu.limit[Cpu.TR] = Segmentation.limit(descriptor);
            cpu.attributes[Cpu.TR] = Segmentation.attributes(descriptor);
        }
    }

    private static final class InvalidatePage extends EndingOp {
        private final AddressOperand operand;
        private final int segment;

        InvalidatePage(Instruction in) {
            super(in);
            operand = new AddressOperand(in, 1, false);
            segment = in.segment();
        }

        @Override
        void place(int offset, int ordinal) {
            super.place(offset, ordinal);
            operand.place(offset, ordinal);
        }

        @Override
        void run(Cpu cpu) {
            SystemOps.requireSupervisor(cpu);
            if (cpu.mode == 64) {
                long address = operand.address(cpu);
                // A non-canonical address is in no translation (SDM 2A INVLPG).
                if (cpu.mmu.canonical(address)) {
                    cpu.mmu.flushPage(address);
                }
            } else {
                long base = cpu.r[Cpu.SEGMENT_BASE + segment];
                cpu.mmu.flushPage(base + operand.effectiveOffset(cpu) & 0xFFFF_FFFFL);
            }
        }
    }

    private static final class SwapGs extends Op {
        SwapGs(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            SystemOps.requireSupervisor(cpu);
            int slot = Cpu.SEGMENT_BASE + Cpu.GS;
            long base = cpu.r[slot];
            cpu.r[slot] = cpu.msrs.kernelGsBase;
            cpu.msrs.kernelGsBase = base;
        }
    }

    /** CLAC and STAC. */
    private static final class AccessControl extends Op {
        private final boolean set;

        AccessControl(Instruction in) {
            super(in);
            set = (in.rm & 7) == 3;
        }

        @Override
        void execute(Cpu cpu) {
            if (cpu.cpl != 0 || !cpu.protectedMode()) {
                throw cpu.undefined();
            }
            cpu.systemFlags = set ? cpu.systemFlags | Cpu.AC : cpu.systemFlags & ~Cpu.AC;
            cpu.updateView();
        }
    }
}
