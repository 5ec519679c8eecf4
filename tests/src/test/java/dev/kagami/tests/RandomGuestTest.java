package dev.kagami.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.X86State;
import dev.kagami.memory.GuestMemory;
import java.time.Duration;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Machines full of random bytes, with every device in reach. Exceptions and interrupts lead to code that goes on at
 * another random place, so that most guests run until the time is up. Whatever they do is theirs: nothing hangs, and no
 * error is the engine's.
 */
@Timeout(240)
final class RandomGuestTest {
    private static final int GUESTS = 120;
    private static final Duration TIME = Duration.ofMillis(25);
    private static final long MEMORY = 4L << 20;

    // Below this everything is random; the tables and the handler are above.
    private static final int RANDOM_END = 0x9_0000;
    private static final int PAGE_TABLES = 0x9_0000;
    private static final int GDT = 0x9_6000;
    private static final int IDT = 0x9_7000;
    private static final int HANDLER = 0x9_8000;
    private static final int COUNTER = 0x9_9000;
    private static final int TASK_STATE = 0x9_A000;
    private static final int STACK = 0x8_0000;

    /** Where a 64-bit task-state segment has its first interrupt stack (SDM 3A figure 8-11). */
    private static final int INTERRUPT_STACK_1 = 0x24;

    private static final int TASK = 0x20;
    private static final int TASK_REGISTER = 7;
    private static final int ATTRIBUTES_TASK = 0x8B;

    private static final byte HLT = (byte) 0xF4;
    private static final byte STI = (byte) 0xFB;

    private static final int CODE = 0x08;
    private static final int DATA = 0x10;
    private static final int CODE64 = 0x18;

    /** Executable segments of 32 and 64 bits, and data: type, S, P, limit's top, D, L and G. */
    private static final int ATTRIBUTES_CODE32 = 0xC09B;

    private static final int ATTRIBUTES_CODE64 = 0xA09B;
    private static final int ATTRIBUTES_DATA = 0xC093;
    private static final int ATTRIBUTES_REAL = 0x0093;

    private static final long CR0_PE = 1;
    private static final long CR0_NE = 1 << 5;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1 << 5;
    private static final long CR4_OSFXSR = 3 << 9;
    private static final int EFER = 0xC000_0080;
    private static final long EFER_LONG = 0x501;

    /** Adds to a counter, goes on at what it says; the stack is put back. Encoded alike in 32-bit and 64-bit mode. */
    private static final byte[] HANDLER_CODE = bytes(
            0xBC, 0x00, 0x00, 0x08, 0x00, // MOV ESP, 0x80000
            0xBB, 0x00, 0x90, 0x09, 0x00, // MOV EBX, COUNTER
            0x81, 0x03, 0x57, 0x1D, 0x03, 0x00, // ADD DWORD [RBX], 0x31D57
            0x8B, 0x03, // MOV EAX, [RBX]
            0x25, 0xFF, 0xFF, 0x07, 0x00, // AND EAX, 0x7FFFF
            0xFF, 0xE0); // JMP RAX

    /** The same for real mode, at segment 0: the counter is at 0x500, where only the random bytes are. */
    private static final byte[] REAL_HANDLER_CODE = bytes(
            0x31, 0xDB, // XOR BX, BX
            0x8E, 0xDB, // MOV DS, BX
            0x8E, 0xD3, // MOV SS, BX
            0xBC, 0x00, 0x90, // MOV SP, 0x9000
            0x81, 0x06, 0x00, 0x05, 0x57, 0x1D, // ADD WORD [0x500], 0x1D57
            0xFF, 0x26, 0x00, 0x05); // JMP [0x500]

    enum Mode {
        REAL,
        PROTECTED,
        LONG
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    @ParameterizedTest
    @EnumSource
    void randomBytesAreJustAnotherGuest(Mode mode) {
        SplittableRandom seeds = Seeds.seeds();
        int[] timeUp = new int[1];
        for (int i = 0; i < GUESTS; i++) {
            Seeds.run(mode.toString(), seeds.nextLong(), random -> {
                try (BareMachine machine = new BareMachine(MEMORY)) {
                    fill(machine.memory(), mode, random);
                    machine.setState(state(machine.state(), mode, random));
                    BareMachine.End end = machine.run(TIME);
                    assertThat(end.exit()).as(end.detail()).isNotEqualTo(ExitReason.INTERNAL_ERROR);
                    timeUp[0] += end.exit() == ExitReason.INTERRUPTED && end.event() == null ? 1 : 0;
                }
            });
        }
        assertThat(timeUp[0]).as("guests that ran on").isGreaterThan(GUESTS / 4);
    }

