package dev.kagami.cpu.x86.interpreter;

/**
 * A stack that is being filled before the CPU uses it, so that a fault on the way leaves every register as it was: the
 * stack of a handler or of the target of a call gate, outside of 64-bit mode.
 */
final class OtherStack {
    private final Cpu cpu;
    /** Whether another privilege level gets this stack. */
    private final boolean changes;

    private final int cpl;
    private final int selector;
    /** Descriptor of the new stack segment; 0 when it stays. */
    private final long descriptor;

    private final long base;
    private final long limit;
    private final int attributes;
    private final int errorCode;
    private final long mask;
    private long pointer;

    private OtherStack(Cpu cpu, int cpl, int selector, long descriptor, long pointer, int errorCode) {
        this.cpu = cpu;
        this.cpl = cpl;
        this.selector = selector;
        this.descriptor = descriptor;
        this.errorCode = errorCode;
        changes = descriptor != 0;
        base = changes ? Segmentation.base(descriptor) : cpu.r[Cpu.SEGMENT_BASE + Cpu.SS];
        limit = changes ? Segmentation.limit(descriptor) : cpu.limit[Cpu.SS];
        attributes = changes ? Segmentation.attributes(descriptor) : cpu.attributes[Cpu.SS];
        mask = (attributes & Segmentation.BIG) != 0 ? 0xFFFF_FFFFL : 0xFFFFL;
        this.pointer = pointer;
    }

    /**
     * Goes on with the current stack.
     *
     * @param errorCode of a stack fault: 1 when an event is being delivered
     */
    static OtherStack same(Cpu cpu, int errorCode) {
        return new OtherStack(cpu, cpu.cpl, cpu.selector[Cpu.SS], 0, cpu.r[Cpu.RSP], errorCode);
    }

    /**
     * Starts on the stack that the 16- or 32-bit TSS names for a privilege level, with all checks (SDM 3A 6.12.1).
     *
     * @param cpl the level, 0 to 2
     * @param external 1 when an event is being delivered, for error codes
     */
    static OtherStack ofTask(Cpu cpu, int cpl, int external) {
        boolean wide = (cpu.attributes[Cpu.TR] & Segmentation.TYPE) >= Segmentation.TYPE_TSS;
        int offset = wide ? 4 + 8 * cpl : 2 + 4 * cpl;
        int size = wide ? 4 : 2;
        if ((cpu.attributes[Cpu.TR] & Segmentation.PRESENT) == 0 || offset + size + 1 > cpu.limit[Cpu.TR]) {
            throw cpu.fault(Vector.INVALID_TSS, Segmentation.error(cpu.selector[Cpu.TR], external));
        }
        long pointer = Segmentation.readTable(cpu, cpu.trBase + offset, size);
        int selector = (int) Segmentation.readTable(cpu, cpu.trBase + offset + size, 2);
        if (Segmentation.isNull(selector)) {
            throw cpu.fault(Vector.INVALID_TSS, external);
        }
        int error = Segmentation.error(selector, external);
        long descriptor = Segmentation.readDescriptor(cpu, selector, Vector.INVALID_TSS, external);
        int attributes = Segmentation.attributes(descriptor);
        if ((selector & 3) != cpl || Segmentation.dpl(attributes) != cpl || !Segmentation.isWritableData(attributes)) {
            throw cpu.fault(Vector.INVALID_TSS, error);
        }
        if ((attributes & Segmentation.PRESENT) == 0) {
            throw cpu.fault(Vector.STACK_FAULT, error);
        }
        descriptor = Segmentation.markAccessed(cpu, selector, descriptor);
        return new OtherStack(cpu, cpl, selector, descriptor, pointer, error);
    }

    /** Pushes a value of 2 or 4 bytes. */
    void push(int size, long value) {
        long next = pointer - size & mask;
        long last = next + size - 1;
        boolean expandDown = (attributes & Segmentation.EXPAND_DOWN) != 0;
        if (expandDown ? next <= limit || last > mask : last > limit) {
            throw cpu.fault(Vector.STACK_FAULT, errorCode);
        }
        long linear = base + next & 0xFFFF_FFFFL;
        if (changes && cpl < 3) {
            cpu.mmu.writeSystem(linear, size, value);
        } else {
            cpu.write(linear, size, value);
        }
        pointer = pointer & ~mask | next;
    }

    /** Makes this the CPU's stack; can't fault. The caller sets the privilege level and recomputes the mode. */
    void enter() {
        if (changes) {
            Segmentation.set(cpu, Cpu.SS, selector, descriptor);
            cpu.r[Cpu.RSP] = pointer;
        } else {
            cpu.r[Cpu.RSP] = cpu.r[Cpu.RSP] & ~mask | pointer & mask;
        }
    }
}
