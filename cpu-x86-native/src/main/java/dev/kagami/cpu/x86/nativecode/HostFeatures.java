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
    private static final List<String> NEEDED =
            List.of("bmi1", "bmi2", "abm", "adx", "movbe", "popcnt", "sse4_2", "cx16");

    private HostFeatures() {}

    static Availability check() {
        Set<String> flags;
        try (var lines = Files.lines(CPUINFO)) {
            flags = lines.filter(line -> line.startsWith(FLAGS))
                    .findFirst()
                    .map(line ->
                            Set.of(line.substring(line.indexOf(':') + 1).trim().split("\\s+")))
                    .orElse(Set.of());
        } catch (IOException | RuntimeException e) {
            return new Availability.Unavailable("cannot read " + CPUINFO + ": " + e.getMessage());
        }
        for (String feature : NEEDED) {
            if (!flags.contains(feature)) {
                return new Availability.Unavailable("the host's processor has no " + feature);
            }
        }
        return new Availability.Available();
    }
}
