package dev.kagami.cpu.x86.nativecode;

/**
 * Layout of the block of native memory that translated code reaches through its stack pointer: offsets in bytes. The stack
 * pointer is {@link #BASE} while a block runs, so that what is used most has short encodings: what is at most 127 bytes behind
 * that. Below the block is a stack, for what is pushed, for functions of C and for handlers of signals; what lies between the
 * block's beginning and {@link #BASE} is overwritten by that while translated code runs. Places are given away in the order of
 * the fields, so that none overlaps another.
 */
final class StateBlock {
    /** Bytes of the stack below the block. */
    static final int STACK_BYTES = 64 << 10;

    /** Of {@link #RETIRED}; a power of two. */
    static final int COUNTERS = 4;

    /** Bytes from one vector register to the next. */
    static final int VECTOR_BYTES = 64;

    private static int used;

    /** The 16 guest registers in the encoding's order; current only outside of translated code, but for four. */
    static final int REGISTERS = quadwords(16);

    /** Where the stack pointer points: at the first guest register that stays in memory. */
    static final int BASE = REGISTERS + 9 * Long.BYTES;

    /**
     * Guest instructions entered since the last exit: the sum of {@link #COUNTERS} quadwords. A block that adds to another one
     * than the block before doesn't wait for it.
     */
    static final int RETIRED = quadwords(COUNTERS);

    /** 0 when translated code must be left; written by any thread. */
    static final int EVENTS = quadwords(1);

    /** Address of the current view's TLB. */
    static final int TLB = quadwords(1);

    /** Mask that selects a TLB index from an address. */
    static final int TLB_INDEX_MASK = quadwords(1);

    /** Mask of the page number. */
    static final int PAGE_MASK = quadwords(1);

    /** Linear page that the user code which runs now is in. */
    static final int PAGE = quadwords(1);

    /** The guest's arithmetic flags; current only outside of translated code. */
    static final int FLAGS = quadwords(1);

    /** Target of a call while its return address is pushed. */
    static final int TARGET = quadwords(1);

    /** Position of the {@link Exit} by which translated code was left; a quadword. */
    static final int EXIT = quadwords(1);

    /** Guest address of a memory access that missed the TLB, or of a branch that missed the jump cache. */
    static final int ADDRESS = quadwords(1);

    /** Address of the {@link JumpCache}, or of the {@link UserJumps}, of the code that runs. */
    static final int JUMPS = quadwords(1);

    /** Mask that selects a jump-cache index from an address. */
    static final int JUMP_INDEX_MASK = quadwords(1);

    /** Mask of the address bits that must be 0 for an aligned 128-bit operand. */
    static final int ALIGNMENT_MASK = quadwords(1);

    /** The same for a 256-bit operand. */
    static final int WIDE_ALIGNMENT_MASK = quadwords(1);

    /** The same for a 512-bit operand. */
    static final int WIDEST_ALIGNMENT_MASK = quadwords(1);

    /** The guest's MXCSR; current only outside of translated code. */
    static final int MXCSR = quadwords(1);

    /** The MXCSR that the JVM expects. */
    static final int HOST_MXCSR = quadwords(1);

    /** Bits that are 0 in a canonical address rotated right by 47, plus 1. */
    static final int CANONICAL_MASK = quadwords(1);

    /** Mask of the offset in a page. */
    static final int OFFSET_MASK = quadwords(1);

    /** Host addresses of the current block's windows, see {@link BlockPlan}; quadwords. */
    static final int WINDOWS = quadwords(BlockPlan.MAX_WINDOWS);

    /** A register's place while it is needed for something else. */
    static final int SPARE = quadwords(1);

    /** The masks 31 and 63. */
    static final int BIT_MASKS = quadwords(2);

    /** Where the code memory is executable. */
    static final int CODE_BASE = quadwords(1);

    /** Mask that selects an index of {@link UserJumps} from an address. */
    static final int PAGE_INDEX_MASK = quadwords(1);

    /** Not 0 when the guest's vector registers are in the host's. */
    static final int VECTORS_HERE = quadwords(1);

    /** Not 0 when they are, or when {@link #VECTORS_KEPT} isn't, or else {@link #VECTORS} are current. */
    static final int VECTORS_TAKEN = quadwords(1);

    /** 1 when they are there still while code runs that doesn't use them; otherwise 0. */
    static final int VECTORS_KEPT = quadwords(1);

    /** The privilege level after SYSCALL or SYSRET. */
    static final int PRIVILEGE = quadwords(1);

    /** Where those places begin that are filled together whenever translated code is entered. */
    static final int FILLED = used;

    /** Bases of the guest's FS and GS. */
    static final int BASES = quadwords(2);

