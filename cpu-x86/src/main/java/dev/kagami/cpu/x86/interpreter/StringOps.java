package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * MOVS, CMPS, STOS, LODS, SCAS, INS and OUTS, alone and repeated (SDM 2A and 2B).
 *
 * <p>Upward REP MOVS and REP STOS work on all that lies within one page at once, where the TLB says that it is plain
 * RAM; everything else goes element by element. With a count of 0 and 32-bit addresses in 64-bit mode, all forms clear
 * the upper half of rcx, MOVS that of rsi and rdi too and STOS that of rdi, as Intel processors do.
 */
final class StringOps {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Runs of fewer bytes are filled by a loop, which is faster than a call. */
    private static final int SHORT_FILL = 64;

    /** How many bytes of a run that is copied at once count as the work of one element. */
    private static final int BYTES_OF_WORK = 16;

    private static final long NO_TRANSLATION = -1;

    private StringOps() {}

    static @Nullable Op create(Instruction in) {
        if (in.map != Instruction.MAP_PRIMARY) {
            return null;
        }
        int size = (in.opcode & 1) == 0 ? 1 : in.operandSize;
        return switch (in.opcode) {
            case 0x6C, 0x6D -> new Input(in, Math.min(size, 4));
            case 0x6E, 0x6F -> new Output(in, Math.min(size, 4));
            case 0xA4, 0xA5 -> new Move(in, size);
            case 0xA6, 0xA7 -> new Compare(in, size);
            case 0xAA, 0xAB -> new Store(in, size);
            case 0xAC, 0xAD -> new Load(in, size);
            case 0xAE, 0xAF -> new Scan(in, size);
            default -> null;
        };
    }

    /** {@return the offset in RAM of an address whose page the TLB lets through, or {@link #NO_TRANSLATION}} */
    private static long translated(Cpu cpu, long address, int access) {
        long[] t = cpu.tlb;
        int i = Mmu.slot(address);
        return t[i + access] == (address & -Mmu.PAGE_SIZE) ? address + t[i + 2] : NO_TRANSLATION;
    }

    private static long bytesToPageEnd(long address) {
        return Mmu.PAGE_SIZE - (address & Mmu.PAGE_SIZE - 1);
    }

    /** {@return the bytes of a number of elements, or a page when they are more} */
    private static long bytesOf(long elements, int size) {
        return Long.compareUnsigned(elements, Mmu.PAGE_SIZE) >= 0 ? Mmu.PAGE_SIZE : elements * size;
    }

    // ---------------------------------------------------------------- MOVS

    private static final class Move extends StringOp {
        Move(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void execute(Cpu cpu) {
            if (!repeats) {
                element(cpu);
                return;
            }
            long left = count(cpu);
            if (left == 0) {
                rewrite(cpu, Cpu.RCX);
                rewrite(cpu, Cpu.RSI);
                rewrite(cpu, Cpu.RDI);
                return;
            }
            int work = CHECK_INTERVAL;
            while (true) {
                long bytes = forward(cpu) ? run(cpu, left) : 0;
                if (bytes == 0) {
                    element(cpu);
                    bytes = size;
                }
                left -= bytes / size;
                setCount(cpu, left);
                if (left == 0) {
                    return;
                }
                work = pause(cpu, work - 1 - (int) bytes / BYTES_OF_WORK);
            }
        }

        private void element(Cpu cpu) {
            long source = source(cpu);
            long destination = destination(cpu, true);
            cpu.write(destination, size, cpu.read(source, size));
            advance(cpu, Cpu.RSI, size);
            advance(cpu, Cpu.RDI, size);
        }

        /** Copies what lies within one page on both sides; {@return the bytes copied, or 0 when that's not possible} */
        private long run(Cpu cpu, long elements) {
            if ((cpu.systemFlags & Cpu.TF) != 0) {
                return 0;
            }
            long source = source(cpu);
            long destination = destination(cpu, true);
            long bytes =
                    Math.min(bytesOf(elements, size), Math.min(bytesToPageEnd(source), bytesToPageEnd(destination)));
            if (addressMask != -1L) {
                bytes = Math.min(bytes, Math.min(sourceRoom(cpu), destinationRoom(cpu)));
            }
            bytes &= -size;
            long from = translated(cpu, source, Mmu.READ);
            long to = translated(cpu, destination, Mmu.WRITE);
            if (bytes == 0 || from == NO_TRANSLATION || to == NO_TRANSLATION) {
                return 0;
            }
            long distance = to - from;
            if (distance <= 0 || distance >= bytes) {
                MemorySegment.copy(cpu.ram, from, cpu.ram, to, bytes);
            } else if (distance >= size) {
                repeatPattern(cpu.ram, from, distance, bytes);
            } else {
                // Elements overlap themselves.
                return 0;
            }
            advance(cpu, Cpu.RSI, bytes);
            advance(cpu, Cpu.RDI, bytes);
            return bytes;
        }

        /**
         * Copies upwards over itself: the first {@code distance} bytes come again and again, so ever longer runs can be
         * copied.
         */
        private static void repeatPattern(MemorySegment ram, long from, long distance, long bytes) {
            long done = 0;
            while (done < bytes) {
                long length = Math.min(distance + done, bytes - done);
                MemorySegment.copy(ram, from, ram, from + distance + done, length);
                done += length;
            }
        }
    }

