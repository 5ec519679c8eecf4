package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;

/** Emits the host code of one guest block, which begins with a look at {@link StateBlock#EVENTS} and its count. */
final class Translator {
    private static final int MAX_INSTRUCTIONS = BlockPlan.MAX_INSTRUCTIONS;

    /** Bytes of host code at a block's start that look at events: a branch that can't close a loop may go behind them. */
    static final int CHECK_LENGTH = 6;

    /** Most guest bytes that a block can have. */
    static final int MAX_BYTES = MAX_INSTRUCTIONS * Instruction.MAX_LENGTH;

    private final Assembler asm = new Assembler();
    private final Decoder decoder = new Decoder();
    private final EntryCode entry;
    private final BlockCode block;
    private final Instruction in;
    private final PlainCode plain;
    private final VectorCode vector;
    private final VexCode vex;
    private final BranchCode branch;
    private final SystemCode system;
    private final StringCode string;
    private final BitCode bit;

    /** The block ended at an instruction that needs the vector registers. */
    private boolean stoppedForVectors;

    /** Most instructions of a block. */
    private int limit = MAX_INSTRUCTIONS;

    /**
     * Creates a translator.
     *
     * @param widest whether the guest may have AVX-512, which the host has
     */
    Translator(boolean widest) {
        entry = new EntryCode(asm, widest);
        block = new BlockCode(asm);
        in = block.in;
        MemoryCode memory = new MemoryCode(block);
        plain = new PlainCode(block, memory);
        vector = new VectorCode(block, memory);
        vex = new VexCode(block, memory);
        branch = new BranchCode(block, memory);
        system = new SystemCode(block, memory);
        string = new StringCode(block, memory);
        bit = new BitCode(block, memory);
    }

    /** {@return whether the first instruction of some code goes on behind its end} */
    boolean firstIsCut(byte[] bytes, int length) {
        return decoder.decode(bytes, 0, length, 64, in) == Decoder.NEED_MORE;
    }

    /** Makes the blocks to come shorter than usual. */
    void limit(int instructions) {
        limit = Math.min(instructions, MAX_INSTRUCTIONS);
    }

    /**
     * The emitted bytes, where among them the cold ones begin, what they cover, and where in the code memory the last direct branch's
     * exit will be, or 0.
     */
    record Result(
            byte[] host,
            int length,
            int coldStart,
            int guestBytes,
            int instructions,
            boolean stoppedForVectors,
            int directs) {
        /** Code without cold parts that no guest code belongs to. */
        Result(byte[] host, int length) {
            this(host, length, length, 0, 0, false, 0);
        }
    }

    /** {@return what emits the code between Java and blocks; its results are valid until the next call of anything here} */
    EntryCode entry() {
        return entry;
    }

    /**
     * Translates the block at an address.
     *
     * @param bytes guest code from that address to the end of its page at most, or to behind that if the first instruction
     *     crosses it
     * @param length how many bytes of it there are
     * @param guest linear address; for user code, offset in its page
     * @param secondPage number of the page of RAM that the rest of the first instruction is in, or
     *     {@link NativeBlock#NO_PAGE}
     * @param position where the code will stand in the code memory
     * @param coldPosition where its cold part will
     * @param withVectors whether the guest's vector registers are in the host's while it runs
     * @param extensions the instructions on vector registers that guest and host may use, besides SSE
     * @param user whether it runs at privilege level 3; otherwise at 0
     * @param alone whether every memory access shall be looked up by itself
     * @return the code; valid until the next call
     */
    Result translate(
            byte[] bytes,
            int length,
            long guest,
            int secondPage,
            int position,
            int coldPosition,
            boolean withVectors,
            VectorExtensions extensions,
            boolean user,
            boolean alone) {
        block.begin(bytes, guest, position, coldPosition, withVectors, extensions, user, entry);
        // The bytes of a second page are there for the first instruction only.
        int most = secondPage != NativeBlock.NO_PAGE ? 1 : limit;
        if (alone) {
            block.plan.clear();
        } else {
            block.plan.make(bytes, length, guest, most, withVectors, extensions);
        }
        stoppedForVectors = false;
        int eventJump = asm.jump();
        if (user && secondPage != NativeBlock.NO_PAGE) {
            block.checkSecondPage(secondPage);
        }
        int checkAt = asm.position();
        asm.loadState32(Registers.ADDRESS, StateBlock.EVENTS);
        asm.shortTo(asm.jumpIfRcxZero(), 0);
        block.exit(Exit.Kind.EVENT, eventJump);
        if (asm.position() - checkAt != CHECK_LENGTH) {
            throw new AssertionError("the look at events has %d bytes".formatted(asm.position() - checkAt));
        }
        int countAt = block.count(MAX_INSTRUCTIONS);
        boolean open = true;
        int end = 0;
        boolean crosses = false;
        while (open && block.instructions < most) {
            int decoded = decoder.decode(bytes, block.start, length, 64, in);
            if (decoded != Decoder.OK) {
                crosses = decoded == Decoder.NEED_MORE && block.start > 0;
                break;
            }
            block.beginInstruction();
            int stubsBefore = block.stubs();
            boolean shadow = block.shadow;
            block.shadow = false;
            Outcome outcome = instruction();
            if (outcome == Outcome.REFUSED) {
                // Nothing may be left of it: the interpreter does it all.
                block.takeBack(stubsBefore);
                block.shadow = shadow;
                break;
            }
            block.start += in.length;
            end = Math.max(end, block.start);
            block.instructions++;
            open = outcome == Outcome.GOES_ON || outcome == Outcome.REPEATS;
            if (outcome == Outcome.REPEATS) {
                block.start = 0;
            }
        }
        if (open) {
            block.islands.room(Islands.INSTRUCTION);
            block.releaseScratch();
            if (!block.shadow && (block.instructions == most || block.start == length || crosses)) {
                block.direct(block.guest());
            } else {
                block.exit(stoppedForVectors ? Exit.Kind.VECTOR : Exit.Kind.INTERPRET);
            }
        }
        block.islands.close();
        asm.set8(countAt, block.instructions);
        asm.checkBalance();
        block.emitStubs();
        return new Result(
                asm.bytes(),
                asm.position(),
                block.coldStart(),
                Math.max(end, 1),
                block.instructions,
                stoppedForVectors,
                block.directs());
    }

