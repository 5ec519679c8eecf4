package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Processors;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.x86.interpreter.FeatureNames;
import dev.kagami.cpu.x86.interpreter.InterpreterProcessors;
import dev.kagami.memory.GuestMemory;
import java.util.SortedSet;
import java.util.stream.Stream;

/** The engine that translates guest code to host code. */
public final class NativeEngine implements Engine {
    /** Creates the engine; for {@link java.util.ServiceLoader}. */
    public NativeEngine() {}

    @Override
    public String name() {
        return "native";
    }

    @Override
    public String description() {
        return "x86-64 translated to host code in Java; needs an x86-64 Linux host and native access";
    }

    @Override
    public int priority() {
        return 10;
    }

    @Override
    public Availability availability() {
        String os = System.getProperty("os.name", "");
        String arch = System.getProperty("os.arch", "");
        if (!os.equals("Linux") || !arch.equals("amd64")) {
            return new Availability.Unavailable(
                    "this host is %s on %s; only x86-64 Linux is supported".formatted(os, arch));
        }
        Module module = NativeEngine.class.getModule();
        if (!module.isNativeAccessEnabled()) {
            return new Availability.Unavailable("native access is denied; start Java with --enable-native-access="
                    + (module.isNamed() ? module.getName() : "ALL-UNNAMED"));
        }
        return HostFeatures.check(HostFeatures.NEEDED);
    }

    @Override
    public Availability supports(CpuModel model) {
        return switch (model) {
            case V2, MAX -> new Availability.Available();
            case V3 -> HostFeatures.check(HostFeatures.AVX_NEEDED);
            case V4 -> {
                Availability avx = HostFeatures.check(HostFeatures.AVX_NEEDED);
                yield avx instanceof Availability.Available ? HostFeatures.check(HostFeatures.AVX512_NEEDED) : avx;
            }
        };
    }

    @Override
    public SortedSet<String> features(CpuModel model) {
        return FeatureNames.of(model, HostFeatures::has);
    }

    @Override
    public CpuModel defaultModel() {
        // The most that is the same on every engine: a machine that is saved here goes on there.
        if (features(CpuModel.MAX).equals(FeatureNames.of(CpuModel.MAX, feature -> true))) {
            return CpuModel.MAX;
        }
        return Stream.of(CpuModel.V4, CpuModel.V3)
                .filter(model -> supports(model) instanceof Availability.Available)
                .findFirst()
                .orElse(CpuModel.V2);
    }

    @Override
    public Processors createProcessors(ProcessorConfig config, GuestMemory memory, Bus bus, Timers timers) {
        if (config.trace() != null) {
            // A trace is of single instructions, which is the interpreter's way.
            return new InterpreterProcessors(config, memory, bus, timers);
        }
        return new NativeProcessors(config, memory, bus, timers, index -> NativeOptions.usual(config.count()));
    }
}
