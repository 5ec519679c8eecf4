package dev.kagami.cpu.x86.interpreter;

/**
 * CPUID (SDM 2A, CPUID): what this CPU claims to be. A feature is listed here only when the interpreter has it and tests
 * cover it.
 */
final class Cpuid {
    private static final int MAX_BASIC = 0x16;
    private static final int HYPERVISOR = 0x4000_0000;
    private static final int MAX_HYPERVISOR = 0x4000_0010;
    private static final int EXTENDED = 0x8000_0000;
    private static final int MAX_EXTENDED = 0x8000_0008;

    /**
     * Family 6, model 0x2C (Westmere), stepping 2. Programs conclude from the model what a processor has: GCC's {@code
     * target_clones} would run AVX-512 code on a model 0x55, whatever the feature bits say.
     */
    static final int SIGNATURE = 0x0002_06C2;

    // Leaf 1, EDX.
    static final int FEATURES_EDX = 1 // FPU
            | 1 << 2 // DE
            | 1 << 3 // PSE
            | 1 << 4 // TSC
            | 1 << 5 // MSR
            | 1 << 6 // PAE
            | 1 << 7 // MCE
            | 1 << 8 // CX8
            | 1 << 11 // SEP
            | 1 << 12 // MTRR
            | 1 << 13 // PGE
            | 1 << 14 // MCA
            | 1 << 15 // CMOV
            | 1 << 16 // PAT
            | 1 << 17 // PSE-36
            | 1 << 19 // CLFLUSH
            | 1 << 23 // MMX
            | 1 << 24 // FXSR
            | 1 << 25 // SSE
            | 1 << 26; // SSE2

    /** There is more than one logical processor in the package. */
    private static final int EDX_HTT = 1 << 28;

    /** Follows the enable bit of IA32_APIC_BASE (SDM 3A 11.4.3). */
    private static final int EDX_APIC = 1 << 9;

    // Leaf 1, ECX, without OSXSAVE.
    static final int FEATURES_ECX = 1 // SSE3
            | 1 << 1 // PCLMULQDQ
            | 1 << 9 // SSSE3
            | 1 << 13 // CMPXCHG16B
            | 1 << 17 // PCID
            | 1 << 19 // SSE4.1
            | 1 << 20 // SSE4.2
            | 1 << 21 // x2APIC
            | 1 << 22 // MOVBE
            | 1 << 23 // POPCNT
            | 1 << 24 // TSC deadline
            | 1 << 25 // AES
            | 1 << 26 // XSAVE
            | 1 << 30 // RDRAND
            | 1 << 31; // hypervisor present

    private static final int ECX_OSXSAVE = 1 << 27;

    // Leaf 7, EBX.
    static final int STRUCTURED_EBX = 1 // FSGSBASE
            | 1 << 3 // BMI1
            | 1 << 7 // SMEP
            | 1 << 8 // BMI2
            | 1 << 9 // ERMS
            | 1 << 10 // INVPCID
            | 1 << 18 // RDSEED
            | 1 << 19 // ADX
            | 1 << 20 // SMAP
            | 1 << 23 // CLFLUSHOPT
            | 1 << 24 // CLWB
            | 1 << 29; // SHA

    // Leaf 7, ECX.
    static final int STRUCTURED_ECX = 1 << 2 // UMIP
            | 1 << 8 // GFNI
            | 1 << 16 // LA57
            | 1 << 22; // RDPID

    // Leaf 7, EDX.
    static final int STRUCTURED_EDX = 1 << 4 // FSRM
            | 1 << 26 // IBRS and IBPB
            | 1 << 27 // STIBP
            | 1 << 29 // ARCH_CAPABILITIES
            | 1 << 31; // SSBD

    /** Leaf 7, subleaf 2, EDX: BHI_CTRL, so that a kernel need not clear branch history by software at every call. */
    static final int STRUCTURED_2_EDX = 1 << 4;

    // Leaf 0x80000001.
    static final int EXTENDED_ECX = 1 // LAHF in 64-bit mode
            | 1 << 5 // LZCNT
            | 1 << 8; // PREFETCHW

