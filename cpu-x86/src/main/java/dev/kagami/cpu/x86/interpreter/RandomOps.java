package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import org.jspecify.annotations.Nullable;

/** RDRAND and RDSEED (SDM 1 7.3.17): the host's secure random numbers, which never run out. */
final class RandomOps {
    private RandomOps() {}

    static @Nullable Op create(Instruction in) {
        boolean random = in.map == Instruction.MAP_0F
                && in.opcode == 0xC7
                && !in.isMemory()
                && in.group() >= 6
                && !in.rep
                && !in.repne;
        return random ? new ReadRandom(in) : null;
    }

    /** Random bytes fetched from the host in batches; one a CPU. */
    static final class Source {
        private static final int BATCH = 512;
        private final SecureRandom random = new SecureRandom();
        private final byte[] bytes = new byte[BATCH];
        private final ByteBuffer buffer = ByteBuffer.wrap(bytes).limit(0);

        long next() {
            if (buffer.remaining() < Long.BYTES) {
                random.nextBytes(bytes);
                buffer.clear();
            }
            return buffer.getLong();
        }
    }

    private static final class ReadRandom extends Op {
        private final int d;
        private final int size;

        ReadRandom(Instruction in) {
            super(in);
            d = in.rm;
            size = in.operandSize;
        }

        @Override
        void execute(Cpu cpu) {
            MoveOps.setSized(cpu, d, size, cpu.random().next());
            cpu.setArithmeticFlags(Cpu.CF);
        }
    }
}
