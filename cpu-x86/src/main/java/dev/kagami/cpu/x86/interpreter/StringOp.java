package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;

/**
 * A string instruction: its index registers, counter and addresses (SDM 1 7.3.9).
 *
 * <p>Registers are updated after each element or run of elements, so a fault in the middle leaves them at the element
 * that faulted, and an interrupted repetition goes on where it was when the instruction runs again.
 */
abstract class StringOp extends Op {
    /** Work between two looks at pending events, in elements; a run copied at once counts less. */
    static final int CHECK_INTERVAL = 4096;

    /** Bytes of an element. */
    final int size;

    /** Whether there is a REP prefix. */
    final boolean repeats;

    final long addressMask;
    private final int addressSize;
    private final int sourceSegment;
    private final int sourceSlot;
    final boolean checked;

    StringOp(Instruction in, int size) {
        super(in);
        this.size = size;
        repeats = in.rep || in.repne;
        addressSize = in.addressSize;
        addressMask = Operands.mask(in.addressSize);
        sourceSegment = in.segment();
        checked = in.mode != 64;
        sourceSlot = checked || sourceSegment >= Cpu.FS ? Cpu.SEGMENT_BASE + sourceSegment : Cpu.ZERO;
    }

    /** {@return the linear address of the element at rsi} */
    final long source(Cpu cpu) {
        long offset = cpu.r[Cpu.RSI] & addressMask;
        return checked ? cpu.checkedLinear(sourceSegment, offset, size, false) : offset + cpu.r[sourceSlot];
    }

    /** {@return the linear address of the element at rdi, in ES whatever the prefixes} */
    final long destination(Cpu cpu, boolean write) {
        long offset = cpu.r[Cpu.RDI] & addressMask;
        return checked ? cpu.checkedLinear(Cpu.ES, offset, size, write) : offset;
    }

    /**
     * {@return how many bytes upwards from rsi stay within its segment and its address size, once the first element
     * does}
     */
    final long sourceRoom(Cpu cpu) {
        return room(cpu, sourceSegment, cpu.r[Cpu.RSI] & addressMask);
    }

    /**
     * {@return how many bytes upwards from rdi stay within its segment and its address size, once the first element
     * does}
     */
    final long destinationRoom(Cpu cpu) {
        return room(cpu, Cpu.ES, cpu.r[Cpu.RDI] & addressMask);
    }

    private long room(Cpu cpu, int segment, long offset) {
        long last = addressMask;
        if (checked) {
            int attributes = cpu.attributes[segment];
            if ((attributes & Segmentation.CODE) == 0 && (attributes & Segmentation.EXPAND_DOWN) != 0) {
                return size;
            }
            last = Math.min(last, cpu.limit[segment]);
        }
        // With 64-bit addresses this is 0 for the last byte of all; the page's end is nearer anyway.
        long room = last - offset + 1;
        return room <= 0 ? Mmu.PAGE_SIZE : room;
    }

    final boolean forward(Cpu cpu) {
        return (cpu.systemFlags & Cpu.DF) == 0;
    }

    /** Moves an index register by some bytes upwards, or downwards when DF is set. */
    final void advance(Cpu cpu, int register, long bytes) {
        long value = cpu.r[register] + (forward(cpu) ? bytes : -bytes);
        setAddressSized(cpu, register, value);
    }

    /** {@return the counter, unsigned} */
    final long count(Cpu cpu) {
        return cpu.r[Cpu.RCX] & addressMask;
    }

    final void setCount(Cpu cpu, long count) {
        setAddressSized(cpu, Cpu.RCX, count);
    }

    private void setAddressSized(Cpu cpu, int register, long value) {
        Operands.setRegister(cpu, register, addressSize, false, value);
    }

    /** Writes a register by itself: 32-bit addresses in 64-bit mode then clear its upper half. */
    final void rewrite(Cpu cpu, int register) {
        setAddressSized(cpu, register, cpu.r[register]);
    }

    /**
     * Leaves a repetition between two elements when somebody wants the CPU's attention.
     *
     * @param cpu the CPU, with all registers up to date
     * @param work elements left until the next look
     * @return elements until the look after
     */
    final int pause(Cpu cpu, int work) {
        if ((cpu.systemFlags & Cpu.TF) != 0 || cpu.debugTraps != 0) {
            // Traps follow each element, with the instruction pointer still here (SDM 3B 18.3.1.4).
            Debug.afterInstruction(cpu);
        }
        if (work > 0) {
            return work;
        }
        if (cpu.events() != 0) {
            throw cpu.restart();
        }
        return CHECK_INTERVAL;
    }
}
