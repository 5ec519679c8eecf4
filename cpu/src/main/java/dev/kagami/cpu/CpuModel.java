package dev.kagami.cpu;

import java.util.Locale;

/** What a guest's processors can do: a level of the x86-64 psABI, and what came beside it. */
public enum CpuModel {
    /** x86-64-v2 (to SSE4.2), and AES, PCLMULQDQ, SHA, GFNI, BMI, ADX, MOVBE, RDRAND. */
    V2,
    /** What {@link #V2} has, and AVX, AVX2, FMA and F16C: x86-64-v3. */
    V3,
    /** What {@link #V3} has, and AVX-512 F, BW, CD, DQ and VL: x86-64-v4. */
    V4,
    /** Everything that engine and host can do. */
    MAX;

    /** {@return the name that users know, for example {@code v3}} */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
