package dev.kagami.cpu.x86.interpreter;

/** Hardware task switches through task state segments of 16 and 32 bits (SDM 3A chapter 7). Not in long mode. */
final class TaskSwitch {
    /** What causes a switch. */
    enum Cause {
        JUMP,
        CALL,
        RETURN,
        EVENT
    }

    // Offsets in a 32-bit TSS (SDM 3A figure 7-2).
    private static final int CR3_32 = 0x1C;
    private static final int EIP_32 = 0x20;
    private static final int EFLAGS_32 = 0x24;
    private static final int REGISTERS_32 = 0x28;
    private static final int SEGMENTS_32 = 0x48;
    private static final int LDT_32 = 0x60;
    private static final int TRAP_32 = 0x64;
    private static final int MIN_LIMIT_32 = 0x67;

    // Offsets in a 16-bit TSS (SDM 3A figure 7-10).
    private static final int IP_16 = 0x0E;
    private static final int FLAGS_16 = 0x10;
    private static final int REGISTERS_16 = 0x12;
    private static final int SEGMENTS_16 = 0x22;
    private static final int LDT_16 = 0x2A;
    private static final int MIN_LIMIT_16 = 0x2B;

    /** Flags that a TSS can load; VM from a 32-bit one only. */
    private static final int FLAGS_LOADED =
            Cpu.ARITHMETIC | Cpu.TF | Cpu.IF | Cpu.DF | Cpu.IOPL | Cpu.NT | Cpu.RF | Cpu.VM | Cpu.AC | Cpu.ID;

    private TaskSwitch() {}

