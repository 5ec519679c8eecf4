package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.nativecode.NativeVcpus;
import dev.kagami.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Accesses of translated code that miss the TLB end as in the interpreter, whatever the page tables hold, and need Java in the cases
 * only that the emitted walk leaves to it. Other seeds: {@code -Dkagami.seed=N}; more or fewer random cases: {@code
 * -Dkagami.cases=N}.
 */
class PageWalkTest {
    private static final int CASES = 2000;
    private static final long SIZE = 8L << 20;

    private static final long P = 1;
    private static final long RW = 1 << 1;
    private static final long US = 1 << 2;
    private static final long A = 1 << 5;
    private static final long D = 1 << 6;
    private static final long PS = 1 << 7;
    private static final long G = 1 << 8;
    private static final long RESERVED = 1L << 50;
    private static final long NX = 1L << 63;
    private static final long ALL = P | RW | US | A | D;

    /** The page that accesses go to, whose tables are its own on all levels; there are more behind it. */
    private static final long LINEAR = 1L << 39 | 2L << 30 | 3L << 21 | 5L << 12;

    /** The page in RAM: where also a page of 2 MiB from 6 MiB on has it, and one of 1 GiB from 0 on. */
    private static final long FRAME = 0x60_5000;

    private static final long LARGE_FRAME = 0x60_0000;
    private static final long SECOND_FRAME = 0x70_0000;
    private static final long DEVICE = 0xF000_0000L;
    private static final long HANDLERS = 0x2_0000;

    // Page tables by level, and one above them.
    private static final long[] TABLES = {0x20_4000, 0x20_3000, 0x20_2000, 0x20_1000, 0x20_0000};
    private static final int LEVELS = 4;

    private static final String READ = "48 8B 03"; // mov rax, [rbx]
    private static final String WRITE = "48 89 03"; // mov [rbx], rax

    private final NativeVcpus.Misses misses = new NativeVcpus.Misses();
    private TestMachine translated = new TestMachine(SIZE, cpu -> NativeVcpus.counting(cpu, misses));
    private TestMachine interpreted = new TestMachine(SIZE);

    /** Entries of {@link #LINEAR}, by level; index 0 is not used. */
    private final long[] entries = new long[LEVELS + 1];

    private boolean user;
    private boolean accessControl;
    private long controls;
    private boolean writeProtect;
    private boolean executeDisable;
    private long debug;
    private long address;

    @BeforeEach
    void usual() {
        for (int level = 1; level <= LEVELS; level++) {
            entries[level] = (level == 1 ? FRAME : TABLES[level - 2]) | ALL;
        }
        user = true;
        accessControl = false;
        controls = Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT;
        writeProtect = true;
        executeDisable = true;
        debug = 0x400;
        address = LINEAR + 0x108;
    }

    @AfterEach
    void close() {
        NativeVcpus.close(translated.vcpu);
        translated.close();
        interpreted.close();
    }

    // ---------------------------------------------------------------- running

