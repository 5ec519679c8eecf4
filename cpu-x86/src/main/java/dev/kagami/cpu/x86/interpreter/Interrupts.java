package dev.kagami.cpu.x86.interpreter;

/** Delivery of interrupts and exceptions through the IDT or the real-mode vector table (SDM 3A chapter 6). */
final class Interrupts {
    /** What causes a delivery; decides about privilege checks, RF, and the EXT bit of error codes. */
    enum Kind {
        /** A hardware interrupt or NMI. */
        EXTERNAL,
        /** INT n. */
        SOFTWARE,
        /** INT3 or INTO: as INT n, but without the IOPL check of virtual-8086 mode. */
        BREAKPOINT,
        /** INT1, also known as ICEBP: no privilege checks. */
        DEBUG,
        /** An exception that the processor raises. */
        EXCEPTION
    }

    /** Error-code bit: the event was external to the program (SDM 3A 6.13). */
    private static final int ERROR_EXT = 1;

    /** Error-code bit: the index is a vector. */
    private static final int ERROR_IDT = 2;

    /** Flags that every delivery in protected mode clears. */
    private static final int CLEARED = Cpu.TF | Cpu.NT | Cpu.RF | Cpu.VM;

    private static final int TYPE_MASK = 0x1F;

    /** How many exceptions may follow from one event before the CPU is taken to be shut down. */
    private static final int MAX_NESTED = 16;

    private Interrupts() {}

    // ---------------------------------------------------------------- exceptions during delivery

    /**
     * Delivers an exception, and what follows when that faults. Saved is the instruction pointer in {@link Cpu#r}.
     *
     * @param cpu the CPU
     * @param vector vector
     * @param hasErrorCode whether it pushes an error code
     * @param errorCode the error code
     * @throws Fault with {@link Fault#SHUTDOWN} after a triple fault
     */
    static void raise(Cpu cpu, int vector, boolean hasErrorCode, int errorCode) {
        raise(cpu, vector, Kind.EXCEPTION, hasErrorCode, errorCode);
    }

    /**
     * Delivers a hardware interrupt or NMI, and what follows when that faults.
     *
     * @param cpu the CPU
     * @param vector vector, 0 to 255
     * @throws Fault with {@link Fault#SHUTDOWN} after a triple fault
     */
    static void external(Cpu cpu, int vector) {
        raise(cpu, vector, Kind.EXTERNAL, false, 0);
    }

    /** Delivers; an exception during that is delivered instead, or becomes a double fault (SDM 3A table 6-5). */
    private static void raise(Cpu cpu, int vector, Kind kind, boolean hasErrorCode, int errorCode) {
        for (int nested = 0; nested < MAX_NESTED; nested++) {
            try {
                deliver(cpu, vector, kind, hasErrorCode, errorCode);
                return;
            } catch (Fault second) {
                if (second.vector < 0) {
                    throw second;
                }
                cpu.exceptions++;
                if (kind == Kind.EXCEPTION && vector == Vector.DOUBLE_FAULT && isSerious(second.vector)) {
                    throw cpu.fault(Fault.SHUTDOWN);
                }
                if (kind == Kind.EXCEPTION && makesDoubleFault(vector, second.vector)) {
                    vector = Vector.DOUBLE_FAULT;
                    hasErrorCode = true;
                    errorCode = 0;
                } else {
                    vector = second.vector;
                    hasErrorCode = second.hasErrorCode;
                    errorCode = second.errorCode;
                }
                kind = Kind.EXCEPTION;
            }
        }
        throw cpu.fault(Fault.SHUTDOWN);
    }

    private static boolean isContributory(int vector) {
        return switch (vector) {
            case Vector.DIVIDE_ERROR,
                    Vector.INVALID_TSS,
                    Vector.SEGMENT_NOT_PRESENT,
                    Vector.STACK_FAULT,
                    Vector.GENERAL_PROTECTION -> true;
            default -> false;
        };
    }

    private static boolean isSerious(int vector) {
        return isContributory(vector) || vector == Vector.PAGE_FAULT;
    }

    private static boolean makesDoubleFault(int first, int second) {
        return isContributory(first) && isContributory(second) || first == Vector.PAGE_FAULT && isSerious(second);
    }

    // ---------------------------------------------------------------- delivery

