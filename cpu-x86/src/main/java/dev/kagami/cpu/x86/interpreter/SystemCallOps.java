package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import org.jspecify.annotations.Nullable;

/** SYSCALL, SYSRET, SYSENTER and SYSEXIT, as Intel processors have them (SDM 2B), and the hypercall. */
final class SystemCallOps {
    /** Flags that SYSRET takes from R11. */
    private static final int SYSRET_FLAGS = 0x3C_7FD7 & ~2;

    // KVM's hypercall results (Linux, Documentation/virt/kvm/x86/hypercalls.rst).
    private static final long KVM_ENOSYS = 1000;
    private static final long KVM_EPERM = 1;

    private SystemCallOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_0F) {
            return null;
        }
        return switch (in.opcode) {
            case 0x05 -> in.mode == 64 ? new SystemCall(in) : null;
            case 0x07 -> in.mode == 64 ? new SystemReturn(in) : null;
            case 0x34 -> new SystemEnter(in);
            case 0x35 -> new SystemExit(in);
            default -> null;
        };
    }

    /** {@return the selector of CS after SYSCALL} */
    static int callSelector(Cpu cpu) {
        return (int) (cpu.msrs.star >>> 32) & 0xFFFC;
    }

    /** {@return the selector of SS after SYSCALL} */
    static int callStack(Cpu cpu) {
        return callSelector(cpu) + 8 & 0xFFFF;
    }

    /** {@return the selector of CS after SYSRET to 64-bit code} */
    static int returnSelector(Cpu cpu) {
        return (int) (cpu.msrs.star >>> 48) + 16 & 0xFFFF | 3;
    }

    /** {@return the selector of SS after SYSRET} */
    static int returnStack(Cpu cpu) {
        return (int) (cpu.msrs.star >>> 48) + 8 & 0xFFFF | 3;
    }

    /** Sets the privilege level, and CS and SS as SYSCALL does for level 0 and SYSRET to 64-bit code for level 3. */
    static void setSegments(Cpu cpu, int level) {
        if (level == 0) {
            Segmentation.setFlat(cpu, Cpu.CS, callSelector(cpu), Segmentation.FLAT_CODE64);
            Segmentation.setFlat(cpu, Cpu.SS, callStack(cpu), Segmentation.FLAT_DATA);
        } else {
            Segmentation.setFlat(cpu, Cpu.CS, returnSelector(cpu), Segmentation.FLAT_CODE64 | Segmentation.DPL3);
            Segmentation.setFlat(cpu, Cpu.SS, returnStack(cpu), Segmentation.FLAT_DATA | Segmentation.DPL3);
        }
        cpu.cpl = level;
    }

    private static final class SystemCall extends BranchOp {
        SystemCall(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if ((cpu.efer & Cpu.EFER_SCE) == 0) {
                throw cpu.undefined();
            }
            long[] r = cpu.r;
            r[Cpu.RCX] = r[Cpu.RIP] + offset + length;
            r[Cpu.R11] = cpu.flags() & ~Cpu.RF;
            r[Cpu.RIP] = cpu.msrs.lstar;
            setSegments(cpu, 0);
            SystemFlags.write(cpu, 0, (int) cpu.msrs.fmask & ~2 | Cpu.RF);
            // TF is looked at after SYSCALL: no trap in the kernel when the mask clears it.
            cpu.singleStep = (cpu.systemFlags & Cpu.TF) != 0;
            cpu.updateMode();
        }
    }

    private static final class SystemReturn extends BranchOp {
        private final boolean wide;

        SystemReturn(Instruction in) {
            super(in);
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            if ((cpu.efer & Cpu.EFER_SCE) == 0) {
                throw cpu.undefined();
            }
            long[] r = cpu.r;
            long target = r[Cpu.RCX];
            if (cpu.cpl != 0 || wide && !cpu.mmu.canonical(target)) {
                throw cpu.generalProtection();
            }
            setSegments(cpu, 3);
            r[Cpu.RIP] = target;
            if (!wide) {
                int selector = (int) (cpu.msrs.star >>> 48);
                Segmentation.setFlat(cpu, Cpu.CS, selector | 3, Segmentation.FLAT_CODE32 | Segmentation.DPL3);
                r[Cpu.RIP] = target & 0xFFFF_FFFFL;
            }
            SystemFlags.write(cpu, (int) r[Cpu.R11] & SYSRET_FLAGS, SYSRET_FLAGS | Cpu.RF | Cpu.VM);
            // As if SYSCALL had just completed in the program that is being stepped.
            cpu.singleStep = false;
            cpu.stepPending = (cpu.systemFlags & Cpu.TF) != 0;
            cpu.updateMode();
        }
    }

    private static final class SystemEnter extends BranchOp {
        SystemEnter(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (!cpu.protectedMode() || (cpu.msrs.sysenterCs & 0xFFFC) == 0) {
                throw cpu.generalProtection();
            }
            boolean longMode = cpu.longMode();
            long mask = longMode ? -1L : 0xFFFF_FFFFL;
            int selector = (int) cpu.msrs.sysenterCs & 0xFFFC;
            cpu.r[Cpu.RSP] = cpu.msrs.sysenterEsp & mask;
            cpu.r[Cpu.RIP] = cpu.msrs.sysenterEip & mask;
            Segmentation.setFlat(cpu, Cpu.CS, selector, longMode ? Segmentation.FLAT_CODE64 : Segmentation.FLAT_CODE32);
            Segmentation.setFlat(cpu, Cpu.SS, selector + 8 & 0xFFFF, Segmentation.FLAT_DATA);
            cpu.cpl = 0;
            SystemFlags.write(cpu, 0, Cpu.VM | Cpu.IF | Cpu.RF);
            cpu.updateMode();
        }
    }

    private static final class SystemExit extends BranchOp {
        private final boolean wide;

        SystemExit(Instruction in) {
            super(in);
            wide = in.mode == 64 && in.w;
        }

        @Override
        void execute(Cpu cpu) {
            long[] r = cpu.r;
            if (!cpu.protectedMode() || cpu.cpl != 0 || (cpu.msrs.sysenterCs & 0xFFFC) == 0) {
                throw cpu.generalProtection();
            }
            if (wide && !(cpu.mmu.canonical(r[Cpu.RDX]) && cpu.mmu.canonical(r[Cpu.RCX]))) {
                throw cpu.generalProtection();
            }
            long mask = wide ? -1L : 0xFFFF_FFFFL;
            int selector = (int) cpu.msrs.sysenterCs + (wide ? 32 : 16) & 0xFFFF | 3;
            r[Cpu.RSP] = r[Cpu.RCX] & mask;
            r[Cpu.RIP] = r[Cpu.RDX] & mask;
            int code = wide ? Segmentation.FLAT_CODE64 : Segmentation.FLAT_CODE32;
            Segmentation.setFlat(cpu, Cpu.CS, selector, code | Segmentation.DPL3);
            Segmentation.setFlat(cpu, Cpu.SS, selector + 8 & 0xFFFF | 3, Segmentation.FLAT_DATA | Segmentation.DPL3);
            cpu.cpl = 3;
            cpu.updateMode();
        }
    }

    /** VMCALL and VMMCALL: KVM's hypercall, of which none is implemented. */
    static final class Hypercall extends Op {
        Hypercall(Instruction in) {
            super(in);
        }

        @Override
        void execute(Cpu cpu) {
            if (!cpu.protectedMode() || cpu.virtual8086()) {
                throw cpu.undefined();
            }
            long result = cpu.cpl != 0 ? -KVM_EPERM : -KVM_ENOSYS;
            cpu.r[Cpu.RAX] = cpu.mode == 64 ? result : result & 0xFFFF_FFFFL;
        }
    }
}