    private void prepare(TestMachine machine, String code) {
        machine.longMode();
        Cpu cpu = machine.cpu;
        GuestMemory memory = machine.memory;
        for (long table : TABLES) {
            memory.clear(table, Mmu.PAGE_SIZE);
        }
        for (int level = 1; level <= LEVELS; level++) {
            // The page behind has the same tables, and other RAM.
            memory.writeLong(TABLES[level - 1] + index(LINEAR, level), entries[level]);
        }
        memory.writeLong(TABLES[0] + index(LINEAR, 1) + 8, SECOND_FRAME | ALL);
        // All that the machine itself needs is where it is in RAM, and ready.
        long low = 0x20_6000;
        memory.writeLong(TABLES[3], low | ALL);
        memory.writeLong(low, low + 0x1000 | ALL);
        for (int i = 0; i < SIZE >> 21; i++) {
            memory.writeLong(low + 0x1000 + 8 * i, (long) i << 21 | ALL & (user && i == 0 ? -1 : ~US) | PS | G);
        }
        memory.writeLong(TABLES[4], TABLES[3] | ALL);
        memory.clear(FRAME, Mmu.PAGE_SIZE);
        memory.writeLong(FRAME + (address & Mmu.PAGE_SIZE - 8), 0x1122_3344_5566_7788L);
        memory.writeLong(SECOND_FRAME, 0x99AA_BBCC_DDEE_FF00L);
        for (int vector : new int[] {Vector.PAGE_FAULT, Vector.GENERAL_PROTECTION, Vector.STACK_FAULT}) {
            machine.gate(vector, HANDLERS + 16L * vector);
            machine.code(HANDLERS + 16L * vector, "F4");
        }
        machine.code(TestMachine.CODE, code + "F4");
        cpu.cr0 = cpu.cr0 & ~Cpu.CR0_WP | (writeProtect ? Cpu.CR0_WP : 0);
        cpu.cr4 = controls;
        cpu.cr3 = TABLES[(controls & Cpu.CR4_LA57) != 0 ? 4 : 3];
        cpu.efer = cpu.efer & ~Cpu.EFER_NXE | (executeDisable ? Cpu.EFER_NXE : 0);
        cpu.dr[0] = TestMachine.DATA;
        cpu.dr[7] = debug;
        cpu.systemFlags = 2 | (accessControl ? Cpu.AC : 0);
        cpu.cr2 = 0;
        for (int i = 0; i < 16; i++) {
            cpu.r[i] = 0x1111L * i;
        }
        cpu.r[Cpu.RSP] = TestMachine.STACK;
        cpu.r[Cpu.RBX] = address;
        machine.bus.log.clear();
        if (user) {
            machine.userMode();
        }
        cpu.updateMode();
        cpu.mmu.flushAll();
    }

    private static long index(long linear, int level) {
        return (linear >>> 12 + 9 * (level - 1) & 0x1FF) * 8;
    }

    /** Runs code that ends in HLT, or in an exception, and {@return how many misses Java has resolved in translated code} */
    private int run(String code) {
        prepare(translated, code);
        prepare(interpreted, code);
        misses.resolved = 0;
        translated.runDelivering();
        interpreted.runDelivering();
        assertThat(outcome(translated)).as(code).isEqualTo(outcome(interpreted));
        return misses.resolved;
    }

    /** {@return all that the access may have changed} */
    private static List<String> outcome(TestMachine machine) {
        Cpu cpu = machine.cpu;
        List<String> outcome = new ArrayList<>();
        outcome.add("rip %x rax %x rsp %x cr2 %x cpl %d flags %x retired %d"
                .formatted(cpu.r[Cpu.RIP], cpu.r[0], cpu.r[Cpu.RSP], cpu.cr2, cpu.cpl, cpu.flags(), cpu.retired));
        outcome.add("error " + (cpu.r[Cpu.RIP] > HANDLERS ? machine.memory.readLong(cpu.r[Cpu.RSP]) : "none"));
        for (int level = 1; level <= LEVELS; level++) {
            outcome.add("entry %x".formatted(machine.memory.readLong(TABLES[level - 1] + index(LINEAR, level))));
        }
        byte[] page = new byte[Mmu.PAGE_SIZE];
        machine.memory.read(FRAME, page, 0, page.length);
        outcome.add("page " + java.util.Arrays.hashCode(page));
        outcome.addAll(machine.bus.log);
        return outcome;
    }

    private void assertWalked(String code) {
        assertThat(run(code)).as("misses that Java resolved").isZero();
        assertThat(translated.cpu.r[Cpu.RIP]).as("no exception").isIn(end(code), fault(Vector.GENERAL_PROTECTION));
    }

    private void assertResolvedByJava(String code) {
        assertThat(run(code)).as("misses that Java resolved").isPositive();
        assertThat(translated.cpu.r[Cpu.RIP]).as("no exception").isIn(end(code), fault(Vector.GENERAL_PROTECTION));
    }

    /** Where HLT ends, or the exception that it raises for a user. */
    private long end(String code) {
        return user ? -1 : TestMachine.CODE + code.replace(" ", "").length() / 2 + 1;
    }

    private static long fault(int vector) {
        return HANDLERS + 16L * vector + 1;
    }

