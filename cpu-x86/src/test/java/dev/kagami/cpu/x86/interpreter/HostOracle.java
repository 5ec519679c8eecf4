package dev.kagami.cpu.x86.interpreter;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * Runs a few instructions on the processor under this JVM, for comparison. Linux on x86-64 only.
 *
 * <p>The snippet runs at the same linear addresses as in {@link SnippetMachine}. It must be one that cannot raise a
 * signal: no privileged or undefined instruction, no unmasked floating-point exception, memory operands inside of the
 * data window, and control must come out behind its last byte. {@link SequenceGenerator} only makes such snippets.
 *
 * <p>While an oracle is open, its thread takes no asynchronous signals: the stack pointer of a snippet is in the data
 * window, no place for a signal handler. It belongs to the thread that opened it.
 */
final class HostOracle implements AutoCloseable {
    private static final long STATE = 0x3000_0000L;
    private static final int PAGE = 0x1000;
    /** Bytes mapped below the data window. */
    private static final long BELOW_DATA = 0x10_0000;

    // Offsets in the code mapping behind the snippet.
    private static final int ENTRY = 0x1000;
    private static final int EXIT = 0x1800;
    private static final int CODE_SIZE = 0x2000;

    // The state page: 16 general registers, then these.
    private static final int FLAGS = 16 * 8;
    private static final int HOST_STACK = FLAGS + 8;
    private static final int GUEST_FX = 0x200;
    private static final int HOST_FX = 0x400;
    /** Upper halves of the YMM registers. */
    private static final int GUEST_YMM = 0x600;
    /** The ZMM registers, and the opmask registers behind them. */
    private static final int GUEST_WIDE = 0x700;

    private static final int WIDE_REGISTER = 64;

    // FXSAVE area (SDM 1 10.5.1).
    private static final int FX_CONTROL = 0;
    private static final int FX_STATUS = 2;
    private static final int FX_TAG = 4;
    private static final int FX_MXCSR = 24;
    private static final int FX_ST = 32;
    private static final int FX_XMM = 160;
    private static final int FX_REGISTER = 16;

    // mmap(2) and pthread_sigmask(3).
    private static final int PROT_READ_WRITE = 3;
    private static final int PROT_EXECUTE = 4;
    private static final int MAP_PRIVATE_ANONYMOUS_FIXED_NOREPLACE = 0x02 | 0x20 | 0x10_0000;
    private static final int SIG_SETMASK = 2;
    private static final int[] SYNCHRONOUS_SIGNALS = {4, 5, 7, 8, 11}; // ILL, TRAP, BUS, FPE, SEGV

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private static final boolean AVX = features().contains("avx");

    /** The host has all the AVX-512 that tests can be of. */
    static final boolean AVX512 = features().containsAll(EvexSequences.FEATURES);

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment code;
    private final MemorySegment data;
    private final MemorySegment state;
    private final MethodHandle entry;
    private final MethodHandle unmap;
    private final MethodHandle signalMask;
    private final MemorySegment previousMask = arena.allocate(128);

