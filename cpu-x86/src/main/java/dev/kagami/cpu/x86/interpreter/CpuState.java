package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.X86State;
import java.util.Arrays;

/** Reset, and the way between {@link Cpu} and {@link X86State}. */
final class CpuState {
    // Attributes after reset (SDM 3A table 10-1): present, read-write data; code as executable.
    private static final int DATA = 0x93;
    private static final int CODE = 0x9B;
    private static final int LDT = 0x82;
    private static final int BUSY_TSS = 0x8B;
    private static final long RESET_CR0 = 0x6000_0010L;

    private CpuState() {}

    /** Puts a CPU into the state after power-on: the boot processor runs, the others wait to be started. */
    static void reset(Cpu cpu) {
        cpu.cr0 = 0;
        cpu.xcr0 = 1;
        Arrays.fill(cpu.vec, 0);
        cpu.mxcsr = 0x1F80;
        cpu.x87.control = 0x40;
        cpu.x87.status = 0;
        cpu.x87.tag = 0x5555;
        cpu.apic.reset();
        cpu.msrs.reset();
        initialize(cpu);
        cpu.cr0 = RESET_CR0;
    }

    /** Does what INIT does, apart from the local APIC: floating-point state and most MSRs stay (SDM 3A table 10-1). */
    static void initialize(Cpu cpu) {
        Arrays.fill(cpu.r, 0);
        cpu.r[Cpu.RDX] = Cpuid.SIGNATURE;
        cpu.r[Cpu.RIP] = 0xFFF0;
        cpu.setArithmeticFlags(0);
        cpu.systemFlags = 2;
        for (int i = 0; i < 8; i++) {
            cpu.selector[i] = 0;
            cpu.limit[i] = 0xFFFF;
            cpu.attributes[i] = DATA;
        }
        cpu.selector[Cpu.CS] = 0xF000;
        cpu.r[Cpu.SEGMENT_BASE + Cpu.CS] = 0xFFFF_0000L;
        cpu.attributes[Cpu.CS] = CODE;
        cpu.attributes[Cpu.LDTR] = LDT;
        cpu.attributes[Cpu.TR] = BUSY_TSS;
        cpu.ldtBase = 0;
        cpu.trBase = 0;
        cpu.gdtBase = 0;
        cpu.gdtLimit = 0xFFFF;
        cpu.idtBase = 0;
        cpu.idtLimit = 0xFFFF;
        cpu.cr0 = cpu.cr0 & (Cpu.CR0_CD | Cpu.CR0_NW) | Cpu.CR0_ET;
        cpu.cr2 = 0;
        cpu.cr3 = 0;
        cpu.cr4 = 0;
        cpu.cpl = 0;
        Arrays.fill(cpu.dr, 0);
        cpu.dr[6] = 0xFFFF_0FF0L;
        cpu.dr[7] = 0x400;
        cpu.msrs.initialize();
        cpu.halted = false;
        cpu.awaitingStartup = cpu.index != 0;
        cpu.nmiBlocked = false;
        cpu.interruptShadow = false;
        cpu.debugShadow = false;
        cpu.singleStep = false;
        cpu.stepPending = false;
        cpu.debugTraps = 0;
        cpu.mmu.flushAll();
        cpu.updateMode();
        cpu.signal(cpu.awaitingStartup ? Cpu.EVENT_HALT : 0);
    }

    /** Starts a CPU that waits to be: in real mode, at the page that the start-up message names (SDM 3A 9.4.4). */
    static void start(Cpu cpu, int vector) {
        cpu.awaitingStartup = false;
        cpu.selector[Cpu.CS] = vector << 8;
        cpu.r[Cpu.SEGMENT_BASE + Cpu.CS] = (long) vector << 12;
        cpu.r[Cpu.RIP] = 0;
        cpu.updateMode();
    }

    static X86State save(Cpu cpu) {
        X86State.Segment[] segments = new X86State.Segment[8];
        for (int i = 0; i < 8; i++) {
            long base = i == Cpu.LDTR ? cpu.ldtBase : i == Cpu.TR ? cpu.trBase : cpu.r[Cpu.SEGMENT_BASE + i];
            segments[i] = new X86State.Segment(cpu.selector[i], base, (int) cpu.limit[i], cpu.attributes[i]);
        }
        X87 x87 = cpu.x87;
        return new X86State(
                Arrays.copyOf(cpu.r, 16),
                cpu.r[Cpu.RIP],
                cpu.flags(),
                segments,
                new X86State.Table(cpu.gdtBase, cpu.gdtLimit),
                new X86State.Table(cpu.idtBase, cpu.idtLimit),
                cpu.cr0,
                cpu.cr2,
                cpu.cr3,
                cpu.cr4,
                cpu.apic.taskPriority(),
                cpu.xcr0,
                cpu.dr.clone(),
                new X86State.Fpu(
                        x87.significand.clone(),
                        x87.signExponent.clone(),
                        x87.control,
                        x87.status,
                        x87.tag,
                        x87.opcode,
                        x87.instructionPointer,
                        x87.dataPointer),
                Arrays.copyOf(cpu.vec, SimdOp.MEMORY_SLOT),
                cpu.mxcsr,
                cpu.msrs.all(),
                cpu.apic.state(),
                cpu.halted,
                cpu.interruptShadow,
                cpu.awaitingStartup,
                cpu.apic.pending(cpu.nmiBlocked, cpu.debugTraps, cpu.debugShadow, cpu.stepPending));
    }