    private void assertPageFault(String code) {
        assertThat(run(code)).as("misses that Java resolved").isZero();
        assertThat(translated.cpu.r[Cpu.RIP]).as("page fault").isEqualTo(fault(Vector.PAGE_FAULT));
        assertThat(translated.cpu.cr2).isEqualTo(address);
    }

    // ---------------------------------------------------------------- the plain case

    @Test
    void accessesToPagesOfAllSizesNeedNoJava() {
        assertWalked(READ);
        assertWalked(WRITE);
        assertWalked(READ + WRITE);
        assertWalked(WRITE + READ);
        entries[2] = LARGE_FRAME | ALL | PS;
        assertWalked(READ + WRITE);
        entries[3] = ALL | PS;
        assertWalked(READ + WRITE);
        user = false;
        entries[3] &= ~US;
        assertWalked(READ + WRITE);
        entries[3] = TABLES[1] | ALL;
        entries[2] = TABLES[0] | ALL & ~US;
        entries[1] |= NX | G;
        assertWalked(READ + WRITE);
    }

    @Test
    void flagsOutliveTheWalk() {
        // stc; mov rax, [rbx]; adc rax, rax
        assertWalked("F9" + READ + "48 11 C0");
        // sub al, 0x7f; mov rax, [rbx]; pushf; pop rax: with vector registers in the host's, too
        assertWalked("2C 7F" + READ + "9C 58");
        assertWalked("0F 57 C0 2C 7F" + READ + "66 48 0F 6E C0 9C 58");
    }

    @Test
    void readOnlyAndCleanPagesAreReadAndNotWritten() {
        entries[1] &= ~RW;
        assertWalked(READ);
        assertPageFault(WRITE);
        // The two share a lookup, which is done once more, for reading only.
        assertThat(run(READ + WRITE)).as("misses that Java resolved").isPositive();
        assertThat(translated.cpu.r[Cpu.RIP]).isEqualTo(fault(Vector.PAGE_FAULT));
        entries[1] |= RW;
        entries[1] &= ~D;
        assertWalked(READ);
        assertResolvedByJava(READ + WRITE);
        assertThat(translated.memory.readLong(TABLES[0] + index(LINEAR, 1)) & D).isEqualTo(D);
    }

    @Test
    void memoryAboveDevicesIsWalked() {
        close();
        long size = GuestMemory.LOW_LIMIT + SIZE;
        translated = new TestMachine(size, cpu -> NativeVcpus.counting(cpu, misses));
        interpreted = new TestMachine(size);
        long high = GuestMemory.HIGH_START + 0x3000;
        for (TestMachine machine : List.of(translated, interpreted)) {
            machine.memory.writeLong(high + index(LINEAR, 1), GuestMemory.HIGH_START + SIZE - 0x1000 | ALL);
            machine.memory.writeLong(GuestMemory.HIGH_START + SIZE - 0x1000 + 0x108, 77);
        }
        entries[2] = high | ALL;
        assertWalked(READ);
        assertThat(translated.cpu.r[0]).isEqualTo(77);
        assertWalked(WRITE + READ);
        entries[2] = TABLES[0] | ALL;
        for (long outside : new long[] {
            GuestMemory.LOW_LIMIT, GuestMemory.HIGH_START - 0x1000, GuestMemory.HIGH_START + SIZE, 1L << 45
        }) {
            entries[1] = outside | ALL;
            run(READ);
            assertThat(translated.bus.log).as("%x", outside).hasSize(1);
        }
    }

    // ---------------------------------------------------------------- what is Java's

    @Test
    void whatIsNotPresentOrReservedFaultsOnEveryLevel() {
        for (int level = 1; level <= LEVELS; level++) {
            long entry = entries[level];
            for (long bad : new long[] {entry & ~P, entry | RESERVED, entry | 1L << Mmu.PHYSICAL_BITS, 0}) {
                entries[level] = bad;
                assertPageFault(READ);
                assertPageFault(WRITE);
            }
            entries[level] = entry;
        }
        entries[4] |= PS;
        assertPageFault(READ);
        entries[4] &= ~PS;
        entries[3] = ALL | PS | 1 << 13;
        assertPageFault(READ);
        entries[3] = ALL | PS | 1 << 29;
        assertPageFault(READ);
        entries[3] = TABLES[1] | ALL;
        entries[2] = LARGE_FRAME | ALL | PS | 1 << 20;
        assertPageFault(READ);
        entries[2] = LARGE_FRAME | ALL | PS | 1 << 12;
        assertWalked(READ);
    }