    /** {@return why this host can't serve as an oracle, or an empty string when it can} */
    static String unavailable() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return "the host runs " + System.getProperty("os.name") + ", not Linux";
        }
        if (!System.getProperty("os.arch").equals("amd64")) {
            return "the host's processor is " + System.getProperty("os.arch") + ", not amd64";
        }
        try (HostOracle oracle = new HostOracle()) {
            return oracle.code.byteSize() == CODE_SIZE ? "" : "no code mapping";
        } catch (IllegalStateException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** {@return the names of the host processor's features as the kernel has them} */
    static Set<String> features() {
        try {
            return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                    .filter(line -> line.startsWith("flags"))
                    .findFirst()
                    .map(line ->
                            Set.of(line.substring(line.indexOf(':') + 1).trim().split(" ")))
                    .orElse(Set.of());
        } catch (IOException e) {
            return Set.of();
        }
    }

    @SuppressWarnings("restricted")
    HostOracle() {
        Linker linker = Linker.nativeLinker();
        MethodHandle map = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("mmap"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_LONG));
        unmap = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("munmap"),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        signalMask = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("pthread_sigmask"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        code = map(map, MachineState.CODE, CODE_SIZE, PROT_READ_WRITE | PROT_EXECUTE);
        data = map(map, MachineState.DATA - BELOW_DATA, BELOW_DATA + 2 * PAGE, PROT_READ_WRITE)
                .asSlice(BELOW_DATA, MachineState.DATA_SIZE);
        state = map(map, STATE, PAGE, PROT_READ_WRITE);
        entry = linker.downcallHandle(MemorySegment.ofAddress(MachineState.CODE + ENTRY), FunctionDescriptor.ofVoid());
        writeEntry();
        writeExit();
        MemorySegment mask = arena.allocate(128);
        mask.fill((byte) -1);
        for (int signal : SYNCHRONOUS_SIGNALS) {
            int index = (signal - 1) / 8;
            mask.set(BYTE, index, (byte) (mask.get(BYTE, index) & ~(1 << (signal - 1) % 8)));
        }
        call(() -> (int) signalMask.invokeExact(SIG_SETMASK, mask, previousMask));
    }

    @FunctionalInterface
    private interface Call {
        long run() throws Throwable;
    }

    private static long call(Call call) {
        try {
            return call.run();
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @SuppressWarnings("restricted")
    private static MemorySegment map(MethodHandle map, long address, long size, int protection) {
        long result = call(
                () -> (long) map.invokeExact(address, size, protection, MAP_PRIVATE_ANONYMOUS_FIXED_NOREPLACE, -1, 0L));
        if (result != address) {
            throw new IllegalStateException(
                    "cannot map memory with protection %d at 0x%x".formatted(protection, address));
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /** Writes machine code one instruction after the other. */
    private static final class Emitter {
        private final MemorySegment target;
        private int position;

        Emitter(MemorySegment target, int position) {
            this.target = target;
            this.position = position;
        }

        Emitter bytes(int... bytes) {
            for (int b : bytes) {
                target.set(BYTE, position++, (byte) b);
            }
            return this;
        }

        /** The operand [disp32] with a field for ModRM.reg. */
        Emitter stateOperand(int reg, int offset) {
            bytes((reg & 7) << 3 | 4, 0x25);
            return word((int) STATE + offset);
        }

        Emitter word(int value) {
            target.set(INT, position, value);
            position += 4;
            return this;
        }

        Emitter jump(int to) {
            bytes(0xE9);
            return word(to - (position + 4));
        }
    }

    /** Writes VINSERTF128 or VEXTRACTF128 of every upper half. */
    private static void moveUpperHalves(Emitter out, boolean load) {
        for (int i = 0; AVX && i < 16; i++) {
            out.bytes(0xC4, i < 8 ? 0xE3 : 0x63, load ? (~i & 15) << 3 | 5 : 0x7D, load ? 0x18 : 0x19)
                    .stateOperand(i, GUEST_YMM + FX_REGISTER * i)
                    .bytes(1);
        }
    }

    /** Writes VMOVDQU64 of every ZMM register and KMOVQ of every opmask register. */
    private static void moveWide(Emitter out, boolean load) {
        for (int i = 0; AVX512 && i < 32; i++) {
            int reg = (i & 8) << 4 ^ 0x80 | i & 16 ^ 0x10;
            out.bytes(0x62, reg | 0x61, 0xFE, 0x48, load ? 0x6F : 0x7F).stateOperand(i, GUEST_WIDE + WIDE_REGISTER * i);
        }
        for (int i = 0; AVX512 && i < 8; i++) {
            out.bytes(0xC4, 0xE1, 0xF8, load ? 0x90 : 0x91).stateOperand(i, GUEST_WIDE + WIDE_REGISTER * 32 + 8 * i);
        }
    }

    private void writeEntry() {
        Emitter out = new Emitter(code, ENTRY);
        out.bytes(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); // push rbx, rbp, r12 to r15
        out.bytes(0x48, 0x89).stateOperand(Cpu.RSP, HOST_STACK);
        out.bytes(0x48, 0x0F, 0xAE).stateOperand(0, HOST_FX); // fxsave64
        out.bytes(0x48, 0x0F, 0xAE).stateOperand(1, GUEST_FX); // fxrstor64
        moveUpperHalves(out, true);
        moveWide(out, true);
        out.bytes(0xFF).stateOperand(6, FLAGS).bytes(0x9D); // push, popfq
        for (int i = 0; i < 16; i++) {
            out.bytes(0x48 | i >> 3 << 2, 0x8B).stateOperand(i, 8 * i);
        }
        out.jump(0);
    }

    private void writeExit() {
        Emitter out = new Emitter(code, EXIT);
        for (int i = 0; i < 16; i++) {
            out.bytes(0x48 | i >> 3 << 2, 0x89).stateOperand(i, 8 * i);
        }
        out.bytes(0x48, 0x8B).stateOperand(Cpu.RSP, HOST_STACK);
        out.bytes(0x9C, 0x8F).stateOperand(0, FLAGS); // pushfq, pop
        out.bytes(0xFC); // cld
        out.bytes(0x48, 0x0F, 0xAE).stateOperand(0, GUEST_FX);
        moveUpperHalves(out, false);
        moveWide(out, false);
        if (AVX) {
            out.bytes(0xC5, 0xF8, 0x77); // vzeroupper
        }
        out.bytes(0x48, 0x0F, 0xAE).stateOperand(1, HOST_FX);
        out.bytes(0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3); // pops, ret
    }

    /**
     * Runs a snippet.
     *
     * @param machine the state to begin with; replaced by the state it ends with
     * @param snippet the instructions, at most 4000 bytes
     */
    void run(MachineState machine, byte[] snippet) {
        if ((machine.mxcsr & 0x1F80) != 0x1F80) {
            throw new IllegalArgumentException("exceptions must be masked");
        }
        runSuppressing(machine, snippet);
    }

    /**
     * Does the same with a snippet that raises no floating-point exceptions of vector instructions, whatever MXCSR masks.
     *
     * @param machine the state to begin with; replaced by the state it ends with
     * @param snippet the instructions, at most 4000 bytes
     */
    void runSuppressing(MachineState machine, byte[] snippet) {
        if (machine.exception >= 0 || (machine.control & 0x3F) != 0x3F) {
            throw new IllegalArgumentException("exceptions must be masked");
        }
        MemorySegment.copy(snippet, 0, code, BYTE, 0, snippet.length);
        new Emitter(code, snippet.length).jump(EXIT);
        load(machine);
        call(() -> {
            entry.invokeExact();
            return 0;
        });
        store(machine);
    }

    private void load(MachineState machine) {
        for (int i = 0; i < 16; i++) {
            state.set(LONG, 8 * i, machine.gpr[i]);
            state.set(LONG, GUEST_FX + FX_XMM + FX_REGISTER * i, machine.xmmLow[i]);
            state.set(LONG, GUEST_FX + FX_XMM + FX_REGISTER * i + 8, machine.xmmHigh[i]);
            state.set(LONG, GUEST_YMM + FX_REGISTER * i, machine.ymmLow[i]);
            state.set(LONG, GUEST_YMM + FX_REGISTER * i + 8, machine.ymmHigh[i]);
        }
        for (int i = 0; i < machine.wide.length; i++) {
            state.set(LONG, GUEST_WIDE + 8 * i, machine.wide[i]);
        }
        for (int i = 0; i < 16; i++) {
            state.set(LONG, GUEST_WIDE + WIDE_REGISTER * i, machine.xmmLow[i]);
            state.set(LONG, GUEST_WIDE + WIDE_REGISTER * i + 8, machine.xmmHigh[i]);
            state.set(LONG, GUEST_WIDE + WIDE_REGISTER * i + 16, machine.ymmLow[i]);
            state.set(LONG, GUEST_WIDE + WIDE_REGISTER * i + 24, machine.ymmHigh[i]);
        }
        state.set(LONG, FLAGS, machine.flags & MachineState.FLAGS | Cpu.IF | 2);
        state.set(SHORT, GUEST_FX + FX_CONTROL, (short) machine.control);
        state.set(SHORT, GUEST_FX + FX_STATUS, (short) machine.status);
        state.set(SHORT, GUEST_FX + FX_TAG, (short) machine.tag);
        state.set(INT, GUEST_FX + FX_MXCSR, machine.mxcsr & 0xFFFF);
        for (int i = 0; i < 8; i++) {
            state.set(LONG, GUEST_FX + FX_ST + FX_REGISTER * i, machine.significand[i]);
            state.set(LONG, GUEST_FX + FX_ST + FX_REGISTER * i + 8, machine.signExponent[i]);
        }
        MemorySegment.copy(machine.data, 0, data, BYTE, 0, MachineState.DATA_SIZE);
    }

    private void store(MachineState machine) {
        for (int i = 0; i < 16; i++) {
            machine.gpr[i] = state.get(LONG, 8 * i);
            machine.xmmLow[i] = state.get(LONG, GUEST_FX + FX_XMM + FX_REGISTER * i);
            machine.xmmHigh[i] = state.get(LONG, GUEST_FX + FX_XMM + FX_REGISTER * i + 8);
            machine.ymmLow[i] = state.get(LONG, GUEST_YMM + FX_REGISTER * i);
            machine.ymmHigh[i] = state.get(LONG, GUEST_YMM + FX_REGISTER * i + 8);
        }
        for (int i = 0; i < machine.wide.length; i++) {
            machine.wide[i] = i < 16 * 8 && i % 8 < 4 ? 0 : state.get(LONG, GUEST_WIDE + 8 * i);
        }
        machine.flags = (int) state.get(LONG, FLAGS) & MachineState.FLAGS;
        machine.control = state.get(SHORT, GUEST_FX + FX_CONTROL) & 0xFFFF;
        machine.status = state.get(SHORT, GUEST_FX + FX_STATUS) & 0xFFFF;
        machine.tag = state.get(BYTE, GUEST_FX + FX_TAG) & 0xFF;
        machine.mxcsr = state.get(INT, GUEST_FX + FX_MXCSR);
        for (int i = 0; i < 8; i++) {
            machine.significand[i] = state.get(LONG, GUEST_FX + FX_ST + FX_REGISTER * i);
            machine.signExponent[i] = state.get(SHORT, GUEST_FX + FX_ST + FX_REGISTER * i + 8) & 0xFFFF;
        }
        MemorySegment.copy(data, BYTE, 0, machine.data, 0, MachineState.DATA_SIZE);
    }

    @Override
    public void close() {
        call(() -> (int) signalMask.invokeExact(SIG_SETMASK, previousMask, MemorySegment.NULL));
        call(() -> (int) unmap.invokeExact(MachineState.CODE, (long) CODE_SIZE));
        call(() -> (int) unmap.invokeExact(MachineState.DATA - BELOW_DATA, BELOW_DATA + 2 * PAGE));
        call(() -> (int) unmap.invokeExact(STATE, (long) PAGE));
        arena.close();
    }
}