    /**
     * Switches to the task of a task gate in the IDT, and pushes the error code there.
     *
     * @param savedFlags the flags to save in the task that is left
     */
    static void throughGate(
            Cpu cpu, int selector, Interrupts.Kind kind, int savedFlags, boolean hasErrorCode, int errorCode) {
        boolean software = kind == Interrupts.Kind.SOFTWARE || kind == Interrupts.Kind.BREAKPOINT;
        int external = software ? 0 : 1;
        long descriptor = taskDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, external);
        to(cpu, selector, descriptor, Cause.EVENT, cpu.r[Cpu.RIP], savedFlags, external);
        if (hasErrorCode) {
            boolean wide = (cpu.attributes[Cpu.TR] & Segmentation.TYPE) >= Segmentation.TYPE_TSS;
            cpu.push(wide ? 4 : 2, errorCode);
        }
    }

    /**
     * Reads the descriptor of an available TSS that a task gate or a far transfer names.
     *
     * @param vector fault to raise when there is none
     */
    static long taskDescriptor(Cpu cpu, int selector, int vector, int external) {
        int error = Segmentation.error(selector, external);
        if ((selector & 4) != 0 || Segmentation.isNull(selector)) {
            throw cpu.fault(vector, error);
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, vector, external);
        int type = Segmentation.attributes(descriptor) & (Segmentation.TYPE | Segmentation.S);
        if (type != Segmentation.TYPE_TSS && type != Segmentation.TYPE_TSS16) {
            throw cpu.fault(vector, error);
        }
        checkPresent(cpu, selector, descriptor, external);
        return descriptor;
    }

    private static void checkPresent(Cpu cpu, int selector, long descriptor, int external) {
        int attributes = Segmentation.attributes(descriptor);
        int error = Segmentation.error(selector, external);
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, error);
        }
        boolean wide = (attributes & Segmentation.TYPE) >= Segmentation.TYPE_TSS;
        if (Segmentation.limit(descriptor) < (wide ? MIN_LIMIT_32 : MIN_LIMIT_16)) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
    }

    /** Switches for JMP or CALL to a TSS or task gate; {@code next} is the instruction pointer to come back to. */
    static void jumpOrCall(Cpu cpu, int selector, boolean call, long next) {
        long descriptor = taskDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        byInstruction(cpu, selector, descriptor, call ? Cause.CALL : Cause.JUMP, next);
    }

    /** Returns to the task that the current one is nested in, for IRET with NT set. */
    static void nestedReturn(Cpu cpu, long next) {
        int selector = (int) Segmentation.readTable(cpu, cpu.trBase, 2);
        int error = Segmentation.error(selector, 0);
        if ((selector & 4) != 0 || Segmentation.isNull(selector)) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.INVALID_TSS, 0);
        int type = Segmentation.attributes(descriptor) & (Segmentation.TYPE | Segmentation.S);
        if (type != Segmentation.TYPE_TSS_BUSY && type != Segmentation.TYPE_TSS16_BUSY) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
        checkPresent(cpu, selector, descriptor, 0);
        byInstruction(cpu, selector, descriptor, Cause.RETURN, next);
    }

    /**
     * Switches because of an instruction. Once the new task's state is loaded, faults belong to it: they are delivered from
     * here, since whoever catches them would put the instruction pointer back to the old task's instruction.
     */
    private static void byInstruction(Cpu cpu, int selector, long descriptor, Cause cause, long next) {
        int before = cpu.selector[Cpu.TR];
        try {
            to(cpu, selector, descriptor, cause, next, cpu.flags() & ~Cpu.RF, 0);
        } catch (Fault fault) {
            if (cpu.selector[Cpu.TR] == before) {
                throw fault;
            }
            Interrupts.raise(cpu, fault.vector, fault.hasErrorCode, fault.errorCode);
        }
    }

    private static void to(
            Cpu cpu, int selector, long descriptor, Cause cause, long next, int savedFlags, int external) {
        int oldSelector = cpu.selector[Cpu.TR];
        long oldBase = cpu.trBase;
        boolean oldWide = (cpu.attributes[Cpu.TR] & Segmentation.TYPE) >= Segmentation.TYPE_TSS;
        int type = Segmentation.attributes(descriptor) & Segmentation.TYPE;
        boolean wide = type >= Segmentation.TYPE_TSS;
        long newBase = Segmentation.base(descriptor);
        if ((cpu.attributes[Cpu.TR] & Segmentation.PRESENT) == 0
                || cpu.limit[Cpu.TR] < (oldWide ? MIN_LIMIT_32 : MIN_LIMIT_16)) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(oldSelector, external));
        }

        // The new state is read first: page faults must find the old task unchanged.
        long[] fresh = read(cpu, newBase, wide);
        if (cause == Cause.RETURN) {
            savedFlags &= ~Cpu.NT;
        }
        save(cpu, oldBase, oldWide, next, savedFlags);
        if (cause == Cause.JUMP || cause == Cause.RETURN) {
            setBusy(cpu, oldSelector, false);
        }
        boolean nested = cause == Cause.CALL || cause == Cause.EVENT;
        if (nested) {
            Segmentation.writeTable(cpu, newBase, 2, oldSelector);
        }
        if (cause != Cause.RETURN) {
            setBusy(cpu, selector, true);
        }
        cpu.selector[Cpu.TR] = selector;
        cpu.trBase = newBase;
        cpu.limit[Cpu.TR] = Segmentation.limit(descriptor);
        cpu.attributes[Cpu.TR] = Segmentation.attributes(descriptor) | 2;
        cpu.cr0 |= Cpu.CR0_TS;
        load(cpu, fresh, wide, nested, external);
    }

    private static void setBusy(Cpu cpu, int selector, boolean busy) {
        long address = Segmentation.descriptorAddress(cpu, selector, 8);
        if (address == -1) {
            return; // the guest shrank its GDT since it loaded TR; there is nothing to mark
        }
        int access = (int) Segmentation.readTable(cpu, address + 5, 1);
        Segmentation.writeTable(cpu, address + 5, 1, busy ? access | 2 : access & ~2);
    }

    // Slots of a task's state.
    private static final int SLOT_EIP = 0;
    private static final int SLOT_FLAGS = 1;
    private static final int SLOT_REGISTERS = 2;
    private static final int SLOT_SEGMENTS = 10;
    private static final int SLOT_LDT = 16;
    private static final int SLOT_CR3 = 17;
    private static final int SLOT_TRAP = 18;
    private static final int SLOTS = 19;

    private static long[] read(Cpu cpu, long base, boolean wide) {
        long[] state = new long[SLOTS];
        int size = wide ? 4 : 2;
        state[SLOT_EIP] = Segmentation.readTable(cpu, base + (wide ? EIP_32 : IP_16), size);
        state[SLOT_FLAGS] = Segmentation.readTable(cpu, base + (wide ? EFLAGS_32 : FLAGS_16), size);
        for (int i = 0; i < 8; i++) {
            int registers = wide ? REGISTERS_32 : REGISTERS_16;
            state[SLOT_REGISTERS + i] = Segmentation.readTable(cpu, base + registers + (long) i * size, size);
        }
        int segments = wide ? 6 : 4;
        for (int i = 0; i < segments; i++) {
            int first = wide ? SEGMENTS_32 : SEGMENTS_16;
            state[SLOT_SEGMENTS + i] = Segmentation.readTable(cpu, base + first + (long) i * size, 2);
        }
        state[SLOT_LDT] = Segmentation.readTable(cpu, base + (wide ? LDT_32 : LDT_16), 2);
        if (wide) {
            state[SLOT_CR3] = Segmentation.readTable(cpu, base + CR3_32, 4);
            state[SLOT_TRAP] = Segmentation.readTable(cpu, base + TRAP_32, 2) & 1;
        }
        return state;
    }

    private static void save(Cpu cpu, long base, boolean wide, long next, int flags) {
        int size = wide ? 4 : 2;
        // The first and the last byte that are written decide about page faults, before anything is.
        int last = wide ? SEGMENTS_32 + 22 : SEGMENTS_16 + 6;
        int eip = wide ? EIP_32 : IP_16;
        Segmentation.writeTable(cpu, base + last, 2, cpu.selector[wide ? Cpu.GS : Cpu.DS]);
        Segmentation.writeTable(cpu, base + eip, size, next);
        Segmentation.writeTable(cpu, base + (wide ? EFLAGS_32 : FLAGS_16), size, flags);
        for (int i = 0; i < 8; i++) {
            int registers = wide ? REGISTERS_32 : REGISTERS_16;
            Segmentation.writeTable(cpu, base + registers + (long) i * size, size, cpu.r[i]);
        }
        int segments = wide ? 6 : 4;
        for (int i = 0; i < segments; i++) {
            int first = wide ? SEGMENTS_32 : SEGMENTS_16;
            Segmentation.writeTable(cpu, base + first + (long) i * size, 2, cpu.selector[i]);
        }
    }

    /** Loads the new task's state; what faults here does so in the new task (SDM 3A 7.3). */
    private static void load(Cpu cpu, long[] state, boolean wide, boolean nested, int external) {
        if (wide && (cpu.cr0 & Cpu.CR0_PG) != 0 && state[SLOT_CR3] != cpu.cr3) {
            cpu.cr3 = state[SLOT_CR3];
            cpu.mmu.selectAddressSpace(false);
        }
        int flags = (int) state[SLOT_FLAGS] & FLAGS_LOADED;
        if (nested) {
            flags |= Cpu.NT;
        }
        cpu.setArithmeticFlags(flags);
        cpu.systemFlags = flags & ~Cpu.ARITHMETIC | 2;
        for (int i = 0; i < 8; i++) {
            // A 16-bit TSS leaves the upper halves undefined; keeping ones is what processors do.
            cpu.r[i] = wide ? state[SLOT_REGISTERS + i] : 0xFFFF_0000L | state[SLOT_REGISTERS + i];
        }
        cpu.r[Cpu.RIP] = state[SLOT_EIP];
        boolean virtual = cpu.virtual8086();
        // Selectors first: a fault while loading descriptors finds all of them visible, unusable so far.
        for (int i = 0; i < 6; i++) {
            Segmentation.setNull(cpu, i, (int) state[SLOT_SEGMENTS + i]);
        }
        cpu.cpl = virtual ? 3 : cpu.selector[Cpu.CS] & 3;
        cpu.selector[Cpu.LDTR] = (int) state[SLOT_LDT];
        cpu.attributes[Cpu.LDTR] = 0;
        cpu.updateMode();
        Debug.update(cpu);
        if (!Segmentation.isNull(cpu.selector[Cpu.LDTR])) {
            loadLocalTable(cpu, cpu.selector[Cpu.LDTR], external);
        }
        if (virtual) {
            for (int i = 0; i < 6; i++) {
                Segmentation.setReal(cpu, i, cpu.selector[i]);
            }
            cpu.updateMode();
        } else {
            loadSegments(cpu, external);
        }
        if ((cpu.systemFlags & Cpu.IF) != 0) {
            SystemFlags.interruptsEnabled(cpu);
        }
        if (cpu.r[Cpu.RIP] > cpu.limit[Cpu.CS]) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, external);
        }
        if (state[SLOT_TRAP] != 0) {
            cpu.dr[6] |= Debug.DR6_BT;
            throw cpu.fault(Vector.DEBUG);
        }
    }

    private static void loadLocalTable(Cpu cpu, int selector, int external) {
        int error = Segmentation.error(selector, external);
        if ((selector & 4) != 0) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.INVALID_TSS, external);
        int attributes = Segmentation.attributes(descriptor);
        if ((attributes & (Segmentation.TYPE | Segmentation.S)) != Segmentation.TYPE_LDT
                || (attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
        cpu.ldtBase = Segmentation.base(descriptor);
        cpu.limit[Cpu.LDTR] = Segmentation.limit(descriptor);
        cpu.attributes[Cpu.LDTR] = attributes;
    }

    private static void loadSegments(Cpu cpu, int external) {
        int cs = cpu.selector[Cpu.CS];
        long code = taskSegment(cpu, cs, external);
        int attributes = Segmentation.attributes(code);
        int dpl = Segmentation.dpl(attributes);
        if (!Segmentation.isCode(attributes)
                || (Segmentation.isConforming(attributes) ? dpl > (cs & 3) : dpl != (cs & 3))) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(cs, external));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(cs, external));
        }
        Segmentation.set(cpu, Cpu.CS, cs, Segmentation.markAccessed(cpu, cs, code));
        cpu.updateMode();

        int ss = cpu.selector[Cpu.SS];
        long stack = taskSegment(cpu, ss, external);
        attributes = Segmentation.attributes(stack);
        if ((ss & 3) != cpu.cpl
                || Segmentation.dpl(attributes) != cpu.cpl
                || !Segmentation.isWritableData(attributes)) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(ss, external));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.STACK_FAULT, Segmentation.error(ss, external));
        }
        Segmentation.set(cpu, Cpu.SS, ss, Segmentation.markAccessed(cpu, ss, stack));
        cpu.updateMode();

        for (int i = Cpu.ES; i <= Cpu.GS; i++) {
            int selector = cpu.selector[i];
            if (i == Cpu.CS || i == Cpu.SS || Segmentation.isNull(selector)) {
                continue;
            }
            loadData(cpu, i, selector, external);
        }
    }

    private static long taskSegment(Cpu cpu, int selector, int external) {
        if (Segmentation.isNull(selector)) {
            throw cpu.fault(Vector.INVALID_TSS, external);
        }
        return Segmentation.readDescriptor(cpu, selector, Vector.INVALID_TSS, external);
    }

    private static void loadData(Cpu cpu, int segment, int selector, int external) {
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.INVALID_TSS, external);
        int attributes = Segmentation.attributes(descriptor);
        if (!Segmentation.isLoadable(attributes, selector, cpu.cpl)) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(selector, external));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, external));
        }
        Segmentation.set(cpu, segment, selector, Segmentation.markAccessed(cpu, selector, descriptor));
    }
}