    // ---------------------------------------------------------------- STOS

    private static final class Store extends StringOp {
        Store(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void execute(Cpu cpu) {
            if (!repeats) {
                element(cpu);
                return;
            }
            long left = count(cpu);
            if (left == 0) {
                rewrite(cpu, Cpu.RCX);
                rewrite(cpu, Cpu.RDI);
                return;
            }
            int work = CHECK_INTERVAL;
            while (true) {
                long bytes = forward(cpu) ? run(cpu, left) : 0;
                if (bytes == 0) {
                    element(cpu);
                    bytes = size;
                }
                left -= bytes / size;
                setCount(cpu, left);
                if (left == 0) {
                    return;
                }
                work = pause(cpu, work - 1 - (int) bytes / BYTES_OF_WORK);
            }
        }

        private void element(Cpu cpu) {
            cpu.write(destination(cpu, true), size, cpu.r[Cpu.RAX]);
            advance(cpu, Cpu.RDI, size);
        }

        /** Fills what lies within one page; {@return the bytes filled, or 0 when that's not possible} */
        private long run(Cpu cpu, long elements) {
            if ((cpu.systemFlags & Cpu.TF) != 0) {
                return 0;
            }
            long destination = destination(cpu, true);
            long bytes = Math.min(bytesOf(elements, size), bytesToPageEnd(destination));
            if (addressMask != -1L) {
                bytes = Math.min(bytes, destinationRoom(cpu));
            }
            bytes &= -size;
            long to = translated(cpu, destination, Mmu.WRITE);
            if (bytes == 0 || to == NO_TRANSLATION) {
                return 0;
            }
            fill(cpu.ram, to, bytes, cpu.r[Cpu.RAX]);
            advance(cpu, Cpu.RDI, bytes);
            return bytes;
        }

        private void fill(MemorySegment ram, long to, long bytes, long value) {
            if (bytes > SHORT_FILL && isOneByte(value)) {
                ram.asSlice(to, bytes).fill((byte) value);
                return;
            }
            long end = to + bytes;
            switch (size) {
                case 1 -> {
                    for (long i = to; i < end; i++) {
                        ram.set(ValueLayout.JAVA_BYTE, i, (byte) value);
                    }
                }
                case 2 -> {
                    for (long i = to; i < end; i += 2) {
                        ram.set(SHORT, i, (short) value);
                    }
                }
                case 4 -> {
                    for (long i = to; i < end; i += 4) {
                        ram.set(INT, i, (int) value);
                    }
                }
                default -> {
                    for (long i = to; i < end; i += 8) {
                        ram.set(LONG, i, value);
                    }
                }
            }
        }

        /** {@return whether all bytes of an element are the same} */
        private boolean isOneByte(long value) {
            return ((value ^ (value & 0xFF) * 0x0101_0101_0101_0101L) & Operands.mask(size)) == 0;
        }
    }

