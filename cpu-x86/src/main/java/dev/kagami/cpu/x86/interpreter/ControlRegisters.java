package dev.kagami.cpu.x86.interpreter;

/** Writes of control registers, with all checks and consequences (SDM 3A 2.5, 4.10.4; SDM 2B MOV CR). */
final class ControlRegisters {
    private static final long CR0_KNOWN = Cpu.CR0_PE
            | Cpu.CR0_MP
            | Cpu.CR0_EM
            | Cpu.CR0_TS
            | Cpu.CR0_ET
            | Cpu.CR0_NE
            | Cpu.CR0_WP
            | Cpu.CR0_AM
            | Cpu.CR0_NW
            | Cpu.CR0_CD
            | Cpu.CR0_PG;

    /** Bits of CR4 that may be set; the others are not advertised by CPUID. */
    private static final long CR4_KNOWN = Cpu.CR4_TSD
            | Cpu.CR4_DE
            | Cpu.CR4_PSE
            | Cpu.CR4_PAE
            | Cpu.CR4_MCE
            | Cpu.CR4_PGE
            | Cpu.CR4_PCE
            | Cpu.CR4_OSFXSR
            | Cpu.CR4_OSXMMEXCPT
            | Cpu.CR4_UMIP
            | Cpu.CR4_LA57
            | Cpu.CR4_FSGSBASE
            | Cpu.CR4_PCIDE
            | Cpu.CR4_OSXSAVE
            | Cpu.CR4_SMEP
            | Cpu.CR4_SMAP;

    /** Bits of CR4 whose change invalidates every translation. */
    private static final long CR4_FLUSHES =
            Cpu.CR4_PSE | Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_LA57 | Cpu.CR4_PCIDE | Cpu.CR4_SMEP | Cpu.CR4_SMAP;

    /** A write to CR3 with this bit need not flush, when CR4.PCIDE is set. */
    private static final long CR3_NO_FLUSH = 1L << 63;

    private static final long CR3_ADDRESS_END = 1L << Mmu.PHYSICAL_BITS;

    /** Reserved bits of a present page-directory-pointer entry outside of long mode (SDM 3A table 4-8). */
    private static final long PDPTE_RESERVED = -CR3_ADDRESS_END | 0x1E6;

    private ControlRegisters() {}

    /** Writes CR0. */
    static void writeCr0(Cpu cpu, long value) {
        long old = cpu.cr0;
        if (value >>> 32 != 0
                || (value & (Cpu.CR0_PG | Cpu.CR0_PE)) == Cpu.CR0_PG
                || (value & (Cpu.CR0_NW | Cpu.CR0_CD)) == Cpu.CR0_NW) {
            throw cpu.generalProtection();
        }
        value = value & CR0_KNOWN | Cpu.CR0_ET;
        long changed = old ^ value;
        if ((changed & value & Cpu.CR0_PG) != 0) {
            enablePaging(cpu, value);
        } else if ((changed & Cpu.CR0_PG) != 0) {
            if (cpu.mode == 64 || (cpu.cr4 & Cpu.CR4_PCIDE) != 0) {
                throw cpu.generalProtection();
            }
            cpu.efer &= ~Cpu.EFER_LMA;
        }
        cpu.cr0 = value;
        if ((changed & (Cpu.CR0_PG | Cpu.CR0_WP | Cpu.CR0_PE)) != 0) {
            cpu.mmu.flushAll();
            cpu.updateMode();
        }
    }

    private static void enablePaging(Cpu cpu, long cr0) {
        if ((cpu.efer & Cpu.EFER_LME) != 0) {
            // Activation of long mode (SDM 3A 9.8.5).
            int task = cpu.attributes[Cpu.TR] & (Segmentation.PRESENT | Segmentation.TYPE);
            boolean shortTask = task == (Segmentation.PRESENT | Segmentation.TYPE_TSS16_BUSY);
            if ((cpu.cr4 & Cpu.CR4_PAE) == 0 || (cpu.attributes[Cpu.CS] & Segmentation.LONG) != 0 || shortTask) {
                throw cpu.generalProtection();
            }
            cpu.efer |= Cpu.EFER_LMA;
        } else if ((cpu.cr4 & Cpu.CR4_PAE) != 0) {
            checkPointers(cpu, cpu.cr3);
        }
    }

    /** Raises #GP(0) when one of the four page-directory-pointer entries has reserved bits set (SDM 3A 4.4.1). */
    private static void checkPointers(Cpu cpu, long cr3) {
        long table = cr3 & 0xFFFF_FFE0L;
        for (int i = 0; i < 4; i++) {
            long address = table + 8 * i;
            long entry = cpu.memory.isRam(address, 8) ? cpu.memory.readLong(address) : 0;
            if ((entry & 1) != 0 && (entry & PDPTE_RESERVED) != 0) {
                throw cpu.generalProtection();
            }
        }
    }

    private static boolean legacyPae(Cpu cpu) {
        return !cpu.longMode() && (cpu.cr0 & Cpu.CR0_PG) != 0 && (cpu.cr4 & Cpu.CR4_PAE) != 0;
    }

    /** Writes CR3, and flushes what it must. */
    static void writeCr3(Cpu cpu, long value) {
        boolean keep = false;
        if (cpu.longMode()) {
            if ((cpu.cr4 & Cpu.CR4_PCIDE) != 0) {
                keep = (value & CR3_NO_FLUSH) != 0;
                value &= ~CR3_NO_FLUSH;
            }
            if (Long.compareUnsigned(value, CR3_ADDRESS_END) >= 0) {
                throw cpu.generalProtection();
            }
        } else if (legacyPae(cpu)) {
            checkPointers(cpu, value);
        }
        cpu.cr3 = value;
        cpu.mmu.selectAddressSpace(keep);
    }

    /** Writes CR4. */
    static void writeCr4(Cpu cpu, long value) {
        if ((value & ~CR4_KNOWN) != 0) {
            throw cpu.generalProtection();
        }
        long changed = cpu.cr4 ^ value;
        boolean longMode = cpu.longMode();
        boolean leavesPae = longMode && (value & Cpu.CR4_PAE) == 0;
        boolean changesDepth = longMode && (changed & Cpu.CR4_LA57) != 0;
        boolean badPcid = (changed & value & Cpu.CR4_PCIDE) != 0 && (!longMode || (cpu.cr3 & Mmu.IDENTIFIER) != 0);
        if (leavesPae || changesDepth || badPcid) {
            throw cpu.generalProtection();
        }
        boolean paging = (cpu.cr0 & Cpu.CR0_PG) != 0;
        if (!longMode && paging && (changed & value & Cpu.CR4_PAE) != 0) {
            checkPointers(cpu, cpu.cr3);
        }
        cpu.cr4 = value;
        if ((changed & CR4_FLUSHES) != 0) {
            cpu.mmu.flushAll();
            cpu.updateMode();
        }
    }

    /** {@return CR8: the upper half of the local APIC's task priority} */
    static long readCr8(Cpu cpu) {
        return cpu.apic.taskPriority();
    }

    /** Writes CR8. */
    static void writeCr8(Cpu cpu, long value) {
        if (value >>> 4 != 0) {
            throw cpu.generalProtection();
        }
        cpu.apic.setTaskPriority((int) value);
    }
}
