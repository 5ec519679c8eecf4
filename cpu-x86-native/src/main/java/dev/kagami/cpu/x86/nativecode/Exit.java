package dev.kagami.cpu.x86.nativecode;

import java.nio.ByteBuffer;

/**
 * A place where translated code is left, and what is to be done then. A block has half a dozen of them, most of which are
 * never taken, so that each is described in the code memory only, behind the code that leaves there: {@link #write} puts it
 * there, {@link #read} takes it from there. What leaves tells the position of the description.
 */
final class Exit {
    /** What an exit is for. */
    enum Kind {
        /** An event is pending; no instruction of the block has run. */
        EVENT,
        /** A direct branch whose target was not known; may be linked. */
        DIRECT,
        /** A branch whose target is in {@link StateBlock#ADDRESS}, unless it is {@link Exit#constant}. */
        INDIRECT,
        /** An instruction that needs the guest's vector registers in the host's. */
        VECTOR,
        /** An instruction that the interpreter shall run. */
        INTERPRET,
        /** A read missed the TLB; may be resumed. */
        READ,
        /** A write missed the TLB; may be resumed. */
        WRITE
    }

    /** Bytes of code that leave: what a direct branch does that is not linked. */
    static final int LEAVE_BYTES = 10;

    /** {@link #release}: the branch's target needs no check. */
    static final int UNCHECKED = -1;

    // The description: flags and sizes, how far it and the jump are from the block's entry, guest address, and what
    // only exits of
    // one kind have.
    private static final int KIND_BITS = 3;
    private static final int FORWARD = 1 << 3;
    private static final int CONSTANT = 1 << 4;
    private static final int ALONE = 1 << 5;

    /** In the description's first doubleword: {@link #writes}. */
    static final int WRITES = 1 << 6;

    private static final int PARTIAL = 1 << 7;
    private static final int SIZE_SHIFT = 8;
    private static final int UNCOUNTED_SHIFT = 16;

    /** Offset of how far the description is from the block's entry. */
    static final int FROM_ENTRY = 4;

    /** Offset of how far the jump or the place to resume at is from the block's entry. */
    static final int TO_HOST = 8;

    private static final int GUEST = 12;
    private static final int DETAIL = 16;

    /** Of a miss: offset of {@link #low}, 16 bits. */
    static final int LOW = DETAIL;

    /** The same of {@link #high}. */
    static final int HIGH = DETAIL + Short.BYTES;

    /** Of a direct branch: offset of the position of the next exit in the list of those that lead to the same block. */
    static final int NEXT = 20;

    /** Of a direct branch: offset of the position of what holds this one's position in that list; 0 when it is in none. */
    static final int PREVIOUS = 24;

    private static final Kind[] KINDS = Kind.values();

    Kind kind = Kind.EVENT;

    /** Where it is described, as a position in the code memory. */
    int position;

    /** Position of the first code of its block. */
    int entry;

    /**
     * Guest address to go on at: of the instruction, or of the branch's target; as a distance from the block's own address.
     */
    int guest;

    /** Instructions of the block that have been counted but not run. */
    int uncounted;

    /** Position in the code memory: of the jump to link, or to resume at. */
    int host;

    /** Of a direct branch: its target is behind its block's start in the same page, so it can't close a loop by itself. */
    boolean forward;

    /** The target of the branch is {@link #guest}. */
    boolean constant;

    /** Of a direct branch, and of a miss of a window: go on in code without windows. */
    boolean alone;

    /** Of a miss: whether the page must be writable. */
    boolean writes;

    /** Bytes accessed. */
    int size;

    /** Of a miss of the TLB: an opmask may keep all or some of the bytes from being accessed. */
    boolean partial;

    /**
     * Of an indirect branch, what it has added to the stack pointer. When its target turns out not to be canonical, that is
     * taken back and the interpreter raises the exception at the branch.
     */
    int release = UNCHECKED;

    /** Of a miss: where begins and ends what must be in one page, relative to the address accessed: that, or a window. */
    int low;

    int high;

    /** How often code had been evicted when this was read; what it says holds until the next time. */
    long evictions;

    /**
     * Begins the description of an exit.
     *
     * @param guest distance of the guest address from that of the block
     */
    static Exit of(Kind kind, long guest) {
        Exit exit = new Exit();
        exit.kind = kind;
        exit.guest = Math.toIntExact(guest);
        return exit;
    }

    /** {@return whether what was missed would be hit now that the page accessed has been looked up} */
    boolean fits(long address, boolean writable) {
        int offset = (int) address & 0xFFF;
        return offset + low >= 0 && offset + high <= 0x1000 && (writable || !writes);
    }

    /**
     * Appends the description.
     *
     * @param asm the code
     * @param at where the description will stand in the code memory
     * @param blockEntry where its block's entry will be
     * @param directs position of another direct branch of the block, or 0
     */
    void write(Assembler asm, int at, int blockEntry, int directs) {
        int flags = kind.ordinal()
                | (forward ? FORWARD : 0)
                | (constant ? CONSTANT : 0)
                | (alone ? ALONE : 0)
                | (writes ? WRITES : 0)
                | (partial ? PARTIAL : 0)
                | size << SIZE_SHIFT
                | uncounted << UNCOUNTED_SHIFT;
        asm.emit32(flags);
        asm.emit32(at - blockEntry);
        asm.emit32(host == 0 ? 0 : host - blockEntry);
        asm.emit32(guest);
        switch (kind) {
            case EVENT, VECTOR, INTERPRET -> asm.emit32(0);
            case INDIRECT -> asm.emit32(release);
            case READ, WRITE -> asm.emit32(low & 0xFFFF | high << 16);
            case DIRECT -> {
                asm.emit32(directs);
                asm.emit64(0);
            }
        }
    }

    /** Takes on what is described at a position of the code memory. */
    void read(ByteBuffer code, int at) {
        int flags = code.getInt(at);
        kind = KINDS[flags & (1 << KIND_BITS) - 1];
        forward = (flags & FORWARD) != 0;
        constant = (flags & CONSTANT) != 0;
        alone = (flags & ALONE) != 0;
        writes = (flags & WRITES) != 0;
        partial = (flags & PARTIAL) != 0;
        size = flags >> SIZE_SHIFT & 0xFF;
        uncounted = flags >> UNCOUNTED_SHIFT & 0xFF;
        position = at;
        entry = at - code.getInt(at + FROM_ENTRY);
        host = entry + code.getInt(at + TO_HOST);
        guest = code.getInt(at + GUEST);
        release = code.getInt(at + DETAIL);
        low = (short) release;
        high = release >> 16;
    }

    /** {@return the position of the jump of the direct branch that is described at a position} */
    static int jump(ByteBuffer code, int at) {
        return at - code.getInt(at + FROM_ENTRY) + code.getInt(at + TO_HOST);
    }

    /** {@return the position of the next direct branch of the block of the one that is described at a position, or 0} */
    static int nextDirect(ByteBuffer code, int at) {
        return code.getInt(at + DETAIL);
    }
}
