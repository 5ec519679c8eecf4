package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.EvexEncoding;
import dev.kagami.cpu.x86.decode.EvexForm;
import dev.kagami.cpu.x86.decode.Instruction;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Writes pages of random 64-bit code. Every {@link #SLOT} bytes an instruction begins, on every page, so that jumps find
 * one wherever pages are mapped. The last instruction of a page may run over its end: what follows is one of {@link
 * #FILLER}, on every page again.
 */
final class FuzzCode {
    /** Distance between the places that jumps go to. */
    static final int SLOT = 32;

    /** NOP, which every page begins with. */
    static final int FILLER = 0x90;

    /** CMP RAX, RAX with a prefix that means nothing: sets all flags behind an instruction that leaves some undefined. */
    static final int[] FLAG_SETTER = {0x3E, 0x48, 0x39, 0xC0};

    private static final int PAGE = Mmu.PAGE_SIZE;
    private static final int FILLERS = 12;
    private static final int[] PREFIXES = {0x66, 0x66, 0x67, 0x67, 0xF2, 0xF3, 0xF0, 0xF0, 0x64, 0x65, 0x2E, 0x3E, 0x36
    };
    private static final int[] COMMON = {
        0x01, 0x03, 0x09, 0x0B, 0x11, 0x13, 0x19, 0x1B, 0x21, 0x23, 0x29, 0x2B, 0x31, 0x33, 0x39, 0x3B, 0x00, 0x02,
        0x28, 0x38, 0x50, 0x51, 0x53, 0x54, 0x55, 0x57, 0x58, 0x5A, 0x5C, 0x5D, 0x5F, 0x63, 0x68, 0x69, 0x6A, 0x6B,
        0x80, 0x81, 0x83, 0x83, 0x84, 0x85, 0x86, 0x87, 0x87, 0x88, 0x89, 0x89, 0x89, 0x8A, 0x8B, 0x8B, 0x8B, 0x8D,
        0x8F, 0x98, 0x99, 0x9C, 0x9D, 0xA4, 0xA5, 0xAA, 0xAB, 0xC0, 0xC1, 0xC2, 0xC3, 0xC6, 0xC7, 0xC8, 0xC9, 0xD1,
        0xD3, 0xF6, 0xF7, 0xFE, 0xFF, 0xFF, 0x9E, 0x9F, 0xF5, 0xF8, 0xF9, 0xFC, 0xFD
    };
    private static final int[] COMMON_0F = {
        0x05, 0x10, 0x11, 0x28, 0x29, 0x2E, 0x40, 0x44, 0x4D, 0x58, 0x59, 0x6F, 0x7F, 0x6E, 0x7E, 0x94, 0x9F, 0xA3,
        0xA4, 0xA5, 0xAB, 0xAC, 0xAF, 0xB0, 0xB1, 0xB1, 0xB3, 0xB6, 0xB7, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF, 0xC0,
        0xC1, 0xC3, 0xC7, 0xC8, 0xD6, 0xEF, 0xB8, 0x1F, 0xAE
    };

    private static final List<EvexEncoding> WIDE = EvexEncoding.all();

    private final SplittableRandom random;
    private final Addresses addresses;
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final byte[] proposal = new byte[32];
    private byte[] page = new byte[0];
    private int position;

    /** Knows addresses that are worth going to. */
    interface Addresses {
        /** {@return an address of data, often near the end of a page, sometimes none that exists} */
        long data();

        /** {@return an address of code} */
        long code();
    }

    FuzzCode(SplittableRandom random, Addresses addresses) {
        this.random = random;
        this.addresses = addresses;
    }

    /** {@return a page of code} */
    byte[] page() {
        page = new byte[PAGE];
        position = 0;
        while (position < FILLERS) {
            page[position++] = (byte) FILLER;
        }
        while (position < PAGE) {
            int end = (position / SLOT + 1) * SLOT;
            if (end == PAGE && random.nextInt(3) != 0) {
                lastSlot();
                continue;
            }
            int length = propose(end - position);
            if (length == 0) {
                page[position++] = (byte) FILLER;
                continue;
            }
            System.arraycopy(proposal, 0, page, position, length);
            position += length;
        }
        return page;
    }

    /** Fills up to the page's end with an instruction that ends on the next page, in fillers. */
    private void lastSlot() {
        int rest = PAGE - position;
        int length = 1 + random.nextInt(10);
        while (rest > length) {
            page[position++] = (byte) FILLER;
            rest--;
        }
        int register = random.nextInt(8);
        int[] start = switch (random.nextInt(5)) {
            case 0 -> new int[] {0x48, 0xB8 | register};
            case 1 -> new int[] {0x81, 0xC0 | register};
            case 2 -> new int[] {0x48, 0x89, 0x80 | register};
            case 3 -> new int[] {0xB8 | register};
            default -> new int[] {0xE8};
        };
        for (int i = 0; i < rest; i++) {
            page[position++] = (byte) (i < start.length ? start[i] : FILLER);
        }
    }

    /** Makes an instruction, with what must follow it, of at most {@code room} bytes; {@return its length, or 0} */
    private int propose(int room) {
        int length = switch (random.nextInt(32)) {
            case 0, 1, 2 -> address();
            case 3 -> special();
            case 4 -> storeToCode();
            case 5, 6, 7 -> branch();
            case 8 -> indirect();
            case 9, 10, 11 -> vector();
            case 12, 16, 17 -> wideVector();
            case 13, 14, 15 -> neighbours(room);
            default -> any();
        };
        if (length == 0 || length > room) {
            return 0;
        }
        int result = decoder.decode(proposal, 0, length, 64, instruction);
        if (result != Decoder.OK || instruction.length > length) {
            return 0;
        }
        if (FuzzMachine.unpredictable(instruction)) {
            return 0;
        }
        if (instruction.length == length && FuzzMachine.leavesFlagsUndefined(instruction)) {
            if (length + FLAG_SETTER.length > room) {
                return 0;
            }
            for (int b : FLAG_SETTER) {
                proposal[length++] = (byte) b;
            }
        }
        return length;
    }

    /** MOV of an address worth having into a register. */
    private int address() {
        int register = random.nextInt(16);
        proposal[0] = (byte) (0x48 | register >> 3);
        proposal[1] = (byte) (0xB8 | register & 7);
        put64(2, random.nextInt(4) == 0 ? addresses.code() : addresses.data());
        return 10;
    }

    private int special() {
        int register = random.nextInt(8);
        int[] bytes = switch (random.nextInt(20)) {
            case 0, 1, 2, 3, 4, 5 -> new int[] {0x0F, 0x05}; // SYSCALL
            case 6 -> new int[] {0xCC};
            case 7 -> new int[] {0xCD, random.nextInt(256)};
            case 8 -> new int[] {0x48, 0xCF}; // IRETQ
            case 9 -> new int[] {0x0F, 0x01, 0x38 | random.nextInt(8)}; // INVLPG
            case 10 -> new int[] {0x0F, 0x01, 0xF8}; // SWAPGS
            case 11 -> new int[] {0xFC | random.nextInt(2)}; // CLD, STD
            case 12 -> new int[] {0x0F, 0xAE, 0xE8 | random.nextInt(24)}; // fences
            case 13, 14 -> // RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE
                new int[] {0xF3, 0x48 | random.nextInt(2), 0x0F, 0xAE, 0xC0 | random.nextInt(4) << 3 | register};
            case 15 -> new int[] {0xF3, 0x0F, 0xAE, 0xC0 | random.nextInt(4) << 3 | register};
            case 16 -> new int[] {0x66, 0x8C, 0xC0 | random.nextInt(6) << 3 | register}; // MOV from a segment register
            case 17 -> new int[] {0x0F, 0x20, 0xD0 | register}; // MOV from CR2
            case 18 -> new int[] {0x48 | random.nextInt(2), 0x90 | register}; // XCHG
            default -> new int[] {0xFA | random.nextInt(2)}; // CLI, STI
        };
        return bytes(bytes);
    }

    /** Accesses at small distances from one register, which changes by a constant now and then. */
    private int neighbours(int room) {
        int base = random.nextInt(16);
        while ((base & 7) == 4) {
            // That takes another byte.
            base = random.nextInt(16);
        }
        int at = 0;
        for (int i = 2 + random.nextInt(5); i > 0 && at + 4 <= room; i--) {
            int other = random.nextInt(16);
            int rex = 0x48 | (other & 8) >> 1 | base >> 3;
            boolean adds = random.nextInt(4) == 0;
            // ADD or SUB with a constant; ADC, CMP, ADD, or MOV from or to memory.
            int[] opcodes = {0x13, 0x3B, 0x01, 0x8B, 0x8B, 0x89, 0x89};
            proposal[at++] = (byte) (adds ? 0x48 | base >> 3 : rex);
            proposal[at++] = (byte) (adds ? 0x83 : opcodes[random.nextInt(opcodes.length)]);
            int extension = random.nextBoolean() ? 0xC0 : 0xE8;
            proposal[at++] = (byte) (adds ? extension | base & 7 : 0x40 | (other & 7) << 3 | base & 7);
            proposal[at++] = (byte) (random.nextInt(64) - 16);
        }
        return at;
    }

    /** Writes an instruction over a slot near by, often the next one. */
    private int storeToCode() {
        int here = position / SLOT;
        int slot = random.nextInt(3) != 0 ? here + 1 : Math.max(0, here + random.nextInt(17) - 8);
        int target = slot * SLOT;
        boolean quad = random.nextBoolean();
        int length = quad ? 11 : 10;
        int at = 0;
        if (quad) {
            proposal[at++] = 0x48;
        }
        proposal[at++] = (byte) 0xC7;
        proposal[at++] = 0x05;
        put32(at, target - (position + length));
        // ADD, INC or MOV with a register, or NOPs, or JMP to itself's end.
        int[] bytes = switch (random.nextInt(5)) {
            case 0 -> new int[] {0x48, 0x83, 0xC0 | random.nextInt(8), random.nextInt(256)};
            case 1 -> new int[] {0x48, 0xFF, 0xC0 | random.nextInt(8), FILLER};
            case 2 -> new int[] {FILLER, FILLER, FILLER, FILLER};
            case 3 -> new int[] {0xEB, 0x02, 0x0F, 0x0B};
            default -> new int[] {0x48, 0x89, 0xC0 | random.nextInt(64), FILLER};
        };
        for (int i = 0; i < 4; i++) {
            proposal[at + 4 + i] = (byte) bytes[i];
        }
        return length;
    }

    /** A relative branch to a slot of this page or of one next to it. */
    private int branch() {
        boolean near = random.nextBoolean();
        int slot = position / SLOT;
        int kind = random.nextInt(8);
        if (near && kind != 7) {
            int delta = random.nextInt(4) == 0 ? -random.nextInt(3) : 1 + random.nextInt(3);
            int opcode = kind == 0 ? 0xEB : kind == 1 ? 0xE0 + random.nextInt(4) : 0x70 + random.nextInt(16);
            int distance = (slot + delta) * SLOT - (position + 2);
            if (distance != (byte) distance) {
                return 0;
            }
            return bytes(opcode, distance);
        }
        int target = random.nextInt(PAGE / SLOT) * SLOT;
        if (random.nextInt(3) == 0) {
            target += (random.nextInt(5) - 2) * PAGE;
        }
        int length = kind == 7 || kind == 0 ? 5 : 6;
        int at = 0;
        if (kind == 7) {
            proposal[at++] = (byte) 0xE8;
        } else if (kind == 0) {
            proposal[at++] = (byte) 0xE9;
        } else {
            proposal[at++] = 0x0F;
            proposal[at++] = (byte) (0x80 + random.nextInt(16));
        }
        put32(at, target - (position + length));
        return length;
    }

    /** Loads a target and goes there: JMP, CALL, or PUSH and RET. */
    private int indirect() {
        int register = random.nextInt(8);
        proposal[0] = 0x48;
        proposal[1] = (byte) (0xB8 | register);
        put64(2, random.nextInt(16) == 0 ? addresses.data() : addresses.code());
        int kind = random.nextInt(3);
        if (kind == 2) {
            proposal[10] = (byte) (0x50 | register);
            proposal[11] = (byte) 0xC3;
        } else {
            proposal[10] = (byte) 0xFF;
            proposal[11] = (byte) ((kind == 0 ? 0xE0 : 0xD0) | register);
        }
        return 12;
    }

    /** An instruction of random bytes, with the more useful ones more often. */
    private int any() {
        int at = 0;
        while (random.nextInt(6) == 0 && at < 4) {
            proposal[at++] = (byte) PREFIXES[random.nextInt(PREFIXES.length)];
        }
        if (random.nextInt(3) != 0) {
            proposal[at++] = (byte) (0x40 | (random.nextBoolean() ? 8 : 0) | random.nextInt(8));
        }
        switch (random.nextInt(8)) {
            case 0 -> {
                proposal[at++] = 0x0F;
                proposal[at++] = (byte) random.nextInt(256);
            }
            case 1, 2 -> {
                proposal[at++] = 0x0F;
                proposal[at++] = (byte) COMMON_0F[random.nextInt(COMMON_0F.length)];
            }
            case 3 -> proposal[at++] = (byte) random.nextInt(256);
            default -> proposal[at++] = (byte) COMMON[random.nextInt(COMMON.length)];
        }
        return operands(at);
    }

    /** A VEX-encoded instruction that exists. */
    private int vector() {
        int at = 0;
        if (random.nextInt(16) == 0) {
            proposal[at++] = (byte) (0x64 | random.nextInt(2)); // FS or GS
        }
        int vvvv = random.nextBoolean() ? 0x78 : random.nextInt(16) << 3;
        int pp = random.nextInt(3) == 0 ? random.nextInt(4) : 1;
        proposal[at++] = (byte) 0xC4;
        proposal[at++] = (byte) (random.nextInt(8) << 5 | 1 + random.nextInt(3));
        proposal[at++] = (byte) ((random.nextInt(4) == 0 ? 0x80 : 0) | vvvv | random.nextInt(2) << 2 | pp);
        proposal[at++] = (byte) random.nextInt(256);
        return operands(at);
    }

    /** An EVEX-encoded instruction that exists. */
    private int wideVector() {
        EvexEncoding encoding = WIDE.get(random.nextInt(WIDE.size()));
        int vvvv = encoding.form().vvvv == EvexForm.Operand.NONE ? 0x78 : random.nextInt(16) << 3;
        int upper = encoding.form().vvvv == EvexForm.Operand.NONE ? 8 : random.nextInt(2) << 3;
        boolean masks = encoding.form().reg != EvexForm.Operand.VECTOR;
        int registers = masks ? 0x90 : random.nextInt(16) << 4;
        boolean plain = random.nextInt(4) == 0;
        proposal[0] = 0x62;
        proposal[1] = (byte) (registers | random.nextInt(4) << 5 | encoding.map());
        proposal[2] = (byte) ((encoding.w() ? 0x80 : 0) | vvvv | 4 | encoding.pp());
        proposal[3] = (byte) (plain ? random.nextInt(3) << 5 | upper : random.nextInt(256) & ~8 | upper);
        proposal[4] = (byte) encoding.opcode();
        return operands(5);
    }

    /** Makes ModRM and what follows it; {@return the instruction's length, or 0 when it is none to have} */
    private int operands(int at) {
        for (int i = at; i < proposal.length; i++) {
            proposal[i] = (byte) random.nextInt(256);
        }
        if (random.nextInt(4) == 0) {
            // RIP-relative, to a page near by.
            proposal[at] = (byte) (proposal[at] & 0x38 | 5);
            put32(at + 1, (random.nextInt(7) - 3) * PAGE + random.nextInt(PAGE));
        } else if (random.nextInt(2) == 0) {
            // A base register with a small displacement.
            proposal[at] = (byte) (proposal[at] & 0x3F | 0x40);
        }
        if (decoder.decode(proposal, 0, 20, 64, instruction) != Decoder.OK) {
            return 0;
        }
        if (instruction.isMemory() && instruction.mod == 2 && random.nextInt(4) != 0) {
            return 0;
        }
        if (random.nextInt(10) != 0 && Ops.create(instruction) == null) {
            // #UD is known by now.
            return 0;
        }
        if (relative(instruction)) {
            return 0;
        }
        return instruction.length;
    }

    private static boolean relative(Instruction in) {
        int opcode = in.opcode;
        return switch (in.map) {
            case Instruction.MAP_PRIMARY ->
                opcode >= 0x70 && opcode <= 0x7F
                        || opcode >= 0xE0 && opcode <= 0xE3
                        || opcode >= 0xE8 && opcode <= 0xEB;
            case Instruction.MAP_0F -> opcode >= 0x80 && opcode <= 0x8F;
            default -> false;
        };
    }

    private int bytes(int... bytes) {
        for (int i = 0; i < bytes.length; i++) {
            proposal[i] = (byte) bytes[i];
        }
        return bytes.length;
    }

    private void put32(int at, int value) {
        for (int i = 0; i < 4; i++) {
            proposal[at + i] = (byte) (value >> 8 * i);
        }
    }

    private void put64(int at, long value) {
        for (int i = 0; i < 8; i++) {
            proposal[at + i] = (byte) (value >> 8 * i);
        }
    }
}
