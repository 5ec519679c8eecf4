package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** FXSAVE, FXRSTOR and the XSAVE family (SDM 1 10.5 and chapter 13). */
final class X87State {
    /** Bits of MXCSR that exist: all of the low 16, with DAZ. */
    static final int MXCSR_MASK = 0xFFFF;

    /** State component of x87 in XCR0. */
    static final int COMPONENT_X87 = 1;

    /** State component of XMM and MXCSR. */
    static final int COMPONENT_SSE = 1 << 1;

    /** State component of the upper halves of YMM. */
    static final int COMPONENT_AVX = 1 << 2;

    /** State component of the opmask registers. */
    static final int COMPONENT_OPMASK = 1 << 5;

    /** State component of the upper halves of ZMM0 to ZMM15. */
    static final int COMPONENT_ZMM_HIGH = 1 << 6;

    /** State component of ZMM16 to ZMM31. */
    static final int COMPONENT_HIGH_ZMM = 1 << 7;

    /** The state components of AVX-512, which XCR0 has all or none of. */
    static final int COMPONENTS_AVX512 = COMPONENT_OPMASK | COMPONENT_ZMM_HIGH | COMPONENT_HIGH_ZMM;

    // Offsets in the legacy region (SDM 1 table 10-2).
    private static final int STATUS = 2;
    private static final int TAG = 4;
    private static final int OPCODE = 6;
    private static final int INSTRUCTION_POINTER = 8;
    private static final int INSTRUCTION_SELECTOR = 12;
    private static final int DATA_POINTER = 16;
    private static final int DATA_SELECTOR = 20;
    private static final int MXCSR = 24;
    private static final int MXCSR_MASK_OFFSET = 28;
    private static final int REGISTERS = 32;
    private static final int XMM = 160;
    private static final int REGISTER_STRIDE = 16;
    private static final int LEGACY_BYTES = 512;
    private static final int LEGACY_ALIGNMENT = 16;

    // The XSAVE header and what follows it.
    private static final int HEADER_BITMAP = 512;
    private static final int HEADER_COMPACTION = 520;
    private static final int HEADER_RESERVED = 528;
    private static final int HEADER_END = 576;
    private static final int EXTENDED_ALIGNMENT = 64;

    /**
     * The components behind the header, in the order of their numbers.
     *
     * @param bit in XCR0
     * @param offset in bytes, in the standard format; in the compacted one, each is right behind the one before it
     * @param slot in {@link Cpu#vec}, of the first register's part that belongs to it
     * @param registers number of registers in 64-bit mode
     * @param usual number of registers in other modes
     * @param quadwords of each register
     */
    private record Component(int bit, int offset, int slot, int registers, int usual, int quadwords) {
        int bytes() {
            return registers * quadwords * Long.BYTES;
        }

        int count(Cpu cpu) {
            return cpu.mode == 64 ? registers : usual;
        }

        /** {@return whether a register isn't 0} */
        boolean inUse(Cpu cpu) {
            long[] v = cpu.vec;
            long all = 0;
            for (int i = slot, left = count(cpu); left > 0; i += stride(), left--) {
                for (int j = 0; j < quadwords; j++) {
                    all |= v[i + j];
                }
            }
            return all != 0;
        }

        /** Quadwords from one register to the next. */
        private int stride() {
            return quadwords == 1 ? 1 : SimdOp.STRIDE;
        }

        void save(Cpu cpu, long address) {
            int count = count(cpu);
            if (stride() == quadwords) {
                cpu.mmu.writeQuadwords(address, cpu.vec, slot, count * quadwords);
                return;
            }
            long[] packed = cpu.saved;
            for (int i = 0; i < count; i++) {
                copy(cpu.vec, slot + i * SimdOp.STRIDE, packed, i * quadwords);
            }
            cpu.mmu.writeQuadwords(address, packed, 0, count * quadwords);
        }

        void restore(Cpu cpu, long address) {
            int count = count(cpu);
            if (stride() == quadwords) {
                cpu.mmu.readQuadwords(address, cpu.vec, slot, count * quadwords);
                return;
            }
            long[] packed = cpu.saved;
            cpu.mmu.readQuadwords(address, packed, 0, count * quadwords);
            for (int i = 0; i < count; i++) {
                copy(packed, i * quadwords, cpu.vec, slot + i * SimdOp.STRIDE);
            }
        }

        /** Copies a register's part: of two quadwords or four. */
        private void copy(long[] from, int at, long[] to, int toAt) {
            to[toAt] = from[at];
            to[toAt + 1] = from[at + 1];
            if (quadwords > 2) {
                to[toAt + 2] = from[at + 2];
                to[toAt + 3] = from[at + 3];
            }
        }

        void clear(Cpu cpu) {
            for (int i = slot, left = count(cpu); left > 0; i += stride(), left--) {
                Arrays.fill(cpu.vec, i, i + quadwords, 0);
            }
        }
    }