    /**
     * Delivers an event once. Saved is the instruction pointer in {@link Cpu#r}. Registers are unchanged when this throws,
     * unless a task switch had been made.
     *
     * @param cpu the CPU
     * @param vector vector, 0 to 255
     * @param kind where it comes from
     * @param hasErrorCode whether it pushes an error code
     * @param errorCode the error code
     * @throws Fault when the delivery itself faults
     */
    static void deliver(Cpu cpu, int vector, Kind kind, boolean hasErrorCode, int errorCode) {
        // The branch before an interrupt must not be linked to the handler.
        cpu.next = null;
        cpu.linkFrom = null;
        if (!cpu.protectedMode()) {
            deliverReal(cpu, vector);
        } else if (cpu.longMode()) {
            deliverLong(cpu, vector, kind, hasErrorCode, errorCode);
        } else {
            deliverProtected(cpu, vector, kind, hasErrorCode, errorCode);
        }
        cpu.interruptShadow = false;
        cpu.singleStep = false;
        if (vector == Vector.DEBUG && (kind == Kind.EXCEPTION || kind == Kind.DEBUG)) {
            Debug.enteringHandler(cpu, kind == Kind.DEBUG);
        }
        Debug.update(cpu);
    }

    private static int external(Kind kind) {
        return kind == Kind.SOFTWARE || kind == Kind.BREAKPOINT ? 0 : ERROR_EXT;
    }

    private static boolean isSoftware(Kind kind) {
        return kind == Kind.SOFTWARE || kind == Kind.BREAKPOINT;
    }

    /** {@return the flags to save: RF is set for faults, so that an instruction breakpoint doesn't hit twice} */
    private static int savedFlags(Cpu cpu, int vector, Kind kind) {
        int flags = cpu.flags();
        if (kind == Kind.EXCEPTION && isFault(vector)) {
            return flags | Cpu.RF;
        }
        // RF lives for one instruction; only while stepping do we know that it still does.
        return (cpu.events() & Cpu.EVENT_STEP) != 0 && kind == Kind.EXTERNAL ? flags : flags & ~Cpu.RF;
    }

    private static boolean isFault(int vector) {
        return switch (vector) {
            case Vector.DEBUG, Vector.BREAKPOINT, Vector.OVERFLOW, Vector.DOUBLE_FAULT, Vector.MACHINE_CHECK -> false;
            default -> true;
        };
    }

    /** Delivers through the vector table (SDM 3B 20.1.4). */
    private static void deliverReal(Cpu cpu, int vector) {
        if (vector * 4 + 3 > cpu.idtLimit) {
            throw cpu.generalProtection();
        }
        long entry = cpu.read(cpu.idtBase + vector * 4L & 0xFFFF_FFFFL, 4);
        long[] r = cpu.r;
        long pointer = r[Cpu.RSP];
        long mask = cpu.stackMask();
        int flags = cpu.flags() & ~Cpu.RF;
        cpu.write(cpu.stackLinear(pointer - 2 & mask, 2, true), 2, flags);
        cpu.write(cpu.stackLinear(pointer - 4 & mask, 2, true), 2, cpu.selector[Cpu.CS]);
        cpu.write(cpu.stackLinear(pointer - 6 & mask, 2, true), 2, r[Cpu.RIP]);
        cpu.setStackPointer(pointer - 6);
        cpu.systemFlags &= ~(Cpu.IF | Cpu.TF | Cpu.AC | Cpu.RF);
        Segmentation.setReal(cpu, Cpu.CS, (int) (entry >>> 16));
        r[Cpu.RIP] = entry & 0xFFFF;
        cpu.updateMode();
    }

    // ---------------------------------------------------------------- long mode

