package dev.kagami.vm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.Availability;
import dev.kagami.cpu.Engine;
import dev.kagami.cpu.ExitReason;
import java.util.List;
import org.junit.jupiter.api.Test;

final class EnginesTest {
    private static final Availability HERE = new Availability.Available();
    private static final Availability NOT_HERE = new Availability.Unavailable("/dev/fast: permission denied");

    private static Engine engine(String name, int priority, Availability availability) {
        return new FakeEngine(name, priority, availability, (cpu, bus) -> ExitReason.SHUTDOWN);
    }

    @Test
    void choosesTheAvailableEngineWithTheHighestPriority() {
        Engines engines = new Engines(List.of(engine("slow", 1, HERE), engine("fast", 2, HERE)));
        assertThat(engines.choose("auto").engine().name()).isEqualTo("fast");
        assertThat(engines.choose("slow").engine().name()).isEqualTo("slow");
    }

    @Test
    void saysWhyAFasterEngineWasNotChosen() {
        Engines engines = new Engines(List.of(engine("slow", 1, HERE), engine("fast", 2, NOT_HERE)));
        Engines.Choice choice = engines.choose("auto");
        assertThat(choice.engine().name()).isEqualTo("slow");
        assertThat(choice.reason()).contains("fast").contains("/dev/fast: permission denied");
    }

    @Test
    void refusesAnEngineThatCannotRunHereWithItsReason() {
        Engines engines = new Engines(List.of(engine("slow", 1, HERE), engine("fast", 2, NOT_HERE)));
        Refusals.refused(
                ErrorCode.ENGINE_UNAVAILABLE, () -> engines.choose("fast"), "fast", "/dev/fast: permission denied");
    }

    @Test
    void refusesAnUnknownNameAndListsTheKnownOnes() {
        Engines engines = new Engines(List.of(engine("slow", 1, HERE), engine("fast", 2, NOT_HERE)));
        KagamiException refused = Refusals.refused(ErrorCode.ENGINE_UNKNOWN, () -> engines.choose("warp"), "warp");
        assertThat(refused.hint()).contains("auto, fast, slow");
    }

    @Test
    void listsThemInTheOrderOfChoice() {
        Engines engines = new Engines(List.of(engine("slow", 1, HERE), engine("fast", 2, NOT_HERE)));
        assertThat(engines.list())
                .containsExactly(
                        new EngineInfo("fast", "runs fast", false, "/dev/fast: permission denied"),
                        new EngineInfo("slow", "runs slow", true, ""));
    }
}
