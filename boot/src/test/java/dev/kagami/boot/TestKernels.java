package dev.kagami.boot;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.LZMAOutputStream;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZ;
import org.tukaani.xz.XZOutputStream;

/** Small kernels made by hand, one of each format. */
final class TestKernels {
    /** Where the ELF kernels are linked, and how large they are in memory. */
    static final long ELF_ADDRESS = 0x20_0000;

    static final int ELF_TEXT_SIZE = 0x1800;
    static final int ELF_DATA_FILE_SIZE = 0x300;
    static final int ELF_DATA_MEMORY_SIZE = 0x2000;
    static final long ELF_DATA_ADDRESS = ELF_ADDRESS + 0x2000;
    static final long ELF_ENTRY = ELF_ADDRESS + 0x40;
    static final long PVH_ENTRY = ELF_ADDRESS + 0x80;

    static final int SETUP_SECTORS = 3;
    static final int CODE_OFFSET = (SETUP_SECTORS + 1) * 512;
    static final long INIT_SIZE = 0x8_0000;
    static final int PAYLOAD_OFFSET = 0x2CC;
    static final int COMMAND_LINE_SIZE = 2047;

    static final long FLAT_ADDRESS = 0x10_0000;

    private TestKernels() {}

    /** An ELF64 with text, data with bss, and a segment of notes; with a PVH note when wanted. */
    static byte[] elf64(boolean pvh) {
        int textOffset = 0x1000;
        int dataOffset = textOffset + ELF_TEXT_SIZE;
        byte[] elf = new byte[dataOffset + ELF_DATA_FILE_SIZE];
        System.arraycopy(Samples.random(3, elf.length), 0, elf, textOffset, elf.length - textOffset);
        LittleEndian.putInt(elf, 0, 0x464C457F);
        elf[4] = 2;
        elf[5] = 1;
        elf[6] = 1;
        LittleEndian.putShort(elf, 16, 2);
        LittleEndian.putShort(elf, 18, ElfHeader.MACHINE_X86_64);
        LittleEndian.putInt(elf, 20, 1);
        LittleEndian.putLong(elf, 24, ELF_ENTRY);
        LittleEndian.putLong(elf, 32, 64);
        LittleEndian.putShort(elf, 52, 64);
        LittleEndian.putShort(elf, 54, 56);
        LittleEndian.putShort(elf, 56, 3);
        long virtual = 0xFFFF_FFFF_8000_0000L;
        programHeader64(elf, 0, 1, textOffset, virtual, ELF_ADDRESS, ELF_TEXT_SIZE, ELF_TEXT_SIZE, 0x1000);
        programHeader64(
                elf, 1, 1, dataOffset, virtual, ELF_DATA_ADDRESS, ELF_DATA_FILE_SIZE, ELF_DATA_MEMORY_SIZE, 0x1000);
        int noteOffset = textOffset + 0x200;
        int noteSize = notes(elf, noteOffset, pvh);
        programHeader64(elf, 2, 4, noteOffset, virtual, ELF_ADDRESS + 0x200, noteSize, noteSize, 4);
        return elf;
    }

    private static int notes(byte[] elf, int offset, boolean pvh) {
        int at = offset;
        LittleEndian.putInt(elf, at, 6);
        LittleEndian.putInt(elf, at + 4, 3);
        LittleEndian.putInt(elf, at + 8, 0x100);
        System.arraycopy("Linux\0\0\0abc\0".getBytes(StandardCharsets.US_ASCII), 0, elf, at + 12, 12);
        at += 24;
        LittleEndian.putInt(elf, at, 4);
        LittleEndian.putInt(elf, at + 4, 8);
        LittleEndian.putInt(elf, at + 8, pvh ? 18 : 17);
        System.arraycopy("Xen\0".getBytes(StandardCharsets.US_ASCII), 0, elf, at + 12, 4);
        LittleEndian.putLong(elf, at + 16, PVH_ENTRY);
        return at + 24 - offset;
    }

    private static void programHeader64(
            byte[] elf,
            int index,
            int type,
            long offset,
            long virtual,
            long physical,
            long size,
            long memory,
            long align) {
        int at = 64 + 56 * index;
        LittleEndian.putInt(elf, at, type);
        LittleEndian.putInt(elf, at + 4, 7);
        LittleEndian.putLong(elf, at + 8, offset);
        LittleEndian.putLong(elf, at + 16, virtual + physical);
        LittleEndian.putLong(elf, at + 24, physical);
        LittleEndian.putLong(elf, at + 32, size);
        LittleEndian.putLong(elf, at + 40, memory);
        LittleEndian.putLong(elf, at + 48, align);
    }

