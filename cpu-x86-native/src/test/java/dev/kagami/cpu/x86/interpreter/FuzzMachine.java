package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.Bus;
import dev.kagami.cpu.CpuModel;
import dev.kagami.cpu.ProcessorConfig;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.X86State;
import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.memory.GuestMemory;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.Function;

/**
 * A whole machine with random code, data and page tables in three address spaces, and a small kernel. The kernel logs every
 * exception and goes on somewhere else with other registers; a system call may change a page-table entry or switch the
 * address space. Machines that are loaded with the same seed are the same.
 */
final class FuzzMachine implements AutoCloseable {
    private static final int PAGE = Mmu.PAGE_SIZE;
    static final long SIZE = 4L << 20;

    // Physical addresses of what the kernel has.
    private static final long IDT = 0x2000;
    private static final long GDT = 0x3000;
    private static final long TSS = 0x4000;
    private static final long CODE = 0x8000;
    private static final long COUNTER = 0xA000;
    private static final long SAVED_STACK = 0xA008;
    private static final long LOG_POSITION = 0xA010;
    private static final long SEQUENCE = 0xA018;
    private static final long SERVICE = 0xA020;
    private static final long LOG = 0xB000;
    private static final long SERVICES = 0xC000;
    private static final long RESUME = 0xD000;
    private static final long FAULT_STACK = 0x1_1000;
    private static final long INTERRUPT_STACK = 0x1_2000;
    private static final long KERNEL_STACK = 0x1_4000;
    private static final long TABLES = 0x2_0000;
    private static final long TABLES_END = 0xA_0000;
    private static final long POOL = 0x20_0000;
    private static final long APIC = 0xFEE0_0000L;
    private static final long DEVICE = 0xF000_0000L;

    /** Where the kernel sees all of the physical memory. */
    private static final long DIRECT = 0xFFFF_8100_0000_0000L;

    private static final long DIRECT_APIC = 0xFFFF_8100_4000_0000L;

    /** Where user code is, in pages one after the other. */
    private static final long USER_CODE = 0x40_0000L;

    /** A page that the pool is seen through at once, in one large page. */
    private static final long LARGE = 0x4000_0000L;

    private static final int USER_CODE_PAGES = 8;
    private static final int POOL_PAGES = 40;
    private static final int CODE_PAGES = 16;
    private static final int SPACES = 3;
    private static final int IDENTIFIERS_A_SPACE = 4;
    private static final long NO_FLUSH = 1L << 63;
    private static final int RECORDS = 32;
    private static final int RECORD_BYTES = 256;
    private static final int SERVICE_BYTES = 32;

    private static final int KERNEL_CODE_SELECTOR = 0x08;
    private static final int KERNEL_DATA_SELECTOR = 0x10;
    private static final int USER_DATA_SELECTOR = 0x20 | 3;
    private static final int USER_CODE_SELECTOR = 0x28 | 3;
    private static final int TASK_SELECTOR = 0x48;

    // Page-table entries.
    private static final long P = 1;
    private static final long RW = 1 << 1;
    private static final long US = 1 << 2;
    private static final long ACCESSED = 1 << 5;
    private static final long PS = 1 << 7;
    private static final long G = 1 << 8;
    private static final long RESERVED = 1L << 50;
    private static final long NX = 1L << 63;
    private static final long FRAME = (1L << Mmu.PHYSICAL_BITS) - PAGE;

    /** Pages that may be mapped anywhere, besides the user's code: the corners of the address space, and some that share TLB entries. */
    private static final long[] LINEAR_PAGES = {
        0,
        0x1000,
        0x40_8000L,
        0x140_0000L,
        0x140_1000L,
        0x240_0000L,
        0x7FFF_FFFF_E000L,
        0x7FFF_FFFF_F000L,
        0xFFFF_8000_0000_0000L,
        0xFFFF_8000_0000_1000L,
        0xFFFF_FFFF_FFFF_D000L,
        0xFFFF_FFFF_FFFF_E000L,
        0xFFFF_FFFF_FFFF_F000L,
    };

    final GuestMemory memory = GuestMemory.allocate(SIZE);
    private final FakeBus bus = new FakeBus();
    final Cpu cpu;
    final InterpreterVcpu vcpu;
    private SplittableRandom random = new SplittableRandom(0);
    private long nextTable;
    private final long[] spaces = new long[SPACES];

    /** Each space has several process-context identifiers, together more than translations are kept of; else CR4.PCIDE is clear. */
    private boolean identifiers;

    private byte[] kernel = new byte[0];
    private int kernelEnd;