    @Test
    void rightsOfAllLevelsCount() {
        for (int level = 1; level <= LEVELS; level++) {
            entries[level] &= ~RW;
            assertPageFault(WRITE);
            assertWalked(READ);
            entries[level] |= RW;
            entries[level] &= ~US;
            assertPageFault(READ);
            assertPageFault(WRITE);
            entries[level] |= US;
        }
    }

    @Test
    void accessedBitsAreSetOnEveryLevelAndDirtyOnesByWrites() {
        for (int level = 1; level <= LEVELS; level++) {
            for (String code : List.of(READ, WRITE)) {
                entries[level] &= ~A;
                assertResolvedByJava(code);
                assertThat(translated.memory.readLong(TABLES[level - 1] + index(LINEAR, level)) & A)
                        .isEqualTo(A);
                entries[level] |= A;
            }
        }
        entries[2] = LARGE_FRAME | ALL & ~D | PS;
        assertWalked(READ);
        assertThat(translated.memory.readLong(TABLES[1] + index(LINEAR, 2)) & D).isZero();
        assertResolvedByJava(WRITE);
    }

    @Test
    void supervisorsAreKeptOffUserPagesBySmapOnly() {
        user = false;
        assertWalked(READ);
        controls |= Cpu.CR4_SMAP;
        assertPageFault(READ);
        assertPageFault(WRITE);
        accessControl = true;
        assertWalked(READ + WRITE);
        // stac; access; clac; access
        accessControl = false;
        assertPageFault("0F 01 CB" + READ + "0F 01 CA" + READ);
        entries[3] &= ~US;
        assertWalked("0F 01 CB" + READ + "0F 01 CA" + WRITE);
    }

    @Test
    void supervisorsWriteReadOnlyPagesWithoutWriteProtection() {
        user = false;
        entries[1] &= ~RW;
        assertPageFault(WRITE);
        writeProtect = false;
        assertResolvedByJava(READ + WRITE);
        user = true;
        assertPageFault(WRITE);
    }

    @Test
    void unusualModesAreLeftToJava() {
        controls &= ~Cpu.CR4_PGE;
        assertResolvedByJava(READ);
        controls |= Cpu.CR4_PGE | Cpu.CR4_LA57;
        assertResolvedByJava(READ);
        controls &= ~Cpu.CR4_LA57;
        executeDisable = false;
        assertResolvedByJava(READ);
        entries[1] |= NX;
        assertPageFault(READ);
        executeDisable = true;
        assertWalked(READ);
        debug = 0x3_0402;
        assertResolvedByJava(READ);
    }

    @Test
    void devicesAndTablesOutsideOfRamAreLeftToJava() {
        for (long outside :
                new long[] {DEVICE, GuestMemory.VIDEO_START, GuestMemory.VIDEO_END - 0x1000, SIZE, 1L << 45}) {
            entries[1] = outside | ALL;
            run(READ);
            run(WRITE);
            assertThat(translated.bus.log).as("%x", outside).hasSize(1);
        }
        entries[1] = GuestMemory.VIDEO_START - 0x1000 | ALL;
        assertWalked(READ);
        entries[1] = GuestMemory.VIDEO_END | ALL;
        assertWalked(READ);
        entries[1] = FRAME | ALL;
        entries[2] = SIZE | ALL;
        assertPageFault(READ);
        entries[2] = GuestMemory.VIDEO_START | ALL;
        assertPageFault(READ);
    }