    /** Selectors of the six segment registers, as quadwords. */
    static final int SELECTORS = quadwords(6);

    /** The guest's IF, at its place in RFLAGS. */
    static final int INTERRUPT_FLAG = quadwords(1);

    /** Not 0 when an interrupt waits for IF, so that STI is the interpreter's. */
    static final int INTERRUPT_WAITING = quadwords(1);

    /** What must be added to the host's flags, with IF, DF and AC, to have the guest's. */
    static final int OTHER_FLAGS = quadwords(1);

    /** The guest's DF, at its place in RFLAGS. */
    static final int DIRECTION = quadwords(1);

    /** Not 0 when CR4.FSGSBASE is clear. */
    static final int BASES_REFUSED = quadwords(1);

    /** IA32_KERNEL_GS_BASE. */
    static final int KERNEL_GS_BASE = quadwords(1);

    /** The guest's AC, at its place in RFLAGS. */
    static final int ACCESS_CONTROL = quadwords(1);

    /** Addresses of the TLBs of the supervisor without and with AC. */
    static final int SUPERVISOR_TLBS = quadwords(2);

    /** What RDTSC has over the host's monotonic clock. */
    static final int TIME_OFFSET = quadwords(1);

    /** Not 0 when RDTSC is the interpreter's. */
    static final int TIME_INTERPRETED = quadwords(1);

    /** IA32_TSC_AUX. */
    static final int TIME_AUXILIARY = quadwords(1);

    /** Not 0 when IRETQ is the interpreter's. */
    static final int RETURN_INTERPRETED = quadwords(1);

    /** Where the descriptors of CS and SS are, if that is so. */
    static final int DESCRIPTOR_ADDRESSES = quadwords(2);

    /** Those descriptors, as they were when the registers were filled. */
    static final int DESCRIPTORS = quadwords(2);

    /** Not 0 when SYSCALL is the interpreter's: it is forbidden, or leaves some of the flags alone. */
    static final int SYSTEM_CALL_REFUSED = quadwords(1);

    /** Not 0 when SYSRET is the interpreter's. */
    static final int SYSTEM_RETURN_REFUSED = quadwords(1);

    /** Where SYSCALL goes. */
    static final int SYSTEM_CALL_TARGET = quadwords(1);

    /** Selectors of CS and SS after SYSCALL, as quadwords. */
    static final int SYSTEM_CALL_SELECTORS = quadwords(2);

    /** The same after SYSRET. */
    static final int SYSTEM_RETURN_SELECTORS = quadwords(2);

    /** Address of the user's TLB. */
    static final int USER_TLB = quadwords(1);

    /** Address of the {@link JumpCache} of code that doesn't have the guest's vector registers in the host's. */
    static final int KERNEL_JUMPS = quadwords(1);

    /** The same of {@link UserJumps}; behind it, that of code that has them there. */
    static final int USER_JUMPS = quadwords(2);

    /** Not 0 when those have run, so that the CPU doesn't know of the privilege level and what belongs to it. */
    static final int PRIVILEGE_CHANGED = quadwords(1);

    /** Address of the page tables if {@link PageWalk} may walk through them, else 0. */
    static final int PAGE_TABLES = quadwords(1);

    /** CR2. */
    static final int PAGE_FAULT_ADDRESS = quadwords(1);

    /** Where they end. */
    static final int FILLED_END = used;

    /** Address of the TLB of the supervisor that SMAP keeps off user pages. */
    static final int COMMON_TLB = quadwords(1);

    /** How many pages {@link PageWalk} has entered since Java took note of them. */
    static final int ENTERED = quadwords(1);

    /** Most that there may be. */
    static final int MAX_ENTERED = 128;

    /** Address of each one's entry in its TLB, plus its flags, which fit below the alignment. */
    static final int ENTERED_PAGES = quadwords(MAX_ENTERED);

    /** The stack pointer that Java had. */
    static final int HOST_STACK = quadwords(1);

    /** Address of the C library's clock_gettime. */
    static final int CLOCK_FUNCTION = quadwords(1);

    /** Not 0 when the upper halves of vector registers are in use. */
    static final int UPPER_IN_USE = quadwords(1);

    /** The vector registers, {@link #VECTOR_BYTES} each, and the opmask registers behind them; see {@link #VECTORS_TAKEN}. */
    static final int VECTORS = vectors();

    static final int SIZE = used;

    private StateBlock() {}

    private static int quadwords(int count) {
        int at = used;
        used += count * Long.BYTES;
        return at;
    }

    private static int vectors() {
        used = (used + VECTOR_BYTES - 1) & -VECTOR_BYTES;
        return quadwords(33 * VECTOR_BYTES / Long.BYTES);
    }
}
