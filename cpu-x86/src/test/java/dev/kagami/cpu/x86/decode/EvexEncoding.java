package dev.kagami.cpu.x86.decode;

import java.util.ArrayList;
import java.util.List;

/**
 * One of the instructions that EVEX encodes.
 *
 * @param form what its operands are
 * @param map opcode map
 * @param pp mandatory prefix
 * @param w EVEX.W
 * @param opcode opcode
 * @param group ModRM.reg, when that extends the opcode; else 0
 */
public record EvexEncoding(EvexForm form, int map, int pp, boolean w, int opcode, int group) {
    /** {@return all of them} */
    public static List<EvexEncoding> all() {
        List<EvexEncoding> all = new ArrayList<>();
        Instruction in = new Instruction();
        for (int map = Instruction.MAP_0F; map <= Instruction.MAP_0F3A; map++) {
            for (int pp = 0; pp < 4; pp++) {
                for (int w = 0; w < 2; w++) {
                    for (int opcode = 0; opcode < 256; opcode++) {
                        for (int group = 0; group < 8; group++) {
                            in.clear(64);
                            in.map = map;
                            in.pp = pp;
                            in.w = w != 0;
                            in.opcode = opcode;
                            in.reg = group;
                            EvexForm form = EvexForm.find(in);
                            if (form != null && (group == 0 || form.reg == EvexForm.Operand.OPCODE)) {
                                all.add(new EvexEncoding(form, map, pp, w != 0, opcode, group));
                            }
                        }
                    }
                }
            }
        }
        return all;
    }

    /** {@return whether an immediate byte follows} */
    public boolean hasImmediate() {
        return map == Instruction.MAP_0F3A
                || map == Instruction.MAP_0F && (opcode >= 0x70 && opcode <= 0x73 || opcode >= 0xC2 && opcode <= 0xC6);
    }

    @Override
    public String toString() {
        return "%s (EVEX map %d prefix %d W%d %02X)".formatted(form, map, pp, w ? 1 : 0, opcode);
    }
}