    static void restore(Cpu cpu, X86State state) {
        check(state);
        require((state.xcr0() & ~cpu.features.components()) == 0, "only what its CPU model has in XCR0");
        System.arraycopy(state.gpr(), 0, cpu.r, 0, 16);
        cpu.r[Cpu.RIP] = state.rip();
        cpu.setArithmeticFlags((int) state.rflags());
        cpu.systemFlags = (int) state.rflags() & ~Cpu.ARITHMETIC | 2;
        for (int i = 0; i < 8; i++) {
            X86State.Segment segment = state.segments()[i];
            cpu.selector[i] = segment.selector();
            cpu.limit[i] = segment.limit() & 0xFFFF_FFFFL;
            cpu.attributes[i] = segment.attributes();
            if (i == Cpu.LDTR) {
                cpu.ldtBase = segment.base();
            } else if (i == Cpu.TR) {
                cpu.trBase = segment.base();
            } else {
                cpu.r[Cpu.SEGMENT_BASE + i] = segment.base();
            }
        }
        cpu.gdtBase = state.gdtr().base();
        cpu.gdtLimit = state.gdtr().limit();
        cpu.idtBase = state.idtr().base();
        cpu.idtLimit = state.idtr().limit();
        cpu.cr0 = state.cr0();
        cpu.cr2 = state.cr2();
        cpu.cr3 = state.cr3();
        cpu.cr4 = state.cr4();
        cpu.xcr0 = state.xcr0();
        System.arraycopy(state.dr(), 0, cpu.dr, 0, 8);
        X86State.Fpu fpu = state.fpu();
        System.arraycopy(fpu.significands(), 0, cpu.x87.significand, 0, 8);
        System.arraycopy(fpu.signExponents(), 0, cpu.x87.signExponent, 0, 8);
        cpu.x87.control = fpu.control();
        cpu.x87.status = fpu.status();
        cpu.x87.tag = fpu.tag();
        cpu.x87.opcode = fpu.opcode();
        cpu.x87.instructionPointer = fpu.instructionPointer();
        cpu.x87.dataPointer = fpu.dataPointer();
        // Saved by earlier versions, it has no opmask registers.
        Arrays.fill(cpu.vec, SimdOp.MASKS, SimdOp.MEMORY_SLOT, 0);
        System.arraycopy(state.vectors(), 0, cpu.vec, 0, state.vectors().length);
        cpu.mxcsr = state.mxcsr();
        cpu.msrs.setAll(state.msrs());
        if (state.apic().length != 0) {
            cpu.apic.setState(state.apic());
        }
        cpu.apic.setDeadline(state.msrs().getOrDefault(Msrs.TSC_DEADLINE, 0L));
        cpu.apic.setTaskPriority((int) state.cr8());
        cpu.halted = state.halted();
        cpu.awaitingStartup = state.awaitingStartup();
        cpu.apic.expectStartup(cpu.awaitingStartup);
        X86State.Pending pending = state.pending();
        cpu.apic.setPending(pending);
        cpu.nmiBlocked = pending.nmiBlocked();
        cpu.debugTraps = pending.debugTraps() & 0xF;
        cpu.debugShadow = pending.debugShadow();
        cpu.stepPending = pending.step();
        cpu.interruptShadow = state.interruptShadow();
        // The privilege level is that of SS, except in real mode (0) and virtual-8086 mode (3).
        cpu.cpl =
                !cpu.protectedMode() ? 0 : cpu.virtual8086() ? 3 : cpu.attributes[Cpu.SS] >> Segmentation.DPL_SHIFT & 3;
        cpu.mmu.flushAll();
        cpu.updateMode();
        cpu.signal(Cpu.EVENT_INTERRUPT | Cpu.EVENT_STEP | (cpu.halted || cpu.awaitingStartup ? Cpu.EVENT_HALT : 0));
    }

    private static void check(X86State state) {
        require(state.gpr().length == 16, "16 general registers");
        require(state.segments().length == 8, "8 segment registers");
        require(state.dr().length == 8, "8 debug registers");
        int quadwords = state.vectors().length;
        require(
                quadwords == SimdOp.MEMORY_SLOT || quadwords == SimdOp.MASKS,
                "%d vector quadwords".formatted(SimdOp.MEMORY_SLOT));
        require(state.fpu().significands().length == 8 && state.fpu().signExponents().length == 8, "8 x87 registers");
        require(
                (state.cr0() & Cpu.CR0_PG) == 0 || (state.cr0() & Cpu.CR0_PE) != 0,
                "paging only together with protected mode");
        require(state.apic().length == 0 || state.apic().length == 64, "64 APIC registers or none");
    }

    private static void require(boolean condition, String what) {
        if (!condition) {
            throw new IllegalArgumentException("not the state of an x86-64 CPU: it has " + what);
        }
    }
}
