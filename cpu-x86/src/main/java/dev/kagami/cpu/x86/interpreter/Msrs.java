package dev.kagami.cpu.x86.interpreter;

import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Model-specific registers (SDM 4 chapter 2) and KVM's paravirtual ones (Linux Documentation/virt/kvm/x86/msr.rst).
 *
 * <p>Reading or writing a register that doesn't exist, or writing a reserved bit, raises #GP(0).
 */
final class Msrs {
    static final int TSC = 0x10;
    static final int APIC_BASE = 0x1B;
    static final int SPEC_CTRL = 0x48;
    static final int PRED_CMD = 0x49;
    static final int BIOS_SIGN_ID = 0x8B;
    static final int MTRR_CAP = 0xFE;
    static final int ARCH_CAPABILITIES = 0x10A;
    static final int SYSENTER_CS = 0x174;
    static final int SYSENTER_ESP = 0x175;
    static final int SYSENTER_EIP = 0x176;
    static final int MCG_CAP = 0x179;
    static final int MCG_STATUS = 0x17A;
    static final int MISC_ENABLE = 0x1A0;
    private static final int MTRR_PHYS_FIRST = 0x200;
    private static final int MTRR_PHYS_COUNT = 8;
    static final int PAT = 0x277;
    static final int MTRR_DEF_TYPE = 0x2FF;
    static final int TSC_DEADLINE = 0x6E0;
    static final int X2APIC_FIRST = 0x800;
    static final int X2APIC_LAST = 0x83F;
    static final int EFER = 0xC000_0080;
    static final int STAR = 0xC000_0081;
    static final int LSTAR = 0xC000_0082;
    static final int CSTAR = 0xC000_0083;
    static final int FMASK = 0xC000_0084;
    static final int FS_BASE = 0xC000_0100;
    static final int GS_BASE = 0xC000_0101;
    static final int KERNEL_GS_BASE = 0xC000_0102;
    static final int TSC_AUX = 0xC000_0103;
    static final int KVM_WALL_CLOCK_OLD = 0x11;
    static final int KVM_SYSTEM_TIME_OLD = 0x12;
    static final int KVM_WALL_CLOCK = 0x4B56_4D00;
    static final int KVM_SYSTEM_TIME = 0x4B56_4D01;
    static final int KVM_PV_EOI = 0x4B56_4D04;

