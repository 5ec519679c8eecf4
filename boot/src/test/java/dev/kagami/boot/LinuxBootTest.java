package dev.kagami.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class LinuxBootTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private static byte[] gzipImage() {
        return TestKernels.bzImage(TestKernels.compress(PayloadFormat.GZIP, TestKernels.elf64(true)));
    }

    /** Offsets are those of boot.rst and zero-page.rst. */
    @Test
    void zeroPageOfBzImageHasWhatTheProtocolAsksFor() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] initrd = Samples.random(9, 70_001);
            byte[] image = gzipImage();
            LoadedKernel kernel = machine.load(machine.kernel(image)
                    .withInitrd(machine.file("initrd", initrd))
                    .withCommandLine("console=ttyS0 quiet"));
            GuestMemory memory = machine.memory;
            long zero = kernel.initialState(Machine.reset()).gpr()[6];

            assertThat(kernel.protocol()).isEqualTo(BootProtocol.LINUX);
            assertThat(memory.readLong(zero + 0x070)).isEqualTo(Machine.RSDP);
            assertThat(memory.readByte(zero + 0x1E8)).isEqualTo(machine.map.size());
            assertThat(memory.readByte(zero + 0x1EF)).as("sentinel").isZero();
            assertThat(memory.readByte(zero + 0x1F1)).isEqualTo(TestKernels.SETUP_SECTORS);
            assertThat(memory.readShort(zero + 0x1FE)).isEqualTo(0xAA55);
            assertThat(memory.readInt(zero + 0x202)).isEqualTo(0x53726448);
            assertThat(memory.readShort(zero + 0x206)).isEqualTo(0x020F);
            assertThat(memory.readByte(zero + 0x210)).as("type_of_loader").isEqualTo(0xFF);
            assertThat(memory.readByte(zero + 0x211)).as("loadflags").isEqualTo(1);
            assertThat(memory.readInt(zero + 0x230)).isEqualTo(0x20_0000);
            assertThat(memory.readInt(zero + 0x260)).isEqualTo((int) TestKernels.INIT_SIZE);
            assertThat(machine.read(zero, 0x70)).as("screen_info").containsOnly(0);

            for (int i = 0; i < machine.map.size(); i++) {
                long entry = zero + 0x2D0 + 20L * i;
                assertThat(memory.readLong(entry)).isEqualTo(machine.map.get(i).start());
                assertThat(memory.readLong(entry + 8))
                        .isEqualTo(machine.map.get(i).size());
                assertThat(memory.readInt(entry + 16))
                        .isEqualTo(machine.map.get(i).type().number());
            }

            assertThat(machine.readString(memory.readInt(zero + 0x228))).isEqualTo("console=ttyS0 quiet");
            long initrdAddress = memory.readInt(zero + 0x218);
            assertThat(initrdAddress % GuestMemory.PAGE_SIZE).isZero();
            assertThat(memory.readInt(zero + 0x21C)).isEqualTo(initrd.length);
            assertThat(machine.read(initrdAddress, initrd.length)).isEqualTo(initrd);
            assertThat(memory.readInt(zero + 0x0C0)).isZero();
        }
    }

    @Test
    void processorStartsIn64BitModeWithIdentityPageTables() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            LoadedKernel kernel = machine.load(machine.kernel(gzipImage()));
            X86State reset = Machine.reset();
            X86State state = kernel.initialState(reset);
            GuestMemory memory = machine.memory;

            assertThat(state.rip()).isEqualTo(TestKernels.ELF_ENTRY).isEqualTo(kernel.entryPoint());
            assertThat(state.rflags()).isEqualTo(2);
            assertThat(state.cr0() & 0x8000_0001L).isEqualTo(0x8000_0001L);
            assertThat(state.cr4()).isEqualTo(0x20);
            assertThat(state.msrs()).containsEntry(0xC000_0080, 0x500L).containsEntry(0x1B, 0xFEE0_0900L);
            assertThat(state.segments()[1]).isEqualTo(new X86State.Segment(0x10, 0, -1, 0xA09B));
            for (int data : new int[] {0, 2, 3, 4, 5}) {
                assertThat(state.segments()[data]).isEqualTo(new X86State.Segment(0x18, 0, -1, 0xC093));
            }
            assertThat(state.gdtr().limit()).isEqualTo(31);
            assertThat(memory.readLong(state.gdtr().base() + 0x10)).isEqualTo(0x00AF_9B00_0000_FFFFL);
            assertThat(memory.readLong(state.gdtr().base() + 0x18)).isEqualTo(0x00CF_9300_0000_FFFFL);
            assertThat(state.fpu()).isSameAs(reset.fpu());
            for (long address : new long[] {0, 0x20_0040, 0xFEE0_0123L, 0xFFFF_FFFFL}) {
                assertThat(translate(memory, state.cr3(), address)).isEqualTo(address);
            }
            assertThat(memory.readLong(state.cr3() + 8) & 1).isZero();
        }
    }

    private static long translate(GuestMemory memory, long cr3, long address) {
        long table = cr3;
        for (int shift = 39; shift > 21; shift -= 9) {
            long entry = memory.readLong(table + (address >>> shift & 0x1FF) * 8);
            assertThat(entry & 0x83).isEqualTo(3);
            table = entry & 0x000F_FFFF_FFFF_F000L;
        }
        long entry = memory.readLong(table + (address >>> 21 & 0x1FF) * 8);
        assertThat(entry & 0x83).isEqualTo(0x83);
        return entry & 0x000F_FFFF_FFE0_0000L | address & 0x1F_FFFF;
    }

    @ParameterizedTest
    @EnumSource
    void payloadIsUnpackedToItsPhysicalAddresses(PayloadFormat format) {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] elf = TestKernels.elf64(true);
            machine.memory.write(TestKernels.ELF_DATA_ADDRESS, Samples.random(8, TestKernels.ELF_DATA_MEMORY_SIZE));
            byte[] image = TestKernels.bzImage(TestKernels.compress(format, elf));

            LoadedKernel kernel = machine.load(machine.kernel(image));

            assertThat(kernel.description()).contains("6.1.0-test", format.title(), "0x200040");
            assertElfLoaded(machine, elf);
        }
    }

    private static void assertElfLoaded(Machine machine, byte[] elf) {
        int data = 0x1000 + TestKernels.ELF_TEXT_SIZE;
        assertThat(machine.read(TestKernels.ELF_ADDRESS, TestKernels.ELF_TEXT_SIZE))
                .isEqualTo(Arrays.copyOfRange(elf, 0x1000, data));
        assertThat(machine.read(TestKernels.ELF_DATA_ADDRESS, TestKernels.ELF_DATA_FILE_SIZE))
                .isEqualTo(Arrays.copyOfRange(elf, data, data + TestKernels.ELF_DATA_FILE_SIZE));
        int bss = TestKernels.ELF_DATA_MEMORY_SIZE - TestKernels.ELF_DATA_FILE_SIZE;
        assertThat(machine.read(TestKernels.ELF_DATA_ADDRESS + TestKernels.ELF_DATA_FILE_SIZE, bss))
                .as("bss")
                .containsOnly(0);
    }

    @Test
    void unknownCompressionIsLeftToTheGuest() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] bzip2 = "BZh91AY&SY and so on".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
            assertBootsAsIs(machine, TestKernels.bzImage(bzip2), true);
        }
    }

    @Test
    void unpackingCanBeSwitchedOff() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            assertBootsAsIs(machine, gzipImage(), false);
        }
    }

    private static void assertBootsAsIs(Machine machine, byte[] image, boolean unpack) {
        LoadedKernel kernel = machine.load(machine.kernel(image).withUnpackOnHost(unpack));
        assertThat(kernel.entryPoint()).isEqualTo(TestKernels.ELF_ADDRESS + 0x200);
        int size = image.length - TestKernels.CODE_OFFSET;
        assertThat(machine.read(TestKernels.ELF_ADDRESS, size))
                .isEqualTo(Arrays.copyOfRange(image, TestKernels.CODE_OFFSET, image.length));
        assertThat(kernel.placements())
                .contains(new Placement("kernel", TestKernels.ELF_ADDRESS, TestKernels.INIT_SIZE));
    }

    @Test
    void relocatableKernelMovesUpWhenItsAddressIsTaken() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] image = gzipImage();
            LittleEndian.putLong(image, 0x258, 0x10_0000 - 0x1000 + 0x1000);
            machine.map.clear();
            machine.map.add(
                    new dev.kagami.memory.MemoryRegion(0, 0x9_F000, dev.kagami.memory.MemoryRegion.Type.USABLE));
            machine.map.add(new dev.kagami.memory.MemoryRegion(
                    0x14_0000, 14 * MIB, dev.kagami.memory.MemoryRegion.Type.USABLE));
            LoadedKernel kernel = machine.load(machine.kernel(image).withUnpackOnHost(false));
            assertThat(kernel.entryPoint()).isEqualTo(0x20_0200);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void bareElfBootsByLinuxProtocolWithAHeaderOfItsOwn(boolean pvh) {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] elf = TestKernels.elf64(pvh);
            LoadedKernel kernel = machine.load(
                    machine.kernel(elf).withProtocol(BootProtocol.LINUX).withCommandLine("a=b"));
            long zero = kernel.initialState(Machine.reset()).gpr()[6];
            assertThat(kernel.entryPoint()).isEqualTo(TestKernels.ELF_ENTRY);
            assertThat(machine.memory.readInt(zero + 0x202)).isEqualTo(0x53726448);
            assertThat(machine.memory.readShort(zero + 0x206)).isEqualTo(0x020F);
            assertThat(machine.memory.readByte(zero + 0x210)).isEqualTo(0xFF);
            assertThat(machine.readString(machine.memory.readInt(zero + 0x228))).isEqualTo("a=b");
            assertThat(machine.memory.readLong(zero + 0x070)).isEqualTo(Machine.RSDP);
            assertElfLoaded(machine, elf);
        }
    }

    @Test
    void elfWithoutPvhNoteIsTakenForLinux() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            assertThat(machine.load(machine.kernel(TestKernels.elf64(false))).protocol())
                    .isEqualTo(BootProtocol.LINUX);
        }
    }

    @Test
    void virtualEntryAddressOfAnElfIsTranslated() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] elf = TestKernels.elf64(false);
            LittleEndian.putLong(elf, 24, 0xFFFF_FFFF_8000_0000L + TestKernels.ELF_ENTRY);
            assertThat(machine.load(machine.kernel(elf)).entryPoint()).isEqualTo(TestKernels.ELF_ENTRY);
        }
    }

    @Test
    void initrdStaysBelowInitrdAddrMaxWhenItFits() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] image = gzipImage();
            LittleEndian.putInt(image, 0x22C, 0x47_FFFF);
            LoadedKernel kernel =
                    machine.load(machine.kernel(image).withInitrd(machine.file("initrd", Samples.random(1, 0x2_0000))));
            assertThat(kernel.placements()).contains(new Placement("initrd", 0x46_0000, 0x2_0000));
        }
    }

    @Test
    void initrdGoesHigherOnlyForKernelsThatReachIt() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] image = gzipImage();
            LittleEndian.putInt(image, 0x22C, 0x1F_FFFF);
            Path initrd = machine.file("initrd", new byte[2 << 20]);
            LoadedKernel kernel = machine.load(machine.kernel(image).withInitrd(initrd));
            assertThat(kernel.placements())
                    .contains(new Placement("initrd", 16 * MIB - Machine.RESERVED_TOP - 2 * MIB, 2 * MIB));

            LittleEndian.putShort(image, 0x236, 1);
            BootException e = refused(machine, machine.kernel(image).withInitrd(initrd));
            assertThat(e.code()).isEqualTo(BootException.Code.MEMORY_TOO_SMALL);
        }
    }

    /** The file is sparse, and its pages in guest memory are zeros of a mapping that is private to this test. */
    @Test
    void hugeInitrdGoesAboveFourGibibytesInOnePiece() throws IOException {
        try (Machine machine = new Machine(folder, 3 * 1024 * MIB + 96 * MIB)) {
            machine.map.removeIf(r -> r.start() >= 64 * MIB && r.start() < GuestMemory.HIGH_START);
            machine.map.removeIf(r -> r.start() == 0x10_0000);
            machine.map.add(
                    3,
                    new dev.kagami.memory.MemoryRegion(
                            0x10_0000, 31 * MIB, dev.kagami.memory.MemoryRegion.Type.USABLE));
            Path initrd = folder.resolve("initrd");
            try (FileChannel channel = FileChannel.open(initrd, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                channel.write(java.nio.ByteBuffer.wrap(new byte[] {42}), 40 * MIB - 1);
            }
            LoadedKernel kernel = machine.load(machine.kernel(gzipImage()).withInitrd(initrd));
            long start = GuestMemory.HIGH_START + 56 * MIB;
            assertThat(kernel.placements()).contains(new Placement("initrd", start, 40 * MIB));
            long zero = kernel.initialState(Machine.reset()).gpr()[6];
            assertThat(machine.memory.readInt(zero + 0x218)).isEqualTo((int) start);
            assertThat(machine.memory.readInt(zero + 0x0C0)).isEqualTo(1);
            assertThat(machine.memory.readByte(start + 40 * MIB - 1)).isEqualTo(42);
        }
    }

    @Test
    void tooLittleMemorySaysHowMuchIsNeeded() {
        try (Machine machine = new Machine(folder, 4 * MIB)) {
            byte[] elf = TestKernels.elf64(false);
            LittleEndian.putLong(elf, 64 + 24, 0x100_0000);
            BootException e = refused(machine, machine.kernel(elf));
            assertThat(e.code()).isEqualTo(BootException.Code.MEMORY_TOO_SMALL);
            assertThat(e)
                    .hasMessageContaining("kernel")
                    .hasMessageContaining("17 MiB")
                    .hasMessageContaining("4 MiB");
            assertThat(e.hint()).contains("17 MiB");

            e = refused(
                    machine,
                    machine.kernel(gzipImage()).withInitrd(machine.file("initrd", Samples.random(2, 5 << 20))));
            assertThat(e.code()).isEqualTo(BootException.Code.MEMORY_TOO_SMALL);
            assertThat(e).hasMessageContaining("initrd");
        }
    }

    @Test
    void commandLineMustFitTheKernel() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            String longest = "x".repeat(TestKernels.COMMAND_LINE_SIZE);
            BootSource source = machine.kernel(gzipImage());
            LoadedKernel kernel = machine.load(source.withCommandLine(longest));
            long zero = kernel.initialState(Machine.reset()).gpr()[6];
            assertThat(machine.readString(machine.memory.readInt(zero + 0x228))).isEqualTo(longest);
            assertThat(refused(machine, source.withCommandLine(longest + "y")).code())
                    .isEqualTo(BootException.Code.COMMAND_LINE_INVALID);
            assertThat(refused(machine, source.withCommandLine("a\0b")).code())
                    .isEqualTo(BootException.Code.COMMAND_LINE_INVALID);
        }
    }

    @Test
    void damagedFieldsAreNamed() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            assertField(machine, 0x206, 0x020B, BootException.Code.FORMAT_UNSUPPORTED, "boot protocol 2.11");
            assertField(machine, 0x236, 2, BootException.Code.FORMAT_UNSUPPORTED, "xloadflags");
            assertField(machine, 0x1F4, 0xFFFF, BootException.Code.IMAGE_CORRUPT, "syssize");
            assertField(machine, 0x248, 0xFFFF, BootException.Code.IMAGE_CORRUPT, "payload_offset");
            assertField(machine, 0x24E, 0xFFFF, BootException.Code.IMAGE_CORRUPT, "payload_length");
            assertField(machine, 0x230, 3, BootException.Code.IMAGE_CORRUPT, "kernel_alignment");
            assertField(machine, 0x25C, 1, BootException.Code.IMAGE_CORRUPT, "pref_address");
            assertField(machine, 0x200, 0x10EB, BootException.Code.IMAGE_CORRUPT, "setup header");
        }
    }

    private static void assertField(Machine machine, int offset, int value, BootException.Code code, String named) {
        byte[] image = gzipImage();
        LittleEndian.putShort(image, offset, value);
        BootException e = refused(machine, machine.kernel(image));
        assertThat(e).hasMessageContaining(named).hasMessageContaining("kernel");
        assertThat(e.code()).isEqualTo(code);
        assertThat(e.hint()).isNotEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void damagedPayloadIsAnError(PayloadFormat format) {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            byte[] payload = TestKernels.compress(format, TestKernels.elf64(true));
            int sizeAt = payload.length - 4;
            LittleEndian.putInt(payload, sizeAt, LittleEndian.getInt(payload, sizeAt) - 1);
            BootException e = refused(machine, machine.kernel(TestKernels.bzImage(payload)));
            assertThat(e.code()).isEqualTo(BootException.Code.IMAGE_CORRUPT);
            assertThat(e).hasMessageContaining("payload (" + format.title());
        }
    }

    @Test
    void filesThatAreNotThereOrNotFilesAreNamed() {
        try (Machine machine = new Machine(folder, 16 * MIB)) {
            assertThat(refused(machine, BootSource.of(folder.resolve("missing"))))
                    .hasMessageContaining("missing")
                    .extracting(BootException::code)
                    .isEqualTo(BootException.Code.FILE_UNREADABLE);
            assertThat(refused(machine, BootSource.of(folder)).code()).isEqualTo(BootException.Code.FILE_UNREADABLE);
            BootSource source = machine.kernel(gzipImage());
            assertThat(refused(machine, source.withInitrd(folder.resolve("missing"))))
                    .hasMessageContaining("initrd");
            assertThat(refused(machine, source.withInitrd(machine.file("empty", new byte[0]))))
                    .hasMessageContaining("is empty");
        }
    }

    private static BootException refused(Machine machine, BootSource source) {
        BootException e = catchThrowableOfType(BootException.class, () -> machine.load(source));
        assertThat(e).as("an error").isNotNull();
        return e;
    }
}
