package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.foreign.ValueLayout;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Interprets one instruction after the other up to a given number of instructions and interruptions, and keeps track of
 * whether arithmetic flags are defined.
 */
final class FollowingVcpu extends TranslatingVcpu {
    /** What an instruction does to the arithmetic flags, as far as it matters here. */
    private enum Effect {
        DEFINES_ALL,
        LEAVES_UNDEFINED,
        OTHER
    }

    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final byte[] bytes = new byte[Instruction.MAX_LENGTH];
    private final Map<Block, Effect> effects = new IdentityHashMap<>();
    private long instructions;
    private long interruptions;

    /** Some arithmetic flag is what an instruction happened to leave, and may differ between engines. */
    boolean flagsUndefined;

    FollowingVcpu(Cpu cpu) {
        super(cpu);
    }

    /** Sets where to stop. */
    void until(long instructions, long interruptions) {
        this.instructions = instructions;
        this.interruptions = interruptions;
    }

    @Override
    protected boolean runTranslated() {
        long happened = SteppingVcpu.interruptions(cpu);
        boolean reached = cpu.retired >= instructions && happened >= interruptions
                || cpu.retired > instructions
                || happened > interruptions;
        if (reached) {
            kick();
            return true;
        }
        Effect effect = effect();
        long before = cpu.retired;
        interpretInstruction();
        if (cpu.retired != before && effect != Effect.OTHER) {
            flagsUndefined = effect == Effect.LEAVES_UNDEFINED;
        }
        return true;
    }

    /** {@return what the next instruction does; OTHER when it faults or has not been decoded yet} */
    private Effect effect() {
        Block block;
        try {
            block = cpu.code.find(cpu.codeAddress(), cpu.codeMode | BlockBuilder.SINGLE);
            if (block == null) {
                block = builder.buildSingle(cpu.codeAddress());
            }
        } catch (Fault fault) {
            return Effect.OTHER;
        }
        Effect effect = effects.get(block);
        if (effect == null) {
            effect = effect(block);
            effects.put(block, effect);
        }
        return effect;
    }

    private Effect effect(Block block) {
        if (block.secondPage >= 0) {
            // Rare enough: whatever its flags are, they aren't compared.
            return Effect.LEAVES_UNDEFINED;
        }
        long at = ((long) block.page.number << Mmu.PAGE_SHIFT) + block.start;
        for (int i = 0; i < block.bytes; i++) {
            bytes[i] = cpu.ram.get(ValueLayout.JAVA_BYTE, at + i);
        }
        if (decoder.decode(bytes, 0, block.bytes, 64, instruction) != Decoder.OK) {
            return Effect.OTHER;
        }
        if (FuzzMachine.leavesFlagsUndefined(instruction)) {
            return Effect.LEAVES_UNDEFINED;
        }
        return definesFlags() ? Effect.DEFINES_ALL : Effect.OTHER;
    }

    private boolean definesFlags() {
        if (instruction.encoding != Instruction.ENCODING_LEGACY) {
            return false;
        }
        int opcode = instruction.opcode;
        return switch (instruction.map) {
            case Instruction.MAP_PRIMARY ->
                opcode < 0x40 && (opcode & 7) < 6
                        || opcode == 0x80
                        || opcode == 0x81
                        || opcode == 0x83
                        || opcode == 0x84
                        || opcode == 0x85
                        || opcode == 0xA8
                        || opcode == 0xA9
                        || opcode == 0x9D
                        || opcode == 0xCF
                        || (opcode == 0xF6 || opcode == 0xF7) && (instruction.group() < 2 || instruction.group() == 3);
            case Instruction.MAP_0F ->
                opcode == 0x07 || opcode == 0xB0 || opcode == 0xB1 || opcode == 0xC0 || opcode == 0xC1;
            default -> false;
        };
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
