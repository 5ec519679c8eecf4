package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** System instructions: control, debug and model-specific registers, TLB, halting, time, fences and hints (SDM 3A 2.8). */
final class SystemOps {
    /** Extended features that XSETBV may enable: x87 and SSE. */
    private static final long XCR0_X87 = 1;

    private SystemOps() {}

    static @Nullable Op create(Instruction in) {
        return switch (in.map) {
            case Instruction.MAP_PRIMARY -> in.opcode == 0xF4 ? new Halt(in) : null;
            case Instruction.MAP_0F -> create0F(in);
            case Instruction.MAP_0F38 ->
                in.opcode == 0x82 && in.pp == Instruction.PP_66 && in.isMemory() ? new InvalidateByPcid(in) : null;
            default -> null;
        };
    }

    private static @Nullable Op create0F(Instruction in) {
        int opcode = in.opcode;
        return switch (opcode) {
            case 0x00, 0x01 -> SystemTables.create(in);
            case 0x06 -> new ClearTaskSwitched(in);
            // INVD, WBINVD (also as WBNOINVD): there is no cache between us and memory.
            case 0x08, 0x09 -> new Privileged(in);
            case 0x0D -> new MoveOps.Nothing(in);
            case 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F -> new MoveOps.Nothing(in);
            case 0x20 -> isControl(in.reg) ? new ReadControl(in) : null;
            case 0x21 -> in.reg > 7 ? null : new ReadDebug(in);
            case 0x22 -> isControl(in.reg) ? new WriteControl(in) : null;
            case 0x23 -> in.reg > 7 ? null : new WriteDebug(in);
            case 0x30 -> new WriteModelSpecific(in);
            case 0x31 -> new ReadTime(in, false);
            case 0x32 -> new ReadModelSpecific(in);
            case 0x33 -> new ReadPerformance(in);
            case 0xA2 -> new Identify(in);
            case 0xAE -> createFence(in);
            case 0xC7 ->
                !in.isMemory() && in.group() == 7 && in.pp == Instruction.PP_F3 ? new ReadProcessorId(in) : null;
            default -> null;
        };
    }

    private static boolean isControl(int register) {
        return register == 0 || register >= 2 && register <= 4 || register == 8;
    }

    /** Group 15: FS and GS bases, fences, cache lines; the rest of it is about the FPU. */
    private static @Nullable Op createFence(Instruction in) {
        int group = in.group();
        if (!in.isMemory()) {
            if (in.pp == Instruction.PP_F3) {
                return group < 4 && in.mode == 64 ? new SegmentBase(in) : null;
            }
            // LFENCE, MFENCE, SFENCE.
            return in.pp == Instruction.PP_NONE && group >= 5 ? new Fence(in) : null;
        }
        boolean cacheLine = group == 7 && (in.pp == Instruction.PP_NONE || in.pp == Instruction.PP_66)
                || group == 6 && in.pp == Instruction.PP_66;
        return cacheLine ? new CacheLine(in) : null;
    }

    static void requireSupervisor(Cpu cpu) {
        if (cpu.cpl != 0) {
            throw cpu.generalProtection();
        }
    }

    // ---------------------------------------------------------------- halting, hints, fences

    private static final class Halt extends Op {
        Halt(Instruction in) {
            super(in);
        }

        @Override
        boolean endsBlock() {
            return true;
        }

        @Override
        void execute(Cpu cpu) {
            requireSupervisor(cpu);
            cpu.halted = true;
            cpu.signal(Cpu.EVENT_HALT);
        }
    }

    /** PAUSE, in a loop that waits for another CPU. */
    static final class Pause extends Op {
        Pause(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.pause();
        }
    }

    /** Orders memory accesses for other CPUs. */
    private static final class Fence extends Op {
        Fence(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            java.lang.invoke.VarHandle.fullFence();
        }
    }

    /** CLFLUSH, CLFLUSHOPT and CLWB: there is no cache, but the address is checked as a byte load's is. */
    private static final class CacheLine extends MemOp {
        CacheLine(Instruction in) {
            super(in, 1, false);
        }

        @Override
        void execute(Cpu cpu) {
            cpu.mmu.probe(address(cpu), 1, false);
        }
    }

    /** Only checks the privilege level. */
    private static final class Privileged extends Op {
        Privileged(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            requireSupervisor(cpu);
        }
    }

    // ---------------------------------------------------------------- control and debug registers

    private static final class ClearTaskSwitched extends EndingOp {
        ClearTaskSwitched(Instruction in) {
            super(in);
        }

        @Override
        void run(Cpu cpu) {
            requireSupervisor(cpu);
            cpu.cr0 &= ~Cpu.CR0_TS;
        }
    }

    private static final class ReadControl extends Op {
        private final int control;
        private final int register;
        private final long mask;