    private static void fill(GuestMemory memory, Mode mode, SplittableRandom random) {
        byte[] noise = new byte[RANDOM_END];
        random.nextBytes(noise);
        for (int i = 0; i < noise.length; i++) {
            // A HLT is the end of most guests, being met with interrupts off.
            noise[i] = noise[i] == HLT && random.nextInt(16) != 0 ? STI : noise[i];
        }
        memory.write(0, noise);
        memory.write(0x10_0000, noise);
        memory.write(HANDLER, HANDLER_CODE);
        memory.writeInt(COUNTER, random.nextInt());
        descriptor(memory, CODE, ATTRIBUTES_CODE32);
        descriptor(memory, DATA, ATTRIBUTES_DATA);
        descriptor(memory, CODE64, ATTRIBUTES_CODE64);
        switch (mode) {
            case REAL -> {
                for (int vector = 0; vector < 256; vector++) {
                    memory.writeInt(vector * 4L, 0x600);
                }
                memory.write(0x600, REAL_HANDLER_CODE);
            }
            case PROTECTED -> {
                for (int vector = 0; vector < 256; vector++) {
                    memory.writeLong(IDT + vector * 8L, gate(CODE));
                }
            }
            case LONG -> {
                for (int vector = 0; vector < 256; vector++) {
                    // A stack pointer that is no address would be the end at the first exception.
                    memory.writeLong(IDT + vector * 16L, gate(CODE64) | 1L << 32);
                    memory.writeLong(IDT + vector * 16L + 8, 0);
                }
                memory.writeLong(TASK_STATE + INTERRUPT_STACK_1, STACK);
                memory.writeLong(PAGE_TABLES, PAGE_TABLES + 0x1007);
                memory.writeLong(PAGE_TABLES + 0x1000, PAGE_TABLES + 0x2007);
                // 2 MiB pages: RAM where it is, and where the devices are what is there.
                memory.writeLong(PAGE_TABLES + 0x2000, 0xE7);
                memory.writeLong(PAGE_TABLES + 0x2008, 0x20_00E7);
                for (int i = 2; i < 512; i++) {
                    memory.writeLong(PAGE_TABLES + 0x2000 + i * 8L, (0xC000_0000L + i * 0x20_0000L) | 0xE7);
                }
            }
        }
    }

    private static void descriptor(GuestMemory memory, int selector, int attributes) {
        memory.writeLong(
                GDT + selector, 0xFFFFL | (attributes & 0xFFL) << 40 | (attributes >> 12 & 0xFL) << 52 | 0xFL << 48);
    }

    private static long gate(int selector) {
        return HANDLER & 0xFFFF | (long) selector << 16 | 0x8EL << 40 | (HANDLER & 0xFFFF_0000L) << 32;
    }

    private static X86State state(X86State reset, Mode mode, SplittableRandom random) {
        long[] gpr = reset.gpr().clone();
        for (int i = 0; i < gpr.length; i++) {
            gpr[i] = random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(0x8_0000);
        }
        X86State.Segment[] segments = reset.segments().clone();
        int code = mode == Mode.LONG ? ATTRIBUTES_CODE64 : ATTRIBUTES_CODE32;
        X86State.Segment real = new X86State.Segment(0, 0, 0xFFFF, ATTRIBUTES_REAL);
        X86State.Segment data = new X86State.Segment(DATA, 0, -1, ATTRIBUTES_DATA);
        Arrays.fill(segments, 0, 6, mode == Mode.REAL ? real : data);
        if (mode != Mode.REAL) {
            segments[1] = new X86State.Segment(mode == Mode.LONG ? CODE64 : CODE, 0, -1, code);
            segments[TASK_REGISTER] = new X86State.Segment(TASK, TASK_STATE, 0x67, ATTRIBUTES_TASK);
        }
        TreeMap<Integer, Long> msrs = new TreeMap<>(reset.msrs());
        if (mode == Mode.LONG) {
            msrs.put(EFER, EFER_LONG);
        }
        long cr0 = switch (mode) {
            case REAL -> 0x10;
            case PROTECTED -> CR0_PE | CR0_NE | 0x10;
            case LONG -> CR0_PG | CR0_PE | CR0_NE | 0x10;
        };
        return new X86State(
                gpr,
                random.nextInt(0x1000, mode == Mode.REAL ? 0x9000 : 0x7_0000),
                2 | (random.nextBoolean() ? 0x200 : 0),
                segments,
                new X86State.Table(GDT, 0x1F),
                mode == Mode.REAL ? new X86State.Table(0, 0x3FF) : new X86State.Table(IDT, 0xFFF),
                cr0,
                0,
                PAGE_TABLES,
                mode == Mode.LONG ? CR4_PAE | CR4_OSFXSR : CR4_OSFXSR,
                0,
                reset.xcr0(),
                reset.dr(),
                reset.fpu(),
                reset.vectors(),
                reset.mxcsr(),
                msrs,
                reset.apic(),
                false,
                false,
                false,
                X86State.Pending.NOTHING);
    }
}