    private Outcome instruction() {
        if (in.base == Instruction.BASE_RIP && !block.reachable(in.displacement)
                || branchesFar() && !block.reachable(in.immediate)) {
            return Outcome.REFUSED;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            return vectorExtension();
        }
        Outcome outcome = usual();
        if (outcome == Outcome.REFUSED) {
            block.releaseScratch();
            block.islands.immediate(true);
            outcome = unusual();
            block.islands.immediate(false);
        }
        return outcome;
    }

    /** Emits an instruction of those that take much code. */
    private Outcome unusual() {
        Outcome outcome = system.emit();
        if (outcome == Outcome.REFUSED) {
            outcome = bit.emit();
        }
        if (outcome == Outcome.REFUSED && string.handles()) {
            string.emit();
            outcome = Outcome.GOES_ON;
        }
        return outcome;
    }

    /** {@return whether the current instruction is a relative branch with a displacement of 32 bits} */
    private boolean branchesFar() {
        return in.encoding == Instruction.ENCODING_LEGACY
                && (in.map == Instruction.MAP_PRIMARY && (in.opcode == 0xE8 || in.opcode == 0xE9)
                        || in.map == Instruction.MAP_0F && in.opcode >= 0x80 && in.opcode <= 0x8F);
    }

    private Outcome usual() {
        int properties = Plain.classify(in);
        if (properties != Plain.NO) {
            return plain.emit(properties) ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        int form = VectorForm.classify(in);
        if (form != VectorForm.NO) {
            stoppedForVectors = !block.vectors;
            if (block.vectors) {
                vector.emit(form);
            }
            return block.vectors ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        if (in.encoding != Instruction.ENCODING_LEGACY || in.lock) {
            return Outcome.REFUSED;
        }
        if (in.map == Instruction.MAP_0F) {
            int opcode = in.opcode;
            if (opcode >= 0x80 && opcode <= 0x8F) {
                return branch.conditional();
            }
            // Hints: multi-byte NOP, ENDBR and prefetches.
            boolean hint = opcode >= 0x19 && opcode <= 0x1F || opcode == 0x18 && in.isMemory() || opcode == 0x0D;
            return hint ? Outcome.GOES_ON : Outcome.REFUSED;
        }
        if (in.map != Instruction.MAP_PRIMARY || in.addressSize != 8) {
            return Outcome.REFUSED;
        }
        return branch.primary();
    }

    private Outcome vectorExtension() {
        int general = VexGeneral.classify(in);
        if (general != VexGeneral.NO) {
            vex.emitGeneral(general);
            return Outcome.GOES_ON;
        }
        int form = block.extensions.form(in);
        if (form == VectorForm.NO) {
            return Outcome.REFUSED;
        }
        stoppedForVectors = !block.vectors;
        if (block.vectors) {
            vex.emit(form);
        }
        return block.vectors ? Outcome.GOES_ON : Outcome.REFUSED;
    }
}
