package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.simd.PackedCompare;

/**
 * An EVEX-encoded instruction (SDM 2A 2.7): vector registers of up to 512 bits, of which an opmask register selects elements.
 *
 * <p>Registers are named by their slots, as in {@link SimdOp}. A subclass takes its operands by {@link #source}, computes all
 * elements into {@link #RESULT} (or bits, when the destination is an opmask register), and hands them to {@link #finish} or
 * {@link #finishMask}.
 */
abstract class EvexOp extends MemOp {
    static final int STRIDE = SimdOp.STRIDE;

    /** Slot of k0; each opmask register is one quadword. */
    static final int MASKS = SimdOp.MASKS;

    /** Slot into which memory operands are loaded. */
    static final int MEMORY = VexOp.MEMORY;

    /** Slot in which instructions are put together. */
    static final int RESULT = VexOp.RESULT;

    /** The state components that AVX-512 instructions need in XCR0. */
    static final long COMPONENTS = VexOp.COMPONENTS | X87State.COMPONENTS_AVX512;

    private static final long ALL = -1;

    /** What the operands are. */
    final EvexForm form;

    /** Slot of the destination: of what ModRM.reg names, EVEX.vvvv for shifts by an immediate, ModRM.rm for stores. */
    final int destination;

    /** Slot of the vector register that EVEX.vvvv names. */
    final int first;

    /** Slot of the vector register that ModRM.rm names, or -1 when it names memory. */
    final int source;

    /** Slot of the opmask, or -1 when there is none. */
    final int opmask;

    /** Elements of the destination that aren't selected become zero, rather than stay. */
    final boolean zeroing;

    /** Quadwords of a vector: 2, 4 or 8. */
    final int quadwords;

    /** Bytes of a memory operand; of the one element, when that is broadcast. */
    final int bytes;

    /** A memory operand is an element that is taken for all. */
    final boolean broadcast;

    /** A memory operand is loaded as it is, whatever the opmask. */
    private final boolean direct;

    EvexOp(Instruction in) {
        this(in, form(in));
    }

    private EvexOp(Instruction in, EvexForm form) {
        super(in, form.memoryBytes(in), form.stores);
        this.form = form;
        first = in.vvvv * STRIDE;
        source = in.isMemory() ? -1 : in.rm * STRIDE;
        destination = form.stores ? source : form.reg == EvexForm.Operand.OPCODE ? first : in.reg * STRIDE;
        opmask = in.opmask == 0 ? -1 : MASKS + in.opmask;
        zeroing = in.zeroing;
        quadwords = form.vectorBytes(in) / Long.BYTES;
        bytes = form.memoryBytes(in);
        broadcast = in.broadcast && in.isMemory();
        direct = !broadcast && (opmask < 0 || form.whole);
    }

    private static EvexForm form(Instruction in) {
        EvexForm form = in.evex;
        if (form == null) {
            throw new AssertionError("not encoded with EVEX");
        }
        return form;
    }

    /**
     * Checks that AVX-512 instructions may run (SDM 2A 2.7.11).
     *
     * @param cpu the CPU
     */
    static void require(Cpu cpu) {
        if ((~cpu.cr4 & Cpu.CR4_OSXSAVE | cpu.cr0 & Cpu.CR0_TS | ~cpu.xcr0 & COMPONENTS) != 0) {
            throw unavailable(cpu);
        }
    }

    private static Fault unavailable(Cpu cpu) {
        return (cpu.cr4 & Cpu.CR4_OSXSAVE) == 0 || (cpu.xcr0 & COMPONENTS) != COMPONENTS
                ? cpu.undefined()
                : cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
    }

    // ---------------------------------------------------------------- operands

    /** {@return a bit for each element of the destination that is to be changed} */
    final long selected(Cpu cpu) {
        return opmask < 0 ? ALL : cpu.vec[opmask];
    }

    /**
     * {@return the slot of the operand that ModRM.rm names, after all checks and the load of a memory operand} What is broadcast fills
     * a vector; above a shorter operand the slot has anything.
     */
    final int source(Cpu cpu) {
        require(cpu);
        return source >= 0 ? source : load(cpu);
    }

    private int load(Cpu cpu) {
        if (direct) {
            loadAll(cpu);
            return MEMORY;
        }
        long selected = form.whole ? ALL : selected(cpu);
        if (broadcast || form.scalar || form.tuple == EvexForm.Tuple.FIXED) {
            int elements = form.scalar ? 1 : quadwords * Long.BYTES / form.element;
            loadFixed(cpu, selected & ones(elements), elements);
            return MEMORY;
        }
        int count = bytes / form.memoryElement;
        if ((~selected & ones(count)) == 0) {
            loadAll(cpu);
        } else {
            loadSelected(cpu, selected, count, form.memoryElement);
        }
        return MEMORY;
    }

