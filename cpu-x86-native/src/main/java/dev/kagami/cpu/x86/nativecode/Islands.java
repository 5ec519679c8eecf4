package dev.kagami.cpu.x86.nativecode;

import java.util.Arrays;

/**
 * The ways from a block's hot code to its cold code: jumps that stand where no code falls through to, or are jumped over. The
 * jumps on rcx, which change no flags, are short; with an island in reach, one of them can be taken when something is to be
 * done that is rare, rather than over a jump there when it isn't. For taken branches are what fills a processor's branch target
 * buffer, which limits large programs.
 *
 * <p>A short jump reaches {@value #REACH} bytes. So whoever emits says beforehand, by {@link #room}, how much will follow at most
 * until that is said again.
 */
final class Islands {
    /** How far behind its end a short jump leads at most. */
    private static final int REACH = 127;

    /** Bytes of the jump over islands. */
    private static final int OVER_BYTES = 2;

    private static final int FEW = 32;

    // Most bytes of code from one call of room to the next.

    /** From the beginning of an instruction to its access to memory, to the check of its operand, or to its end. */
    static final int INSTRUCTION = 64;

    /** Of what looks an address up in the TLB. */
    static final int CHECK = 52;

    /** From there to the end of the instruction. */
    static final int OPERATION = 58;

    /** Of what looks the target of a branch up. */
    static final int LOOKUP = 100;

    /** Bytes of an island. A block has one in front of its entry: that of the look at events. */
    static final int BYTES = 5;

    private final Assembler asm;

    /** By number: where the displacement of the short jump is. */
    private int[] shorts = new int[FEW];

    /** By number: where the displacement of the island's jump is. */
    private int[] jumps = new int[FEW];

    private int count;

    /** How many have their island. */
    private int done;

    /** Where the code ends at most that {@link #room} was told of. */
    private int limit;

    private boolean immediate;

    Islands(Assembler asm) {
        this.asm = asm;
    }

    /** Begins a block. */
    void clear() {
        count = 0;
        done = 0;
        immediate = false;
    }

    /** Makes every short jump have its island at once from now on: for instructions with much code. */
    void immediate(boolean value) {
        immediate = value;
        if (value) {
            over();
        }
    }

    /** Takes a short jump that was just emitted, with its displacement at a position; {@return its number} */
    int add(int shortAt) {
        if (count == shorts.length) {
            shorts = Arrays.copyOf(shorts, 2 * count);
            jumps = Arrays.copyOf(jumps, 2 * count);
        }
        int number = count++;
        shorts[number] = shortAt;
        if (immediate) {
            over();
        }
        return number;
    }

    /** {@return where the displacement of the jump is that a short jump leads to} */
    int jump(int number) {
        if (number >= done) {
            throw new AssertionError("no island");
        }
        return jumps[number];
    }

    /** Says that so many bytes will be emitted at most until this, or {@link #close}, is called the next time. */
    void room(int bytes) {
        checkLimit();
        int end = asm.position() + bytes + OVER_BYTES;
        if (done < count && end - (shorts[done] + 1) > REACH) {
            over();
        }
        limit = asm.position() + bytes;
    }

    private void checkLimit() {
        assert done == count || asm.position() <= limit : "%d bytes too many".formatted(asm.position() - limit);
    }

    private void over() {
        if (done < count) {
            asm.emit(0xEB);
            asm.emit((count - done) * BYTES);
            emit();
        }
    }

    /** Emits the islands that are missing, behind a jump. */
    void close() {
        checkLimit();
        emit();
    }

    private void emit() {
        for (; done < count; done++) {
            asm.landShort(shorts[done]);
            jumps[done] = asm.jump();
        }
    }

    /** Takes back what is behind a position. */
    void truncate(int position) {
        while (count > 0 && shorts[count - 1] >= position) {
            count--;
        }
        done = Math.min(done, count);
        while (done > 0 && jumps[done - 1] >= position) {
            done--;
        }
        limit = position + INSTRUCTION;
    }
}