    /** Quadwords of the longest component whose registers' parts don't lie together in {@link Cpu#vec}. */
    static final int PACKED_QUADWORDS = 64;

    /** That of XMM, whose place is the same in both formats. */
    private static final Component SSE = new Component(COMPONENT_SSE, XMM, 0, 16, 8, 2);

    /** As Intel's processors have them (SDM 1 13.5, CPUID leaf 0DH). */
    private static final Component[] EXTENDED = {
        new Component(COMPONENT_AVX, HEADER_END, 2, 16, 8, 2),
        new Component(COMPONENT_OPMASK, 1088, SimdOp.MASKS, 8, 8, 1),
        new Component(COMPONENT_ZMM_HIGH, 1152, 4, 16, 8, 4),
        new Component(COMPONENT_HIGH_ZMM, 1664, 16 * SimdOp.STRIDE, 16, 0, 8),
    };

    private static final long COMPACTED = 1L << 63;
    private static final int INITIAL_MXCSR = 0x1F80;

    private X87State() {}

    static @Nullable Op create(Instruction in) {
        if (!in.isMemory() || in.pp != Instruction.PP_NONE) {
            return null;
        }
        int group = in.group();
        if (in.opcode == 0xC7) {
            return switch (group) {
                case 3 -> new Restore(in, true);
                case 4 -> new Save(in, true, false);
                case 5 -> new Save(in, true, true);
                default -> null;
            };
        }
        return switch (group) {
            case 0, 1 -> new Legacy(in, group == 0);
            // XSAVEOPT may save everything that XSAVE does: both optimizations are allowed, not required.
            case 4, 6 -> new Save(in, false, false);
            case 5 -> new Restore(in, false);
            default -> null;
        };
    }

    private static long aligned(Cpu cpu, long address, int alignment) {
        if ((address & alignment - 1) != 0) {
            throw cpu.generalProtection();
        }
        return address;
    }

    private static void probe(Cpu cpu, long address, int bytes, boolean write) {
        // An area straddles at most two pages, so its ends tell about all of it.
        cpu.mmu.probe(address, bytes, write);
    }

    // ---------------------------------------------------------------- the legacy region

    private static void saveX87(Cpu cpu, long address, boolean wide) {
        X87 x87 = cpu.x87;
        cpu.writeShort(address, x87.control);
        cpu.writeShort(address + STATUS, x87.status);
        cpu.writeShort(address + TAG, x87.abridgedTag());
        cpu.writeShort(address + OPCODE, x87.opcode);
        if (wide) {
            cpu.writeLong(address + INSTRUCTION_POINTER, x87.instructionPointer);
            cpu.writeLong(address + DATA_POINTER, x87.dataPointer);
        } else {
            cpu.writeInt(address + INSTRUCTION_POINTER, (int) x87.instructionPointer);
            cpu.writeInt(address + INSTRUCTION_SELECTOR, x87.instructionSelector);
            cpu.writeInt(address + DATA_POINTER, (int) x87.dataPointer);
            cpu.writeInt(address + DATA_SELECTOR, x87.dataSelector);
        }
        for (int i = 0; i < 8; i++) {
            long slot = address + REGISTERS + i * REGISTER_STRIDE;
            cpu.writeLong(slot, x87.significand(i));
            cpu.writeLong(slot + 8, x87.signExponent(i));
        }
    }

    private static void restoreX87(Cpu cpu, long address, boolean wide) {
        X87 x87 = cpu.x87;
        int control = cpu.readShort(address);
        x87.status = cpu.readShort(address + STATUS);
        x87.setAbridgedTag(cpu.readByte(address + TAG));
        x87.opcode = cpu.readShort(address + OPCODE) & 0x7FF;
        if (wide) {
            x87.instructionPointer = cpu.readLong(address + INSTRUCTION_POINTER);
            x87.dataPointer = cpu.readLong(address + DATA_POINTER);
            x87.instructionSelector = 0;
            x87.dataSelector = 0;
        } else {
            x87.instructionPointer = cpu.readInt(address + INSTRUCTION_POINTER) & 0xFFFF_FFFFL;
            x87.instructionSelector = cpu.readShort(address + INSTRUCTION_SELECTOR);
            x87.dataPointer = cpu.readInt(address + DATA_POINTER) & 0xFFFF_FFFFL;
            x87.dataSelector = cpu.readShort(address + DATA_SELECTOR);
        }
        x87.loadControl(control);
        for (int i = 0; i < 8; i++) {
            long slot = address + REGISTERS + i * REGISTER_STRIDE;
            int register = x87.physical(i);
            x87.significand[register] = cpu.readLong(slot);
            x87.signExponent[register] = (short) cpu.readShort(slot + 8);
        }
    }