    @Test
    void accessesAcrossPagesAndToImpossibleAddressesAreLeftToJava() {
        address = LINEAR + 0xFF8;
        assertWalked(READ);
        address = LINEAR + 0xFF9;
        run(READ);
        assertThat(translated.cpu.r[0] >>> 56).as("the last byte").isZero();
        run(WRITE);
        address = LINEAR | 1L << 47;
        run(READ);
        assertThat(translated.cpu.r[Cpu.RIP]).isEqualTo(fault(Vector.GENERAL_PROTECTION));
        address = LINEAR | 1L << 63;
        run(READ);
        assertThat(translated.cpu.r[Cpu.RIP]).isEqualTo(fault(Vector.GENERAL_PROTECTION));
    }

    // ---------------------------------------------------------------- what Java keeps of entered pages

    @Test
    void changesOfPageTablesAreSeenAfterInvlpg() {
        user = false;
        // mov rax, [rbx]; mov [rcx], rdx; invlpg [rdi]; mov rsi, [rbx]
        String code = READ + "48 89 11 0F 01 3F 48 8B 33";
        for (int level = 1; level <= 3; level++) {
            for (long global : new long[] {0, G}) {
                usual();
                user = false;
                long large = level == 1 ? 0 : PS;
                entries[level] = (level == 1 ? FRAME : level == 2 ? LARGE_FRAME : 0) | ALL | large | global;
                prepare(translated, code);
                Cpu cpu = translated.cpu;
                cpu.r[Cpu.RCX] = TABLES[level - 1] + index(LINEAR, level);
                // What is at the same place in other RAM: a table in place of a page where that is a huge one.
                cpu.r[Cpu.RDX] = level == 1 ? SECOND_FRAME | ALL : level == 2 ? 0x40_0000 | ALL | PS : TABLES[1] | ALL;
                long other = level == 1 ? SECOND_FRAME : level == 2 ? 0x40_5000 : FRAME + 0x1000;
                if (level == 3) {
                    translated.memory.writeLong(TABLES[0] + index(LINEAR, 1), other | ALL);
                }
                translated.memory.writeLong(other + 0x108, 42);
                // Another part of the same page.
                cpu.r[Cpu.RDI] = level == 1 ? LINEAR : level == 2 ? LINEAR + 0x10_0000 : LINEAR + 0x1000_0000;
                misses.resolved = 0;
                translated.runDelivering();
                assertThat(cpu.r[0]).as("before, level %d", level).isEqualTo(0x1122_3344_5566_7788L);
                assertThat(cpu.r[Cpu.RSI]).as("afterwards, level %d", level).isEqualTo(42);
                assertThat(misses.resolved).isZero();
            }
        }
    }

    @Test
    void changesOfPageTablesAreSeenAfterALoadOfCr3() {
        user = false;
        // mov rax, [rbx]; mov [rcx], rdx; mov cr3, rdi; mov rsi, [rbx]
        prepare(translated, READ + "48 89 11 0F 22 DF 48 8B 33");
        Cpu cpu = translated.cpu;
        cpu.r[Cpu.RCX] = TABLES[0] + index(LINEAR, 1);
        cpu.r[Cpu.RDX] = SECOND_FRAME | ALL;
        cpu.r[Cpu.RDI] = cpu.cr3;
        translated.memory.writeLong(SECOND_FRAME + 0x108, 42);
        misses.resolved = 0;
        translated.runDelivering();
        assertThat(cpu.r[0]).isEqualTo(0x1122_3344_5566_7788L);
        assertThat(cpu.r[Cpu.RSI]).isEqualTo(42);
        assertThat(misses.resolved).isZero();
    }

    @Test
    void codeIsSeenToChangeThroughPagesThatWereEntered() {
        // mov dword [rbx+64], 1; call r8; mov r9d, eax; mov byte [rbx+1], 2; call r8
        assertCodeSeenToChange("C7 43 40 01 00 00 00 41 FF D0 41 89 C1 C6 43 01 02 41 FF D0");
        assertThat(misses.resolved).isZero();
    }

    @Test
    void pagesWithCodeAreNotEnteredForWriting() {
        // call r8; mov r9d, eax; mov ecx, [rbx+64]; mov byte [rbx+1], 2; call r8
        assertCodeSeenToChange("41 FF D0 41 89 C1 8B 4B 40 C6 43 01 02 41 FF D0");
    }

