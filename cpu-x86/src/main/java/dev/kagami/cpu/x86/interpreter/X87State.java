package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
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

    /** Offset of the AVX component in both formats: nothing that this CPU has comes before it. */
    static final int AVX_OFFSET = HEADER_END;

    static final int AVX_BYTES = 256;
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

    /** {@return how many XMM registers the current mode can name} */
    private static int xmmCount(Cpu cpu) {
        return cpu.mode == 64 ? 16 : 8;
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

    private static void saveXmm(Cpu cpu, long address) {
        int count = xmmCount(cpu);
        for (int i = 0; i < count; i++) {
            int slot = i * SseFloatOp.STRIDE;
            cpu.write128(address + XMM + i * REGISTER_STRIDE, cpu.vec[slot], cpu.vec[slot + 1]);
        }
    }

    private static void restoreXmm(Cpu cpu, long address) {
        int count = xmmCount(cpu);
        for (int i = 0; i < count; i++) {
            cpu.read128(address + XMM + i * REGISTER_STRIDE);
            int slot = i * SseFloatOp.STRIDE;
            cpu.vec[slot] = cpu.low;
            cpu.vec[slot + 1] = cpu.high;
        }
    }

    /** Clears one 128-bit half of all registers, from the given quadword on: 0 for XMM, 2 for AVX. */
    private static void clearHalves(Cpu cpu, int quadword) {
        int count = xmmCount(cpu);
        for (int i = 0; i < count; i++) {
            int slot = i * SseFloatOp.STRIDE + quadword;
            cpu.vec[slot] = 0;
            cpu.vec[slot + 1] = 0;
        }
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
                    saveXmm(cpu, address);
                }
            } else {
                int mxcsr = sse ? checkedMxcsr(cpu, address) : cpu.mxcsr;
                restoreX87(cpu, address, wide);
                if (sse) {
                    cpu.mxcsr = mxcsr;
                    restoreXmm(cpu, address);
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
    static int areaBytes(long components) {
        return (components & COMPONENT_AVX) != 0 ? AVX_OFFSET + AVX_BYTES : HEADER_END;
    }

    /** {@return the components that are not in their initial configuration (SDM 1 13.6)} */
    private static long inUse(Cpu cpu) {
        // x87 and SSE may always be reported as in use; SSE's registers are cheap to look at.
        long used = COMPONENT_X87;
        long xmm = 0;
        long upper = 0;
        int count = xmmCount(cpu);
        for (int i = 0; i < count; i++) {
            int slot = i * SseFloatOp.STRIDE;
            xmm |= cpu.vec[slot] | cpu.vec[slot + 1];
            upper |= cpu.vec[slot + 2] | cpu.vec[slot + 3];
        }
        if (xmm != 0) {
            used |= COMPONENT_SSE;
        }
        if (upper != 0) {
            used |= COMPONENT_AVX;
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
            probe(cpu, address, areaBytes(components), true);
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
                saveXmm(cpu, address);
            }
            if ((saved & COMPONENT_AVX) != 0) {
                int count = xmmCount(cpu);
                for (int i = 0; i < count; i++) {
                    int slot = i * SseFloatOp.STRIDE + 2;
                    cpu.write128(address + AVX_OFFSET + i * REGISTER_STRIDE, cpu.vec[slot], cpu.vec[slot + 1]);
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
            probe(cpu, address, areaBytes(components), false);
            long present = cpu.readLong(address + HEADER_BITMAP);
            boolean compact = checkHeader(cpu, address, present);
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
                restoreXmm(cpu, address);
            } else if ((components & COMPONENT_SSE) != 0) {
                clearHalves(cpu, 0);
            }
            if ((loaded & COMPONENT_AVX) != 0) {
                int count = xmmCount(cpu);
                for (int i = 0; i < count; i++) {
                    cpu.read128(address + AVX_OFFSET + i * REGISTER_STRIDE);
                    int slot = i * SseFloatOp.STRIDE + 2;
                    cpu.vec[slot] = cpu.low;
                    cpu.vec[slot + 1] = cpu.high;
                }
            } else if ((components & COMPONENT_AVX) != 0) {
                clearHalves(cpu, 2);
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
