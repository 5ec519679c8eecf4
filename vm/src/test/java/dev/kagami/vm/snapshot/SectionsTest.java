package dev.kagami.vm.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.vm.snapshot.SnapshotException.Kind;
import java.util.Arrays;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

final class SectionsTest {
    record Clock(long seconds) {}

    record FinerClock(long nanoseconds) {}

    private static Sections one() {
        Sections sections = new Sections();
        sections.put("clock", new Clock(7));
        return sections;
    }

    private static void refused(Kind kind, String why, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        SnapshotException.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessageContaining(why);
    }

    @Test
    void aRecordIsFoundByItsName() throws Exception {
        assertThat(Sections.decode(one().encode()).get("clock", Clock.class)).isEqualTo(new Clock(7));
    }

    @Test
    void aNameIsOneRecordsOnly() {
        Sections sections = one();
        assertThatThrownBy(() -> sections.put("clock", new Clock(8)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("clock");
    }

    @Test
    void whatIsMissingOrOtherwiseIsOfAnotherVersion() {
        refused(Kind.OTHER_VERSION, "nothing about timer", () -> one().get("timer", Clock.class));
        refused(Kind.OTHER_VERSION, "knows clock otherwise", () -> one().get("clock", FinerClock.class));
    }

    @Test
    void sectionsThatAreCutOffAreDamaged() {
        byte[] all = one().encode();
        for (int length = 1; length < all.length; length++) {
            byte[] part = Arrays.copyOf(all, length);
            refused(Kind.DAMAGED, "cut off", () -> Sections.decode(part));
        }
    }
}