    /** An ELF32 with a multiboot header without addresses. */
    static byte[] multibootElf32() {
        int textOffset = 0x1000;
        byte[] elf = new byte[textOffset + ELF_TEXT_SIZE];
        System.arraycopy(Samples.random(4, elf.length), 0, elf, textOffset, elf.length - textOffset);
        LittleEndian.putInt(elf, 0, 0x464C457F);
        elf[4] = 1;
        elf[5] = 1;
        elf[6] = 1;
        LittleEndian.putShort(elf, 16, 2);
        LittleEndian.putShort(elf, 18, ElfHeader.MACHINE_386);
        LittleEndian.putInt(elf, 20, 1);
        LittleEndian.putInt(elf, 24, (int) ELF_ENTRY);
        LittleEndian.putInt(elf, 28, 52);
        LittleEndian.putShort(elf, 40, 52);
        LittleEndian.putShort(elf, 42, 32);
        LittleEndian.putShort(elf, 44, 1);
        LittleEndian.putInt(elf, 52, 1);
        LittleEndian.putInt(elf, 56, textOffset);
        LittleEndian.putInt(elf, 60, (int) ELF_ADDRESS);
        LittleEndian.putInt(elf, 64, (int) ELF_ADDRESS);
        LittleEndian.putInt(elf, 68, ELF_TEXT_SIZE);
        LittleEndian.putInt(elf, 72, ELF_DATA_MEMORY_SIZE);
        LittleEndian.putInt(elf, 76, 7);
        LittleEndian.putInt(elf, 80, 0x1000);
        multibootHeader(elf, textOffset + 8, 3);
        return elf;
    }

    /** A flat file with a multiboot header with addresses, 0x40 bytes into the file; loaded from 0x20 on. */
    static byte[] multibootFlat() {
        byte[] file = Samples.random(5, 0x3000);
        multibootHeader(file, 0x40, 0x10003);
        LittleEndian.putInt(file, 0x4C, (int) FLAT_ADDRESS + 0x20);
        LittleEndian.putInt(file, 0x50, (int) FLAT_ADDRESS);
        LittleEndian.putInt(file, 0x54, (int) FLAT_ADDRESS + 0x2000);
        LittleEndian.putInt(file, 0x58, (int) FLAT_ADDRESS + 0x5000);
        LittleEndian.putInt(file, 0x5C, (int) FLAT_ADDRESS + 0x100);
        return file;
    }

    private static void multibootHeader(byte[] file, int at, int flags) {
        LittleEndian.putInt(file, at, 0x1BADB002);
        LittleEndian.putInt(file, at + 4, flags);
        LittleEndian.putInt(file, at + 8, -(0x1BADB002 + flags));
    }

    /** A bzImage around a compressed kernel. */
    static byte[] bzImage(byte[] payload) {
        int codeSize = PAYLOAD_OFFSET + payload.length + 0x40 + 15 & -16;
        byte[] image = Samples.random(6, CODE_OFFSET + codeSize);
        java.util.Arrays.fill(image, 0, CODE_OFFSET, (byte) 0xCC);
        java.util.Arrays.fill(image, 0x1F1, 0x26C, (byte) 0);
        image[0x1F1] = SETUP_SECTORS;
        LittleEndian.putInt(image, 0x1F4, codeSize / 16);
        LittleEndian.putShort(image, 0x1FE, 0xAA55);
        image[0x200] = (byte) 0xEB;
        image[0x201] = 0x6A;
        LittleEndian.putInt(image, 0x202, 0x53726448);
        LittleEndian.putShort(image, 0x206, 0x020F);
        LittleEndian.putShort(image, 0x20E, 0x280);
        byte[] name = "6.1.0-test (someone) #1\0".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(name, 0, image, 0x480, name.length);
        image[0x211] = 3;
        LittleEndian.putInt(image, 0x214, 0x10_0000);
        LittleEndian.putInt(image, 0x22C, 0x7FFF_FFFF);
        LittleEndian.putInt(image, 0x230, 0x20_0000);
        image[0x234] = 1;
        LittleEndian.putShort(image, 0x236, 3);
        LittleEndian.putInt(image, 0x238, COMMAND_LINE_SIZE);
        LittleEndian.putInt(image, 0x248, PAYLOAD_OFFSET);
        LittleEndian.putInt(image, 0x24C, payload.length);
        LittleEndian.putLong(image, 0x258, ELF_ADDRESS);
        LittleEndian.putInt(image, 0x260, (int) INIT_SIZE);
        System.arraycopy(payload, 0, image, CODE_OFFSET + PAYLOAD_OFFSET, payload.length);
        return image;
    }

