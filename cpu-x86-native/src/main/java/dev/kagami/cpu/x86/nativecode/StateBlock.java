package dev.kagami.cpu.x86.nativecode;

/**
 * Layout of the block of native memory that translated code reaches through its stack pointer: offsets in bytes. The stack
 * pointer is {@link #BASE} while a block runs, so that what is used most has short encodings: what is at most 127 bytes behind
 * that. Below the block is a stack, for what is pushed, for functions of C and for handlers of signals; what lies between the
 * block's beginning and {@link #BASE} is overwritten by that while translated code runs.
 */
final class StateBlock {
    /** Where the stack pointer points: at the first guest register that stays in memory. */
    static final int BASE = 0x48;

    /** Bytes of the stack below the block. */
    static final int STACK_BYTES = 64 << 10;

    /** The 16 guest registers in the encoding's order; current only outside of translated code, but for four. */
    static final int REGISTERS = 0;

    /** The guest's arithmetic flags; current only outside of translated code. */
    static final int FLAGS = 0x300;

    /** Target of a call while its return address is pushed. */
    static final int TARGET = 0x308;

    /** Not 0 when translated code must be left; written by any thread. */
    static final int EVENTS = 0x80;

    /**
     * Guest instructions entered since the last exit: the sum of {@link #COUNTERS} quadwords. A block that adds to another one
     * than the block before doesn't wait for it.
     */
    static final int RETIRED = 0xA0;

    static final int COUNTERS = 2;

    /** Position of the {@link Exit} by which translated code was left; a quadword. */
    static final int EXIT = 0x310;

    /** Guest address of a memory access that missed the TLB, or of a branch that missed the jump cache. */
    static final int ADDRESS = 0xC0;

    /** Address of the current view's TLB. */
    static final int TLB = 0x88;

    /** Mask that selects a TLB index from an address. */
    static final int TLB_INDEX_MASK = 0x90;

    /** Mask of the page number. */
    static final int PAGE_MASK = 0x98;

    /** Address of the {@link JumpCache}, or of the {@link UserJumps}, of the code that runs. */
    static final int JUMPS = 0xB0;

    /** Mask that selects a jump-cache index from an address. */
    static final int JUMP_INDEX_MASK = 0x318;

    /** Bases of the guest's FS and GS. */
    static final int BASES = 0xD8;

    /** Mask of the address bits that must be 0 for an aligned 128-bit operand. */
    static final int ALIGNMENT_MASK = 0xE8;

    /** The guest's MXCSR; current only outside of translated code. */
    static final int MXCSR = 0xF0;

    /** The MXCSR that the JVM expects. */
    static final int HOST_MXCSR = 0xF4;

    /** Bits that are 0 in a canonical address rotated right by 47, plus 1. */
    static final int CANONICAL_MASK = 0xF8;

    /** The same for a 256-bit operand. */
    static final int WIDE_ALIGNMENT_MASK = 0x100;

    /** Mask of the offset in a page. */
    static final int OFFSET_MASK = 0x110;

    /** Host addresses of the current block's windows, see {@link BlockPlan}; quadwords. */
    static final int WINDOWS = 0x200;

    /** Selectors of the six segment registers, as quadwords. */
    static final int SELECTORS = 0x800;

    /** The guest's IF, at its place in RFLAGS. */
    static final int INTERRUPT_FLAG = 0x830;

    /** Not 0 when an interrupt waits for IF, so that STI is the interpreter's. */
    static final int INTERRUPT_WAITING = 0x834;

    /** What must be added to the host's flags, with IF, DF and AC, to have the guest's. */
    static final int OTHER_FLAGS = 0x838;

    /** The guest's DF, at its place in RFLAGS. */
    static final int DIRECTION = 0x840;

    /** Not 0 when CR4.FSGSBASE is clear. */
    static final int BASES_REFUSED = 0x844;

    /** IA32_KERNEL_GS_BASE. */
    static final int KERNEL_GS_BASE = 0x848;

    /** A register's place while it is needed for something else. */
    static final int SPARE = 0x850;

    /** The masks 31 and 63. */
    static final int BIT_MASKS = 0x858;

    /** The guest's AC, at its place in RFLAGS. */
    static final int ACCESS_CONTROL = 0x868;

    /** Addresses of the TLBs of the supervisor without and with AC. */
    static final int SUPERVISOR_TLBS = 0x870;

    /** What RDTSC has over the host's monotonic clock. */
    static final int TIME_OFFSET = 0x880;

    /** Not 0 when RDTSC is the interpreter's. */
    static final int TIME_INTERPRETED = 0x888;

    /** IA32_TSC_AUX. */
    static final int TIME_AUXILIARY = 0x890;

    /** Linear page that the user code which runs now is in. */
    static final int PAGE = 0xB8;

    /** Where the code memory is executable. */
    static final int CODE_BASE = 0x8A8;

    /** Mask that selects an index of {@link UserJumps} from an address. */
    static final int PAGE_INDEX_MASK = 0x8B0;

    /** Not 0 when the guest's vector registers are in the host's. */
    static final int VECTORS_HERE = 0x8B8;

    /** Not 0 when IRETQ is the interpreter's. */
    static final int RETURN_INTERPRETED = 0x8C0;

    /** Where the descriptors of CS and SS are, if that is so. */
    static final int DESCRIPTOR_ADDRESSES = 0x8C8;

    /** Those descriptors, as they were when the registers were filled. */
    static final int DESCRIPTORS = 0x8D8;

    /** Not 0 when SYSCALL is the interpreter's: it is forbidden, or leaves some of the flags alone. */
    static final int SYSTEM_CALL_REFUSED = 0x8F0;

    /** Not 0 when SYSRET is the interpreter's. */
    static final int SYSTEM_RETURN_REFUSED = 0x8F4;

    /** Where SYSCALL goes. */
    static final int SYSTEM_CALL_TARGET = 0x320;

    /** Selectors of CS and SS after SYSCALL, as quadwords. */
    static final int SYSTEM_CALL_SELECTORS = 0x328;

    /** The same after SYSRET. */
    static final int SYSTEM_RETURN_SELECTORS = 0x338;

    /** Address of the user's TLB. */
    static final int USER_TLB = 0x348;

    /** Address of the {@link JumpCache} of code that doesn't have the guest's vector registers in the host's. */
    static final int KERNEL_JUMPS = 0x350;

    /** The same of {@link UserJumps}. */
    static final int USER_JUMPS = 0x358;

    /** The privilege level after SYSCALL or SYSRET. */
    static final int PRIVILEGE = 0x360;

    /** Not 0 when those have run, so that the CPU doesn't know of the privilege level and what belongs to it. */
    static final int PRIVILEGE_CHANGED = 0x364;

    /** CR2. */
    static final int PAGE_FAULT_ADDRESS = 0x8E8;
    /** The stack pointer that Java had. */
    static final int HOST_STACK = 0x8F0;

    /** Address of the C library's clock_gettime. */
    static final int CLOCK_FUNCTION = 0x898;

    /** Not 0 when the upper halves of vector registers are in use. */
    static final int UPPER_IN_USE = 0x108;

    /** The vector registers, {@link #VECTOR_BYTES} each; current only outside of translated code. */
    static final int VECTORS = 0x900;

    /** Bytes from one vector register to the next. */
    static final int VECTOR_BYTES = 64;

    static final int SIZE = VECTORS + 32 * VECTOR_BYTES;

    private StateBlock() {}
}