    /** Loads an operand that doesn't grow with vectors: one element, or a few that go to several places each. */
    private void loadFixed(Cpu cpu, long selected, int elements) {
        if (selected == 0) {
            return;
        }
        int count = broadcast || form.scalar ? 1 : bytes / form.element;
        long needed = selected;
        for (int i = elements; i > count; i /= 2) {
            needed |= needed >>> i / 2;
        }
        if ((~needed & ones(count)) == 0) {
            loadAll(cpu);
        } else {
            loadSelected(cpu, needed, count, form.element);
        }
        if (broadcast) {
            long[] v = cpu.vec;
            long element = bytes == Long.BYTES ? v[MEMORY] : v[MEMORY] & 0xFFFF_FFFFL | v[MEMORY] << 32;
            for (int i = 0; i < quadwords; i++) {
                v[MEMORY + i] = element;
            }
        }
    }

    private void loadAll(Cpu cpu) {
        long[] v = cpu.vec;
        long address = form.aligned ? alignedAddress(cpu) : address(cpu);
        if (bytes < 16) {
            v[MEMORY] = cpu.read(address, bytes);
            v[MEMORY + 1] = 0;
            return;
        }
        for (int at = 0; at < bytes; at += 16) {
            cpu.read128(cpu.wrap(address + at));
            v[MEMORY + (at >> 3)] = cpu.low;
            v[MEMORY + (at >> 3) + 1] = cpu.high;
        }
    }

    /** Loads the elements that are selected: others are not accessed, and can't fault. */
    private void loadSelected(Cpu cpu, long selected, int count, int size) {
        long needed = selected & ones(count);
        if (form.aligned && needed != 0) {
            alignedAddress(cpu);
        }
        long[] v = cpu.vec;
        int perQuadword = Long.BYTES / size;
        for (int at = 0; at < count; at += perQuadword) {
            long bits = needed >>> at & ones(perQuadword);
            if (bits == ones(perQuadword)) {
                v[MEMORY + at / perQuadword] = read(cpu, at, size, Long.BYTES);
                continue;
            }
            v[MEMORY + at / perQuadword] = 0;
            for (long left = bits; left != 0; left &= left - 1) {
                int i = at + Long.numberOfTrailingZeros(left);
                set(v, MEMORY, i, size, read(cpu, i, size, size));
            }
        }
    }

    private long read(Cpu cpu, int number, int size, int length) {
        return cpu.read(addressAt(cpu, (long) number * size, length, false), length);
    }

    /** {@return the linear address of a memory operand that must be aligned to its size} */
    final long alignedAddress(Cpu cpu) {
        long address = address(cpu);
        if ((address & bytes - 1) != 0) {
            throw cpu.generalProtection();
        }
        return address;
    }

    // ---------------------------------------------------------------- results

    /** Gives the vector in {@link #RESULT} to the destination: a register, or for stores perhaps memory. */
    final void finish(Cpu cpu) {
        finish(cpu, RESULT, quadwords * Long.BYTES);
    }

    /**
     * Does the same with a result that may be shorter than a vector; registers become zero above it.
     *
     * @param cpu the CPU
     * @param length bytes of the result: 1, 2, 4, or a multiple of 8
     */
    final void finish(Cpu cpu, int length) {
        finish(cpu, RESULT, length);
    }

    /** Does the same with what is in another slot. */
    final void finish(Cpu cpu, int slot, int length) {
        if (destination < 0) {
            store(cpu, slot, length);
            return;
        }
        long[] v = cpu.vec;
        int whole = (length + Long.BYTES - 1) / Long.BYTES;
        for (int i = 0; i < whole; i++) {
            if (opmask < 0) {
                v[destination + i] = v[slot + i];
            } else {
                long taken = lanes(v[opmask], form.element, i);
                long left = zeroing ? 0 : v[destination + i];
                v[destination + i] = v[slot + i] & taken | left & ~taken;
            }
        }
        if (length < Long.BYTES) {
            v[destination] &= ones(8 * length);
        }
        VexOp.clearAbove(v, destination, whole);
    }

    /** Gives the lowest element of {@link #RESULT} to a scalar instruction's register, which has the rest from EVEX.vvvv. */
    final void finishScalar(Cpu cpu) {
        finishScalar(cpu, first);
    }

    /** Does the same with the rest from another register. */
    final void finishScalar(Cpu cpu, int rest) {
        long[] v = cpu.vec;
        long mask = ones(8 * form.element);
        long low = (selected(cpu) & 1) != 0 ? v[RESULT] : zeroing ? 0 : v[destination];
        long high = v[rest + 1];
        v[destination] = low & mask | v[rest] & ~mask;
        v[destination + 1] = high;
        VexOp.clearAbove(v, destination, 2);
    }

