package dev.kagami.cpu.x86.nativecode;

import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;

/**
 * Emits what is done at a miss of the TLB: a walk through the guest's page tables (SDM 3A 4.5) that enters the page and resumes the
 * instruction. It does the plain case only, where nothing in memory changes and no exception is raised, and leaves all others to
 * Java: see {@link dev.kagami.cpu.x86.interpreter.TranslatingVcpu#usualPageTables}. What it has entered is listed in the state
 * block, for Java to take note of when translated code is left.
 *
 * <p>Other CPUs may change page tables meanwhile. Each entry is read once, and entries are only read, so that this may see what was
 * there before a change, as a processor may until its TLB is flushed.
 */
final class PageWalk {
    // Page-table entry bits, and those of a large page's entry that are reserved but for PAT.
    private static final int P = 1;
    private static final int RW = 1 << 1;
    private static final int US = 1 << 2;
    private static final int A = 1 << 5;
    private static final int D = 1 << 6;
    private static final int PS = 1 << 7;
    private static final int RESERVED_IN_LARGE = 0x1F_E000;
    private static final int RESERVED_IN_HUGE = 0x3FFF_E000;

    /** Where the flag is that makes a page global; those that tell its size follow, in bits that an entry has to spare. */
    private static final int FLAGS_SHIFT = 8;

    /** Mask of the flags in the list of what was entered. */
    static final int FLAGS = 7;

    private static final int LARGE = 1 << FLAGS_SHIFT + 1;
    private static final int HUGE = 1 << FLAGS_SHIFT + 2;

    /** log2 of the size of a physical address, above which an entry has six reserved bits. */
    private static final int PHYSICAL_BITS = 46;

    private static final int RESERVED = 0x3F;

    private static final int LEVELS = 4;
    private static final int PAGE_SHIFT = 12;
    private static final int PAGE_SIZE = 1 << PAGE_SHIFT;
    private static final int INDEX_BITS = 9;

    /** Offsets of the entries of a page table. */
    private static final int ENTRY_MASK = (1 << INDEX_BITS) - 1 << 3;

    // Opcodes of arithmetic instructions, the same as extensions, and conditions.
    private static final int ADD = 0x01;
    private static final int OR = 0x09;
    private static final int AND = 0x21;
    private static final int SUBTRACT = 0x29;
    private static final int OR_CONSTANT = 1;
    private static final int AND_CONSTANT = 4;
    private static final int COMPARE_CONSTANT = 7;
    private static final int SHIFT_LEFT = 4;
    private static final int SHIFT_RIGHT = 5;
    private static final int SHIFT_ARITHMETIC = 7;
    private static final int BELOW = 2;
    private static final int NOT_BELOW = 3;
    private static final int EQUAL = 4;
    private static final int NOT_EQUAL = 5;
    private static final int NOT_ABOVE = 6;
    private static final int NEGATIVE = 8;
    private static final int GREATER = 15;

    // The guest address stays in rcx. An entry on its way to be a page's offset in RAM is in rsi, a host address in
    // rdi;
    // the others are saved.
    private static final int TEMPORARY = Assembler.RAX;
    private static final int RIGHTS = Assembler.RDX;
    private static final int EXIT = Assembler.RBX;
    private static final int LEAF = Assembler.RBP;
    private static final int[] SAVED = {TEMPORARY, RIGHTS, EXIT, LEAF};

    private final Assembler asm;
    private final GuestMemory memory;

    /** The jumps to where Java is called. */
    private final List<Integer> refusals = new ArrayList<>();

    PageWalk(Assembler asm, GuestMemory memory) {
        this.asm = asm;
        this.memory = memory;
    }

    /**
     * Emits the walk. Whoever comes here has pushed the position of the exit to leave by, and has the address in rcx; Java comes to
     * know of no more if that is what it ends with.
     *
     * @param position where it will stand in the code memory
     * @param miss position of the code that leaves with these
     */
    Translator.Result emit(int position, int miss) {
        asm.clear();
        asm.pushed(Long.BYTES);
        asm.pushFlags();
        for (int register : SAVED) {
            asm.push(register);
        }
        emitFit();
        emitLevels();
        emitRights();
        emitWritable();
        emitEntry();
        emitResume();
        for (int jumpAt : refusals) {
            asm.land(jumpAt);
        }
        asm.pushed((2 + SAVED.length) * Long.BYTES);
        restore();
        asm.jumpTo(position, miss);
        return new Translator.Result(asm.bytes(), asm.position());
    }

