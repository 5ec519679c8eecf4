package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.util.Arrays;

/**
 * What is found out about a block before its code is emitted: which memory accesses share a <em>window</em>, and whether the
 * block goes on with its own start, as a short loop does.
 *
 * <p>A window is a range of addresses at constant distances from each other, known by following what instructions add to
 * registers. Its first access looks up all of it, for writing if one of them writes; the others need no lookup. Should the
 * range not be in one page, or not be writable yet, the rest of the block is run by code without windows, so that every
 * access finds out by itself and faults in its turn.
 */
final class BlockPlan {
    /** No window. */
    static final int NONE = -1;

    /** Most instructions of a block. */
    static final int MAX_INSTRUCTIONS = 64;

    /** Most windows of a block: each has two instructions at least. */
    static final int MAX_WINDOWS = MAX_INSTRUCTIONS / 2;

    /** Most bytes of a window: the more, the more often it straddles two pages. */
    private static final int MAX_SPAN = 512;

    /** Most instructions of a loop run several times in one block, of all of its copies, and most copies. */
    private static final int MAX_BODY = 24;

    private static final int MAX_REPEATED = 48;
    private static final int MAX_COPIES = 8;

    /** Displacements beyond this are not moved to the beginning of a window. */
    private static final long MAX_DISPLACEMENT = 1L << 30;

    private static final int PAGE_SIZE = 0x1000;
    private static final int REGISTERS = 16;
    private static final int GUEST_RAX = 0;
    private static final int GUEST_RDX = 2;

    /** The page that the block is in, for a base. */
    private static final int CODE_PAGE = -2;

    /** No base or index. */
    private static final int ABSENT = -3;

    private final Decoder decoder = new Decoder();
    private final Instruction in = new Instruction();

    private int count;
    private int body;

    // What each register holds: the value of a version, plus a distance.
    private final int[] version = new int[REGISTERS];
    private final long[] distance = new long[REGISTERS];
    private int versions;

    /** Instructions whose effects are not known, so far. */
    private int era;

    /** Branches out of the block so far. */
    private int branches;

    // The memory access of each instruction; size 0 if it has none that may be in a window.
    private final int[] size = new int[MAX_INSTRUCTIONS];
    private final boolean[] write = new boolean[MAX_INSTRUCTIONS];
    private final int[] base = new int[MAX_INSTRUCTIONS];
    private final int[] index = new int[MAX_INSTRUCTIONS];
    private final int[] shape = new int[MAX_INSTRUCTIONS];
    private final long[] at = new long[MAX_INSTRUCTIONS];
    private final int[] eraOf = new int[MAX_INSTRUCTIONS];
    private final int[] branchesBefore = new int[MAX_INSTRUCTIONS];
    private final int[] window = new int[MAX_INSTRUCTIONS];
    private final boolean[] repeats = new boolean[MAX_INSTRUCTIONS];

    // The windows.
    private int windows;
    private final int[] leader = new int[MAX_WINDOWS];
    private final long[] low = new long[MAX_WINDOWS];
    private final long[] high = new long[MAX_WINDOWS];
    private final boolean[] writes = new boolean[MAX_WINDOWS];

    /** Plans nothing. */
    void clear() {
        count = 0;
    }

    /**
     * Plans a block.
     *
     * @param bytes guest code from its address to the end of its page at most
     * @param length how many bytes of it there are
     * @param guest linear address
     * @param limit most instructions
     * @param vectors whether it may use the vector registers
     * @param extensions the instructions on vector registers that it may use, besides SSE
     */
    void make(byte[] bytes, int length, long guest, int limit, boolean vectors, VectorExtensions extensions) {
        for (int i = 0; i < REGISTERS; i++) {
            version[i] = i;
            distance[i] = 0;
        }
        versions = REGISTERS;
        era = 0;
        branches = 0;
        count = 0;
        body = 0;
        int start = 0;
        boolean open = true;
        boolean accesses = false;
        while (open && count < limit && decoder.decode(bytes, start, length, 64, in) == Decoder.OK) {
            size[count] = 0;
            repeats[count] = false;
            window[count] = NONE;
            eraOf[count] = era;
            branchesBefore[count] = branches;
            open = describe(guest, start, vectors, extensions);
            accesses |= size[count] != 0;
            start += in.length;
            count++;
            if (!open && backToStart(start, limit)) {
                repeats[count - 1] = true;
                branches++;
                start = 0;
                open = true;
            }
        }
        windows = 0;
        if (accesses) {
            findWindows();
        }
    }

