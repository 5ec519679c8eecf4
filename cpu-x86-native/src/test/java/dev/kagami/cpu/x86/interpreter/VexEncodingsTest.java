package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import org.junit.jupiter.api.Test;

/** An encoding that doesn't exist must never reach the host: it would end the JVM. */
class VexEncodingsTest {
    private static final int W = 0x80;
    private static final int L = 4;

    private final Decoder decoder = new Decoder();
    private final Instruction in = new Instruction();

    @Test
    void everyVexEncodingThatRunsOnTheHostExists() {
        int taken = 0;
        for (int map = 0; map < 32; map++) {
            for (int opcode = 0; opcode < 256; opcode++) {
                for (int fields = 0; fields < 256; fields++) {
                    taken += check(map, opcode, fields);
                }
            }
        }
        assertThat(taken).isGreaterThan(10_000);
    }

    /** Tries all ModRM fields that make a difference; {@return how many encodings are taken} */
    private int check(int map, int opcode, int fields) {
        int vvvv = fields >> 3 & 15;
        if (vvvv != 15 && vvvv != 12) {
            return 0;
        }
        int taken = 0;
        for (int group = 0; group < 8; group++) {
            for (int mod : new int[] {0x80, 0xC0}) {
                byte[] bytes = new byte[16];
                bytes[0] = (byte) 0xC4;
                bytes[1] = (byte) (0xE0 | map);
                bytes[2] = (byte) fields;
                bytes[3] = (byte) opcode;
                bytes[4] = (byte) (mod | group << 3 | 3);
                if (decoder.decode(bytes, 0, bytes.length, 64, in) != Decoder.OK || !NativeVcpus.runsOnHost(in)) {
                    continue;
                }
                taken++;
                String what = "VEX map %d opcode %02x%s%s pp %d vvvv %d ModRM %02x"
                        .formatted(
                                map,
                                opcode,
                                (fields & W) != 0 ? " W" : "",
                                (fields & L) != 0 ? " L" : "",
                                fields & 3,
                                in.vvvv,
                                bytes[4]);
                assertThat(Ops.create(in)).as(what).isNotNull();
            }
        }
        return taken;
    }
}
