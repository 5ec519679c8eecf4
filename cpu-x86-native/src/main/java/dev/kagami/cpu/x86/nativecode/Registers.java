package dev.kagami.cpu.x86.nativecode;

/** Which host register holds what while translated code runs. */
final class Registers {
    /** Host register of each guest register; NONE for those that stay in the state block. */
    static final int[] HOST = {
        Assembler.RAX,
        Assembler.R9,
        Assembler.RDX,
        Assembler.RBX,
        Assembler.R15,
        Assembler.RBP,
        Assembler.R11,
        Assembler.R10,
        Assembler.R8,
        Assembler.NONE,
        Assembler.NONE,
        Assembler.NONE,
        Assembler.R12,
        Assembler.R13,
        Assembler.R14,
        Assembler.NONE
    };

    static final int GUEST_RCX = 1;
    static final int GUEST_RSP = 4;
    static final int GUEST_RBP = 5;

    /** Has no host register. */
    static final int GUEST_R11 = 11;

    /** Encoding of ch, which would be r9's second byte: that has no name. */
    static final int HIGH_RCX = 5;

    /** The guest's stack pointer. */
    static final int STACK = HOST[GUEST_RSP];

    /** Scratch: a guest address, and what conditional jumps on rcx look at. */
    static final int ADDRESS = Assembler.RCX;

    /** Scratch: a value. */
    static final int VALUE = Assembler.RSI;

    /** Scratch: a host address. */
    static final int POINTER = Assembler.RDI;

    private Registers() {}
}