    static final int EXTENDED_EDX = 1 << 11 // SYSCALL
            | 1 << 20 // NX
            | 1 << 26 // 1 GiB pages
            | 1 << 27 // RDTSCP
            | 1 << 29; // long mode

    // KVM features.
    static final int KVM_FEATURES = 1 // clock source at the old MSRs
            | 1 << 1 // no delay needed for I/O
            | 1 << 3 // clock source
            | 1 << 6 // paravirtual EOI
            | 1 << 24; // clock is stable

    private static final String BRAND = "Kagami x86-64 CPU ";
    private static final int TSC_KILOHERTZ = 1_000_000;
    private static final int CLFLUSH_QUADWORDS = 8;

    private Cpuid() {}

    /** Executes CPUID: EAX and ECX in, EAX, EBX, ECX and EDX out. */
    static void execute(Cpu cpu) {
        int leaf = (int) cpu.r[Cpu.RAX];
        int subleaf = (int) cpu.r[Cpu.RCX];
        if (leaf >>> 16 == HYPERVISOR >>> 16) {
            hypervisor(cpu, leaf);
        } else if (leaf < 0 && leaf <= MAX_EXTENDED) {
            extended(cpu, leaf);
        } else {
            // Beyond the highest basic or extended leaf the data of the highest basic one is returned (SDM 2A, CPUID).
            basic(cpu, leaf < 0 ? MAX_BASIC : Math.min(leaf, MAX_BASIC), subleaf);
        }
    }

    private static void set(Cpu cpu, int a, int b, int c, int d) {
        cpu.r[Cpu.RAX] = a & 0xFFFF_FFFFL;
        cpu.r[Cpu.RBX] = b & 0xFFFF_FFFFL;
        cpu.r[Cpu.RCX] = c & 0xFFFF_FFFFL;
        cpu.r[Cpu.RDX] = d & 0xFFFF_FFFFL;
    }

    private static int text(String s, int from) {
        int value = 0;
        for (int i = 3; i >= 0; i--) {
            value = value << 8 | (from + i < s.length() ? s.charAt(from + i) : 0);
        }
        return value;
    }

    private static void basic(Cpu cpu, int leaf, int subleaf) {
        switch (leaf) {
            case 0 -> set(cpu, MAX_BASIC, text("Genu", 0), text("ntel", 0), text("ineI", 0));
            case 1 -> {
                int ecx = FEATURES_ECX | cpu.features.ecx() | ((cpu.cr4 & Cpu.CR4_OSXSAVE) != 0 ? ECX_OSXSAVE : 0);
                int processors = 1 << idBits(cpu);
                int ebx = cpu.index << 24 | Math.min(processors, 255) << 16 | CLFLUSH_QUADWORDS << 8;
                int edx = FEATURES_EDX | (processors > 1 ? EDX_HTT : 0) | (cpu.apic.enabled() ? EDX_APIC : 0);
                set(cpu, SIGNATURE, ebx, ecx, edx);
            }
            // No descriptors here: see leaf 4.
            case 2 -> set(cpu, 0x00FF_FF01, 0, 0, 0);
            case 4 -> cache(cpu, subleaf);
            // Thermal: ARAT, the APIC timer never stops.
            case 6 -> set(cpu, 1 << 2, 0, 0, 0);
            case 7 -> structured(cpu, subleaf);
            case 0xB -> topology(cpu, subleaf);
            case 0xD -> extendedState(cpu, subleaf);
            // TSC = crystal * EBX / EAX.
            case 0x15 -> set(cpu, 1, 1, TSC_KILOHERTZ * 1000, 0);
            case 0x16 -> set(cpu, 1000, 1000, 100, 0);
            default -> set(cpu, 0, 0, 0, 0);
        }
    }

    private static void structured(Cpu cpu, int subleaf) {
        switch (subleaf) {
            case 0 ->
                set(
                        cpu,
                        2,
                        STRUCTURED_EBX | cpu.features.structuredEbx(),
                        STRUCTURED_ECX | cpu.features.structuredEcx(),
                        STRUCTURED_EDX);
            case 2 -> set(cpu, 0, 0, 0, STRUCTURED_2_EDX);
            default -> set(cpu, 0, 0, 0, 0);
        }
    }