    private static boolean x87InUse(X87 x87) {
        long all = x87.control ^ X87.INITIAL_CONTROL
                | x87.status
                | x87.tag ^ X87.ALL_EMPTY
                | x87.opcode
                | x87.instructionPointer
                | x87.dataPointer
                | x87.instructionSelector
                | x87.dataSelector;
        for (int register = 0; register < 8; register++) {
            all |= x87.significand[register] | x87.signExponent[register];
        }
        return all != 0;
    }

    private static void initializeX87(Cpu cpu) {
        X87 x87 = cpu.x87;
        x87.initialize();
        for (int register = 0; register < 8; register++) {
            x87.significand[register] = 0;
            x87.signExponent[register] = 0;
        }
    }

    private static void saveMxcsr(Cpu cpu, long address) {
        cpu.writeInt(address + MXCSR, cpu.mxcsr);
        cpu.writeInt(address + MXCSR_MASK_OFFSET, MXCSR_MASK);
    }

    /** {@return MXCSR from a save area; reserved bits fault before anything is restored} */
    private static int checkedMxcsr(Cpu cpu, long address) {
        int value = cpu.readInt(address + MXCSR);
        if ((value & ~MXCSR_MASK) != 0) {
            throw cpu.generalProtection();
        }
        return value;
    }

    /** FXSAVE and FXRSTOR. Neither looks at pending x87 exceptions. */
    private static final class Legacy extends MemOp {
        private final boolean save;
        private final boolean wide;

        Legacy(Instruction in, boolean save) {
            super(in, LEGACY_BYTES, save);
            this.save = save;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            X87.requireAvailable(cpu);
            long address = aligned(cpu, address(cpu), LEGACY_ALIGNMENT);
            probe(cpu, address, LEGACY_BYTES, save);
            boolean sse = (cpu.cr4 & Cpu.CR4_OSFXSR) != 0;
            if (save) {
                saveX87(cpu, address, wide);
                if (sse) {
                    saveMxcsr(cpu, address);
                    SSE.save(cpu, address + XMM);
                }
            } else {
                int mxcsr = sse ? checkedMxcsr(cpu, address) : cpu.mxcsr;
                restoreX87(cpu, address, wide);
                if (sse) {
                    cpu.mxcsr = mxcsr;
                    SSE.restore(cpu, address + XMM);
                }
            }
        }
    }

    // ---------------------------------------------------------------- XSAVE

    /** {@return the components that an instruction is asked for: EDX:EAX among those that XCR0 enables} */
    private static long requested(Cpu cpu) {
        long mask = cpu.r[Cpu.RDX] << 32 | cpu.r[Cpu.RAX] & 0xFFFF_FFFFL;
        return mask & cpu.xcr0;
    }

    private static void requireEnabled(Cpu cpu, boolean privileged) {
        if ((cpu.cr4 & Cpu.CR4_OSXSAVE) == 0) {
            throw cpu.undefined();
        }
        if (privileged && cpu.cpl != 0) {
            throw cpu.generalProtection();
        }
        if ((cpu.cr0 & Cpu.CR0_TS) != 0) {
            throw cpu.fault(Vector.DEVICE_NOT_AVAILABLE);
        }
    }

    /** {@return the bytes that an area with these components takes, with its header (CPUID leaf 0DH)} */
    static int areaBytes(long components, boolean compact) {
        int end = HEADER_END;
        for (Component component : EXTENDED) {
            if ((components & component.bit) != 0) {
                end = (compact ? end : component.offset) + component.bytes();
            }
        }
        return end;
    }

    /** {@return the bytes of a component behind the header, by its number in XCR0; 0 when there is none} */
    static int componentBytes(int number) {
        Component component = component(number);
        return component == null ? 0 : component.bytes();
    }

    /** {@return the offset of a component in the standard format, by its number in XCR0; 0 when there is none} */
    static int componentOffset(int number) {
        Component component = component(number);
        return component == null ? 0 : component.offset;
    }

    private static @Nullable Component component(int number) {
        for (Component component : EXTENDED) {
            if (component.bit == 1 << number) {
                return component;
            }
        }
        return null;
    }

    /** {@return the components that are not in their initial configuration (SDM 1 13.6)} */
    private static long inUse(Cpu cpu) {
        long used = (x87InUse(cpu.x87) ? COMPONENT_X87 : 0) | (SSE.inUse(cpu) ? COMPONENT_SSE : 0);
        for (Component component : EXTENDED) {
            if ((cpu.xcr0 & component.bit) != 0 && component.inUse(cpu)) {
                used |= component.bit;
            }
        }
        return used;
    }

    /** XSAVE, XSAVEOPT, XSAVEC and XSAVES. */
    private static final class Save extends MemOp {
        private final boolean compact;
        private final boolean supervisor;
        private final boolean wide;

