package dev.kagami.vm;

import dev.kagami.cpu.Availability.Available;
import dev.kagami.cpu.Engine;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a guest's CPUs can do: a level of x86-64, as compilers and distributions name them, and what came beside it. */
public enum CpuModel {
    /**
     * The best that is fast with the engine on this host: interpreted, {@link #V3}; translated, the highest level that the host has,
     * and {@link #MAX} when that has all of it.
     */
    AUTO,
    /** x86-64-v2 (to SSE4.2), and AES, PCLMULQDQ, SHA, GFNI, BMI, ADX, MOVBE, RDRAND. */
    V2,
    /** What {@link #V2} has, and AVX, AVX2, FMA and F16C: x86-64-v3. */
    V3,
    /** What {@link #V3} has, and AVX-512 F, BW, CD, DQ and VL: x86-64-v4. */
    V4,
    /** Everything that engine and host can do. */
    MAX;

    /** {@return the name on the command line, for example {@code v3}} */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** {@return what an engine calls this model} */
    dev.kagami.cpu.CpuModel of(Engine engine) {
        return switch (this) {
            case AUTO -> engine.defaultModel();
            case V2 -> dev.kagami.cpu.CpuModel.V2;
            case V3 -> dev.kagami.cpu.CpuModel.V3;
            case V4 -> dev.kagami.cpu.CpuModel.V4;
            case MAX -> dev.kagami.cpu.CpuModel.MAX;
        };
    }

    /** {@return the models that an engine has here, for a person to read} */
    static String supportedBy(Engine engine) {
        return Arrays.stream(dev.kagami.cpu.CpuModel.values())
                .filter(model -> engine.supports(model) instanceof Available)
                .map(dev.kagami.cpu.CpuModel::label)
                .collect(Collectors.joining(", "));
    }
}