    /** {@return whether the instruction before is the jump of a loop that is worth to be repeated} */
    private boolean backToStart(int next, int limit) {
        boolean conditional = in.encoding == Instruction.ENCODING_LEGACY
                && !in.lock
                && (in.map == Instruction.MAP_PRIMARY && in.opcode >= 0x70 && in.opcode <= 0x7F
                        || in.map == Instruction.MAP_0F && in.opcode >= 0x80 && in.opcode <= 0x8F);
        if (!conditional || next + in.immediate != 0) {
            return false;
        }
        if (body == 0) {
            body = count;
        }
        return body <= MAX_BODY && count + body <= Math.min(limit, MAX_REPEATED) && count < MAX_COPIES * body;
    }

    // ---------------------------------------------------------------- effects of instructions

    /** Notes what the current instruction does; {@return whether the block goes on behind it} */
    private boolean describe(long guest, int start, boolean vectors, VectorExtensions extensions) {
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            return vectorExtension(guest, start, vectors, extensions);
        }
        int properties = Plain.classify(in);
        if (properties != Plain.NO) {
            plain(properties, guest, start);
            return true;
        }
        int form = VectorForm.classify(in);
        if (form != VectorForm.NO) {
            vector(form, guest, start);
            return vectors;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock) {
            unknown();
            return true;
        }
        if (in.map == Instruction.MAP_0F) {
            int opcode = in.opcode;
            if (opcode >= 0x80 && opcode <= 0x8F) {
                return branch();
            }
            if (!(opcode >= 0x19 && opcode <= 0x1F || opcode == 0x18 || opcode == 0x0D)) {
                unknown();
            }
            return true;
        }
        if (in.map != Instruction.MAP_PRIMARY || in.addressSize != 8 || in.operandPrefix) {
            unknown();
            return true;
        }
        return primary();
    }

    private boolean primary() {
        int opcode = in.opcode;
        if (opcode >= 0x70 && opcode <= 0x7F) {
            return branch();
        }
        if (opcode >= 0x50 && opcode <= 0x57 || opcode == 0x68 || opcode == 0x6A) {
            stack(Registers.GUEST_RSP, -8, true);
            distance[Registers.GUEST_RSP] -= 8;
            return true;
        }
        if (opcode >= 0x58 && opcode <= 0x5F) {
            stack(Registers.GUEST_RSP, 0, false);
            distance[Registers.GUEST_RSP] += 8;
            written(opcode & 7 | in.rexB());
            return true;
        }
        switch (opcode) {
            case 0x8D -> {
                boolean simple = in.isMemory() && in.base >= 0 && in.index == Instruction.NONE && in.operandSize == 8;
                if (simple) {
                    copied(in.reg, in.base, in.displacement);
                } else {
                    written(in.reg);
                }
                return true;
            }
            case 0xC9 -> {
                stack(Registers.GUEST_RBP, 0, false);
                copied(Registers.GUEST_RSP, Registers.GUEST_RBP, 8);
                written(Registers.GUEST_RBP);
                return true;
            }
            case 0xE8 -> {
                stack(Registers.GUEST_RSP, -8, true);
                return false;
            }
            case 0xC2, 0xC3 -> {
                stack(Registers.GUEST_RSP, 0, false);
                return false;
            }
            case 0xE3, 0xE9, 0xEB -> {
                return false;
            }
            case 0xFF -> {
                unknown();
                return in.group() == 6;
            }
            default -> {
                unknown();
                return true;
            }
        }
    }

    /** {@return whether the block goes on behind the current instruction, a conditional jump: not when that closes a loop} */
    private boolean branch() {
        branches++;
        return in.immediate + in.length > 0;
    }

    private boolean vectorExtension(long guest, int start, boolean vectors, VectorExtensions extensions) {
        int general = VexGeneral.classify(in);
        if (general != VexGeneral.NO) {
            operand(in.operandSize, false, guest, start);
            if ((general & VexGeneral.SECOND) != 0) {
                written(in.vvvv);
            }
            if ((general & VexGeneral.REGISTER) != 0) {
                written(in.reg);
            }
            return true;
        }
        int form = extensions.form(in);
        if (form == VectorForm.NO) {
            unknown();
            return true;
        }
        if ((form & VexForm.NO_MODRM) == 0) {
            vector(form, guest, start);
        }
        return vectors;
    }

    private void vector(int form, long guest, int start) {
        boolean stores = (form & VectorForm.WRITES) != 0;
        operand(form & VectorForm.SIZE, stores, guest, start);
        if ((form & VectorForm.GENERAL_REGISTER) != 0) {
            written(in.reg);
        }
        if (!in.isMemory() && (form & VectorForm.GENERAL_OPERAND) != 0 && stores) {
            written(in.rm);
        }
        if ((form & VectorForm.WRITES_ECX) != 0) {
            written(Registers.GUEST_RCX);
        }
    }

    private void plain(int properties, long guest, int start) {
        if ((properties & Plain.NO_MODRM) != 0) {
            switch (in.opcode) {
                case 0x90, 0x3C, 0x3D, 0xA8, 0xA9, 0xF5, 0xF8, 0xF9, 0x9E -> {}
                case 0x99 -> written(GUEST_RDX);
                default -> written(GUEST_RAX);
            }
            return;
        }
        if ((properties & Plain.REGISTER_IN_OPCODE) != 0) {
            written(in.opcode & 7 | in.rexB());
            return;
        }
        if ((properties & Plain.BYTE_IN_OPCODE) != 0) {
            int register = in.opcode & 7 | in.rexB();
            written(in.rex ? register : register & 3);
            return;
        }
        boolean stores = (properties & Plain.WRITES) != 0;
        operand(Plain.operandBytes(in, properties), stores, guest, start);
        boolean wide = in.operandSize == 8 && in.map == Instruction.MAP_PRIMARY && !in.isMemory();
        if (wide && in.opcode == 0x89) {
            copied(in.rm, in.reg, 0);
            return;
        }
        if (wide && in.opcode == 0x8B) {
            copied(in.reg, in.rm, 0);
            return;
        }
        if (wide && (in.opcode == 0x81 || in.opcode == 0x83) && (in.group() == 0 || in.group() == 5)) {
            distance[in.rm] += in.group() == 0 ? in.immediate : -in.immediate;
            return;
        }
        if (wide && in.opcode == 0xFF) {
            distance[in.rm] += in.group() == 0 ? 1 : -1;
            return;
        }
        if ((properties & Plain.REGISTER) != 0 && Plain.writesRegister(in)) {
            written((properties & Plain.REGISTER_BYTE) != 0 && !in.rex ? in.reg & 3 : in.reg);
            // A byte register's number is that of its owner for the low ones.
            written(in.reg);
        }
        if (stores && !in.isMemory()) {
            written((properties & Plain.OPERAND_BYTE) != 0 && !in.rex ? in.rm & 3 : in.rm);
            written(in.rm);
        }
        boolean multiplies = in.map == Instruction.MAP_PRIMARY && (in.opcode == 0xF6 || in.opcode == 0xF7);
        boolean exchanges = in.map == Instruction.MAP_0F && (in.opcode == 0xB0 || in.opcode == 0xB1);
        if (multiplies && in.group() >= 4 || exchanges) {
            written(GUEST_RAX);
            written(GUEST_RDX);
        }
    }

    private void written(int register) {
        version[register] = versions++;
        distance[register] = 0;
    }

    private void copied(int to, int from, long plus) {
        version[to] = version[from];
        distance[to] = distance[from] + plus;
    }

    /** Notes that nothing is known of what an instruction does. */
    private void unknown() {
        era++;
        for (int i = 0; i < REGISTERS; i++) {
            written(i);
        }
    }

    // ---------------------------------------------------------------- accesses

    private void stack(int register, int offset, boolean stores) {
        size[count] = 8;
        write[count] = stores;
        base[count] = version[register];
        index[count] = ABSENT;
        shape[count] = 0;
        at[count] = distance[register] + offset;
    }

    private void operand(int bytes, boolean stores, long guest, int start) {
        long displacement = in.displacement;
        if (!in.isMemory() || in.addressSize != 8 || Math.abs(displacement) > MAX_DISPLACEMENT) {
            return;
        }
        int segment = in.segmentOverride >= Instruction.FS ? in.segmentOverride : 0;
        long offset = displacement;
        if (in.base == Instruction.BASE_RIP) {
            base[count] = CODE_PAGE;
            offset += guest + start + in.length;
        } else if (in.base == Instruction.NONE) {
            base[count] = ABSENT;
        } else {
            base[count] = version[in.base];
            offset += distance[in.base];
        }
        if (in.index == Instruction.NONE) {
            index[count] = ABSENT;
            shape[count] = segment << 2;
        } else {
            index[count] = version[in.index];
            shape[count] = segment << 2 | in.scale;
            offset += distance[in.index] << in.scale;
        }
        size[count] = bytes;
        write[count] = stores;
        at[count] = offset;
    }

    // ---------------------------------------------------------------- windows

    private void findWindows() {
        for (int i = 0; i < count && windows < MAX_WINDOWS; i++) {
            if (size[i] != 0 && window[i] == NONE) {
                openWindow(i);
            }
        }
    }

    /** Lets the access of an instruction and others after it share a window, if there are any. */
    private void openWindow(int first) {
        int number = windows;
        long from = at[first];
        long to = from + size[first];
        boolean stores = write[first];
        boolean shared = false;
        for (int i = first + 1; i < count && eraOf[i] == eraOf[first]; i++) {
            if (size[i] == 0 || window[i] != NONE || !sameBase(first, i)) {
                continue;
            }
            long newFrom = Math.min(from, at[i]);
            long newTo = Math.max(to, at[i] + size[i]);
            boolean within = newTo - newFrom <= MAX_SPAN && newTo > newFrom;
            if (base[i] == CODE_PAGE && shape[i] == 0) {
                within = ((newFrom ^ newTo - 1) & -PAGE_SIZE) == 0;
            }
            // Where a branch may lead elsewhere before it is written, the page may never become writable.
            if (!within || write[i] && !stores && branchesBefore[i] != branchesBefore[first]) {
                continue;
            }
            from = newFrom;
            to = newTo;
            stores |= write[i];
            window[i] = number;
            shared = true;
        }
        if (shared) {
            window[first] = number;
            leader[number] = first;
            low[number] = from;
            high[number] = to;
            writes[number] = stores;
            windows++;
        }
    }

    private boolean sameBase(int a, int b) {
        return base[a] == base[b] && index[a] == index[b] && shape[a] == shape[b];
    }

    // ---------------------------------------------------------------- results

    /** {@return whether the block goes on with its own start behind an instruction, a conditional jump there} */
    boolean repeats(int instruction) {
        return instruction < count && repeats[instruction];
    }

    /** {@return the window of an instruction's memory access, or {@link #NONE}} */
    int window(int instruction) {
        return instruction < count ? window[instruction] : NONE;
    }

    /** {@return whether an instruction's memory access is what was planned} */
    boolean agrees(int instruction, int bytes, boolean stores) {
        return size[instruction] == bytes && write[instruction] == stores;
    }

    /** {@return whether an instruction is the one that looks up its window} */
    boolean leads(int instruction) {
        return leader[window[instruction]] == instruction;
    }

    /** {@return how far an instruction's memory access is behind the beginning of its window} */
    int offset(int instruction) {
        return (int) (at[instruction] - low[window[instruction]]);
    }

    /** {@return bytes of a window} */
    int span(int number) {
        return (int) (high[number] - low[number]);
    }

    /** {@return whether a window is looked up for writing} */
    boolean writes(int number) {
        return writes[number];
    }

    @Override
    public String toString() {
        return "%d instructions, windows %s".formatted(count, Arrays.toString(Arrays.copyOf(window, count)));
    }
}