        Save(Instruction in, boolean compact, boolean supervisor) {
            super(in, HEADER_END, true);
            this.compact = compact;
            this.supervisor = supervisor;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            requireEnabled(cpu, supervisor);
            long address = aligned(cpu, address(cpu), EXTENDED_ALIGNMENT);
            long components = requested(cpu);
            probe(cpu, address, areaBytes(components, compact), true);
            long used = inUse(cpu);
            if (compact && (cpu.mxcsr & MXCSR_MASK) != INITIAL_MXCSR) {
                // In the compacted format MXCSR belongs to the SSE component (SDM 1 13.10).
                used |= COMPONENT_SSE;
            }
            long saved = compact ? components & used : components;
            if ((saved & COMPONENT_X87) != 0) {
                saveX87(cpu, address, wide);
            }
            if ((compact ? saved & COMPONENT_SSE : components & (COMPONENT_SSE | COMPONENT_AVX)) != 0) {
                saveMxcsr(cpu, address);
            }
            if ((saved & COMPONENT_SSE) != 0) {
                SSE.save(cpu, address + XMM);
            }
            int end = HEADER_END;
            for (Component component : EXTENDED) {
                if ((saved & component.bit) != 0) {
                    component.save(cpu, address + (compact ? end : component.offset));
                }
                if ((components & component.bit) != 0) {
                    end += component.bytes();
                }
            }
            if (compact) {
                cpu.writeLong(address + HEADER_BITMAP, components & used);
                cpu.writeLong(address + HEADER_COMPACTION, components | COMPACTED);
            } else {
                long before = cpu.readLong(address + HEADER_BITMAP);
                cpu.writeLong(address + HEADER_BITMAP, before & ~components | components & used);
            }
        }
    }

    /** XRSTOR and XRSTORS. */
    private static final class Restore extends MemOp {
        private final boolean supervisor;
        private final boolean wide;

        Restore(Instruction in, boolean supervisor) {
            super(in, HEADER_END, false);
            this.supervisor = supervisor;
            wide = in.w;
        }

        @Override
        void execute(Cpu cpu) {
            requireEnabled(cpu, supervisor);
            long address = aligned(cpu, address(cpu), EXTENDED_ALIGNMENT);
            long components = requested(cpu);
            probe(cpu, address, HEADER_END, false);
            long present = cpu.readLong(address + HEADER_BITMAP);
            boolean compact = checkHeader(cpu, address, present);
            long format = compact ? cpu.readLong(address + HEADER_COMPACTION) : components;
            probe(cpu, address, areaBytes(format, compact), false);
            long loaded = components & present;
            boolean controls =
                    compact ? (loaded & COMPONENT_SSE) != 0 : (components & (COMPONENT_SSE | COMPONENT_AVX)) != 0;
            int mxcsr = cpu.mxcsr;
            if (controls) {
                mxcsr = checkedMxcsr(cpu, address);
            } else if (compact && (components & COMPONENT_SSE) != 0) {
                mxcsr = INITIAL_MXCSR;
            }
            if ((loaded & COMPONENT_X87) != 0) {
                restoreX87(cpu, address, wide);
            } else if ((components & COMPONENT_X87) != 0) {
                initializeX87(cpu);
            }
            cpu.mxcsr = mxcsr;
            if ((loaded & COMPONENT_SSE) != 0) {
                SSE.restore(cpu, address + XMM);
            } else if ((components & COMPONENT_SSE) != 0) {
                SSE.clear(cpu);
            }
            int end = HEADER_END;
            for (Component component : EXTENDED) {
                if ((loaded & component.bit) != 0) {
                    component.restore(cpu, address + (compact ? end : component.offset));
                } else if ((components & component.bit) != 0) {
                    component.clear(cpu);
                }
                if ((format & component.bit) != 0) {
                    end += component.bytes();
                }
            }
        }

        /** Checks the header (SDM 1 13.8.2, 13.12); tells whether the area is in the compacted format. */
        private boolean checkHeader(Cpu cpu, long address, long present) {
            long compaction = cpu.readLong(address + HEADER_COMPACTION);
            boolean compact = compaction < 0;
            boolean bad;
            if (compact) {
                long format = compaction & ~COMPACTED;
                bad = (format & ~cpu.xcr0) != 0 || (present & ~format) != 0;
            } else {
                // XRSTORS takes the compacted format only.
                bad = supervisor || compaction != 0 || (present & ~cpu.xcr0) != 0;
            }
            int end = compact ? HEADER_END : HEADER_RESERVED + 8;
            for (int reserved = HEADER_RESERVED; reserved < end && !bad; reserved += 8) {
                bad = cpu.readLong(address + reserved) != 0;
            }
            if (bad) {
                throw cpu.generalProtection();
            }
            return compact;
        }
    }
}