    private void restore() {
        for (int i = SAVED.length - 1; i >= 0; i--) {
            asm.pop(SAVED[i]);
        }
        asm.popFlags();
    }

    /** Leaves it to Java under a condition. */
    private void refuseIf(int condition) {
        refusals.add(asm.jumpIf(condition));
    }

    private void and(int register, long mask) {
        if (mask == (int) mask) {
            asm.arithmeticConstant(AND_CONSTANT, register, (int) mask, true);
        } else {
            asm.constant(TEMPORARY, mask);
            asm.arithmetic(AND, register, TEMPORARY, true);
        }
    }

    /** Refuses what straddles pages, addresses that are not canonical, and all if the tables are unusual or the list is full. */
    private void emitFit() {
        asm.loadState32(TEMPORARY, StateBlock.ENTERED);
        asm.arithmeticConstant(COMPARE_CONSTANT, TEMPORARY, StateBlock.MAX_ENTERED, false);
        refuseIf(NOT_BELOW);
        asm.loadState(EXIT, StateBlock.CODE_BASE);
        asm.load(TEMPORARY, Assembler.RSP, (1 + SAVED.length) * Long.BYTES);
        asm.arithmetic(ADD, EXIT, TEMPORARY, true);
        asm.move32(TEMPORARY, Registers.ADDRESS);
        asm.arithmeticConstant(AND_CONSTANT, TEMPORARY, PAGE_SIZE - 1, false);
        asm.loadSigned16(RIGHTS, EXIT, Exit.LOW);
        asm.arithmetic(ADD, RIGHTS, TEMPORARY, false);
        refuseIf(NEGATIVE);
        asm.loadSigned16(RIGHTS, EXIT, Exit.HIGH);
        asm.arithmetic(ADD, RIGHTS, TEMPORARY, false);
        asm.arithmeticConstant(COMPARE_CONSTANT, RIGHTS, PAGE_SIZE, false);
        refuseIf(GREATER);
        int unused = Long.SIZE - PAGE_SHIFT - LEVELS * INDEX_BITS;
        asm.move(TEMPORARY, Registers.ADDRESS);
        asm.shift(SHIFT_LEFT, TEMPORARY, unused, true);
        asm.shift(SHIFT_ARITHMETIC, TEMPORARY, unused, true);
        asm.compare(TEMPORARY, Registers.ADDRESS, true);
        refuseIf(NOT_EQUAL);
        asm.loadState(Registers.POINTER, StateBlock.PAGE_TABLES);
        asm.test(Registers.POINTER, Registers.POINTER, true);
        refuseIf(EQUAL);
    }

    /** Walks, and leaves the page's offset in RAM in rsi and its host address in rdi. */
    private void emitLevels() {
        int[] large = new int[LEVELS];
        for (int level = LEVELS; level > 0; level--) {
            asm.rotateRight(TEMPORARY, Registers.ADDRESS, shift(level) - 3);
            asm.arithmeticConstant(AND_CONSTANT, TEMPORARY, ENTRY_MASK, false);
            asm.lea(Registers.POINTER, Registers.POINTER, TEMPORARY, 0, 0);
            asm.load(Registers.VALUE, Registers.POINTER, 0);
            asm.move32(TEMPORARY, Registers.VALUE);
            asm.arithmeticConstant(AND_CONSTANT, TEMPORARY, P | A | (level == LEVELS ? PS : 0), false);
            asm.arithmeticConstant(COMPARE_CONSTANT, TEMPORARY, P | A, false);
            refuseIf(NOT_EQUAL);
            asm.rotateRight(TEMPORARY, Registers.VALUE, PHYSICAL_BITS);
            asm.testConstant(TEMPORARY, RESERVED);
            refuseIf(NOT_EQUAL);
            if (level == LEVELS) {
                asm.move32(RIGHTS, Registers.VALUE);
            } else {
                asm.arithmetic(AND, RIGHTS, Registers.VALUE, false);
            }
            if (level == 1) {
                emitFrame(level);
            } else {
                if (level < LEVELS) {
                    asm.testConstant(Registers.VALUE, PS);
                    large[level] = asm.jumpIf(NOT_EQUAL);
                }
                and(Registers.VALUE, frames(1));
                emitHost();
            }
        }
        int entered = asm.jump();
        asm.land(large[2]);
        emitLarge(2, RESERVED_IN_LARGE, LARGE);
        int isLarge = asm.jump();
        asm.land(large[3]);
        emitLarge(3, RESERVED_IN_HUGE, HUGE);
        asm.land(isLarge);
        asm.land(entered);
        emitHost();
    }