    // ---------------------------------------------------------------- LODS

    private static final class Load extends StringOp {
        Load(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void execute(Cpu cpu) {
            if (!repeats) {
                element(cpu);
                return;
            }
            long left = count(cpu);
            setCount(cpu, left);
            int work = CHECK_INTERVAL;
            while (left != 0) {
                element(cpu);
                left--;
                setCount(cpu, left);
                if (left != 0) {
                    work = pause(cpu, work - 1);
                }
            }
        }

        private void element(Cpu cpu) {
            Operands.setRegister(cpu, Cpu.RAX, size, false, cpu.read(source(cpu), size));
            advance(cpu, Cpu.RSI, size);
        }
    }

    // ---------------------------------------------------------------- CMPS and SCAS

    /**
     * A comparison. The flags are set at the end only: a fault in the middle must find them unchanged (SDM 2A, CMPS).
     */
    private abstract static class Comparison extends StringOp {
        private final boolean whileEqual;
        long first;
        long second;

        Comparison(Instruction in, int size) {
            super(in, size);
            whileEqual = in.rep;
        }

        @Override
        void execute(Cpu cpu) {
            if (!repeats) {
                element(cpu);
                Operands.compare(cpu, size, first, second);
                return;
            }
            long left = count(cpu);
            setCount(cpu, left);
            if (left == 0) {
                return;
            }
            int work = CHECK_INTERVAL;
            while (true) {
                element(cpu);
                left--;
                setCount(cpu, left);
                if (left == 0 || first == second != whileEqual) {
                    break;
                }
                work = pause(cpu, work - 1);
            }
            Operands.compare(cpu, size, first, second);
        }

        /**
         * Reads the next pair into {@link #first} and {@link #second}, zero-extended, and moves the index registers.
         */
        abstract void element(Cpu cpu);
    }

    private static final class Compare extends Comparison {
        Compare(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void element(Cpu cpu) {
            first = cpu.read(source(cpu), size);
            second = cpu.read(destination(cpu, false), size);
            advance(cpu, Cpu.RSI, size);
            advance(cpu, Cpu.RDI, size);
        }
    }

    private static final class Scan extends Comparison {
        Scan(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void element(Cpu cpu) {
            first = Operands.register(cpu, Cpu.RAX, size, false);
            second = cpu.read(destination(cpu, false), size);
            advance(cpu, Cpu.RDI, size);
        }
    }

    // ---------------------------------------------------------------- INS and OUTS

    private abstract static class Port extends StringOp {
        Port(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void execute(Cpu cpu) {
            int port = (int) cpu.r[Cpu.RDX] & 0xFFFF;
            if (!repeats) {
                IoPermission.check(cpu, port, size);
                element(cpu, port);
                return;
            }
            long left = count(cpu);
            if (left != 0) {
                IoPermission.check(cpu, port, size);
            }
            setCount(cpu, left);
            int work = CHECK_INTERVAL;
            while (left != 0) {
                element(cpu, port);
                left--;
                setCount(cpu, left);
                if (left != 0) {
                    work = pause(cpu, work - 1);
                }
            }
        }

        abstract void element(Cpu cpu, int port);
    }

    private static final class Input extends Port {
        Input(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void element(Cpu cpu, int port) {
            long destination = destination(cpu, true);
            // Reading a port may change a device, so nothing may fault after it.
            cpu.mmu.probe(destination, size, true);
            cpu.portReads++;
            cpu.write(destination, size, cpu.bus.readPort(port, size));
            advance(cpu, Cpu.RDI, size);
        }
    }

    private static final class Output extends Port {
        Output(Instruction in, int size) {
            super(in, size);
        }

        @Override
        void element(Cpu cpu, int port) {
            int value = (int) cpu.read(source(cpu), size);
            cpu.portWrites++;
            cpu.bus.writePort(port, size, value);
            advance(cpu, Cpu.RSI, size);
        }
    }
}
