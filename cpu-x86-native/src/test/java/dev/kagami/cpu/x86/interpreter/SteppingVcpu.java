package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.foreign.ValueLayout;

/**
 * Interprets one instruction after the other up to a given number of instructions and interruptions. Stops before an
 * instruction of which the outcome isn't defined well enough to compare.
 */
final class SteppingVcpu extends TranslatingVcpu {
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final byte[] bytes = new byte[2 * Instruction.MAX_LENGTH];
    private long instructions;
    private long interruptions;

    /** Where the next instruction would have had an outcome that isn't defined. */
    boolean undefined;

    SteppingVcpu(Cpu cpu) {
        super(cpu);
    }

    /** Sets where to stop. */
    void until(long instructions, long interruptions) {
        this.instructions = instructions;
        this.interruptions = interruptions;
        undefined = false;
    }

    static long interruptions(Cpu cpu) {
        return cpu.exceptions + cpu.interrupts;
    }

    @Override
    protected boolean runTranslated() {
        boolean reached = cpu.retired >= instructions && interruptions(cpu) >= interruptions
                || cpu.retired > instructions
                || interruptions(cpu) > interruptions;
        if (reached || undefinedAhead()) {
            kick();
            return true;
        }
        interpretInstruction();
        return true;
    }

    private boolean undefinedAhead() {
        int length = code(bytes);
        if (length == 0 || decoder.decode(bytes, 0, length, 64, instruction) != Decoder.OK) {
            return false;
        }
        long end = cpu.r[Cpu.RIP] + instruction.length;
        boolean setter = ((cpu.r[Cpu.RIP] ^ end + FuzzCode.FLAG_SETTER.length - 1) & -Mmu.PAGE_SIZE) == 0
                && setsFlags(bytes, instruction.length, length);
        undefined = FuzzMachine.unpredictable(instruction) || FuzzMachine.leavesFlagsUndefined(instruction) && !setter;
        return undefined;
    }

    /** Copies the code at the instruction pointer, on this page and the next; {@return the number of bytes} */
    private int code(byte[] target) {
        long address = cpu.r[Cpu.RIP];
        int i = 0;
        while (i < target.length) {
            long offset = FuzzMachine.translate(cpu, address + i);
            if (offset < 0) {
                break;
            }
            int room = Math.min(target.length - i, Mmu.PAGE_SIZE - (int) (offset & Mmu.PAGE_SIZE - 1));
            for (int end = i + room; i < end; i++) {
                target[i] = cpu.ram.get(ValueLayout.JAVA_BYTE, offset++);
            }
        }
        return i;
    }

    /** {@return whether the instruction that sets all flags comes at a position} */
    static boolean setsFlags(byte[] code, int at, int length) {
        int[] setter = FuzzCode.FLAG_SETTER;
        if (at + setter.length > length) {
            return false;
        }
        for (int i = 0; i < setter.length; i++) {
            if ((code[at + i] & 0xFF) != setter[i]) {
                return false;
            }
        }
        return true;
    }

    /** {@return whether the next instruction is the one that sets all flags} */
    boolean setsFlagsNext() {
        return setsFlags(bytes, 0, code(bytes));
    }

    @Override
    public void eventPending() {}

    @Override
    public void translationsFlushed(boolean keepGlobal) {}

    @Override
    public void translationFlushed(long page, int shift) {}

    @Override
    public long codeBytes() {
        return 0;
    }

    @Override
    public void giveCodeBack() {}

    @Override
    public void addressSpaceFlushed(int space) {}

    @Override
    public void supervisorFlushed() {}

    @Override
    public void addressSpaceSelected(int space) {}

    @Override
    public void writesTrapped(int pageNumber, int writers, long address) {}

    @Override
    public boolean mayWrite(int pageNumber, long address) {
        return false;
    }
}
