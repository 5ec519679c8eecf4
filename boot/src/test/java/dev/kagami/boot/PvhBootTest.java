package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PvhBootTest {
    @TempDir
    Path folder;

    @Test
    void elfWithPvhNoteStartsInProtectedModeWithStartInfo() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] initrd = Samples.random(1, 5000);
            byte[] extra = Samples.random(2, 4096);
            LoadedKernel kernel = machine.load(machine.kernel(TestKernels.elf64(true))
                    .withCommandLine("root=/dev/vda")
                    .withInitrd(machine.file("initrd", initrd))
                    .withModules(List.of(new BootModule(machine.file("extra", extra), "some=argument"))));
            X86State state = kernel.initialState(Machine.reset());
            GuestMemory memory = machine.memory;

            assertThat(kernel.protocol()).isEqualTo(BootProtocol.PVH);
            assertThat(state.rip()).isEqualTo(TestKernels.PVH_ENTRY);
            assertThat(state.cr0()).isEqualTo(0x11);
            assertThat(state.cr4()).isZero();
            assertThat(state.rflags()).isEqualTo(2);
            assertThat(state.msrs()).containsEntry(0xC000_0080, 0L);
            assertThat(state.segments()[1].attributes()).isEqualTo(0xC09B);
            assertThat(state.segments()[1].limit()).isEqualTo(-1);
            assertThat(state.segments()[2].attributes()).isEqualTo(0xC093);
            assertThat(state.segments()[7]).isEqualTo(new X86State.Segment(0, 0, 0x67, 0x8B));

            long info = state.gpr()[3];
            assertThat(memory.readInt(info)).isEqualTo(0x336EC578);
            assertThat(memory.readInt(info + 4)).isEqualTo(1);
            assertThat(memory.readInt(info + 12)).isEqualTo(2);
            assertThat(machine.readString(memory.readLong(info + 24))).isEqualTo("root=/dev/vda");
            assertThat(memory.readLong(info + 32)).isEqualTo(Machine.RSDP);
            assertThat(memory.readInt(info + 48)).isEqualTo(machine.map.size());
            long map = memory.readLong(info + 40);
            for (int i = 0; i < machine.map.size(); i++) {
                assertThat(memory.readLong(map + 24L * i))
                        .isEqualTo(machine.map.get(i).start());
                assertThat(memory.readLong(map + 24L * i + 8))
                        .isEqualTo(machine.map.get(i).size());
                assertThat(memory.readInt(map + 24L * i + 16))
                        .isEqualTo(machine.map.get(i).type().number());
            }
            long modules = memory.readLong(info + 16);
            assertThat(machine.read(memory.readLong(modules), initrd.length)).isEqualTo(initrd);
            assertThat(memory.readLong(modules + 8)).isEqualTo(initrd.length);
            assertThat(memory.readLong(modules + 16)).isZero();
            assertThat(machine.read(memory.readLong(modules + 32), extra.length))
                    .isEqualTo(extra);
            assertThat(machine.readString(memory.readLong(modules + 48))).isEqualTo("some=argument");
        }
    }

    @Test
    void pvhCanBeForcedForTheKernelInABzImage() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] image = TestKernels.bzImage(TestKernels.compress(PayloadFormat.LZ4, TestKernels.elf64(true)));
            LoadedKernel kernel = machine.load(machine.kernel(image).withProtocol(BootProtocol.PVH));
            assertThat(kernel.protocol()).isEqualTo(BootProtocol.PVH);
            assertThat(kernel.entryPoint()).isEqualTo(TestKernels.PVH_ENTRY);
        }
    }

    @Test
    void forcedPvhNeedsTheNote() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            BootSource source = machine.kernel(TestKernels.elf64(false)).withProtocol(BootProtocol.PVH);
            assertThatThrownBy(() -> machine.load(source))
                    .isInstanceOf(BootException.class)
                    .hasMessageContaining("XEN_ELFNOTE_PHYS32_ENTRY");
        }
    }

    @Test
    void entryOutsideOfTheKernelIsRefused() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] elf = TestKernels.elf64(true);
            LittleEndian.putLong(elf, 0x1200 + 24 + 16, 0x9999_9999L);
            assertThatThrownBy(() -> machine.load(machine.kernel(elf)))
                    .isInstanceOf(BootException.class)
                    .hasMessageContaining("0x99999999");
        }
    }
}
