package dev.kagami.cpu.x86.nativecode;

import java.util.Arrays;

/**
 * Guest registers that have no host register of their own, kept in scratch registers from one instruction to the next while
 * a block is emitted. The lookup of memory needs the scratch registers, and the ways out of a block look for guest registers
 * in the state block: both ask for a release or a flush before.
 */
final class ScratchCache {
    /** The scratch registers that take part: the other one holds host addresses. */
    private static final int[] HOSTS = {Registers.VALUE, Registers.ADDRESS};

    private final Assembler asm;
    private final int[] guests = new int[HOSTS.length];
    private final boolean[] changed = new boolean[HOSTS.length];

    /** Those that the current instruction uses. */
    private final boolean[] used = new boolean[HOSTS.length];

    /** The one taken last. */
    private int latest;

    ScratchCache(Assembler asm) {
        this.asm = asm;
        clear();
    }

    /** Forgets everything. */
    void clear() {
        Arrays.fill(guests, Assembler.NONE);
        Arrays.fill(changed, false);
    }

    /** Begins an instruction. */
    void beginInstruction() {
        Arrays.fill(used, false);
    }

    /** Stores what has changed into the state block. */
    void flush() {
        for (int i = 0; i < HOSTS.length; i++) {
            store(i);
        }
    }

    private void store(int i) {
        if (changed[i]) {
            asm.storeState(HOSTS[i], StateBlock.REGISTERS + 8 * guests[i]);
            changed[i] = false;
        }
    }

    /** {@return the host register that holds a guest register now, or {@link Assembler#NONE}} */
    int find(int guest) {
        for (int i = 0; i < HOSTS.length; i++) {
            if (guests[i] == guest) {
                return HOSTS[i];
            }
        }
        return Assembler.NONE;
    }

    /** {@return whether the current instruction has no scratch register left for one more guest register} */
    boolean full(int guest) {
        for (int i = 0; i < HOSTS.length; i++) {
            if (guests[i] == guest || !used[i]) {
                return false;
            }
        }
        return true;
    }

    /**
     * {@return the host register of a guest register for the current instruction, which must ask for its sources first}
     *
     * @param guest number of the register
     * @param reads whether its value is needed
     * @param writes whether the instruction changes it
     */
    int use(int guest, boolean reads, boolean writes) {
        int host = Registers.HOST[guest];
        if (host != Assembler.NONE) {
            return host;
        }
        int i = 0;
        while (i < HOSTS.length && guests[i] != guest) {
            i++;
        }
        if (i == HOSTS.length) {
            i = free();
            store(i);
            guests[i] = guest;
            if (reads) {
                asm.loadState(HOSTS[i], StateBlock.REGISTERS + 8 * guest);
            }
        }
        used[i] = true;
        changed[i] |= writes;
        latest = i;
        return HOSTS[i];
    }

    private int free() {
        for (int i = 0; i < HOSTS.length; i++) {
            if (guests[i] == Assembler.NONE && !used[i]) {
                return i;
            }
        }
        for (int i = 1; i <= HOSTS.length; i++) {
            int candidate = (latest + i) % HOSTS.length;
            if (!used[candidate]) {
                return candidate;
            }
        }
        throw new AssertionError("an instruction with more registers");
    }
}
