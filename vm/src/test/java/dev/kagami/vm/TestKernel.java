package dev.kagami.vm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * The smallest multiboot 1 kernels: a header with addresses (specification 0.6.96, 3.1) and a few instructions, entered in
 * 32-bit protected mode without paging.
 */
final class TestKernel {
    /** Writes 0x10 to port 0xF4. */
    static final String DEBUG_EXIT = "b010 e6f4 ebfe";

    /** Sets SLP_TYP and SLP_EN in PM1a_CNT. */
    static final String POWER_OFF = "ba04060000 66b80034 66ef ebfe";

    /** Writes 6 to port 0xCF9. */
    static final String RESET = "baf90c0000 b006 ee ebfe";

    /** Raises an exception without a table of handlers. */
    static final String TRIPLE_FAULT = "0f0b";

    /** Jumps to an address where there is nothing. */
    static final String JUMP_TO_NOTHING = "b8000000d0 ffe0";

    /** CLI, HLT. */
    static final String HALT_FOR_GOOD = "fa f4 ebfe";

    /** CLI and a jump to itself. */
    static final String SPIN = "fa ebfe";

    /** Prints "ok\n" on COM1. */
    static final String PRINT_OK = "baf8030000 b06f ee b06b ee b00a ee";

    /** Writes all ones to every port from 0 up, again and again. */
    static final String WRITE_EVERY_PORT = "31d2 83c8ff ee 66ef ef 6642 ebf8";

    /** Writes all ones to every page from 3 GiB up, with interrupts off, then to the last one for ever. */
    static final String WRITE_EVERY_MMIO_PAGE = "fa bf000000c0 83c8ff 8907 884704 81c700100000 75f3 ebfe";

    private static final int LOAD = 0x10_0000;
    private static final int MAGIC = 0x1BAD_B002;
    private static final int HAS_ADDRESSES = 1 << 16;
    private static final int HEADER_SIZE = 32;

    private TestKernel() {}

    /**
     * Writes a kernel.
     *
     * @param file where
     * @param code its instructions in hexadecimal; blanks are ignored
     * @return the file
     */
    static Path write(Path file, String code) throws IOException {
        byte[] instructions = HexFormat.of().parseHex(code.replace(" ", ""));
        int end = LOAD + HEADER_SIZE + instructions.length;
        ByteBuffer image =
                ByteBuffer.allocate(HEADER_SIZE + instructions.length).order(ByteOrder.LITTLE_ENDIAN);
        image.putInt(MAGIC).putInt(HAS_ADDRESSES).putInt(-(MAGIC + HAS_ADDRESSES));
        image.putInt(LOAD).putInt(LOAD).putInt(end).putInt(end).putInt(LOAD + HEADER_SIZE);
        return Files.write(file, image.put(instructions).array());
    }
}