    /** The fixed-range MTRRs. */
    private static final int[] MTRR_FIXED = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26A, 0x26B, 0x26C, 0x26D, 0x26E, 0x26F
    };

    /** Write-back in all eight entries would hide uncached ones: this is the architecture's reset value (SDM 3A 12.12.4). */
    private static final long PAT_RESET = 0x0007_0406_0007_0406L;

    /** 8 variable ranges, fixed ranges, write combining. */
    private static final long MTRR_CAP_VALUE = MTRR_PHYS_COUNT | 1 << 8 | 1 << 10;

    /** MTRRs on, fixed ranges on, default type write-back: as firmware leaves RAM. */
    private static final long MTRR_DEF_TYPE_RESET = 1 << 11 | 1 << 10 | 6;

    /**
     * This CPU executes no instruction speculatively, so it has none of the flaws that the bits deny: RDCL_NO, IBRS_ALL,
     * RSBA clear, SKIP_L1DFL, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO,
     * GDS_NO, RFDS_NO, ITS_NO (SDM 4 table 2-2, IA32_ARCH_CAPABILITIES).
     */
    private static final long ARCH_CAPABILITIES_VALUE = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8
            | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 20 | 1 << 24 | 1 << 26 | 1 << 27 | 1L << 62;

    /** Fast strings enabled, performance monitoring unavailable features reported as such. */
    private static final long MISC_ENABLE_VALUE = 1 | 1 << 11 | 1 << 12;

    private final Cpu cpu;

    long sysenterCs;
    long sysenterEsp;
    long sysenterEip;
    long star;
    long lstar;
    long cstar;
    long fmask;
    long kernelGsBase;
    long tscAux;
    private long pat = PAT_RESET;
    private long speculationControl;
    private long mcgStatus;
    private long miscEnable = MISC_ENABLE_VALUE;
    private long mtrrDefType = MTRR_DEF_TYPE_RESET;
    private final long[] mtrrPhys = new long[2 * MTRR_PHYS_COUNT];
    private final long[] mtrrFixed = new long[MTRR_FIXED.length];
    private final KvmClock clock;

    Msrs(Cpu cpu) {
        this.cpu = cpu;
        clock = new KvmClock(cpu);
        java.util.Arrays.fill(mtrrFixed, 0x0606_0606_0606_0606L);
    }

    /**
     * Reads a register.
     *
     * @param cpu the CPU
     * @param number register number as in ECX
     * @return the value
     */
    static long read(Cpu cpu, int number) {
        return cpu.msrs.read(number);
    }

    /**
     * Writes a register.
     *
     * @param cpu the CPU
     * @param number register number as in ECX
     * @param value the value
     */
    static void write(Cpu cpu, int number, long value) {
        cpu.msrs.write(number, value);
    }

    private long read(int number) {
        if (number >= X2APIC_FIRST && number <= X2APIC_LAST) {
            int register = number - X2APIC_FIRST;
            if (!cpu.apic.x2Readable(register)) {
                throw cpu.generalProtection();
            }
            return cpu.apic.x2Read(register);
        }
        if (number >= MTRR_PHYS_FIRST && number < MTRR_PHYS_FIRST + 2 * MTRR_PHYS_COUNT) {
            return mtrrPhys[number - MTRR_PHYS_FIRST];
        }
        int fixed = java.util.Arrays.binarySearch(MTRR_FIXED, number);
        if (fixed >= 0) {
            return mtrrFixed[fixed];
        }
        return switch (number) {
            case TSC -> cpu.timeStampCounter();
            case APIC_BASE -> cpu.apic.baseRegister();
            case SPEC_CTRL -> speculationControl;
            // Microcode revision in the high half; any that is not 0 says that none is missing.
            case BIOS_SIGN_ID -> 1L << 32;
            case MTRR_CAP -> MTRR_CAP_VALUE;
            case ARCH_CAPABILITIES -> ARCH_CAPABILITIES_VALUE;
            case SYSENTER_CS -> sysenterCs;
            case SYSENTER_ESP -> sysenterEsp;
            case SYSENTER_EIP -> sysenterEip;
            case MCG_CAP -> 0;
            case MCG_STATUS -> mcgStatus;
            case MISC_ENABLE -> miscEnable;
            case PAT -> pat;
            case MTRR_DEF_TYPE -> mtrrDefType;
            case TSC_DEADLINE -> cpu.apic.deadline();
            case EFER -> cpu.efer;
            case STAR -> star;
            case LSTAR -> lstar;
            case CSTAR -> cstar;
            case FMASK -> fmask;
            case FS_BASE -> cpu.r[Cpu.SEGMENT_BASE + Cpu.FS];
            case GS_BASE -> cpu.r[Cpu.SEGMENT_BASE + Cpu.GS];
            case KERNEL_GS_BASE -> kernelGsBase;
            case TSC_AUX -> tscAux;
            case KVM_WALL_CLOCK, KVM_WALL_CLOCK_OLD -> clock.wallClock();
            case KVM_SYSTEM_TIME, KVM_SYSTEM_TIME_OLD -> clock.systemTime();
            case KVM_PV_EOI -> cpu.apic.paravirtualEoi();
            default -> throw cpu.generalProtection();
        };
    }

    private void write(int number, long value) {
        if (number >= X2APIC_FIRST && number <= X2APIC_LAST) {
            int register = number - X2APIC_FIRST;
            require(cpu.apic.x2Writable(register, value));
            cpu.apic.x2Write(register, value);
            return;
        }
        if (number >= MTRR_PHYS_FIRST && number < MTRR_PHYS_FIRST + 2 * MTRR_PHYS_COUNT) {
            require(value >>> Mmu.PHYSICAL_BITS == 0);
            mtrrPhys[number - MTRR_PHYS_FIRST] = value;
            return;
        }
        int fixed = java.util.Arrays.binarySearch(MTRR_FIXED, number);
        if (fixed >= 0) {
            for (int i = 0; i < 64; i += 8) {
                require(memoryType(value >>> i & 0xFF) && (value >>> i & 0xFF) != 7);
            }
            mtrrFixed[fixed] = value;
            return;
        }
        switch (number) {
            case TSC -> cpu.setTimeStampCounter(value);
            case APIC_BASE -> require(cpu.apic.setBaseRegister(value));
            case SPEC_CTRL -> {
                // IBRS, STIBP, SSBD and BHI_DIS_S; there is no speculation for them to restrict.
                require((value & ~0x407L) == 0);
                speculationControl = value;
            }
            case PRED_CMD -> require((value & ~1L) == 0);
            case BIOS_SIGN_ID -> require(value == 0);
            case SYSENTER_CS -> sysenterCs = value & 0xFFFF_FFFFL;
            case SYSENTER_ESP -> sysenterEsp = canonical(value);
            case SYSENTER_EIP -> sysenterEip = canonical(value);
            case MCG_STATUS -> {
                require((value & ~7L) == 0);
                mcgStatus = value;
            }
            case MISC_ENABLE -> miscEnable = value;
            case PAT -> {
                for (int i = 0; i < 64; i += 8) {
                    require(memoryType(value >>> i & 0xFF));
                }
                pat = value;
            }
            case MTRR_DEF_TYPE -> {
                require((value & ~0xCFFL) == 0 && memoryType(value & 0xFF) && (value & 0xFF) != 7);
                mtrrDefType = value;
            }
            case TSC_DEADLINE -> cpu.apic.setDeadline(value);
            case EFER -> writeEfer(value);
            case STAR -> star = value;
            case LSTAR -> lstar = canonical(value);
            case CSTAR -> cstar = canonical(value);
            case FMASK -> {
                require(value >>> 32 == 0);
                fmask = value;
            }
            case FS_BASE -> cpu.r[Cpu.SEGMENT_BASE + Cpu.FS] = canonical(value);
            case GS_BASE -> cpu.r[Cpu.SEGMENT_BASE + Cpu.GS] = canonical(value);
            case KERNEL_GS_BASE -> kernelGsBase = canonical(value);
            case TSC_AUX -> {
                require(value >>> 32 == 0);
                tscAux = value;
            }
            case KVM_WALL_CLOCK, KVM_WALL_CLOCK_OLD -> require(clock.setWallClock(value));
            case KVM_SYSTEM_TIME, KVM_SYSTEM_TIME_OLD -> require(clock.setSystemTime(value));
            case KVM_PV_EOI -> require(cpu.apic.setParavirtualEoi(value));
            default -> throw cpu.generalProtection();
        }
    }

    private void writeEfer(long value) {
        require((value & ~(Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE)) == 0);
        // LME can't change while paging is on (SDM 3A 4.1.1); LMA is read-only and keeps its value.
        require((cpu.cr0 & Cpu.CR0_PG) == 0 || ((value ^ cpu.efer) & Cpu.EFER_LME) == 0);
        cpu.efer = value & ~Cpu.EFER_LMA | cpu.efer & Cpu.EFER_LMA;
        cpu.mmu.flushAll();
    }

    private static boolean memoryType(long type) {
        return type == 0 || type == 1 || type >= 4 && type <= 7;
    }

    private long canonical(long value) {
        require(cpu.mmu.canonical(value));
        return value;
    }

    private void require(boolean condition) {
        if (!condition) {
            throw cpu.generalProtection();
        }
    }

    /** Puts the registers that a reset changes into their reset state. */
    void reset() {
        setAll(new TreeMap<>());
        speculationControl = 0;
        mcgStatus = 0;
        miscEnable = MISC_ENABLE_VALUE;
        pat = PAT_RESET;
        mtrrDefType = MTRR_DEF_TYPE_RESET;
        clock.reset();
    }

    /** Does what INIT does to the few registers that it changes. */
    void initialize() {
        cpu.efer = 0;
        clock.reset();
    }

    /** {@return the registers that are not part of the state elsewhere, by number} */
    SortedMap<Integer, Long> all() {
        SortedMap<Integer, Long> values = new TreeMap<>(Integer::compareUnsigned);
        for (int number : SAVED) {
            values.put(number, read(number));
        }
        for (int i = 0; i < mtrrPhys.length; i++) {
            values.put(MTRR_PHYS_FIRST + i, mtrrPhys[i]);
        }
        for (int i = 0; i < mtrrFixed.length; i++) {
            values.put(MTRR_FIXED[i], mtrrFixed[i]);
        }
        return values;
    }

    private static final int[] SAVED = {
        TSC,
        APIC_BASE,
        SPEC_CTRL,
        SYSENTER_CS,
        SYSENTER_ESP,
        SYSENTER_EIP,
        MCG_STATUS,
        MISC_ENABLE,
        PAT,
        MTRR_DEF_TYPE,
        TSC_DEADLINE,
        EFER,
        STAR,
        LSTAR,
        CSTAR,
        FMASK,
        KERNEL_GS_BASE,
        TSC_AUX,
        KVM_WALL_CLOCK,
        KVM_SYSTEM_TIME,
        KVM_PV_EOI
    };

    /** Sets registers from a snapshot; those that it doesn't name become 0 or keep their reset value. */
    void setAll(Map<Integer, Long> values) {
        sysenterCs = values.getOrDefault(SYSENTER_CS, 0L);
        sysenterEsp = values.getOrDefault(SYSENTER_ESP, 0L);
        sysenterEip = values.getOrDefault(SYSENTER_EIP, 0L);
        star = values.getOrDefault(STAR, 0L);
        lstar = values.getOrDefault(LSTAR, 0L);
        cstar = values.getOrDefault(CSTAR, 0L);
        fmask = values.getOrDefault(FMASK, 0L);
        kernelGsBase = values.getOrDefault(KERNEL_GS_BASE, 0L);
        tscAux = values.getOrDefault(TSC_AUX, 0L);
        cpu.efer = values.getOrDefault(EFER, 0L);
        speculationControl = values.getOrDefault(SPEC_CTRL, 0L);
        mcgStatus = values.getOrDefault(MCG_STATUS, 0L);
        miscEnable = values.getOrDefault(MISC_ENABLE, MISC_ENABLE_VALUE);
        pat = values.getOrDefault(PAT, PAT_RESET);
        mtrrDefType = values.getOrDefault(MTRR_DEF_TYPE, MTRR_DEF_TYPE_RESET);
        for (int i = 0; i < mtrrPhys.length; i++) {
            mtrrPhys[i] = values.getOrDefault(MTRR_PHYS_FIRST + i, 0L);
        }
        for (int i = 0; i < mtrrFixed.length; i++) {
            mtrrFixed[i] = values.getOrDefault(MTRR_FIXED[i], 0x0606_0606_0606_0606L);
        }
        if (values.containsKey(TSC)) {
            cpu.restoreTimeStampCounter(values.get(TSC));
        }
        if (values.containsKey(APIC_BASE)) {
            cpu.apic.setBaseRegister(values.get(APIC_BASE));
        }
        clock.restore(values.getOrDefault(KVM_WALL_CLOCK, 0L), values.getOrDefault(KVM_SYSTEM_TIME, 0L));
        cpu.apic.setParavirtualEoi(values.getOrDefault(KVM_PV_EOI, 0L));
    }
}