    private void assertCodeSeenToChange(String code) {
        user = false;
        entries[1] &= ~US;
        prepare(translated, code);
        Cpu cpu = translated.cpu;
        // mov eax, 1; ret
        translated.code(FRAME + 0x108, "B8 01 00 00 00 C3");
        cpu.r[8] = FRAME + 0x108;
        cpu.mmu.flushAll();
        misses.resolved = 0;
        translated.runDelivering();
        assertThat(cpu.r[9]).isEqualTo(1);
        assertThat(cpu.r[0]).isEqualTo(2);
    }

    @Test
    void morePagesThanTheListHoldsAreEntered() {
        user = false;
        // mov ecx, 512; mov [rbx], rax; add rbx, 4096; dec ecx; jnz
        String code = "B9 00 02 00 00" + WRITE + "48 81 C3 00 10 00 00 FF C9 75 F2";
        entries[3] = ALL | PS;
        address = LINEAR - 0x10_0000;
        int resolved = run(code);
        assertThat(translated.cpu.r[Cpu.RCX]).isZero();
        assertThat(resolved).isPositive().isLessThan(16);
    }

    // ---------------------------------------------------------------- anything

    @Test
    void randomPageTablesEndAsInTheInterpreter() {
        long seed = Long.getLong("kagami.seed", System.nanoTime());
        System.out.println("seed " + seed);
        SplittableRandom random = new SplittableRandom(seed);
        int cases = Integer.getInteger("kagami.cases", CASES);
        for (int i = 0; i < cases; i++) {
            usual();
            randomize(random);
            StringBuilder code = new StringBuilder();
            for (int access = 1 + random.nextInt(4); access > 0; access--) {
                code.append(access(random));
            }
            try {
                run(code.toString());
            } catch (AssertionError e) {
                throw new AssertionError("case %d of -Dkagami.seed=%d".formatted(i, seed), e);
            }
        }
    }

    private void randomize(SplittableRandom random) {
        user = random.nextBoolean();
        accessControl = !user && random.nextBoolean();
        controls |= random.nextBoolean() ? Cpu.CR4_SMAP : 0;
        writeProtect = random.nextInt(4) != 0;
        executeDisable = random.nextInt(8) != 0;
        if (random.nextInt(3) == 0) {
            entries[2] = LARGE_FRAME | ALL | PS;
        } else if (random.nextInt(3) == 0) {
            entries[3] = ALL | PS;
        }
        if (random.nextInt(16) == 0) {
            entries[1] = DEVICE | ALL;
        }
        long[] bits = {P, RW, US, A, D, PS, G, 1 << 9, 1 << 10, 1 << 12, 1 << 13, 1L << 46, RESERVED, 1L << 52, NX};
        for (int changes = random.nextInt(4); changes > 0; changes--) {
            int level = 1 + random.nextInt(LEVELS);
            long bit = bits[random.nextInt(bits.length)];
            // Not to other RAM, which isn't compared.
            if (bit != PS && bit != 1 << 12 && bit != 1 << 13 || (entries[level] & PS) != 0 && bit != PS) {
                entries[level] ^= bit;
            }
        }
        address =
                LINEAR + (random.nextInt(8) == 0 ? Mmu.PAGE_SIZE - random.nextInt(17) : random.nextInt(Mmu.PAGE_SIZE));
    }

    private String access(SplittableRandom random) {
        return switch (random.nextInt(user ? 7 : 9)) {
            case 0 -> WRITE;
            case 1 -> "8A 03"; // mov al, [rbx]
            case 2 -> "66 01 03"; // add [rbx], ax
            case 3 -> "0F 10 03"; // movups xmm0, [rbx]
            case 4 -> "0F 11 03"; // movups [rbx], xmm0
            case 5 -> "48 8B 03 48 03 43 08"; // mov rax, [rbx]; add rax, [rbx+8]: one lookup
            case 7 -> "0F 01 CB"; // stac
            case 8 -> "0F 01 CA"; // clac
            default -> READ;
        };
    }
}
