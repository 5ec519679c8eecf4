package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.CpuModel;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Predicate;

/** The features of a CPU model by the names that Linux has for them in {@code /proc/cpuinfo}; its own where Linux has none. */
public final class FeatureNames {
    // Names and bits of the registers of CPUID (SDM 2A, CPUID).
    private static final String EDX_1 =
            "fpu 0 de 2 pse 3 tsc 4 msr 5 pae 6 mce 7 cx8 8 sep 11 mtrr 12 pge 13 mca 14 cmov 15"
                    + " pat 16 pse36 17 clflush 19 mmx 23 fxsr 24 sse 25 sse2 26";
    private static final String ECX_1 =
            "sse3 0 pclmulqdq 1 ssse3 9 fma 12 cx16 13 pcid 17 sse4_1 19 sse4_2 20 x2apic 21"
                    + " movbe 22 popcnt 23 tsc_deadline_timer 24 aes 25 xsave 26 avx 28 f16c 29 rdrand 30 hypervisor 31";
    private static final String EBX_7 =
            "fsgsbase 0 bmi1 3 avx2 5 smep 7 bmi2 8 erms 9 invpcid 10 avx512f 16 avx512dq 17 rdseed 18 adx 19 smap 20"
                    + " avx512ifma 21 clflushopt 23 clwb 24 avx512cd 28 sha_ni 29 avx512bw 30 avx512vl 31";
    private static final String ECX_7 =
            "avx512vbmi 1 umip 2 avx512_vbmi2 6 gfni 8 vaes 9 vpclmulqdq 10 avx512_vnni 11 avx512_bitalg 12"
                    + " avx512_vpopcntdq 14 la57 16 rdpid 22";
    private static final String EDX_7 = "fsrm 4 ibrs 26 stibp 27 arch_capabilities 29 ssbd 31";
    private static final String EDX_7_2 = "bhi_ctrl 4";
    private static final String ECX_EXTENDED = "lahf_lm 0 abm 5 3dnowprefetch 8";
    private static final String EDX_EXTENDED = "syscall 11 nx 20 pdpe1gb 26 rdtscp 27 lm 29";
    private static final String EAX_KVM =
            "kvm_clock 0 kvm_nop_io_delay 1 kvm_clock2 3 kvm_pv_eoi 6 kvm_clock_stable 24";

    private FeatureNames() {}

    /**
     * Lists what guests with a CPU model are shown.
     *
     * @param model the model
     * @param has whether a feature, by its name, may be among those of {@link CpuModel#MAX}
     * @return the names
     */
    public static SortedSet<String> of(CpuModel model, Predicate<String> has) {
        ProcessorFeatures features = ProcessorFeatures.of(model, has);
        SortedSet<String> names = new TreeSet<>();
        add(names, EDX_1, Cpuid.FEATURES_EDX);
        add(names, ECX_1, Cpuid.FEATURES_ECX | features.ecx());
        add(names, EBX_7, Cpuid.STRUCTURED_EBX | features.structuredEbx());
        add(names, ECX_7, Cpuid.STRUCTURED_ECX | features.structuredEcx());
        add(names, EDX_7, Cpuid.STRUCTURED_EDX);
        add(names, EDX_7_2, Cpuid.STRUCTURED_2_EDX);
        add(names, ECX_EXTENDED, Cpuid.EXTENDED_ECX);
        add(names, EDX_EXTENDED, Cpuid.EXTENDED_EDX);
        add(names, EAX_KVM, Cpuid.KVM_FEATURES);
        return names;
    }

    private static void add(SortedSet<String> names, String table, int bits) {
        String[] words = table.split(" ");
        int named = 0;
        for (int i = 0; i < words.length; i += 2) {
            int bit = 1 << Integer.parseInt(words[i + 1]);
            named |= bit;
            if ((bits & bit) != 0) {
                names.add(words[i]);
            }
        }
        if ((bits & ~named) != 0) {
            throw new IllegalStateException("no names for the bits %x beside: %s".formatted(bits & ~named, table));
        }
    }
}