    /** Compresses as the kernel's build does, with the size at the end. */
    static byte[] compress(PayloadFormat format, byte[] data) {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            switch (format) {
                case GZIP -> {
                    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
                        gzip.write(data);
                    }
                    return out.toByteArray();
                }
                case XZ -> {
                    LZMA2Options lzma2 = new LZMA2Options(1);
                    lzma2.setDictSize(1 << 20);
                    try (XZOutputStream xz = new XZOutputStream(
                            out, new org.tukaani.xz.FilterOptions[] {new X86Options(), lzma2}, XZ.CHECK_CRC32)) {
                        xz.write(data);
                    }
                }
                case LZMA -> {
                    LZMA2Options options = new LZMA2Options(1);
                    options.setDictSize(1 << 20);
                    try (LZMAOutputStream lzma = new LZMAOutputStream(out, options, -1)) {
                        lzma.write(data);
                    }
                }
                case LZ4 -> lz4(data, out);
                case ZSTD -> zstdRaw(data, out);
            }
            out.write(size(data));
            return out.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] size(byte[] data) {
        byte[] size = new byte[4];
        LittleEndian.putInt(size, 0, data.length);
        return size;
    }

    /** One LZ4 legacy block; matches only what an exact hash of four bytes finds. */
    static void lz4(byte[] data, ByteArrayOutputStream out) throws IOException {
        ByteArrayOutputStream block = new ByteArrayOutputStream();
        int[] seen = new int[1 << 12];
        java.util.Arrays.fill(seen, -1);
        int literals = 0;
        int at = 0;
        while (at + 12 < data.length) {
            int value = LittleEndian.getInt(data, at);
            int slot = (int) (value * 2654435761L >>> 20) & seen.length - 1;
            int candidate = seen[slot];
            seen[slot] = at;
            if (candidate >= 0 && at - candidate < 0x10000 && LittleEndian.getInt(data, candidate) == value) {
                int length = 4;
                while (at + length + 5 < data.length && data[candidate + length] == data[at + length]) {
                    length++;
                }
                lz4Sequence(data, literals, at, at - candidate, length, block);
                at += length;
                literals = at;
            } else {
                at++;
            }
        }
        lz4Sequence(data, literals, data.length, 0, 4, block);
        byte[] word = new byte[4];
        LittleEndian.putInt(word, 0, Lz4LegacyDecoder.MAGIC);
        out.write(word);
        LittleEndian.putInt(word, 0, block.size());
        out.write(word);
        block.writeTo(out);
    }

    private static void lz4Sequence(
            byte[] data, int from, int to, int distance, int length, ByteArrayOutputStream block) {
        int count = to - from;
        block.write(Math.min(count, 15) << 4 | (distance == 0 ? 0 : Math.min(length - 4, 15)));
        lz4Length(count, block);
        block.write(data, from, count);
        if (distance != 0) {
            block.write(distance);
            block.write(distance >> 8);
            lz4Length(length - 4, block);
        }
    }

    private static void lz4Length(int length, ByteArrayOutputStream block) {
        if (length >= 15) {
            int rest = length - 15;
            for (; rest >= 255; rest -= 255) {
                block.write(255);
            }
            block.write(rest);
        }
    }

    /** A zstd frame of raw blocks (RFC 8878, 3.1.1.2). */
    private static void zstdRaw(byte[] data, ByteArrayOutputStream out) {
        out.writeBytes(new byte[] {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD, 0, 0x38});
        int at = 0;
        do {
            int length = Math.min(data.length - at, 100_000);
            boolean last = at + length == data.length;
            int header = length << 3 | (last ? 1 : 0);
            out.write(header);
            out.write(header >> 8);
            out.write(header >> 16);
            out.write(data, at, length);
            at += length;
        } while (at < data.length);
    }
}