    /** {@return the bits of an APIC id that tell the CPUs of a package from each other} */
    private static int idBits(Cpu cpu) {
        return 32 - Integer.numberOfLeadingZeros(cpu.processorsCount() - 1);
    }

    private static void cache(Cpu cpu, int subleaf) {
        // Cores of the package - 1, rounded up to a power of 2 less 1; no cache is shared.
        int cores = Math.min((1 << idBits(cpu)) - 1, 63) << 26;
        // type | level << 5 | self-initializing; EBX: line size - 1, partitions - 1, ways - 1; ECX: sets - 1.
        switch (subleaf) {
            case 0 -> set(cpu, 1 | 1 << 5 | 1 << 8 | cores, 63 | 7 << 22, 63, 0);
            case 1 -> set(cpu, 2 | 1 << 5 | 1 << 8 | cores, 63 | 7 << 22, 63, 0);
            case 2 -> set(cpu, 3 | 2 << 5 | 1 << 8 | cores, 63 | 15 << 22, 1023, 0);
            default -> set(cpu, 0, 0, 0, 0);
        }
    }

    private static void topology(Cpu cpu, int subleaf) {
        // One thread a core, and every CPU a core of the one package.
        switch (subleaf) {
            case 0 -> set(cpu, 0, 1, 1 << 8, cpu.index);
            case 1 -> set(cpu, idBits(cpu), cpu.processorsCount(), 1 | 2 << 8, cpu.index);
            default -> set(cpu, 0, 0, subleaf & 0xFF, cpu.index);
        }
    }

    private static void extendedState(Cpu cpu, int subleaf) {
        long components = cpu.features.components();
        switch (subleaf) {
            case 0 ->
                set(
                        cpu,
                        (int) components,
                        X87State.areaBytes(cpu.xcr0, false),
                        X87State.areaBytes(components, false),
                        0);
            // XSAVEOPT, XSAVEC, XGETBV with ECX=1.
            case 1 -> set(cpu, 7, X87State.areaBytes(cpu.xcr0, true), 0, 0);
            default -> {
                if (subleaf > 0 && subleaf < Long.SIZE && (components >> subleaf & 1) != 0) {
                    set(cpu, X87State.componentBytes(subleaf), X87State.componentOffset(subleaf), 0, 0);
                } else {
                    set(cpu, 0, 0, 0, 0);
                }
            }
        }
    }

    private static void hypervisor(Cpu cpu, int leaf) {
        switch (leaf) {
            case HYPERVISOR -> set(cpu, MAX_HYPERVISOR, text("KVMK", 0), text("VMKV", 0), text("M", 0));
            case HYPERVISOR + 1 -> set(cpu, KVM_FEATURES, 0, 0, 0);
            case MAX_HYPERVISOR -> set(cpu, TSC_KILOHERTZ, (int) (LocalApic.TIMER_HERTZ / 1000), 0, 0);
            default -> set(cpu, 0, 0, 0, 0);
        }
    }

    private static void extended(Cpu cpu, int leaf) {
        switch (leaf) {
            case EXTENDED -> set(cpu, MAX_EXTENDED, 0, 0, 0);
            case EXTENDED + 1 -> {
                // SYSCALL exists in 64-bit mode only.
                int edx = cpu.mode == 64 ? EXTENDED_EDX : EXTENDED_EDX & ~(1 << 11);
                set(cpu, 0, 0, EXTENDED_ECX, edx);
            }
            case EXTENDED + 2, EXTENDED + 3, EXTENDED + 4 -> {
                int from = 16 * (leaf - EXTENDED - 2);
                String brand = BRAND + cpu.features.label();
                set(cpu, text(brand, from), text(brand, from + 4), text(brand, from + 8), text(brand, from + 12));
            }
            // L2: 64-byte lines, 16 ways, 1 MiB.
            case EXTENDED + 6 -> set(cpu, 0, 0, 64 | 8 << 12 | 1024 << 16, 0);
            // Invariant TSC.
            case EXTENDED + 7 -> set(cpu, 0, 0, 0, 1 << 8);
            case EXTENDED + 8 -> set(cpu, Mmu.PHYSICAL_BITS | 57 << 8, 0, 0, 0);
            default -> set(cpu, 0, 0, 0, 0);
        }
    }
}
