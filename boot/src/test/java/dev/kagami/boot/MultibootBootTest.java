package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MultibootBootTest {
    @TempDir
    Path folder;

    /** Multiboot specification 0.6.96, 3.2 and 3.3. */
    @Test
    void elf32KernelGetsTheMachineStateAndBootInformation() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] first = Samples.random(1, 5000);
            byte[] second = Samples.random(2, 1);
            byte[] elf = TestKernels.multibootElf32();
            LoadedKernel kernel = machine.load(machine.kernel(elf)
                    .withCommandLine("-smp 1")
                    .withInitrd(machine.file("first", first))
                    .withModules(List.of(new BootModule(machine.file("second", second), "x y"))));
            X86State state = kernel.initialState(Machine.reset());
            GuestMemory memory = machine.memory;

            assertThat(kernel.protocol()).isEqualTo(BootProtocol.MULTIBOOT);
            assertThat(machine.read(TestKernels.ELF_ADDRESS, TestKernels.ELF_TEXT_SIZE))
                    .isEqualTo(Arrays.copyOfRange(elf, 0x1000, elf.length));
            assertThat(state.rip()).isEqualTo(TestKernels.ELF_ENTRY);
            assertThat(state.gpr()[0]).isEqualTo(0x2BADB002);
            assertThat(state.cr0()).isEqualTo(0x11);
            assertThat(state.cr4()).isZero();
            assertThat(state.rflags()).isEqualTo(2);
            assertThat(state.segments()[1].attributes()).isEqualTo(0xC09B);
            for (int data : new int[] {0, 2, 3, 4, 5}) {
                assertThat(state.segments()[data]).isEqualTo(new X86State.Segment(0x18, 0, -1, 0xC093));
            }

            long info = state.gpr()[3];
            assertThat(memory.readInt(info)).isEqualTo(0x24D);
            assertThat(memory.readInt(info + 4)).isEqualTo(639);
            assertThat(memory.readInt(info + 8)).isEqualTo(15 * 1024 - 64);
            assertThat(machine.readString(memory.readInt(info + 16))).isEqualTo("kernel -smp 1");
            assertThat(machine.readString(memory.readInt(info + 64))).isEqualTo("Kagami");

            assertThat(memory.readInt(info + 20)).isEqualTo(2);
            long modules = memory.readInt(info + 24);
            assertModule(machine, modules, first, "first");
            assertModule(machine, modules + 16, second, "second x y");
            assertThat(memory.readInt(modules) & 0xFFF).isZero();
            assertThat(memory.readInt(modules)).isGreaterThan((int) TestKernels.ELF_ADDRESS);

            long map = memory.readInt(info + 48);
            assertThat(memory.readInt(info + 44)).isEqualTo(24 * machine.map.size());
            for (int i = 0; i < machine.map.size(); i++) {
                assertThat(memory.readInt(map + 24L * i)).isEqualTo(20);
                assertThat(memory.readLong(map + 24L * i + 4))
                        .isEqualTo(machine.map.get(i).start());
                assertThat(memory.readLong(map + 24L * i + 12))
                        .isEqualTo(machine.map.get(i).size());
                assertThat(memory.readInt(map + 24L * i + 20))
                        .isEqualTo(machine.map.get(i).type().number());
            }
        }
    }

    private static void assertModule(Machine machine, long entry, byte[] content, String text) {
        long start = machine.memory.readInt(entry);
        assertThat(machine.memory.readInt(entry + 4)).isEqualTo((int) start + content.length);
        assertThat(machine.read(start, content.length)).isEqualTo(content);
        assertThat(machine.readString(machine.memory.readInt(entry + 8))).isEqualTo(text);
    }

    @Test
    void flatKernelIsLoadedByTheAddressesInItsHeader() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] file = TestKernels.multibootFlat();
            machine.memory.write(TestKernels.FLAT_ADDRESS, Samples.random(7, 0x6000));
            LoadedKernel kernel = machine.load(machine.kernel(file));

            assertThat(kernel.entryPoint()).isEqualTo(TestKernels.FLAT_ADDRESS + 0x100);
            assertThat(machine.read(TestKernels.FLAT_ADDRESS, 0x2000))
                    .isEqualTo(Arrays.copyOfRange(file, 0x20, 0x2020));
            assertThat(machine.read(TestKernels.FLAT_ADDRESS + 0x2000, 0x3000))
                    .as("bss")
                    .containsOnly(0);
            assertThat(machine.read(TestKernels.FLAT_ADDRESS + 0x5000, 0x1000))
                    .as("behind bss")
                    .isEqualTo(Arrays.copyOfRange(Samples.random(7, 0x6000), 0x5000, 0x6000));
        }
    }

    @Test
    void flatKernelWithoutEndAddressesIsLoadedWhole() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] file = TestKernels.multibootFlat();
            LittleEndian.putInt(file, 0x54, 0);
            LittleEndian.putInt(file, 0x58, 0);
            machine.load(machine.kernel(file));
            assertThat(machine.read(TestKernels.FLAT_ADDRESS, file.length - 0x20))
                    .isEqualTo(Arrays.copyOfRange(file, 0x20, file.length));
        }
    }

    @Test
    void contradictingAddressesAreNamed() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            assertRefused(machine, 0x4C, 0, "header_addr");
            assertRefused(machine, 0x50, 0, "header_addr");
            assertRefused(machine, 0x54, 0x7FFF_FFFF, "load_end_addr");
            assertRefused(machine, 0x58, 0x10_0001, "bss_end_addr");
            assertRefused(machine, 0x5C, 0x20_0000, "entry_addr");
            assertRefused(machine, 0x58, 0xBFFF_FFFF, "MiB");
        }
    }

    private static void assertRefused(Machine machine, int offset, int value, String named) {
        byte[] file = TestKernels.multibootFlat();
        LittleEndian.putInt(file, offset, value);
        assertThatThrownBy(() -> machine.load(machine.kernel(file)))
                .isInstanceOf(BootException.class)
                .hasMessageContaining(named);
    }

    @Test
    void unknownDemandsAreRefused() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] file = TestKernels.multibootFlat();
            LittleEndian.putInt(file, 0x44, 0x10103);
            LittleEndian.putInt(file, 0x48, -(0x1BADB002 + 0x10103));
            assertThatThrownBy(() -> machine.load(machine.kernel(file)))
                    .isInstanceOf(BootException.class)
                    .hasMessageContaining("demands 0x100");
        }
    }

    @Test
    void headerWithWrongChecksumIsNone() {
        try (Machine machine = new Machine(folder, 16 << 20)) {
            byte[] file = TestKernels.multibootFlat();
            file[0x48]++;
            assertThatThrownBy(() -> machine.load(machine.kernel(file)))
                    .isInstanceOf(BootException.class)
                    .extracting(e -> ((BootException) e).code())
                    .isEqualTo(BootException.Code.FORMAT_UNKNOWN);
        }
    }
}
