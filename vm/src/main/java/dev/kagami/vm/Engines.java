package dev.kagami.vm;

import dev.kagami.cpu.Availability.Available;
import dev.kagami.cpu.Availability.Unavailable;
import dev.kagami.cpu.Engine;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Finds engines and chooses one. */
final class Engines {
    /** The name that leaves the choice to Kagami. */
    static final String AUTO = "auto";

    /** What was chosen, and why. */
    record Choice(Engine engine, String reason) {}

    private final List<Engine> engines;

    Engines(List<Engine> engines) {
        this.engines = engines.stream()
                .sorted(Comparator.comparingInt(Engine::priority).reversed())
                .toList();
    }

    static Engines installed() {
        return new Engines(ServiceLoader.load(Engine.class).stream()
                .map(ServiceLoader.Provider::get)
                .toList());
    }

    List<EngineInfo> list() {
        return engines.stream().map(Engines::info).toList();
    }

    boolean has(String name) {
        return name.equals(AUTO) || engines.stream().anyMatch(e -> e.name().equals(name));
    }

    String names() {
        return engines.stream().map(Engine::name).collect(Collectors.joining(", "));
    }

    /** {@return the engine that {@link #choose} would choose, if there is one} */
    Optional<Engine> available(String name) {
        return engines.stream()
                .filter(engine -> name.equals(AUTO) || name.equals(engine.name()))
                .filter(engine -> engine.availability() instanceof Available)
                .findFirst();
    }

    Choice choose(String name) {
        StringBuilder reason = new StringBuilder();
        for (Engine engine : engines) {
            if (!name.equals(AUTO) && !name.equals(engine.name())) {
                continue;
            }
            switch (engine.availability()) {
                case Available() -> {
                    if (!name.equals(AUTO)) {
                        return new Choice(engine, "asked for");
                    }
                    return new Choice(
                            engine, reason.isEmpty() ? "first choice of those that can run here" : reason.toString());
                }
                case Unavailable(String why) -> {
                    reason.append(reason.isEmpty() ? "" : "; ").append(engine.name());
                    reason.append(" can't run here: ").append(why);
                }
            }
        }
        if (reason.isEmpty() && !name.equals(AUTO)) {
            throw new KagamiException(
                    ErrorCode.ENGINE_UNKNOWN,
                    "no engine is called '%s'".formatted(name),
                    "choose one of: %s, %s".formatted(AUTO, names()));
        }
        throw new KagamiException(
                ErrorCode.ENGINE_UNAVAILABLE,
                reason.isEmpty() ? "no engine is installed" : reason.toString(),
                name.equals(AUTO) ? "add an engine's module to the module path" : "try the engine 'auto'");
    }

    private static EngineInfo info(Engine engine) {
        return switch (engine.availability()) {
            case Available() -> new EngineInfo(engine.name(), engine.description(), true, "");
            case Unavailable(String why) -> new EngineInfo(engine.name(), engine.description(), false, why);
        };
    }
}
