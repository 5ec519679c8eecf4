package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import dev.kagami.memory.MemoryRegion.Type;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GuestLayoutTest {
    private final GuestMemory memory = GuestMemory.allocate(4 << 20);
    private final GuestLayout layout = new GuestLayout(
            memory,
            List.of(
                    new MemoryRegion(0, 0x9_0000, Type.USABLE),
                    new MemoryRegion(0x10_0000, 0x20_0000, Type.USABLE),
                    new MemoryRegion(0x30_0000, 0x1000, Type.RESERVED),
                    new MemoryRegion(0x30_1000, 0xF_F000, Type.USABLE)));

    @AfterEach
    void closeMemory() {
        memory.close();
    }

    @Test
    void lowestAndHighestFreeRangesAreFound() {
        assertThat(layout.placeLow("f", "a", 0x1800, 0x1000, 0, 1L << 32)).isEqualTo(0x1000);
        assertThat(layout.placeLow("f", "b", 0x10, 0x10, 0, 1L << 32)).isEqualTo(0x2800);
        assertThat(layout.placeLow("f", "c", 0x8_E000, 0x1000, 0, 1L << 32)).isEqualTo(0x10_0000);
        assertThat(layout.placeHigh("f", "d", 0x1001, 0x1000, 0, 1L << 32)).isEqualTo(0x3F_E000);
        assertThat(layout.placeHigh("f", "e", 0x10_0000, 0x1000, 0, 1L << 32)).isEqualTo(0x20_0000);
        assertThat(layout.placements()).hasSize(5);
    }

    @Test
    void claimsMustNotOverlapOrLeaveUsableMemory() {
        layout.claim("f", "first", 0x10_0000, 0x1000);
        layout.claim("f", "nothing", 0x10_0000, 0);
        layout.claim("f", "second", 0x10_1000, 0x1000);
        assertThatThrownBy(() -> layout.claim("f", "third", 0x10_1FFF, 1)).hasMessageContaining("overlaps second");
        assertThatThrownBy(() -> layout.claim("f", "third", 0x2F_FFFF, 2)).hasMessageContaining("not usable RAM");
        assertThatThrownBy(() -> layout.claim("f", "third", 0, 1)).hasMessageContaining("not usable RAM");
        assertThatThrownBy(() -> layout.claim("f", "third", 0x9_0000, 1)).hasMessageContaining("not usable RAM");
        assertThatThrownBy(() -> layout.claim("f", "third", 0x3F_FFFF, 2)).hasMessageContaining("5 MiB");
        assertThatThrownBy(() -> layout.claim("f", "third", Long.MAX_VALUE, 2)).hasMessageContaining("impossible");
        assertThatThrownBy(() -> layout.claim("f", "third", -1, 2)).hasMessageContaining("impossible");
        assertThatThrownBy(() -> layout.claim("f", "third", 0x10_0000, -1)).hasMessageContaining("impossible");
    }

    @Test
    void requiredSizeCountsTheGapBelowFourGibibytes() {
        assertThatThrownBy(() -> layout.claim("f", "x", 0xBFFF_F000L, 0x1000)).hasMessageContaining("3072 MiB");
        assertThatThrownBy(() -> layout.claim("f", "x", 0x1_0000_0000L, 0x1000)).hasMessageContaining("3073 MiB");
    }

    @Test
    void mapsThatDontFitTheMemoryAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GuestLayout(memory, List.of(new MemoryRegion(0, 0x10_0000, Type.USABLE))));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GuestLayout(memory, List.of(new MemoryRegion(0x10_0000, 4 << 20, Type.USABLE))));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new GuestLayout(
                        memory,
                        List.of(
                                new MemoryRegion(0, 0x2000, Type.RESERVED),
                                new MemoryRegion(0x1000, 0x1000, Type.USABLE))));
    }
}
