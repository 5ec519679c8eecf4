package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Availability;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** What the host's processor must have for the code that {@link Translator} emits. */
final class HostFeatures {
    private static final Path CPUINFO = Path.of("/proc/cpuinfo");
    private static final String FLAGS = "flags";

    /** As Linux names them: PEXT and RORX, ADCX, MOVBE, CRC32, POPCNT, LZCNT, TZCNT. */
    static final List<String> NEEDED =
            List.of("bmi1", "bmi2", "abm", "adx", "movbe", "popcnt", "sse4_2", "cx16", "aes", "pclmulqdq");

    /** What the host must have for guests to have AVX. */
    static final List<String> AVX_NEEDED = List.of("avx", "avx2", "fma", "f16c");

    /** What the host must have for guests to have AVX-512. */
    static final List<String> AVX512_NEEDED = List.of("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl");

    private static final String VENDOR = "vendor_id";

    /** Vendors of processors on which LOOP is one or two operations; on others, it is a dozen. */
    private static final List<String> LOOP_VENDORS = List.of("AuthenticAMD", "HygonGenuine");

    private static final List<String> LINES = lines();

    private static final Set<String> FLAGS_FOUND = words(FLAGS);

    /** LOOP is as fast as any branch on the host; with {@code false} in the system property it is as if it weren't. */
    static final boolean FAST_LOOP = !"false".equals(System.getProperty("dev.kagami.native.loop"))
            && words(VENDOR).stream().anyMatch(LOOP_VENDORS::contains);

    /** SHA1RNDS4 and the like may run on the host. */
    static final boolean SHA = FLAGS_FOUND.contains("sha_ni");

    /** GF2P8MULB and the like may run on the host. */
    static final boolean GFNI = FLAGS_FOUND.contains("gfni");

    /** AVX, AVX2, FMA and F16C may run on the host. */
    static final boolean AVX = FLAGS_FOUND.containsAll(AVX_NEEDED);

    /** AVX-512 F, BW, CD, DQ and VL may run on the host. */
    static final boolean AVX512 = AVX && FLAGS_FOUND.containsAll(AVX512_NEEDED);

    /** The 256-bit forms of AES may run on the host. */
    static final boolean VAES = AVX && FLAGS_FOUND.contains("vaes");

    /** The 256-bit form of PCLMULQDQ may run on the host. */
    static final boolean VPCLMULQDQ = AVX && FLAGS_FOUND.contains("vpclmulqdq");

    private HostFeatures() {}

    /** {@return what is known of the first processor} */
    private static List<String> lines() {
        try (var lines = Files.lines(CPUINFO)) {
            return lines.takeWhile(line -> !line.isEmpty()).toList();
        } catch (IOException | RuntimeException e) {
            // Nothing is known of the host, so nothing may be used.
            return List.of();
        }
    }

    /** {@return the words of the line with a name} */
    private static Set<String> words(String name) {
        return LINES.stream()
                .filter(line -> line.startsWith(name))
                .findFirst()
                .map(line -> Set.of(line.substring(line.indexOf(':') + 1).trim().split("\\s+")))
                .orElse(Set.of());
    }

    /** {@return whether the host has a feature, by the name that Linux has for it} */
    static boolean has(String feature) {
        return FLAGS_FOUND.contains(feature);
    }

    /** {@return whether the host has some features, by the names that Linux has for them} */
    static Availability check(List<String> needed) {
        for (String feature : needed) {
            if (!FLAGS_FOUND.contains(feature)) {
                return new Availability.Unavailable(
                        "the host's processor has no %s (by %s)".formatted(feature, CPUINFO));
            }
        }
        return new Availability.Available();
    }
}