    private static int shift(int level) {
        return PAGE_SHIFT + INDEX_BITS * (level - 1);
    }

    /** {@return mask of the bits of an entry that are the address of a page of a level} */
    private static long frames(int level) {
        return (1L << PHYSICAL_BITS) - (1L << shift(level));
    }

    /** Makes the address of a page of an entry in rsi, and keeps the latter's flags. */
    private void emitFrame(int level) {
        asm.move32(LEAF, Registers.VALUE);
        asm.arithmeticConstant(AND_CONSTANT, LEAF, ~(LARGE | HUGE), false);
        and(Registers.VALUE, frames(level));
    }

    private void emitLarge(int level, int reserved, int flag) {
        asm.testConstant(Registers.VALUE, reserved);
        refuseIf(NOT_EQUAL);
        emitFrame(level);
        asm.arithmeticConstant(OR_CONSTANT, LEAF, flag, false);
        asm.move32(TEMPORARY, Registers.ADDRESS);
        asm.arithmeticConstant(AND_CONSTANT, TEMPORARY, (1 << shift(level)) - PAGE_SIZE, false);
        asm.arithmetic(OR, Registers.VALUE, TEMPORARY, true);
    }

    /** Makes an offset in RAM of the address of a page in rsi, and its host address in rdi, as {@link GuestMemory#offsetOf} does. */
    private void emitHost() {
        asm.constant(TEMPORARY, memory.lowSize());
        asm.compare(Registers.VALUE, TEMPORARY, true);
        if (memory.highSize() == 0) {
            refuseIf(NOT_BELOW);
            refuseVideo();
        } else {
            int low = asm.jumpIf(BELOW);
            asm.constant(TEMPORARY, GuestMemory.HIGH_START);
            asm.arithmetic(SUBTRACT, Registers.VALUE, TEMPORARY, true);
            refuseIf(BELOW);
            asm.constant(TEMPORARY, memory.highSize());
            asm.compare(Registers.VALUE, TEMPORARY, true);
            refuseIf(NOT_BELOW);
            asm.constant(TEMPORARY, memory.lowSize());
            asm.arithmetic(ADD, Registers.VALUE, TEMPORARY, true);
            int done = asm.jump();
            asm.land(low);
            refuseVideo();
            asm.land(done);
        }
        asm.constant(Registers.POINTER, memory.segment().address());
        asm.lea(Registers.POINTER, Registers.POINTER, Registers.VALUE, 0, 0);
    }

    private void refuseVideo() {
        // Below 4 GiB, half of a register tells.
        asm.lea32(TEMPORARY, Registers.VALUE, Assembler.NONE, 0, (int) -GuestMemory.VIDEO_START);
        int size = (int) (GuestMemory.VIDEO_END - GuestMemory.VIDEO_START);
        asm.arithmeticConstant(COMPARE_CONSTANT, TEMPORARY, size, false);
        refuseIf(BELOW);
    }

    /** Refuses the supervisor's pages to the user, and the user's to a supervisor that SMAP keeps off them. */
    private void emitRights() {
        asm.loadState(TEMPORARY, StateBlock.TLB);
        asm.compareState(TEMPORARY, StateBlock.USER_TLB);
        int supervisor = asm.jumpIf(NOT_EQUAL);
        asm.testConstant(RIGHTS, US);
        refuseIf(EQUAL);
        int user = asm.jump();
        asm.land(supervisor);
        asm.compareState(TEMPORARY, StateBlock.COMMON_TLB);
        int mayAll = asm.jumpIf(NOT_EQUAL);
        asm.testConstant(RIGHTS, US);
        refuseIf(NOT_EQUAL);
        asm.land(mayAll);
        asm.land(user);
    }