    private static void deliverLong(Cpu cpu, int vector, Kind kind, boolean hasErrorCode, int errorCode) {
        int external = external(kind);
        int idtError = vector << 3 | ERROR_IDT | external;
        if (vector * 16 + 15 > cpu.idtLimit) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, idtError);
        }
        long low = Segmentation.readTable(cpu, cpu.idtBase + vector * 16L, 8);
        long high = Segmentation.readTable(cpu, cpu.idtBase + vector * 16L + 8, 8);
        int type = (int) (low >>> 40) & TYPE_MASK;
        if (type != Segmentation.TYPE_INTERRUPT_GATE && type != Segmentation.TYPE_TRAP_GATE) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, idtError);
        }
        checkGate(cpu, low, kind, idtError);
        int selector = (int) (low >>> 16) & 0xFFFF;
        long target = low & 0xFFFF | low >>> 32 & 0xFFFF_0000L | high << 32;

        if (Segmentation.isNull(selector)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, external);
        }
        long code = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, external);
        int attributes = Segmentation.attributes(code);
        int dpl = Segmentation.dpl(attributes);
        if (!Segmentation.isCode(attributes)
                || (attributes & (Segmentation.LONG | Segmentation.DEFAULT_32)) != Segmentation.LONG
                || dpl > cpu.cpl) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, external));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, external));
        }
        int newCpl = Segmentation.isConforming(attributes) ? cpu.cpl : dpl;
        boolean changes = newCpl != cpu.cpl;
        int stackTable = (int) (low >>> 32) & 7;
        long[] r = cpu.r;
        long pointer = r[Cpu.RSP];
        if (stackTable != 0) {
            pointer = longStack(cpu, 7 + stackTable - 1, external);
        } else if (changes) {
            pointer = longStack(cpu, newCpl, external);
        }
        pointer &= -16;
        long bottom = pointer - (hasErrorCode ? 48 : 40);
        if (!cpu.mmu.canonical(bottom) || !cpu.mmu.canonical(pointer - 1)) {
            throw cpu.fault(Vector.STACK_FAULT, external);
        }
        if (!cpu.mmu.canonical(target)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, external);
        }
        writeLongFrame(cpu, changes, pointer, savedFlags(cpu, vector, kind), hasErrorCode, errorCode);
        code = Segmentation.markAccessed(cpu, selector, code);

        // Nothing faults from here on.
        r[Cpu.RSP] = bottom;
        if (changes) {
            Segmentation.setNullStack(cpu, newCpl, newCpl);
        }
        Segmentation.set(cpu, Cpu.CS, selector & ~3 | newCpl, code);
        r[Cpu.RIP] = target;
        cpu.cpl = newCpl;
        cpu.systemFlags &= ~(CLEARED | (type == Segmentation.TYPE_INTERRUPT_GATE ? Cpu.IF : 0));
        cpu.updateMode();
    }

    /**
     * Reads a stack pointer from the 64-bit TSS (SDM 3A figure 7-11).
     *
     * @param index quadword from offset 4: 0 to 2 for RSP0 to RSP2, 7 to 13 for IST1 to IST7, counting past a reserved one
     */
    private static long longStack(Cpu cpu, int index, int external) {
        // RSP0 is at 4, RSP1 at 12, RSP2 at 20; a reserved quadword at 28; IST1 at 36.
        int offset = index < 3 ? 4 + 8 * index : 36 + 8 * (index - 7);
        if ((cpu.attributes[Cpu.TR] & Segmentation.PRESENT) == 0 || offset + 7 > cpu.limit[Cpu.TR]) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(cpu.selector[Cpu.TR], external));
        }
        long pointer = Segmentation.readTable(cpu, cpu.trBase + offset, 8);
        if (!cpu.mmu.canonical(pointer)) {
            throw cpu.fault(Vector.STACK_FAULT, external);
        }
        return pointer;
    }

    /** Reads the stack pointer for a privilege level from the 64-bit TSS; for call gates too. */
    static long longStackOf(Cpu cpu, int cpl) {
        return longStack(cpu, cpl, 0);
    }

    private static void writeLongFrame(
            Cpu cpu, boolean changes, long pointer, int flags, boolean hasErrorCode, int errorCode) {
        int selectorSs = cpu.selector[Cpu.SS];
        int selectorCs = cpu.selector[Cpu.CS];
        int savedMode = cpu.mode;
        cpu.mode = 64;
        try {
            if (changes) {
                Mmu mmu = cpu.mmu;
                mmu.writeSystem(pointer - 8, 8, selectorSs);
                mmu.writeSystem(pointer - 16, 8, cpu.r[Cpu.RSP]);
                mmu.writeSystem(pointer - 24, 8, flags);
                mmu.writeSystem(pointer - 32, 8, selectorCs);
                mmu.writeSystem(pointer - 40, 8, cpu.r[Cpu.RIP]);
                if (hasErrorCode) {
                    mmu.writeSystem(pointer - 48, 8, errorCode & 0xFFFF_FFFFL);
                }
            } else {
                cpu.writeLong(pointer - 8, selectorSs);
                cpu.writeLong(pointer - 16, cpu.r[Cpu.RSP]);
                cpu.writeLong(pointer - 24, flags);
                cpu.writeLong(pointer - 32, selectorCs);
                cpu.writeLong(pointer - 40, cpu.r[Cpu.RIP]);
                if (hasErrorCode) {
                    cpu.writeLong(pointer - 48, errorCode & 0xFFFF_FFFFL);
                }
            }
        } finally {
            cpu.mode = savedMode;
        }
    }

    private static void checkGate(Cpu cpu, long gate, Kind kind, int idtError) {
        int access = (int) (gate >>> 40);
        if (isSoftware(kind) && (access >> 5 & 3) < cpu.cpl) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, idtError);
        }
        if ((access & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, idtError);
        }
    }

    // ---------------------------------------------------------------- protected and virtual-8086 mode

    private static void deliverProtected(Cpu cpu, int vector, Kind kind, boolean hasErrorCode, int errorCode) {
        int external = external(kind);
        int idtError = vector << 3 | ERROR_IDT | external;
        if (vector * 8 + 7 > cpu.idtLimit) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, idtError);
        }
        long gate = Segmentation.readTable(cpu, cpu.idtBase + vector * 8L, 8);
        int type = (int) (gate >>> 40) & TYPE_MASK;
        boolean known = switch (type) {
            case Segmentation.TYPE_TASK_GATE,
                    Segmentation.TYPE_INTERRUPT_GATE16,
                    Segmentation.TYPE_TRAP_GATE16,
                    Segmentation.TYPE_INTERRUPT_GATE,
                    Segmentation.TYPE_TRAP_GATE -> true;
            default -> false;
        };
        if (!known) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, idtError);
        }
        checkGate(cpu, gate, kind, idtError);
        int selector = (int) (gate >>> 16) & 0xFFFF;
        if (type == Segmentation.TYPE_TASK_GATE) {
            TaskSwitch.throughGate(cpu, selector, kind, savedFlags(cpu, vector, kind), hasErrorCode, errorCode);
            return;
        }
        int size = (type & 8) != 0 ? 4 : 2;
        long target = gate & 0xFFFF | (size == 4 ? gate >>> 32 & 0xFFFF_0000L : 0);

        if (Segmentation.isNull(selector)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, external);
        }
        long code = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, external);
        int attributes = Segmentation.attributes(code);
        int dpl = Segmentation.dpl(attributes);
        int selectorError = Segmentation.error(selector, external);
        if (!Segmentation.isCode(attributes) || dpl > cpu.cpl) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, selectorError);
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, selectorError);
        }
        int newCpl = Segmentation.isConforming(attributes) ? cpu.cpl : dpl;
        boolean from8086 = cpu.virtual8086();
        if (from8086 && newCpl != 0) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, selectorError);
        }
        int flags = savedFlags(cpu, vector, kind);
        long[] r = cpu.r;
        if (target > Segmentation.limit(code)) {
            // Checked before the stack is written, so that nothing has changed.
            throw cpu.fault(Vector.GENERAL_PROTECTION, external);
        }
        OtherStack stack =
                newCpl == cpu.cpl ? OtherStack.same(cpu, external) : OtherStack.ofTask(cpu, newCpl, external);
        if (from8086) {
            stack.push(size, cpu.selector[Cpu.GS]);
            stack.push(size, cpu.selector[Cpu.FS]);
            stack.push(size, cpu.selector[Cpu.DS]);
            stack.push(size, cpu.selector[Cpu.ES]);
        }
        if (newCpl != cpu.cpl) {
            stack.push(size, cpu.selector[Cpu.SS]);
            stack.push(size, r[Cpu.RSP]);
        }
        stack.push(size, flags);
        stack.push(size, cpu.selector[Cpu.CS]);
        stack.push(size, r[Cpu.RIP]);
        if (hasErrorCode) {
            stack.push(size, errorCode);
        }
        code = Segmentation.markAccessed(cpu, selector, code);

        // Nothing faults from here on.
        stack.enter();
        if (from8086) {
            Segmentation.setNull(cpu, Cpu.GS, 0);
            Segmentation.setNull(cpu, Cpu.FS, 0);
            Segmentation.setNull(cpu, Cpu.DS, 0);
            Segmentation.setNull(cpu, Cpu.ES, 0);
        }
        Segmentation.set(cpu, Cpu.CS, selector & ~3 | newCpl, code);
        r[Cpu.RIP] = target;
        cpu.cpl = newCpl;
        boolean interruptGate = (type & 1) == 0;
        cpu.systemFlags &= ~(CLEARED | (interruptGate ? Cpu.IF : 0));
        cpu.updateMode();
    }
}
