package dev.kagami.cpu.x86.interpreter;

/**
 * Far JMP, CALL and RET: between segments, through call gates and between privilege levels (SDM 3A 5.8; SDM 2A CALL and JMP,
 * 2B RET). Each sets the instruction pointer, or throws before anything has changed.
 */
final class FarTransfer {
    private FarTransfer() {}

    /**
     * Jumps or calls.
     *
     * @param cpu the CPU
     * @param selector new code segment, gate or task
     * @param offset target in a code segment; ignored for gates and tasks
     * @param size operand size in bytes: 2, 4 or 8
     * @param call whether to push the return address
     * @param next instruction pointer behind the instruction
     */
    static void to(Cpu cpu, int selector, long offset, int size, boolean call, long next) {
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            toReal(cpu, selector, offset, size, call, next);
            return;
        }
        if (Segmentation.isNull(selector)) {
            throw cpu.generalProtection();
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        int attributes = Segmentation.attributes(descriptor);
        if ((attributes & Segmentation.S) != 0) {
            toCode(cpu, selector, descriptor, offset, size, call, next);
            return;
        }
        int type = attributes & Segmentation.TYPE;
        boolean longMode = cpu.longMode();
        boolean gate = type == Segmentation.TYPE_CALL_GATE || type == Segmentation.TYPE_CALL_GATE16 && !longMode;
        boolean taskGate = type == Segmentation.TYPE_TASK_GATE && !longMode;
        boolean task = (type == Segmentation.TYPE_TSS || type == Segmentation.TYPE_TSS16) && !longMode;
        int dpl = Segmentation.dpl(attributes);
        if (!gate && !taskGate && !task || dpl < cpu.cpl || dpl < (selector & 3)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        if (task) {
            TaskSwitch.jumpOrCall(cpu, selector, call, next);
            return;
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, 0));
        }
        if (taskGate) {
            TaskSwitch.jumpOrCall(cpu, (int) (descriptor >>> 16) & 0xFFFF, call, next);
        } else {
            throughGate(cpu, selector, descriptor, call, next);
        }
    }

    private static void toReal(Cpu cpu, int selector, long offset, int size, boolean call, long next) {
        if (offset > cpu.limit[Cpu.CS]) {
            throw cpu.generalProtection();
        }
        if (call) {
            pushReturn(cpu, size, next);
        }
        Segmentation.setReal(cpu, Cpu.CS, selector);
        cpu.r[Cpu.RIP] = offset;
        cpu.updateMode();
    }

    /** Pushes CS and the return address on the current stack; faults before anything changes. */
    private static void pushReturn(Cpu cpu, int size, long next) {
        long pointer = cpu.r[Cpu.RSP];
        long mask = cpu.stackMask();
        cpu.write(cpu.stackLinear(pointer - size & mask, size, true), size, cpu.selector[Cpu.CS]);
        cpu.write(cpu.stackLinear(pointer - 2L * size & mask, size, true), size, next);
        cpu.setStackPointer(pointer - 2L * size);
    }

    /** Checks that a descriptor is a code segment for a transfer that stays at the current privilege level. */
    private static void checkSameLevel(Cpu cpu, int selector, int attributes, int rpl) {
        int dpl = Segmentation.dpl(attributes);
        boolean allowed = Segmentation.isCode(attributes)
                && (Segmentation.isConforming(attributes) ? dpl <= cpu.cpl : rpl <= cpu.cpl && dpl == cpu.cpl);
        if (!allowed || isReservedMode(cpu, attributes)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, 0));
        }
    }

    /** {@return whether a code segment has both L and D, which long mode reserves} */
    static boolean isReservedMode(Cpu cpu, int attributes) {
        int both = Segmentation.LONG | Segmentation.DEFAULT_32;
        return cpu.longMode() && (attributes & both) == both;
    }

    /**
     * Checks a target in a code segment that is about to be loaded.
     *
     * @return the target as the new mode has it
     */
    static long checkTarget(Cpu cpu, long descriptor, long target) {
        int attributes = Segmentation.attributes(descriptor);
        if (cpu.longMode() && (attributes & Segmentation.LONG) != 0) {
            if (!cpu.mmu.canonical(target)) {
                throw cpu.generalProtection();
            }
            return target;
        }
        long masked = target & 0xFFFF_FFFFL;
        if (masked > Segmentation.limit(descriptor)) {
            throw cpu.generalProtection();
        }
        return masked;
    }

    private static void toCode(Cpu cpu, int selector, long descriptor, long offset, int size, boolean call, long next) {
        checkSameLevel(cpu, selector, Segmentation.attributes(descriptor), selector & 3);
        long target = checkTarget(cpu, descriptor, offset);
        if (call) {
            pushReturn(cpu, size, next);
        }
        enter(cpu, selector, Segmentation.markAccessed(cpu, selector, descriptor), target);
    }

    /** Loads CS at the current privilege level. */
    private static void enter(Cpu cpu, int selector, long descriptor, long target) {
        Segmentation.set(cpu, Cpu.CS, selector & ~3 | cpu.cpl, descriptor);
        cpu.r[Cpu.RIP] = target;
        cpu.updateMode();
    }

    // ---------------------------------------------------------------- call gates

    private static void throughGate(Cpu cpu, int gateSelector, long gate, boolean call, long next) {
        boolean longMode = cpu.longMode();
        long target = gate & 0xFFFF | gate >>> 32 & 0xFFFF_0000L;
        int size = 4;
        if (longMode) {
            target |= gateHigh(cpu, gateSelector) << 32;
            size = 8;
        } else if ((gate >>> 40 & Segmentation.TYPE) == Segmentation.TYPE_CALL_GATE16) {
            target &= 0xFFFF;
            size = 2;
        }
        int selector = (int) (gate >>> 16) & 0xFFFF;
        if (Segmentation.isNull(selector)) {
            throw cpu.generalProtection();
        }
        long code = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        int attributes = Segmentation.attributes(code);
        int dpl = Segmentation.dpl(attributes);
        boolean inner = call && !Segmentation.isConforming(attributes) && dpl < cpu.cpl;
        boolean allowed = Segmentation.isCode(attributes)
                && (call || Segmentation.isConforming(attributes) ? dpl <= cpu.cpl : dpl == cpu.cpl);
        if (longMode) {
            int kind = attributes & (Segmentation.LONG | Segmentation.DEFAULT_32);
            allowed &= kind == Segmentation.LONG;
        }
        if (!allowed) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, 0));
        }
        target = checkTarget(cpu, code, target);
        if (inner) {
            if (longMode) {
                callInnerLong(cpu, dpl, next);
            } else {
                callInner(cpu, dpl, size, (int) (gate >>> 32) & 31, next);
            }
            cpu.cpl = dpl;
        } else if (call) {
            if (longMode) {
                callSameLong(cpu, next);
            } else {
                pushReturn(cpu, size, next);
            }
        }
        enter(cpu, selector, Segmentation.markAccessed(cpu, selector, code), target);
    }

    /** Reads the second half of a 64-bit call gate, whose type field must be 0 (SDM 3A figure 5-8). */
    private static long gateHigh(Cpu cpu, int selector) {
        long address = Segmentation.descriptorAddress(cpu, selector, 16);
        long high = address == -1 ? -1 : Segmentation.readTable(cpu, address + 8, 8);
        if (address == -1 || (high >>> 40 & 0x1F) != 0) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        return high & 0xFFFF_FFFFL;
    }

    private static void callInnerLong(Cpu cpu, int dpl, long next) {
        long pointer = Interrupts.longStackOf(cpu, dpl);
        if (!cpu.mmu.canonical(pointer - 32) || !cpu.mmu.canonical(pointer - 1)) {
            throw cpu.fault(Vector.STACK_FAULT, 0);
        }
        Segmentation.writeTable(cpu, pointer - 8, 8, cpu.selector[Cpu.SS]);
        Segmentation.writeTable(cpu, pointer - 16, 8, cpu.r[Cpu.RSP]);
        Segmentation.writeTable(cpu, pointer - 24, 8, cpu.selector[Cpu.CS]);
        Segmentation.writeTable(cpu, pointer - 32, 8, next);
        cpu.r[Cpu.RSP] = pointer - 32;
        Segmentation.setNullStack(cpu, dpl, dpl);
    }

    private static void callSameLong(Cpu cpu, long next) {
        long pointer = cpu.r[Cpu.RSP];
        int mode = cpu.mode;
        cpu.mode = 64;
        try {
            cpu.writeLong(pointer - 8, cpu.selector[Cpu.CS]);
            cpu.writeLong(pointer - 16, next);
        } finally {
            cpu.mode = mode;
        }
        cpu.r[Cpu.RSP] = pointer - 16;
    }

    private static void callInner(Cpu cpu, int dpl, int size, int parameters, long next) {
        OtherStack stack = OtherStack.ofTask(cpu, dpl, 0);
        stack.push(size, cpu.selector[Cpu.SS]);
        stack.push(size, cpu.r[Cpu.RSP]);
        for (int i = parameters - 1; i >= 0; i--) {
            stack.push(size, cpu.peek(i * size, size));
        }
        stack.push(size, cpu.selector[Cpu.CS]);
        stack.push(size, next);
        stack.enter();
    }

    // ---------------------------------------------------------------- returns

    /**
     * Returns.
     *
     * @param cpu the CPU
     * @param size operand size in bytes: 2, 4 or 8
     * @param release bytes of parameters to drop
     */
    static void back(Cpu cpu, int size, int release) {
        long target = cpu.peek(0, size);
        int selector = (int) cpu.peek(size, size) & 0xFFFF;
        if (!cpu.protectedMode() || cpu.virtual8086()) {
            if (target > cpu.limit[Cpu.CS]) {
                throw cpu.generalProtection();
            }
            cpu.setStackPointer(cpu.r[Cpu.RSP] + 2L * size + release);
            Segmentation.setReal(cpu, Cpu.CS, selector);
            cpu.r[Cpu.RIP] = target;
            cpu.updateMode();
            return;
        }
        long descriptor = returnSegment(cpu, selector);
        int rpl = selector & 3;
        if (rpl == cpu.cpl) {
            target = checkTarget(cpu, descriptor, target);
            descriptor = Segmentation.markAccessed(cpu, selector, descriptor);
            cpu.setStackPointer(cpu.r[Cpu.RSP] + 2L * size + release);
            enter(cpu, selector, descriptor, target);
            return;
        }
        long pointer = cpu.peek(2 * size + release, size);
        int stackSelector = (int) cpu.peek(3 * size + release, size) & 0xFFFF;
        toOuter(cpu, selector, descriptor, target, stackSelector, pointer, release);
    }

    /** Checks the code segment that RET or IRET returns to, which may not be more privileged. */
    static long returnSegment(Cpu cpu, int selector) {
        if (Segmentation.isNull(selector)) {
            throw cpu.generalProtection();
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        int attributes = Segmentation.attributes(descriptor);
        int dpl = Segmentation.dpl(attributes);
        int rpl = selector & 3;
        if (!Segmentation.isCode(attributes)
                || rpl < cpu.cpl
                || (Segmentation.isConforming(attributes) ? dpl > rpl : dpl != rpl)
                || isReservedMode(cpu, attributes)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.SEGMENT_NOT_PRESENT, Segmentation.error(selector, 0));
        }
        return descriptor;
    }

    /**
     * Checks the stack segment that a return pops.
     *
     * @param rpl privilege level returned to
     * @param toLong whether it is 64-bit code, which may have a null stack segment below level 3
     * @return the descriptor, or 0 for a null selector
     */
    static long returnStack(Cpu cpu, int selector, int rpl, boolean toLong) {
        if (Segmentation.isNull(selector)) {
            if (toLong && rpl != 3 && (selector & 3) == rpl) {
                return 0;
            }
            throw cpu.generalProtection();
        }
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.GENERAL_PROTECTION, 0);
        int attributes = Segmentation.attributes(descriptor);
        if ((selector & 3) != rpl || Segmentation.dpl(attributes) != rpl || !Segmentation.isWritableData(attributes)) {
            throw cpu.fault(Vector.GENERAL_PROTECTION, Segmentation.error(selector, 0));
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.STACK_FAULT, Segmentation.error(selector, 0));
        }
        return descriptor;
    }

    /** Goes to a code segment together with a stack; used for returns to a less privileged level, and all from 64-bit IRET. */
    static void toOuter(
            Cpu cpu, int selector, long descriptor, long target, int stackSelector, long pointer, int release) {
        int rpl = selector & 3;
        boolean toLong = cpu.longMode() && (Segmentation.attributes(descriptor) & Segmentation.LONG) != 0;
        long stack = returnStack(cpu, stackSelector, rpl, toLong);
        target = checkTarget(cpu, descriptor, target);
        descriptor = Segmentation.markAccessed(cpu, selector, descriptor);
        if (stack != 0) {
            stack = Segmentation.markAccessed(cpu, stackSelector, stack);
        }

        // Nothing faults from here on.
        boolean outer = rpl != cpu.cpl;
        if (stack == 0) {
            Segmentation.setNullStack(cpu, stackSelector, rpl);
        } else {
            Segmentation.set(cpu, Cpu.SS, stackSelector, stack);
        }
        Segmentation.set(cpu, Cpu.CS, selector, descriptor);
        cpu.r[Cpu.RIP] = target;
        cpu.cpl = rpl;
        cpu.updateMode();
        long mask = cpu.stackMask();
        if (mask == 0xFFFFL) {
            cpu.setStackPointer(pointer + release);
        } else {
            cpu.r[Cpu.RSP] = pointer + release & mask;
        }
        if (outer) {
            Segmentation.dropPrivileged(cpu);
        }
    }
}