    /** Leaves 0 in {@link #RIGHTS} if the page can't be written without Java, and refuses if it must. */
    private void emitWritable() {
        asm.arithmeticConstant(AND_CONSTANT, RIGHTS, RW, false);
        int readOnly = asm.jumpIf(EQUAL);
        asm.testConstant(LEAF, D);
        int clean = asm.jumpIf(EQUAL);
        asm.shift(SHIFT_RIGHT, Registers.VALUE, PAGE_SHIFT, true);
        asm.constant(TEMPORARY, memory.watchedPages().address());
        asm.compareByte(TEMPORARY, Registers.VALUE, 0);
        int writable = asm.jumpIf(EQUAL);
        asm.land(readOnly);
        asm.land(clean);
        asm.constant(RIGHTS, 0);
        asm.load32(TEMPORARY, EXIT, 0);
        asm.testConstant(TEMPORARY, Exit.WRITES);
        refuseIf(NOT_EQUAL);
        asm.land(writable);
    }

    /** Enters the page into the TLB and the list. */
    private void emitEntry() {
        asm.rotateRight(TEMPORARY, Registers.ADDRESS, PAGE_SHIFT - 3);
        asm.arithmeticConstant(AND_CONSTANT, TEMPORARY, SoftTlb.ENTRIES - 1 << 3, false);
        // Empty entries of these two are others, see SoftTlb.none.
        asm.arithmeticConstant(COMPARE_CONSTANT, TEMPORARY, Long.BYTES, false);
        refuseIf(NOT_ABOVE);
        asm.loadState(Registers.VALUE, StateBlock.TLB);
        asm.lea(TEMPORARY, TEMPORARY, Registers.VALUE, 0, 0);
        asm.move(Registers.VALUE, Registers.ADDRESS);
        asm.arithmeticConstant(AND_CONSTANT, Registers.VALUE, -PAGE_SIZE, true);
        asm.negate(Registers.VALUE);
        asm.arithmetic(ADD, Registers.POINTER, Registers.VALUE, true);
        asm.store(Registers.POINTER, TEMPORARY, SoftTlb.HOST);
        asm.lea(Registers.VALUE, Registers.VALUE, Assembler.NONE, 0, (int) SoftTlb.BIAS);
        asm.store(Registers.VALUE, TEMPORARY, 0);
        asm.test(RIGHTS, RIGHTS, false);
        asm.moveIf(EQUAL, Registers.VALUE, RIGHTS, true);
        asm.store(Registers.VALUE, TEMPORARY, SoftTlb.WRITES);
        asm.shift(SHIFT_RIGHT, LEAF, FLAGS_SHIFT, false);
        asm.arithmeticConstant(AND_CONSTANT, LEAF, FLAGS, false);
        asm.arithmetic(ADD, TEMPORARY, LEAF, true);
        asm.loadState32(Registers.VALUE, StateBlock.ENTERED);
        asm.storeState(TEMPORARY, StateBlock.ENTERED_PAGES, Registers.VALUE);
        asm.lea(Registers.VALUE, Registers.VALUE, Assembler.NONE, 0, 1);
        asm.storeState(Registers.VALUE, StateBlock.ENTERED);
    }

    /** Goes back to where the exit says, without it. */
    private void emitResume() {
        asm.load32(Registers.POINTER, EXIT, Exit.TO_HOST);
        asm.load32(TEMPORARY, EXIT, Exit.FROM_ENTRY);
        asm.arithmetic(SUBTRACT, Registers.POINTER, TEMPORARY, false);
        asm.signExtend(Registers.POINTER, Registers.POINTER);
        asm.arithmetic(ADD, Registers.POINTER, EXIT, true);
        restore();
        asm.reserve(-Long.BYTES);
        asm.jumpRegister(Registers.POINTER);
    }
}