        ReadControl(Instruction in) {
            super(in);
            control = in.reg;
            register = in.rm;
            mask = in.mode == 64 ? -1L : 0xFFFF_FFFFL;
        }

        @Override
        void execute(Cpu cpu) {
            requireSupervisor(cpu);
            long value = switch (control) {
                case 0 -> cpu.cr0;
                case 2 -> cpu.cr2;
                case 3 -> cpu.cr3;
                case 4 -> cpu.cr4;
                default -> ControlRegisters.readCr8(cpu);
            };
            cpu.r[register] = value & mask;
        }
    }

    private static final class WriteControl extends EndingOp {
        private final int control;
        private final int register;
        private final long mask;

        WriteControl(Instruction in) {
            super(in);
            control = in.reg;
            register = in.rm;
            mask = in.mode == 64 ? -1L : 0xFFFF_FFFFL;
        }

        @Override
        void run(Cpu cpu) {
            requireSupervisor(cpu);
            long value = cpu.r[register] & mask;
            switch (control) {
                case 0 -> ControlRegisters.writeCr0(cpu, value);
                case 2 -> cpu.cr2 = value;
                case 3 -> ControlRegisters.writeCr3(cpu, value);
                case 4 -> ControlRegisters.writeCr4(cpu, value);
                default -> ControlRegisters.writeCr8(cpu, value);
            }
        }
    }

    /** {@return the debug register that an encoding means: DR4 and DR5 are old names of DR6 and DR7, or undefined} */
    private static int debugRegister(Cpu cpu, int encoded) {
        int number = encoded;
        if (encoded == 4 || encoded == 5) {
            if ((cpu.cr4 & Cpu.CR4_DE) != 0) {
                throw cpu.undefined();
            }
            number = encoded + 2;
        }
        requireSupervisor(cpu);
        if ((cpu.dr[7] & Debug.DR7_GD) != 0) {
            throw Debug.generalDetect(cpu);
        }
        return number;
    }

    private static final class ReadDebug extends Op {
        private final int encoded;
        private final int register;
        private final long mask;

        ReadDebug(Instruction in) {
            super(in);
            encoded = in.reg;
            register = in.rm;
            mask = in.mode == 64 ? -1L : 0xFFFF_FFFFL;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[register] = cpu.dr[debugRegister(cpu, encoded)] & mask;
        }
    }

    private static final class WriteDebug extends EndingOp {
        private final int encoded;
        private final int register;
        private final long mask;

        WriteDebug(Instruction in) {
            super(in);
            encoded = in.reg;
            register = in.rm;
            mask = in.mode == 64 ? -1L : 0xFFFF_FFFFL;
        }

        @Override
        void run(Cpu cpu) {
            int number = debugRegister(cpu, encoded);
            long value = cpu.r[register] & mask;
            if (number >= 6 && value >>> 32 != 0) {
                throw cpu.generalProtection();
            }
            cpu.dr[number] = switch (number) {
                case 6 -> value & Debug.DR6_WRITABLE | Debug.DR6_ONES;
                case 7 -> value & Debug.DR7_WRITABLE | Debug.DR7_ONES;
                default -> value;
            };
            if (number != 6) {
                // Pages with watched data must leave the TLB.
                cpu.mmu.flushAll();
                cpu.systemFlags &= ~Cpu.RF;
                Debug.update(cpu);
            }
        }
    }

    // ---------------------------------------------------------------- model-specific registers, time, identity

    private static final class ReadModelSpecific extends Op {
        ReadModelSpecific(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            requireSupervisor(cpu);
            long value = Msrs.read(cpu, (int) cpu.r[Cpu.RCX]);
            cpu.r[Cpu.RAX] = value & 0xFFFF_FFFFL;
            cpu.r[Cpu.RDX] = value >>> 32;
        }
    }

    private static final class WriteModelSpecific extends EndingOp {
        WriteModelSpecific(Instruction in) {
            super(in);
        }

        @Override
        void run(Cpu cpu) {
            requireSupervisor(cpu);
            Msrs.write(cpu, (int) cpu.r[Cpu.RCX], cpu.r[Cpu.RAX] & 0xFFFF_FFFFL | cpu.r[Cpu.RDX] << 32);
        }
    }

    /** RDTSC and RDTSCP. */
    static final class ReadTime extends Op {
        private final boolean withProcessor;

        ReadTime(Instruction in, boolean withProcessor) {
            super(in);
            this.withProcessor = withProcessor;
        }

        @Override
        void execute(Cpu cpu) {
            if ((cpu.cr4 & Cpu.CR4_TSD) != 0 && cpu.cpl != 0) {
                throw cpu.generalProtection();
            }
            long value = cpu.timeStampCounter();
            cpu.r[Cpu.RAX] = value & 0xFFFF_FFFFL;
            cpu.r[Cpu.RDX] = value >>> 32;
            if (withProcessor) {
                cpu.r[Cpu.RCX] = cpu.msrs.tscAux & 0xFFFF_FFFFL;
            }
        }
    }

