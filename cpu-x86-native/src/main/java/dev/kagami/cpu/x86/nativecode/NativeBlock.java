package dev.kagami.cpu.x86.nativecode;

/** What is known of the code at one guest address. */
final class NativeBlock {
    /** {@link #entry}: not translated. */
    static final int COLD = -1;

    /** Linear address of the guest code. */
    final long linear;

    /** Page of RAM that holds it. */
    final int page;

    /** Mode that it is decoded for. */
    final int mode;

    /** Times that the interpreter ran it. */
    int heat;

    /** Position of the host code in the code memory, or {@link #COLD}. */
    int entry = COLD;

    /** The first instruction needs the guest's vector registers in the host's, so there is no host code in this mode. */
    boolean needsVectors;

    /** The first instruction is one for the interpreter, so there is no host code. */
    boolean refused;

    NativeBlock(long linear, int page, int mode) {
        this.linear = linear;
        this.page = page;
        this.mode = mode;
    }
}