    /** Gives a bit for each of so many elements to the opmask register that is the destination. */
    final void finishMask(Cpu cpu, long bits, int elements) {
        cpu.vec[MASKS + destination / STRIDE] = bits & selected(cpu) & ones(elements);
    }

    /** Stores the elements of a vector that are selected, all or none of them. */
    final void store(Cpu cpu, int slot, int length) {
        int size = form.element;
        long all = ones(length / size);
        long selected = selected(cpu) & all;
        if (selected == all) {
            storeAll(cpu, slot, length);
            return;
        }
        probeStore(cpu, length);
        int perQuadword = Long.BYTES / size;
        for (int at = 0; at < length / size; at += perQuadword) {
            long bits = selected >>> at & ones(perQuadword);
            if (bits == ones(perQuadword)) {
                write(cpu, slot, at, Long.BYTES);
            } else {
                for (long left = bits; left != 0; left &= left - 1) {
                    write(cpu, slot, at + Long.numberOfTrailingZeros(left), size);
                }
            }
        }
    }

    private void write(Cpu cpu, int slot, int number, int length) {
        int size = form.element;
        long value =
                length == Long.BYTES ? cpu.vec[slot + number * size / Long.BYTES] : get(cpu.vec, slot, number, size);
        cpu.write(addressAt(cpu, (long) number * size, length, true), length, value);
    }

    private void storeAll(Cpu cpu, int slot, int length) {
        long[] v = cpu.vec;
        long address = form.aligned ? alignedAddress(cpu) : address(cpu);
        if (length <= Long.BYTES) {
            cpu.write(address, length, v[slot]);
            return;
        }
        if ((address & Mmu.PAGE_SIZE - 1) > Mmu.PAGE_SIZE - length) {
            cpu.mmu.probe(address, length, true);
        }
        for (int at = 0; at < length; at += 16) {
            cpu.write128(cpu.wrap(address + at), v[slot + (at >> 3)], v[slot + (at >> 3) + 1]);
        }
    }

    /** Faults if {@link #store} would. */
    final void probeStore(Cpu cpu, int length) {
        int size = form.element;
        long all = ones(length / size);
        long selected = selected(cpu) & all;
        if (form.whole || selected == all) {
            cpu.mmu.probe(form.aligned ? alignedAddress(cpu) : address(cpu), length, true);
            return;
        }
        if (selected == 0) {
            return;
        }
        if (form.aligned) {
            alignedAddress(cpu);
        }
        // There are two pages at most: that of the first and that of the last element.
        probeElement(cpu, Long.numberOfTrailingZeros(selected));
        probeElement(cpu, Long.SIZE - 1 - Long.numberOfLeadingZeros(selected));
    }

    private void probeElement(Cpu cpu, int number) {
        int size = form.element;
        cpu.mmu.probe(addressAt(cpu, (long) number * size, size, true), size, true);
    }

    // ---------------------------------------------------------------- elements

    /** {@return so many ones, up to 64} */
    static long ones(int count) {
        return count >= Long.SIZE ? ALL : (1L << count) - 1;
    }

    /** {@return what of a quadword the bits of an opmask select: all bits of each element} */
    static long lanes(long bits, int element, int quadword) {
        return switch (element) {
            case 8 -> -(bits >> quadword & 1);
            case 4 -> PackedCompare.doublewordMask((int) (bits >>> 2 * quadword));
            case 2 -> PackedCompare.wordMask((int) (bits >>> 4 * quadword));
            default -> PackedCompare.byteMask((int) (bits >>> 8 * quadword));
        };
    }

    /** {@return an element of 1, 2, 4 or 8 bytes, with zeros above} */
    static long get(long[] v, int slot, int number, int size) {
        int at = number * size;
        long quadword = v[slot + (at >> 3)] >>> ((at & 7) << 3);
        return size == Long.BYTES ? quadword : quadword & ones(8 * size);
    }

    /** {@return an element of 1, 2, 4 or 8 bytes, with its sign above} */
    static long getSigned(long[] v, int slot, int number, int size) {
        int above = Long.SIZE - 8 * size;
        return get(v, slot, number, size) << above >> above;
    }

    /** Puts an element of 1, 2, 4 or 8 bytes into a register. */
    static void set(long[] v, int slot, int number, int size, long value) {
        int at = number * size;
        int position = (at & 7) << 3;
        long mask = ones(8 * size) << position;
        v[slot + (at >> 3)] = v[slot + (at >> 3)] & ~mask | value << position & mask;
    }
}