    FuzzMachine(Function<Cpu, Vcpu> drive) {
        InterpreterProcessors processors = new InterpreterProcessors(
                new ProcessorConfig(1, CpuModel.MAX, null), memory, bus, new StoppedTimers(), drive);
        cpu = processors.cpu(0);
        vcpu = (InterpreterVcpu) processors.vcpus().getFirst();
    }

    // ---------------------------------------------------------------- what can't be compared

    /** {@return whether what an instruction does depends on more than the state, or isn't defined} */
    static boolean unpredictable(Instruction in) {
        int opcode = in.opcode;
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            return false;
        }
        return switch (in.map) {
            case Instruction.MAP_PRIMARY -> opcode == 0xF4;
            case Instruction.MAP_0F ->
                opcode == 0xC7 && !in.isMemory() && in.group() >= 6
                        || (opcode == 0xA4 || opcode == 0xA5 || opcode == 0xAC || opcode == 0xAD) && in.operandSize == 2
                        || opcode == 0x01 && !in.isMemory() && in.group() == 1;
            default -> false;
        };
    }

    /** {@return whether an instruction leaves arithmetic flags undefined (SDM 2, Flags Affected)} */
    static boolean leavesFlagsUndefined(Instruction in) {
        int opcode = in.opcode;
        if (in.encoding != Instruction.ENCODING_LEGACY) {
            return in.map == Instruction.MAP_0F38 && opcode >= 0xF2;
        }
        return switch (in.map) {
            case Instruction.MAP_PRIMARY ->
                opcode == 0xC0
                        || opcode == 0xC1
                        || opcode >= 0xD0 && opcode <= 0xD3
                        || (opcode == 0xF6 || opcode == 0xF7) && in.group() >= 4
                        || opcode == 0x69
                        || opcode == 0x6B;
            case Instruction.MAP_0F ->
                opcode == 0xA3
                        || opcode == 0xAB
                        || opcode == 0xB3
                        || opcode == 0xBB
                        || opcode == 0xBA
                        || opcode == 0xA4
                        || opcode == 0xA5
                        || opcode == 0xAC
                        || opcode == 0xAD
                        || opcode == 0xAF
                        || opcode == 0xBC
                        || opcode == 0xBD;
            default -> false;
        };
    }

    /**
     * {@return whether a CPU that was left may be where one that runs instruction by instruction won't stop: in the midst of a repeated
     * string instruction, about to attend to an event, or with an interrupt shadow, which the interpreter keeps too long}
     */
    static boolean isUnsettled(Cpu cpu) {
        return cpu.events() != 0 || cpu.interruptShadow || isAtRepetition(cpu);
    }

    private static boolean isAtRepetition(Cpu cpu) {
        byte[] bytes = new byte[Instruction.MAX_LENGTH];
        for (int i = 0; i < bytes.length; i++) {
            long offset = translate(cpu, cpu.r[Cpu.RIP] + i);
            bytes[i] = offset < 0 ? 0 : cpu.ram.get(ValueLayout.JAVA_BYTE, offset);
        }
        Instruction instruction = new Instruction();
        return new Decoder().decode(bytes, 0, bytes.length, 64, instruction) == Decoder.OK
                && instruction.encoding == Instruction.ENCODING_LEGACY
                && instruction.map == Instruction.MAP_PRIMARY
                && (instruction.rep || instruction.repne)
                && (instruction.opcode >= 0xA4 && instruction.opcode <= 0xAF
                        || instruction.opcode >= 0x6C && instruction.opcode <= 0x6F);
    }

    // ---------------------------------------------------------------- loading

    /** Puts the machine into a state that depends on nothing but the seed. */
    void load(long seed) {
        random = new SplittableRandom(seed);
        nextTable = TABLES;
        bus.state = seed;
        memory.clear(0, GuestMemory.VIDEO_START);
        memory.clear(GuestMemory.VIDEO_END, SIZE - GuestMemory.VIDEO_END);
        writePool();
        writeSpaces();
        writeTables();
        long start = writeKernel();
        writeRecords();
        writeServices();
        reset();
        cpu.r[Cpu.RIP] = start;
        cpu.r[Cpu.RSP] = DIRECT + KERNEL_STACK - 0x100;
    }

    private void writePool() {
        FuzzCode code = new FuzzCode(random, new FuzzCode.Addresses() {
            @Override
            public long data() {
                return dataAddress();
            }

            @Override
            public long code() {
                return codeAddress();
            }
        });
        for (int i = 0; i < POOL_PAGES; i++) {
            byte[] page;
            if (i < CODE_PAGES) {
                page = code.page();
            } else {
                page = new byte[PAGE];
                random.nextBytes(page);
            }
            memory.write(POOL + (long) i * PAGE, page);
        }
    }

    private long linearPage() {
        int i = random.nextInt(2 * LINEAR_PAGES.length);
        return i < LINEAR_PAGES.length ? LINEAR_PAGES[i] : USER_CODE + (long) random.nextInt(USER_CODE_PAGES) * PAGE;
    }

    private long dataAddress() {
        return switch (random.nextInt(16)) {
            case 0 -> 0x8000_0000_0000L - 1 - random.nextInt(16);
            case 1 -> 0x8000_0000_0000L + random.nextInt(16);
            case 2 -> -1 - random.nextInt(16);
            case 3 -> random.nextLong();
            case 4 -> random.nextInt(64);
            case 5 -> LARGE + random.nextInt(POOL_PAGES * PAGE);
            case 6, 7, 8 -> linearPage() + PAGE - 1 - random.nextInt(16);
            default -> linearPage() + random.nextInt(PAGE);
        };
    }

    private long codeAddress() {
        long slot = (long) random.nextInt(PAGE / FuzzCode.SLOT) * FuzzCode.SLOT;
        return switch (random.nextInt(24)) {
            case 0 -> dataAddress();
            case 1 -> 0;
            case 2 -> -1;
            case 3 -> 0x8000_0000_0000L - FuzzCode.SLOT * random.nextInt(2);
            case 4, 5 -> linearPage() + slot;
            case 6 -> LARGE + (long) random.nextInt(CODE_PAGES) * PAGE + slot;
            default -> USER_CODE + (long) random.nextInt(USER_CODE_PAGES) * PAGE + slot;
        };
    }

    /** {@return an entry for a page: mostly a page of the pool with most rights} */
    private long entry(boolean code) {
        int kind = random.nextInt(32);
        if (kind < 3) {
            return kind == 0 ? random.nextLong() & ~P : 0;
        }
        long page = POOL + (long) random.nextInt(code && random.nextInt(8) != 0 ? CODE_PAGES : POOL_PAGES) * PAGE;
        if (kind == 3 && !code) {
            page = DEVICE + (long) random.nextInt(4) * PAGE;
        }
        long entry = page | P;
        entry |= random.nextInt(5) == 0 ? 0 : RW;
        entry |= random.nextInt(6) == 0 ? 0 : US;
        entry |= random.nextInt(code ? 12 : 2) == 0 ? NX : 0;
        entry |= random.nextInt(64) == 0 ? RESERVED : 0;
        return entry;
    }

    private void writeSpaces() {
        identifiers = random.nextBoolean();
        long first = 0;
        // The same in every space, because they are global.
        long global = entry(true) | G;
        for (int i = 0; i < SPACES; i++) {
            long root = table();
            spaces[i] = root;
            for (int page = 0; page < USER_CODE_PAGES; page++) {
                map(root, USER_CODE + (long) page * PAGE, page == 7 ? global : entry(true));
            }
            for (long linear : LINEAR_PAGES) {
                map(root, linear, entry(random.nextInt(3) == 0));
            }
            long large = walk(root, LARGE, 2);
            memory.writeLong(large, POOL | P | RW | US | PS);
            if (i == 0) {
                for (long address = 0; address < SIZE; address += PAGE) {
                    map(root, DIRECT + address, address | P | RW | G);
                }
                map(root, DIRECT_APIC, APIC | P | RW | G);
                first = root;
            } else {
                long offset = (DIRECT >>> 39 & 0x1FF) * 8;
                memory.writeLong(root + offset, memory.readLong(first + offset));
            }
        }
    }

    private long table() {
        long table = nextTable;
        nextTable += PAGE;
        if (nextTable > TABLES_END) {
            throw new IllegalStateException("too many page tables");
        }
        return table;
    }

    /**
     * Translates without leaving a trace.
     *
     * @return the offset in RAM, or -1 when there is none; rights don't matter
     */
    static long translate(Cpu cpu, long linear) {
        long table = cpu.cr3;
        for (int level = 4; level > 0; level--) {
            int shift = 12 + 9 * (level - 1);
            long offset = cpu.memory.offsetOf((table & FRAME) + (linear >>> shift & 0x1FF) * 8);
            long entry = offset < 0 ? 0 : cpu.ram.get(ValueLayout.JAVA_LONG, offset);
            if ((entry & P) == 0) {
                return -1;
            }
            if (level == 1 || (entry & PS) != 0 && level < 4) {
                long mask = (1L << shift) - 1;
                return cpu.memory.offsetOf(entry & FRAME & ~mask | linear & mask);
            }
            table = entry;
        }
        throw new AssertionError();
    }

    /** {@return the physical address of an entry of the level asked for, 1 for that of a page} */
    private long walk(long root, long linear, int level) {
        long table = root;
        for (int i = 4; ; i--) {
            long entry = table + (linear >>> 12 + 9 * (i - 1) & 0x1FF) * 8;
            if (i == level) {
                return entry;
            }
            long next = memory.readLong(entry) & 0xFFFF_F000L;
            if (next == 0) {
                next = table();
                memory.writeLong(entry, next | P | RW | US);
            }
            table = next;
        }
    }

    private void map(long root, long linear, long entry) {
        memory.writeLong(walk(root, linear, 1), entry);
    }

    private void writeTables() {
        memory.writeLong(GDT + KERNEL_CODE_SELECTOR, TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_CODE64));
        memory.writeLong(GDT + KERNEL_DATA_SELECTOR, TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_DATA32));
        int user = TestMachine.ATTR_DPL3;
        memory.writeLong(
                GDT + (USER_DATA_SELECTOR & ~7), TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_DATA32 | user));
        memory.writeLong(
                GDT + (USER_CODE_SELECTOR & ~7), TestMachine.encode(0, 0xFFFFF, TestMachine.ATTR_CODE64 | user));
        long task = TestMachine.encode(DIRECT + TSS & 0xFFFF_FFFFL, 0x67, TestMachine.ATTR_TSS | 2);
        memory.writeLong(GDT + TASK_SELECTOR, task);
        memory.writeLong(GDT + TASK_SELECTOR + 8, DIRECT + TSS >>> 32);
        memory.writeLong(TSS + 4, DIRECT + KERNEL_STACK);
        memory.writeLong(TSS + 36, DIRECT + FAULT_STACK);
        memory.writeLong(TSS + 44, DIRECT + INTERRUPT_STACK);
        memory.writeShort(TSS + 0x66, 0x68);
    }

    private void gate(int vector, long offset, int privilege, int stack) {
        long linear = DIRECT + offset;
        long low = linear & 0xFFFF
                | (long) KERNEL_CODE_SELECTOR << 16
                | (long) stack << 32
                | (0x8EL | privilege << 5) << 40
                | (linear & 0xFFFF_0000L) << 32;
        memory.writeLong(IDT + vector * 16L, low);
        memory.writeLong(IDT + vector * 16L + 8, linear >>> 32);
    }

    private void reset() {
        CpuState.reset(cpu);
        cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_MP | Cpu.CR0_ET | Cpu.CR0_NE | Cpu.CR0_PG;
        cpu.cr0 |= random.nextInt(4) == 0 ? 0 : Cpu.CR0_WP;
        cpu.cr0 |= random.nextInt(16) == 0 ? Cpu.CR0_TS : 0;
        cpu.cr0 |= random.nextInt(4) == 0 ? Cpu.CR0_AM : 0;
        cpu.cr4 = Cpu.CR4_PAE | Cpu.CR4_PGE | Cpu.CR4_FSGSBASE;
        cpu.cr4 |= random.nextInt(16) == 0 ? 0 : Cpu.CR4_OSFXSR | Cpu.CR4_OSXMMEXCPT;
        cpu.cr4 |= random.nextInt(16) == 0 ? 0 : Cpu.CR4_OSXSAVE;
        cpu.xcr0 = random.nextInt(16) == 0 ? 3 : random.nextInt(4) == 0 ? 7 : 0xE7;
        cpu.cr4 |= random.nextInt(4) == 0 ? Cpu.CR4_SMEP : 0;
        cpu.cr4 |= random.nextInt(4) == 0 ? Cpu.CR4_SMAP : 0;
        cpu.cr4 |= random.nextInt(4) == 0 ? Cpu.CR4_UMIP : 0;
        cpu.efer = Cpu.EFER_SCE | Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
        cpu.cr4 |= identifiers ? Cpu.CR4_PCIDE : 0;
        cpu.cr3 = spaces[0];
        for (int i = 0; i < 6; i++) {
            cpu.selector[i] = i == Cpu.CS ? KERNEL_CODE_SELECTOR : KERNEL_DATA_SELECTOR;
            cpu.r[Cpu.SEGMENT_BASE + i] = 0;
            cpu.limit[i] = 0xFFFF_FFFFL;
            cpu.attributes[i] = i == Cpu.CS ? TestMachine.ATTR_CODE64 : TestMachine.ATTR_DATA32;
        }
        cpu.r[Cpu.SEGMENT_BASE + Cpu.FS] = linearPage();
        cpu.r[Cpu.SEGMENT_BASE + Cpu.GS] = linearPage() + random.nextInt(PAGE);
        cpu.gdtBase = DIRECT + GDT;
        cpu.gdtLimit = 0xFFF;
        cpu.idtBase = DIRECT + IDT;
        cpu.idtLimit = 0xFFF;
        cpu.selector[Cpu.TR] = TASK_SELECTOR;
        cpu.trBase = DIRECT + TSS;
        cpu.limit[Cpu.TR] = 0x67;
        cpu.attributes[Cpu.TR] = TestMachine.ATTR_TSS | 2;
        cpu.msrs.star = 0x0018_0008L << 32;
        // Most kernels have all flags cleared; at least those that would disturb this one.
        cpu.msrs.fmask = random.nextInt(4) != 0 ? 0x3F_7FD5 : Cpu.IF | Cpu.TF | Cpu.DF | Cpu.AC;
        cpu.msrs.kernelGsBase = linearPage();
        cpu.cpl = 0;
        cpu.systemFlags = 2;
        for (int i = 0; i < 16; i++) {
            cpu.vec[8 * i] = random.nextLong();
            cpu.vec[8 * i + 1] = random.nextLong();
        }
        if (random.nextBoolean()) {
            for (int i = 0; i < 16; i++) {
                cpu.vec[8 * i + 2] = random.nextLong();
                cpu.vec[8 * i + 3] = random.nextLong();
            }
        }
        if (random.nextBoolean()) {
            for (int i = 0; i < SimdOp.MEMORY_SLOT; i++) {
                if (i >= 16 * 8 || i % 8 >= 4) {
                    cpu.vec[i] = random.nextLong();
                }
            }
        }
        Arrays.fill(cpu.x87.significand, 0);
        Arrays.fill(cpu.x87.signExponent, (short) 0);
        cpu.x87.initialize();
        cpu.apic.write(0xF0, 4, 0x1FF);
        cpu.retired = 0;
        cpu.exceptions = 0;
        cpu.interrupts = 0;
        cpu.interruptWaiting = false;
        cpu.stepPending = false;
        cpu.singleStep = false;
        cpu.debugShadow = false;
        cpu.clear(-1);
        cpu.code.dropWritten();
        cpu.clear(-1);
        cpu.updateMode();
        cpu.mmu.flushAll();
    }

    // ---------------------------------------------------------------- the kernel

    private void emit(int... bytes) {
        for (int b : bytes) {
            kernel[kernelEnd++] = (byte) b;
        }
    }

    /** Emits an instruction with an operand relative to the instruction pointer, and then an immediate operand. */
    private void relative(long target, int immediateSize, long immediate, int... bytes) {
        emit(bytes);
        long displacement = target - (CODE + kernelEnd + 4 + immediateSize);
        little(displacement, 4);
        little(immediate, immediateSize);
    }

    private void little(long value, int size) {
        for (int i = 0; i < size; i++) {
            emit((int) (value >>> 8 * i));
        }
    }

    /** Writes the handlers; {@return where to start} */
    private long writeKernel() {
        kernel = new byte[0x2000];
        kernelEnd = 0;
        writeExceptionHandler();
        for (int vector = 0; vector < 32; vector++) {
            if (vector == Vector.NMI) {
                continue;
            }
            stub(vector, vector == Vector.BREAKPOINT || vector == Vector.OVERFLOW ? 3 : 0);
        }
        stub(0x80, 3);
        for (int vector = 32; vector < 256; vector++) {
            if (vector != 0x80) {
                gate(vector, CODE + kernelEnd, 0, 2);
            }
        }
        emit(0x50, 0x48, 0xB8); // push rax; mov rax, the EOI register
        little(DIRECT_APIC + 0xB0, 8);
        emit(0xC7, 0x00, 0, 0, 0, 0, 0x58); // mov dword [rax], 0; pop rax
        gate(Vector.NMI, CODE + kernelEnd, 0, 2);
        relative(COUNTER, 0, 0, 0x48, 0xFF, 0x05); // inc qword [COUNTER]
        emit(0x48, 0xCF);
        cpu.msrs.lstar = DIRECT + CODE + kernelEnd;
        writeSystemCall();
        memory.write(CODE, Arrays.copyOf(kernel, kernelEnd));
        return DIRECT + CODE;
    }

    private void stub(int vector, int privilege) {
        gate(vector, CODE + kernelEnd, privilege, 1);
        boolean hasErrorCode = vector == 8 || vector >= 10 && vector <= 14 || vector == 17 || vector == 21;
        if (!hasErrorCode) {
            emit(0x6A, 0);
        }
        emit(0x68, vector, 0, 0, 0, 0xE9);
        little(-(kernelEnd + 4), 4);
    }

    /** Logs what the stack has, then takes the next record for where and how to go on. */
    private void writeExceptionHandler() {
        emit(0x50, 0x51); // push rax; push rcx
        relative(LOG_POSITION, 0, 0, 0x48, 0x8B, 0x0D); // mov rcx, [LOG_POSITION]
        relative(LOG, 0, 0, 0x48, 0x8D, 0x05); // lea rax, [LOG]
        emit(0x48, 0x01, 0xC8); // add rax, rcx
        emit(0xFF, 0x74, 0x24, 0x10, 0x8F, 0x00); // push and pop: vector
        emit(0xFF, 0x74, 0x24, 0x18, 0x8F, 0x40, 0x08); // error code
        emit(0xFF, 0x74, 0x24, 0x20, 0x8F, 0x40, 0x10); // rip
        emit(0xFF, 0x74, 0x24, 0x30, 0x8F, 0x40, 0x18); // rflags
        emit(0xFF, 0x74, 0x24, 0x38, 0x8F, 0x40, 0x20); // rsp
        emit(0x0F, 0x20, 0xD1, 0x48, 0x89, 0x48, 0x28); // cr2
        emit(0x48, 0x89, 0x68, 0x30, 0x48, 0x89, 0x50, 0x38); // rbp, rdx
        relative(LOG_POSITION, 1, 0x40, 0x48, 0x83, 0x05); // add qword [LOG_POSITION], 64
        relative(LOG_POSITION, 4, 0xFC0, 0x48, 0x81, 0x25); // and
        relative(SEQUENCE, 0, 0, 0x48, 0x8B, 0x0D); // mov rcx, [SEQUENCE]
        relative(SEQUENCE, 4, RECORD_BYTES, 0x48, 0x81, 0x05); // add
        relative(SEQUENCE, 4, (RECORDS - 1) * RECORD_BYTES, 0x48, 0x81, 0x25); // and
        relative(RESUME, 0, 0, 0x48, 0x8D, 0x05); // lea rax, [RESUME]
        emit(0x48, 0x01, 0xC8); // add rax, rcx
        for (int i = 0; i < 5; i++) {
            emit(0xFF, 0x70, 8 * i, 0x8F, 0x44, 0x24, 0x20 + 8 * i); // rip, cs, rflags, rsp, ss
        }
        int[] order = {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0};
        for (int i = 0; i < order.length; i++) {
            int register = order[i];
            emit(0x48 | register >> 3 << 2, 0x8B, 0x80 | (register & 7) << 3);
            little(0x28 + 8 * i, 4);
        }
        emit(0x48, 0x83, 0xC4, 0x20, 0x48, 0xCF); // add rsp, 32; iretq
    }

    private void writeSystemCall() {
        relative(SAVED_STACK, 0, 0, 0x48, 0x89, 0x25); // mov [SAVED_STACK], rsp
        relative(KERNEL_STACK, 0, 0, 0x48, 0x8D, 0x25); // lea rsp, [KERNEL_STACK]
        emit(0x51, 0x41, 0x53, 0x50, 0x52, 0x53); // push rcx, r11, rax, rdx, rbx
        relative(SERVICE, 0, 0, 0x48, 0x8B, 0x05); // mov rax, [SERVICE]
        relative(SERVICE, 1, SERVICE_BYTES, 0x48, 0x83, 0x05); // add
        relative(SERVICE, 4, (RECORDS - 1) * SERVICE_BYTES, 0x48, 0x81, 0x25); // and
        relative(SERVICES, 0, 0, 0x48, 0x8D, 0x15); // lea rdx, [SERVICES]
        emit(0x48, 0x01, 0xC2, 0x48, 0x8B, 0x1A, 0x48, 0x85, 0xDB); // add rdx, rax; mov rbx, [rdx]; test rbx, rbx
        emit(0x74, 14); // jz
        emit(0x48, 0x8B, 0x42, 0x08, 0x48, 0x87, 0x03); // mov rax, [rdx+8]; xchg [rbx], rax
        emit(0x48, 0x8B, 0x5A, 0x10, 0x0F, 0x01, 0x3B); // mov rbx, [rdx+16]; invlpg [rbx]
        emit(0x48, 0x8B, 0x42, 0x18, 0x48, 0x85, 0xC0); // mov rax, [rdx+24]; test rax, rax
        emit(0x74, 0x03, 0x0F, 0x22, 0xD8); // jz; mov cr3, rax
        emit(0x5B, 0x5A, 0x58, 0x41, 0x5B, 0x59); // pop rbx, rdx, rax, r11, rcx
        relative(SAVED_STACK, 0, 0, 0x48, 0x8B, 0x25); // mov rsp, [SAVED_STACK]
        emit(0x48, 0x0F, 0x07); // sysretq
    }

    private void writeRecords() {
        for (int i = 0; i < RECORDS; i++) {
            long at = RESUME + (long) i * RECORD_BYTES;
            boolean user = random.nextInt(4) != 0;
            memory.writeLong(at, codeAddress());
            memory.writeLong(at + 8, user ? USER_CODE_SELECTOR : KERNEL_CODE_SELECTOR);
            memory.writeLong(at + 16, flags());
            memory.writeLong(at + 24, dataAddress() & (random.nextInt(4) == 0 ? -1 : -8));
            memory.writeLong(at + 32, user ? USER_DATA_SELECTOR : KERNEL_DATA_SELECTOR);
            for (int j = 0; j < 15; j++) {
                memory.writeLong(at + 40 + 8 * j, dataAddress());
            }
        }
    }

    private long flags() {
        long flags = random.nextLong() & Cpu.ARITHMETIC | 2;
        flags |= random.nextInt(4) == 0 ? 0 : Cpu.IF;
        flags |= random.nextInt(10) == 0 ? Cpu.DF : 0;
        flags |= random.nextInt(10) == 0 ? Cpu.AC : 0;
        flags |= random.nextInt(40) == 0 ? Cpu.TF : 0;
        flags |= random.nextInt(40) == 0 ? Cpu.NT : 0;
        return flags | (random.nextInt(40) == 0 ? Cpu.IOPL : 0);
    }

    private void writeServices() {
        for (int i = 0; i < RECORDS; i++) {
            long at = SERVICES + (long) i * SERVICE_BYTES;
            if (random.nextInt(3) == 0) {
                long linear = linearPage();
                if (linear == USER_CODE + 7L * PAGE) {
                    // A global page stays what it is.
                    linear = USER_CODE;
                }
                memory.writeLong(at, DIRECT + walk(spaces[random.nextInt(SPACES)], linear, 1));
                memory.writeLong(at + 8, entry(random.nextInt(3) != 0));
                memory.writeLong(at + 16, linear + random.nextInt(PAGE));
            }
            if (random.nextInt(4) == 0) {
                memory.writeLong(at + 24, anySpace());
            }
        }
    }

    /** {@return what to load CR3 with for a random address space} */
    private long anySpace() {
        int space = random.nextInt(SPACES);
        if (!identifiers) {
            return spaces[space];
        }
        int identifier = IDENTIFIERS_A_SPACE * space + random.nextInt(IDENTIFIERS_A_SPACE);
        return spaces[space] | identifier | (random.nextInt(4) == 0 ? 0 : NO_FLUSH);
    }

    /**
     * {@return whether the address space is one of the machine's} When the guest has loaded CR3 with something else, it runs by
     * what the TLB still has of global pages, which is up to each CPU.
     */
    boolean inAddressSpace() {
        for (int i = 0; i < SPACES; i++) {
            long identifier = cpu.cr3 - spaces[i];
            boolean matches = identifiers ? identifier / IDENTIFIERS_A_SPACE == i && identifier >= 0 : identifier == 0;
            if (matches) {
                return true;
            }
        }
        return false;
    }

    // ---------------------------------------------------------------- from outside

    /** Writes as a device does. */
    void poke(int page, int offset, byte[] bytes) {
        memory.write(POOL + (long) (page % POOL_PAGES) * PAGE + offset, bytes);
    }

    // ---------------------------------------------------------------- comparison

    /**
     * Compares with another machine.
     *
     * @param expected the right one
     * @param flags whether to compare the arithmetic flags
     * @return the differences, or an empty string
     */
    String difference(FuzzMachine expected, boolean flags) {
        X86State a = vcpu.state();
        X86State b = expected.vcpu.state();
        StringBuilder text = new StringBuilder();
        compare(text, "retired", cpu.retired, expected.cpu.retired);
        compare(text, "exceptions", cpu.exceptions, expected.cpu.exceptions);
        compare(text, "interrupts", cpu.interrupts, expected.cpu.interrupts);
        compare(text, "rip", a.rip(), b.rip());
        for (int i = 0; i < 16; i++) {
            compare(text, MachineState.GPR_NAMES[i], a.gpr()[i], b.gpr()[i]);
        }
        long mask = flags ? -1 : ~(long) Cpu.ARITHMETIC;
        compare(text, "rflags", a.rflags() & mask, b.rflags() & mask);
        compareRest(text, a, b);
        compare(text, "cpl", cpu.cpl, expected.cpu.cpl);
        compare(text, "bus", bus.state, expected.bus.state);
        return text.toString();
    }

    /** Compares all but general registers, instruction pointer and flags. */
    static void compareRest(StringBuilder text, X86State a, X86State b) {
        compare(text, "cr0", a.cr0(), b.cr0());
        compare(text, "cr2", a.cr2(), b.cr2());
        compare(text, "cr3", a.cr3(), b.cr3());
        compare(text, "cr4", a.cr4(), b.cr4());
        compare(text, "cr8", a.cr8(), b.cr8());
        compare(text, "mxcsr", a.mxcsr(), b.mxcsr());
        for (int i = 0; i < 8; i++) {
            same(text, "segment " + i, a.segments()[i], b.segments()[i]);
            compare(text, "dr" + i, a.dr()[i], b.dr()[i]);
        }
        for (int i = 0; i < a.vectors().length; i++) {
            compare(text, "vector " + i / 8 + " quadword " + i % 8, a.vectors()[i], b.vectors()[i]);
        }
        same(text, "gdtr", a.gdtr(), b.gdtr());
        same(text, "idtr", a.idtr(), b.idtr());
        same(text, "msrs", a.msrs(), b.msrs());
        same(text, "halted", a.halted(), b.halted());
        same(text, "shadow", a.interruptShadow(), b.interruptShadow());
        same(text, "apic", Arrays.toString(a.apic()), Arrays.toString(b.apic()));
        X86State.Fpu fpu = a.fpu();
        X86State.Fpu other = b.fpu();
        same(text, "st", Arrays.toString(fpu.significands()), Arrays.toString(other.significands()));
        same(text, "st", Arrays.toString(fpu.signExponents()), Arrays.toString(other.signExponents()));
        compare(text, "fcw", fpu.control(), other.control());
        compare(text, "fsw", fpu.status(), other.status());
        compare(text, "ftw", fpu.tag(), other.tag());
        compare(text, "fip", fpu.instructionPointer(), other.instructionPointer());
        compare(text, "fdp", fpu.dataPointer(), other.dataPointer());
    }

    /** {@return the first differences of the memories, or an empty string} */
    String memoryDifference(FuzzMachine expected) {
        StringBuilder text = new StringBuilder();
        long at = memory.segment().mismatch(expected.memory.segment());
        for (int i = 0; at >= 0 && i < 64; i++) {
            long quad = at & -8;
            long actual = memory.segment().get(ValueLayout.JAVA_LONG, quad);
            long wanted = expected.memory.segment().get(ValueLayout.JAVA_LONG, quad);
            if (quad >= TABLES && quad < TABLES_END) {
                // Code may have been translated ahead of its execution (SDM 3A 4.8).
                wanted |= actual & ACCESSED;
            }
            compare(text, "[0x%x]".formatted(quad), actual, wanted);
            long from = quad + 8;
            if (from >= SIZE) {
                break;
            }
            long next = memory.segment()
                    .asSlice(from)
                    .mismatch(expected.memory.segment().asSlice(from));
            at = next < 0 ? -1 : from + next;
        }
        return text.toString();
    }

    static void compare(StringBuilder text, String name, long actual, long expected) {
        if (actual != expected) {
            text.append("%s %x, not %x; ".formatted(name, actual, expected));
        }
    }

    private static void same(StringBuilder text, String name, Object actual, Object expected) {
        if (!actual.equals(expected)) {
            text.append("%s %s, not %s; ".formatted(name, actual, expected));
        }
    }

    @Override
    public void close() {
        memory.close();
    }

    /** Answers every read with something that depends on all that happened before. */
    private static final class FakeBus implements Bus {
        private static final long MULTIPLIER = 0x9E37_79B9_7F4A_7C15L;
        long state;

        private long mix(long a, long b, long c) {
            state = (state ^ a * MULTIPLIER ^ Long.rotateLeft(b, 23) ^ Long.rotateLeft(c, 47)) * MULTIPLIER;
            return state ^ state >>> 29;
        }

        @Override
        public int readPort(int port, int size) {
            return (int) mix(port, size, 1);
        }

        @Override
        public void writePort(int port, int size, int value) {
            mix(port, size, value);
        }

        @Override
        public long readMmio(long address, int size) {
            long value = mix(address, size, 2);
            return size == 8 ? value : value & (1L << 8 * size) - 1;
        }

        @Override
        public void writeMmio(long address, int size, long value) {
            mix(address, size, size == 8 ? value : value & (1L << 8 * size) - 1);
        }

        @Override
        public int acknowledgeExternalInterrupt() {
            return 0xFF;
        }

        @Override
        public void endOfInterrupt(int vector) {}
    }

    /** Time stands still. */
    private static final class StoppedTimers implements Timers {
        @Override
        public long nanoTime() {
            return 0;
        }

        @Override
        public Timer create(Runnable action) {
            return new Timer() {
                @Override
                public void arm(long deadline) {}

                @Override
                public void disarm() {}
            };
        }
    }
}
