package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * A read-modify-write of memory that no other CPU's access comes between (SDM 3A 8.1.2): with a LOCK prefix, or XCHG.
 *
 * <p>It is an atomic access of the host to the naturally aligned word of 4 or 8 bytes around the operand, and thus atomic
 * against all accesses of other CPUs, plain ones and those that translated code makes included. An operand that is in no
 * such word, a "split lock", is changed while no other CPU runs; see {@link Rendezvous}.
 */
abstract class LockedOp extends MemOp {
    private static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    /** Bytes of the operand. */
    final int size;

    LockedOp(Instruction in, int size) {
        super(in, size, true);
        this.size = size;
    }

    /**
     * Computes the new value of the operand and sets the flags. May be called again with another value, and then finds the
     * flags as they were.
     *
     * @param cpu the CPU
     * @param old the operand, zero-extended
     * @return the new value; bits above the operand's size don't matter
     */
    abstract long change(Cpu cpu, long old);

    /**
     * Changes the operand; may fault before anything has changed.
     *
     * @return what it was, zero-extended
     */
    final long modify(Cpu cpu, long address) {
        if (cpu.alone) {
            long old = Operands.readToModify(cpu, address, size);
            Operands.modify(cpu, size, change(cpu, old));
            return old;
        }
        long offset = cpu.writableOffset(address, size);
        return offset >= 0 && isWithinWord(offset) ? modifyRam(cpu, offset) : modifySlow(cpu, address);
    }

    private boolean isWithinWord(long address) {
        return (address & 7) + size <= 8;
    }

    private long modifySlow(Cpu cpu, long address) {
        // Faults come first, in the order of a plain write.
        cpu.mmu.probe(address, size, true);
        if (isWithinWord(address)) {
            long offset = cpu.mmu.lockedOffset(address, size);
            if (offset >= 0) {
                long old = modifyRam(cpu, offset);
                cpu.mmu.noteWrite(offset, size);
                return old;
            }
        }
        // Device memory takes no part in other CPUs' locked accesses, but may be next to RAM that does.
        cpu.rendezvous.begin(cpu);
        try {
            long old = Operands.readToModify(cpu, address, size);
            Operands.modify(cpu, size, change(cpu, old));
            return old;
        } finally {
            cpu.rendezvous.end(cpu);
        }
    }

    private long modifyRam(Cpu cpu, long offset) {
        MemorySegment ram = cpu.ram;
        long flagResult = cpu.flagResult;
        long flagAux = cpu.flagAux;
        if (size == 8) {
            long old = (long) LONG.getVolatile(ram, offset);
            while (true) {
                long found = (long) LONG.compareAndExchange(ram, offset, old, change(cpu, old));
                if (found == old) {
                    return old;
                }
                old = found;
                cpu.flagResult = flagResult;
                cpu.flagAux = flagAux;
            }
        }
        if ((offset & 3) + size > 4) {
            return modifyPart(cpu, ram, offset);
        }
        long at = offset & -4;
        int shift = (int) (offset & 3) << 3;
        int mask = (int) Operands.mask(size) << shift;
        int word = (int) INT.getVolatile(ram, at);
        while (true) {
            long old = (word & mask) >>> shift & 0xFFFF_FFFFL;
            int changed = word & ~mask | (int) change(cpu, old) << shift & mask;
            int found = (int) INT.compareAndExchange(ram, at, word, changed);
            if (found == word) {
                return old;
            }
            word = found;
            cpu.flagResult = flagResult;
            cpu.flagAux = flagAux;
        }
    }

    /** Changes an operand of 2 or 4 bytes that lies across the middle of an aligned quadword. */
    private long modifyPart(Cpu cpu, MemorySegment ram, long offset) {
        long flagResult = cpu.flagResult;
        long flagAux = cpu.flagAux;
        long at = offset & -8;
        int shift = (int) (offset & 7) << 3;
        long mask = Operands.mask(size) << shift;
        long word = (long) LONG.getVolatile(ram, at);
        while (true) {
            long old = (word & mask) >>> shift;
            long changed = word & ~mask | change(cpu, old) << shift & mask;
            long found = (long) LONG.compareAndExchange(ram, at, word, changed);
            if (found == word) {
                return old;
            }
            word = found;
            cpu.flagResult = flagResult;
            cpu.flagAux = flagAux;
        }
    }
}