    private static final class ReadProcessorId extends Op {
        private final int register;

        ReadProcessorId(Instruction in) {
            super(in);
            register = in.rm;
        }

        @Override
        void execute(Cpu cpu) {
            cpu.r[register] = cpu.msrs.tscAux & 0xFFFF_FFFFL;
        }
    }

    /** RDPMC: there are no counters. */
    private static final class ReadPerformance extends Op {
        ReadPerformance(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            throw cpu.generalProtection();
        }
    }

    private static final class Identify extends Op {
        Identify(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            Cpuid.execute(cpu);
        }
    }

    /** RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE. */
    private static final class SegmentBase extends Op {
        private final int register;
        private final int slot;
        private final boolean write;
        private final boolean wide;

        SegmentBase(Instruction in) {
            super(in);
            register = in.rm;
            slot = Cpu.SEGMENT_BASE + Cpu.FS + (in.group() & 1);
            write = in.group() >= 2;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            if ((cpu.cr4 & Cpu.CR4_FSGSBASE) == 0) {
                throw cpu.undefined();
            }
            long mask = wide ? -1L : 0xFFFF_FFFFL;
            if (write) {
                long value = cpu.r[register] & mask;
                if (!cpu.mmu.canonical(value)) {
                    throw cpu.generalProtection();
                }
                cpu.r[slot] = value;
            } else {
                cpu.r[register] = cpu.r[slot] & mask;
            }
        }
    }

    /** XGETBV and XSETBV. */
    static final class ExtendedControl extends EndingOp {
        private final boolean write;

        ExtendedControl(Instruction in, boolean write) {
            super(in);
            this.write = write;
        }

        @Override
        void run(Cpu cpu) {
            if ((cpu.cr4 & Cpu.CR4_OSXSAVE) == 0) {
                throw cpu.undefined();
            }
            int number = (int) cpu.r[Cpu.RCX];
            if (!write) {
                // Number 1 is what of XCR0 is in use: all of it may be.
                if (number != 0 && number != 1) {
                    throw cpu.generalProtection();
                }
                cpu.r[Cpu.RAX] = cpu.xcr0 & 0xFFFF_FFFFL;
                cpu.r[Cpu.RDX] = cpu.xcr0 >>> 32;
                return;
            }
            long value = cpu.r[Cpu.RAX] & 0xFFFF_FFFFL | cpu.r[Cpu.RDX] << 32;
            requireSupervisor(cpu);
            boolean avxAlone = (value & VexOp.COMPONENTS) == X87State.COMPONENT_AVX;
            long wide = value & X87State.COMPONENTS_AVX512;
            boolean wideAlone =
                    wide != 0 && (wide != X87State.COMPONENTS_AVX512 || (value & X87State.COMPONENT_AVX) == 0);
            boolean unknown = (value & ~cpu.features.components()) != 0;
            if (number != 0 || unknown || (value & XCR0_X87) == 0 || avxAlone || wideAlone) {
                throw cpu.generalProtection();
            }
            cpu.xcr0 = value;
        }
    }

    // ---------------------------------------------------------------- TLB

    /** INVPCID (SDM 2A). One address is dropped in all address spaces, which is always allowed (SDM 3A 4.10.4.1). */
    private static final class InvalidateByPcid extends EndingOp {
        private static final int ONE_ADDRESS = 0;
        private static final int ONE_CONTEXT = 1;
        private static final int ALL = 2;
        private static final int ALL_NON_GLOBAL = 3;

        private final AddressOperand operand;
        private final int register;
        private final long mask;

        InvalidateByPcid(Instruction in) {
            super(in);
            operand = new AddressOperand(in, 16, false);
            register = in.reg;
            mask = in.mode == 64 ? -1L : 0xFFFF_FFFFL;
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
            if (!cpu.protectedMode()) {
                throw cpu.undefined();
            }
            requireSupervisor(cpu);
            long address = operand.address(cpu);
            cpu.read128(address);
            long pcid = cpu.low;
            long target = cpu.high;
            long type = cpu.r[register] & mask;
            boolean named = type == ONE_ADDRESS || type == ONE_CONTEXT;
            if (type < 0
                    || type > ALL_NON_GLOBAL
                    || pcid >>> 12 != 0
                    || type == ONE_ADDRESS && !cpu.mmu.canonical(target)
                    || named && pcid != 0 && (cpu.cr4 & Cpu.CR4_PCIDE) == 0) {
                throw cpu.generalProtection();
            }
            if (type == ALL) {
                cpu.mmu.flushAll();
            } else if (type == ONE_ADDRESS) {
                cpu.mmu.flushPage(target);
            } else if (type == ONE_CONTEXT) {
                cpu.mmu.flushAddressSpace((int) pcid);
            } else {
                cpu.mmu.flushNonGlobal();
            }
        }
    }
}
