package dev.kagami.cpu.x86.nativecode;

/** Emits the code between Java and translated blocks. */
final class EntryCode {
    private final Assembler asm;

    // Where the common code to leave is, as a position in the code memory: for blocks that hold the guest's vector
    // registers in the host's, and for others.
    private int leaveVectors;
    private int leavePlain;

    EntryCode(Assembler asm) {
        this.asm = asm;
    }

    /** {@return the position of the common way out of blocks} */
    int leave(boolean vectors) {
        return vectors ? leaveVectors : leavePlain;
    }

    /**
     * Emits the code by which Java enters: argument is the address to go to.
     *
     * @param vectors whether the vector registers are the guest's, too
     * @param wide whether their upper halves are in use; if not, they are left clean, without which SSE code is slow
     */
    Translator.Result emitEnter(boolean vectors, boolean wide) {
        asm.clear();
        if (vectors) {
            if (HostFeatures.AVX && !wide) {
                asm.zeroUpper();
            }
            for (int i = 0; i < 16; i++) {
                int at = StateBlock.VECTORS + StateBlock.VECTOR_BYTES * i;
                if (wide) {
                    asm.loadWideVector(i, at);
                } else {
                    asm.loadVector(i, at);
                }
            }
            asm.loadMxcsr(StateBlock.MXCSR);
        }
        asm.push(Assembler.RBX);
        asm.push(Assembler.RBP);
        asm.push(Assembler.R12);
        asm.push(Assembler.R13);
        asm.push(Assembler.R14);
        asm.push(Assembler.R15);
        asm.pushState(StateBlock.FLAGS);
        asm.popFlags();
        for (int i = 0; i < 16; i++) {
            if (Registers.HOST[i] != Assembler.NONE) {
                asm.loadState(Registers.HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        asm.jumpRegister(Registers.POINTER);
        return new Translator.Result(asm.bytes(), asm.position(), 0, 0, false);
    }

    /** Emits the common way out and remembers that it will stand at a position in the code memory. */
    Translator.Result emitLeave(int position, boolean vectors) {
        asm.clear();
        if (vectors) {
            leaveVectors = position;
            for (int i = 0; i < 16; i++) {
                int at = StateBlock.VECTORS + StateBlock.VECTOR_BYTES * i;
                if (HostFeatures.AVX) {
                    asm.storeWideVector(i, at);
                } else {
                    asm.storeVector(i, at);
                }
            }
            if (HostFeatures.AVX) {
                asm.zeroUpper();
            }
            asm.storeMxcsr(StateBlock.MXCSR);
            asm.loadMxcsr(StateBlock.HOST_MXCSR);
        } else {
            leavePlain = position;
        }
        for (int i = 0; i < 16; i++) {
            if (Registers.HOST[i] != Assembler.NONE) {
                asm.storeState(Registers.HOST[i], StateBlock.REGISTERS + 8 * i);
            }
        }
        asm.pushFlags();
        asm.popState(StateBlock.FLAGS);
        asm.pop(Assembler.R15);
        asm.pop(Assembler.R14);
        asm.pop(Assembler.R13);
        asm.pop(Assembler.R12);
        asm.pop(Assembler.RBP);
        asm.pop(Assembler.RBX);
        asm.ret();
        return new Translator.Result(asm.bytes(), asm.position(), 0, 0, false);
    }
}
