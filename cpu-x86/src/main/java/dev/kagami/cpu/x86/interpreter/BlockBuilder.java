package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Decodes code into blocks. */
final class BlockBuilder {
    /** Longest block in instructions; bounds the time between two looks at pending events. */
    private static final int MAX_INSTRUCTIONS = 64;

    /** Added to {@link Cpu#codeMode} for blocks of one instruction. */
    static final int SINGLE = 8;

    /** Bytes of code looked at for one block. */
    private static final int WINDOW = 512;

    private final Cpu cpu;
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final byte[] bytes = new byte[WINDOW + Instruction.MAX_LENGTH];
    private final List<Op> ops = new ArrayList<>();

    BlockBuilder(Cpu cpu) {
        this.cpu = cpu;
    }

    /**
     * Builds the block at an address; may fault as an instruction fetch does.
     *
     * @param linear linear address
     * @return the block, entered into its page
     */
    Block build(long linear) {
        return build(linear, MAX_INSTRUCTIONS, cpu.codeMode);
    }

    /** Builds the block of the one instruction at an address, entered into its page beside the usual one; may fault. */
    Block buildSingle(long linear) {
        return build(linear, 1, cpu.codeMode | SINGLE);
    }

    /** Builds a block of the one instruction at the instruction pointer, not entered anywhere; may fault as a fetch does. */
    Block buildStep() {
        return build(cpu.codeAddress(), 1, 0);
    }

    /** {@return a byte of the code last built} */
    int code(int index) {
        return bytes[index] & 0xFF;
    }

    private Block build(long linear, int limit, int key) {
        cpu.code.makeRoom();
        CodePage page = cpu.code.page(linear);
        if (page == null) {
            // Code outside of RAM: nothing this platform has there could be run.
            throw cpu.generalProtection();
        }
        int start = (int) linear & Mmu.PAGE_SIZE - 1;
        int available = Math.min(Mmu.PAGE_SIZE - start, WINDOW);
        copy(page.number, start, 0, available);
        int mode = cpu.mode;
        boolean keep = key != 0;
        ops.clear();
        int position = 0;
        int count = 0;
        CodePage second = null;
        while (count < limit) {
            int result = decoder.decode(bytes, position, available, mode, instruction);
            if (result == Decoder.NEED_MORE) {
                if (count > 0) {
                    break;
                }
                // Only now may the second page's translation fault.
                second = cpu.code.page(cpu.wrap((linear | Mmu.PAGE_SIZE - 1) + 1));
                if (second == null) {
                    throw cpu.generalProtection();
                }
                copy(second.number, 0, available, Instruction.MAX_LENGTH);
                result = decoder.decode(bytes, 0, available + Instruction.MAX_LENGTH, mode, instruction);
                limit = 1;
            }
            Op op = result == Decoder.OK ? Ops.create(instruction) : null;
            if (op == null) {
                op = new RaiseOp(result == Decoder.TOO_LONG, Math.max(1, instruction.length));
            }
            if (limit == 1 || !(op instanceof MoveOps.Nothing)) {
                add(op, position, count);
            }
            count++;
            position += op.length;
            if (op.endsBlock()) {
                break;
            }
        }
        if (ops.isEmpty() || !(ops.getLast() instanceof BranchOp)) {
            FallThroughOp last = new FallThroughOp();
            last.place(position, count);
            ops.add(last);
        }
        Block block = new Block(
                ops.toArray(new Op[0]), count, start, position, key, page, second == null ? -1 : second.number);
        if (keep) {
            cpu.code.add(block, linear);
            if (second != null) {
                second.addTail(block, position - available);
            }
        }
        return block;
    }

    private void add(Op op, int position, int count) {
        Op before = ops.isEmpty() ? null : ops.getLast();
        boolean adjacent = before != null && before.offset + before.length == position;
        Op pair = adjacent && op instanceof ControlOps.Jcc jump ? FusedOps.fuse(before, jump) : null;
        if (pair == null) {
            op.place(position, count);
            ops.add(op);
        } else {
            pair.place(before.offset, before.ordinal);
            ops.set(ops.size() - 1, pair);
        }
    }

    private void copy(int page, int from, int to, int length) {
        MemorySegment.copy(cpu.ram, ValueLayout.JAVA_BYTE, ((long) page << Mmu.PAGE_SHIFT) + from, bytes, to, length);
    }

    /** Raises #UD, or #GP(0) for an instruction longer than 15 bytes. */
    private static final class RaiseOp extends BranchOp {
        private final boolean tooLong;

        RaiseOp(boolean tooLong, int length) {
            super(length);
            this.tooLong = tooLong;
        }

        @Override
        void execute(Cpu cpu) {
            throw tooLong ? cpu.generalProtection() : cpu.undefined();
        }
    }

    /** Goes on behind a block that ended for another reason than a branch. */
    private static final class FallThroughOp extends BranchOp {
        FallThroughOp() {
            super(0);
        }

        @Override
        int instructions() {
            return 0;
        }

        @Override
        void execute(Cpu cpu) {
            go(cpu, cpu.r[Cpu.RIP] + offset & (cpu.mode == 64 ? -1L : 0xFFFF_FFFFL), false);
        }
    }
}
