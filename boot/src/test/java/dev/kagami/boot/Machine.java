package dev.kagami.boot;

import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import dev.kagami.memory.MemoryRegion;
import dev.kagami.memory.MemoryRegion.Type;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/** Guest memory with a PC's memory map, and files to boot on it. */
final class Machine implements AutoCloseable {
    static final long RSDP = 0xE_0000;
    static final long RESERVED_TOP = 0x1_0000;

    final GuestMemory memory;
    final List<MemoryRegion> map = new ArrayList<>();
    private final Path folder;

    Machine(Path folder, long size) {
        this.folder = folder;
        this.memory = GuestMemory.allocate(size);
        map.add(new MemoryRegion(0, 0x9_FC00, Type.USABLE));
        map.add(new MemoryRegion(0x9_FC00, 0x400, Type.RESERVED));
        map.add(new MemoryRegion(0xE_0000, 0x2_0000, Type.RESERVED));
        map.add(new MemoryRegion(0x10_0000, memory.lowSize() - 0x10_0000 - RESERVED_TOP, Type.USABLE));
        map.add(new MemoryRegion(memory.lowSize() - RESERVED_TOP, RESERVED_TOP, Type.ACPI_RECLAIMABLE));
        if (memory.highSize() > 0) {
            map.add(new MemoryRegion(GuestMemory.HIGH_START, memory.highSize(), Type.USABLE));
        }
    }

    /** Writes a file. */
    Path file(String name, byte[] content) {
        try {
            return Files.write(folder.resolve(name), content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    BootSource kernel(byte[] content) {
        return BootSource.of(file("kernel", content));
    }

    LoadedKernel load(BootSource source) {
        return BootLoader.load(memory, map, RSDP, source);
    }

    byte[] read(long address, int length) {
        byte[] bytes = new byte[length];
        memory.read(address, bytes, 0, length);
        return bytes;
    }

    /** Reads a string that ends with a NUL. */
    String readString(long address) {
        StringBuilder text = new StringBuilder();
        for (long at = address; memory.readByte(at) != 0; at++) {
            text.append((char) memory.readByte(at));
        }
        return text.toString();
    }

    /** A CPU after reset, with recognizable values where boot protocols define nothing. */
    static X86State reset() {
        X86State.Segment segment = new X86State.Segment(0, 0, 0xFFFF, 0x93);
        X86State.Segment[] segments = new X86State.Segment[8];
        java.util.Arrays.fill(segments, segment);
        TreeMap<Integer, Long> msrs = new TreeMap<>();
        msrs.put(0x1B, 0xFEE0_0900L);
        msrs.put(0xC000_0080, 0L);
        X86State.Table table = new X86State.Table(0, 0xFFFF);
        X86State.Fpu fpu = new X86State.Fpu(new long[8], new short[8], 0x40, 0, 0x5555, 0, 0, 0);
        return new X86State(
                new long[] {0, 0, 0x600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                0xFFF0,
                2,
                segments,
                table,
                table,
                0x6000_0010,
                0,
                0,
                0,
                0,
                1,
                new long[8],
                fpu,
                new long[256],
                0x1F80,
                msrs,
                new int[64],
                false,
                false,
                false,
                X86State.Pending.NOTHING);
    }

    @Override
    public void close() {
        memory.close();
    }
}
