package dev.kagami.cpu.x86.interpreter;

import dev.kagami.memory.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Address translation: page walks, the TLB and every memory access that the TLB fast path of {@link Cpu} does not serve
 * (SDM 3A chapter 4).
 *
 * <p>There is one TLB per <em>view</em>: user, supervisor that SMAP keeps off user pages, and supervisor with
 * RFLAGS.AC set or SMAP off. A change of privilege swaps a reference instead of checking rights at each access. The view that SMAP
 * keeps off user pages is one for all address spaces, which differ little for it; of the others, each of the {@link
 * AddressSpaces} has its own. An entry is
 * four longs: the page address under which reads hit, the same for writes, what to add to a linear address to get an
 * offset in RAM, and flags. Pages that need attention at each access (device memory, watched by a debug register; for
 * writes: holding cached code, or not dirty yet) have no tag, so they always come here.
 */
final class Mmu {
    static final int PAGE_SHIFT = 12;
    static final int PAGE_SIZE = 1 << PAGE_SHIFT;

    static final int READ = 0;
    static final int WRITE = 1;
    static final int EXECUTE = 2;

    /** Physical-address width that CPUID reports; page-table bits at and above it are reserved. */
    static final int PHYSICAL_BITS = 46;

    /** The bits of CR3 that are the process-context identifier, when CR4.PCIDE is set. */
    static final int IDENTIFIER = 0xFFF;

    private static final int TLB_ENTRIES = 4096;
    private static final int ENTRY_SHIFT = 2;
    private static final int ENTRY_LONGS = 1 << ENTRY_SHIFT;
    private static final int SLOT_MASK = (TLB_ENTRIES - 1) * ENTRY_LONGS;

    /** A tag that no page address equals. */
    private static final long NO_TAG = 1;

    private static final int VIEW_USER = 0;
    private static final int VIEW_SUPERVISOR = 1;
    private static final int VIEW_SUPERVISOR_AC = 2;

    // Page-table entry bits (SDM 3A 4.5).
    private static final long P = 1;
    private static final long RW = 1 << 1;
    private static final long US = 1 << 2;
    private static final long A = 1 << 5;
    private static final long D = 1 << 6;
    private static final long PS = 1 << 7;
    private static final long G = 1 << 8;
    private static final long NX = 1L << 63;
    private static final long FRAME = (1L << PHYSICAL_BITS) - PAGE_SIZE;
    private static final long RESERVED = (1L << 52) - (1L << PHYSICAL_BITS);

    // Page-fault error code (SDM 3A 4.7).
    private static final int ERROR_P = 1;
    private static final int ERROR_W = 1 << 1;
    private static final int ERROR_U = 1 << 2;
    private static final int ERROR_RSVD = 1 << 3;
    private static final int ERROR_I = 1 << 4;

    // Flags of a TLB entry.
    /** The page is global. */
    static final int FLAG_GLOBAL = 1;
    /** Part of a page of 2 or 4 MiB. */
    private static final int FLAG_LARGE = 1 << 1;
    /** Part of a page of 1 GiB. */
    private static final int FLAG_HUGE = 1 << 2;

    /** log2 of the size of the largest page but for {@link #HUGE_SHIFT}. */
    private static final int LARGE_SHIFT = 22;

    /** log2 of the largest page's size. */
    static final int HUGE_SHIFT = 30;

    /** log2 of the smallest large page's size. */
    private static final int PIECE_SHIFT = 21;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle ATOMIC_INT =
            ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();
    private static final VarHandle ATOMIC_LONG =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private final Cpu cpu;
    private final GuestMemory memory;
    private final MemorySegment ram;
    /** Number of tables: a common one, then two for each address space. */
    static final int TABLES = 1 + 2 * AddressSpaces.COUNT;

    /** The number of the table of the supervisor that SMAP keeps off user pages. */
    private static final int COMMON_TABLE = 0;

    /** By {@link #table(int)}; those of an address space are made when it is used. */
    private final long[][] tables = new long[TABLES][];

    /** The entries in use, so that a flush need not look at all. */
    private final UsedSlots[] used = new UsedSlots[TABLES];

    private final AddressSpaces spaces = new AddressSpaces();
    private int space;
    private int view;

    /** The number of the table in use. */
    private int table;

    /**
     * Where entries may be that let a page of RAM be written: only there must they be looked for to have writes trapped. By page, a
     * bit for the common table and one for each address space, see {@link #writers}.
     */
    private final byte[] writable;

    /** Pieces of 2 MiB that are large pages, or parts of one, of which any number of entries may be in the TLB. */
    private final PageFilter largePages = new PageFilter(PIECE_SHIFT);

    /** INVLPG inside of these bounds may concern a huge page. */
    private long hugeLow = -1L;

    private long hugeHigh;

    /** For pages of RAM of which {@link #writable} isn't 0, by which linear pages that is. */
    private final Writers writers;

    // Results of a walk.
    private long physical;
    private boolean mayWrite;
    private boolean dirty;
    private boolean userPage;
    private int flags;

    /** Port-like registers of the local APIC, which answers before the bus does. */
    @org.jspecify.annotations.Nullable
    LocalApic apic;

    Mmu(Cpu cpu) {
        this.cpu = cpu;
        memory = cpu.memory;
        ram = memory.segment();
        writable = new byte[(int) (memory.size() >>> PAGE_SHIFT)];
        writers = new Writers(writable.length);
        makeTable(COMMON_TABLE);
        makeTables(0);
    }

    private void makeTables(int space) {
        makeTable(1 + 2 * space);
        makeTable(2 + 2 * space);
    }

    private void makeTable(int number) {
        if (tables[number] == null) {
            tables[number] = new long[TLB_ENTRIES * ENTRY_LONGS];
            Arrays.fill(tables[number], NO_TAG);
            used[number] = new UsedSlots(TLB_ENTRIES);
        }
    }

    private void dropTable(int number) {
        tables[number] = null;
        used[number] = null;
    }

    /** {@return the index of an address's entry in a TLB} */
    static int slot(long address) {
        return (int) (address >>> PAGE_SHIFT - ENTRY_SHIFT) & SLOT_MASK;
    }

    /** Selects and returns the TLB for the CPU's privilege level and RFLAGS.AC. */
    long[] view(Cpu cpu) {
        return select(cpu.cpl == 3 ? VIEW_USER : supervisorView((cpu.systemFlags & Cpu.AC) != 0));
    }

    private long[] select(int newView) {
        view = newView;
        table = table(newView);
        return tables[table];
    }

    private int supervisorView(boolean accessControl) {
        return (cpu.cr4 & Cpu.CR4_SMAP) != 0 && !accessControl ? VIEW_SUPERVISOR : VIEW_SUPERVISOR_AC;
    }

    /** {@return the number of a view's table in the current address space} */
    private int table(int view) {
        return view == VIEW_SUPERVISOR ? COMMON_TABLE : 1 + 2 * space + (view == VIEW_USER ? 0 : 1);
    }

    /** {@return the number of the supervisor's table with RFLAGS.AC as given} */
    int supervisorTable(boolean accessControl) {
        return table(supervisorView(accessControl));
    }

    /** {@return the number of the user's table} */
    int userTable() {
        return table(VIEW_USER);
    }

    /** {@return the bit of {@link #writable} for a table} */
    private static int writers(int table) {
        return 1 << (table + 1 >> 1);
    }

    /**
     * {@return whether a table may have entries that let a page be written}
     *
     * @param table number of the table
     * @param writers what {@link TranslationListener#writesTrapped} was told
     */
    static boolean mayHaveWritable(int table, int writers) {
        return (writers & writers(table)) != 0;
    }

    // ---------------------------------------------------------------- accesses that miss the fast path

    long readSlow(long address, int size) {
        if ((address & PAGE_SIZE - 1) + size > PAGE_SIZE) {
            return readAcross(address, size);
        }
        long offset = translate(address, READ);
        watch(address, size, false);
        return offset >= 0 ? readRam(offset, size) : readDevice(physical, size);
    }

    private long readAcross(long address, int size) {
        probe(address, size, false);
        watch(address, size, false);
        long value = 0;
        for (int i = 0; i < size; i++) {
            long offset = translate(cpu.wrap(address + i), READ);
            long b = offset >= 0 ? ram.get(BYTE, offset) & 0xFF : readDevice(physical, 1);
            value |= b << 8 * i;
        }
        return value;
    }

    void writeSlow(long address, int size, long value) {
        if ((address & PAGE_SIZE - 1) + size > PAGE_SIZE) {
            probe(address, size, true);
            watch(address, size, true);
            for (int i = 0; i < size; i++) {
                writeWithin(cpu.wrap(address + i), 1, value >>> 8 * i);
            }
            return;
        }
        watch(address, size, true);
        writeWithin(address, size, value);
    }

    private void writeWithin(long address, int size, long value) {
        long offset = translate(address, WRITE);
        if (offset < 0) {
            writeDevice(physical, size, value);
            return;
        }
        switch (size) {
            case 1 -> ram.set(BYTE, offset, (byte) value);
            case 2 -> ram.set(SHORT, offset, (short) value);
            case 4 -> ram.set(INT, offset, (int) value);
            default -> ram.set(LONG, offset, value);
        }
        noteWrite(offset, size);
    }

    private void codeWritten(int page, int from, int bytes) {
        cpu.code.written(page, from, bytes);
        if (!cpu.alone) {
            cpu.processors.codeWritten(cpu, page, from, bytes);
        }
    }

    /**
     * Finds where a locked access that {@link Cpu#writableOffset} does not find can be made in RAM; may fault as a write.
     * {@link #noteWrite} must follow the access.
     *
     * @param address linear address
     * @param size bytes, all within one page
     * @return the offset in RAM, or -1 when no RAM is there
     */
    long lockedOffset(long address, int size) {
        long offset = translate(address, WRITE);
        watch(address, size, false);
        watch(address, size, true);
        return offset;
    }

    /** Looks after code that an access to RAM has overwritten. */
    void noteWrite(long offset, int size) {
        int page = (int) (offset >>> PAGE_SHIFT);
        if (memory.isWatched(page)) {
            codeWritten(page, (int) offset & PAGE_SIZE - 1, size);
        }
    }

    private long readRam(long offset, int size) {
        return switch (size) {
            case 1 -> ram.get(BYTE, offset) & 0xFFL;
            case 2 -> ram.get(SHORT, offset) & 0xFFFFL;
            case 4 -> ram.get(INT, offset);
            default -> ram.get(LONG, offset);
        };
    }

    private long readDevice(long address, int size) {
        LocalApic local = cpu.apic;
        if (local.claims(address)) {
            return local.read((int) address & PAGE_SIZE - 1, size);
        }
        cpu.mmioReads++;
        return cpu.bus.readMmio(address, size);
    }

    private void writeDevice(long address, int size, long value) {
        LocalApic local = cpu.apic;
        if (local.claims(address)) {
            local.write((int) address & PAGE_SIZE - 1, size, value);
            return;
        }
        cpu.mmioWrites++;
        cpu.bus.writeMmio(address, size, value);
    }

    /**
     * Checks that a whole access is allowed, without making it.
     *
     * @param address linear address
     * @param size bytes, at most a page
     * @param write whether it would write
     */
    void probe(long address, int size, boolean write) {
        int access = write ? WRITE : READ;
        translate(address, access);
        if ((address & PAGE_SIZE - 1) + size > PAGE_SIZE) {
            translate(cpu.wrap((address | PAGE_SIZE - 1) + 1), access);
        }
    }

    /** Reads quadwords that may have been probed: all at once where that can be. */
    void readQuadwords(long address, long[] target, int at, int count) {
        long offset = directly(address, count * Long.BYTES, false);
        if (offset >= 0) {
            MemorySegment.copy(ram, ValueLayout.JAVA_LONG_UNALIGNED, offset, target, at, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            target[at + i] = cpu.readLong(cpu.wrap(address + i * Long.BYTES));
        }
    }

    /** Writes quadwords that may have been probed: all at once where that can be. */
    void writeQuadwords(long address, long[] source, int from, int count) {
        long offset = directly(address, count * Long.BYTES, true);
        if (offset >= 0) {
            MemorySegment.copy(source, from, ram, ValueLayout.JAVA_LONG_UNALIGNED, offset, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            cpu.writeLong(cpu.wrap(address + i * Long.BYTES), source[from + i]);
        }
    }

    /** {@return the offset in RAM of bytes within two pages that lie there as they do in linear memory and may be accessed without coming here, or -1} */
    private long directly(long address, int bytes, boolean write) {
        if ((cpu.dr[7] & 0xFF) != 0) {
            return -1;
        }
        long page = translatePage(address, write);
        long last = address + bytes - 1;
        if (page >= 0
                && ((address ^ last) & -PAGE_SIZE) != 0
                && translatePage(cpu.wrap(last), write) != page + PAGE_SIZE) {
            return -1;
        }
        return page < 0 ? -1 : page + (address & PAGE_SIZE - 1);
    }

    /** Reads as the processor itself does for descriptor tables and task states: at supervisor level, whatever CPL is. */
    long readSystem(long address, int size) {
        int saved = enterSystemView();
        try {
            return cpu.read(address, size);
        } finally {
            leaveSystemView(saved);
        }
    }

    /** Writes as {@link #readSystem} reads. */
    void writeSystem(long address, int size, long value) {
        int saved = enterSystemView();
        try {
            cpu.write(address, size, value);
        } finally {
            leaveSystemView(saved);
        }
    }

    private int enterSystemView() {
        int saved = view;
        cpu.tlb = select(supervisorView(false));
        return saved;
    }

    private void leaveSystemView(int saved) {
        cpu.tlb = select(saved);
    }

    private void watch(long address, int size, boolean write) {
        if ((cpu.dr[7] & 0xFF) != 0) {
            Debug.dataAccess(cpu, address, size, write);
        }
    }

    // ---------------------------------------------------------------- translation

    /**
     * Translates for an instruction fetch.
     *
     * @param address linear address
     * @return the offset in RAM, or -1 when the code is not in RAM
     */
    long translateCode(long address) {
        return translate(address, EXECUTE);
    }

    /**
     * Translates a linear address and enters the page into the TLB of the current view.
     *
     * @return the offset in RAM, or -1 with {@link #physical} set when no RAM is there
     */
    private long translate(long address, int access) {
        long[] tlb = tables[table];
        int slot = slot(address);
        long page = address & -PAGE_SIZE;
        if (access != EXECUTE && tlb[slot + access] == page) {
            return address + tlb[slot + 2];
        }
        if (cpu.mode == 64 && !canonical(address)) {
            Fault fault = cpu.generalProtection();
            fault.nonCanonical = true;
            throw fault;
        }
        walk(address, access);
        long frame = physical & -PAGE_SIZE;
        long offset = memory.offsetOf(frame);
        if (offset < 0) {
            return -1;
        }
        if (access != EXECUTE) {
            enter(tlb, slot, page, offset, access);
        }
        return offset + (address & PAGE_SIZE - 1);
    }

    private void enter(long[] tlb, int slot, long page, long offset, int access) {
        boolean watched = watchedByDebugger(page);
        int number = (int) (offset >>> PAGE_SHIFT);
        boolean direct = mayWrite && (dirty || access == WRITE) && !memory.isWatched(number);
        if (direct) {
            noteWriter(table, number, page);
        }
        used[table].add(slot >> 2, (flags & FLAG_GLOBAL) != 0);
        tlb[slot] = watched ? NO_TAG : page;
        tlb[slot + 1] = direct && !watched ? page : NO_TAG;
        tlb[slot + 2] = offset - page;
        tlb[slot + 3] = flags;
    }

    private void noteWriter(int table, int number, long page) {
        if (writable[number] == 0) {
            writers.set(number, page);
        } else if (!writers.has(number, page)) {
            for (int i = 0; i < Writers.COUNT; i++) {
                if (!mayWrite(number, writers.get(number, i))) {
                    writers.remove(number, i);
                }
            }
            writers.add(number, page);
        }
        writable[number] |= (byte) writers(table);
    }

    /** {@return whether a TLB lets a page of RAM be written at one address, as {@link Writers} know it} */
    private boolean mayWrite(int number, long address) {
        if (address == Writers.NOBODY) {
            return false;
        }
        int slot = slot(address);
        for (int i = 0; i < TABLES; i++) {
            if (tables[i] != null && mayWrite(tables[i], slot, number)) {
                return true;
            }
        }
        TranslationListener listener = cpu.translations;
        return listener != null && listener.mayWrite(number, address);
    }

    private static boolean mayWrite(long[] tlb, int slot, int number) {
        return tlb[slot + 1] != NO_TAG && tlb[slot + 1] + tlb[slot + 2] >>> PAGE_SHIFT == number;
    }

    private boolean watchedByDebugger(long page) {
        if ((cpu.dr[7] & 0xFF) == 0) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            if ((cpu.dr[i] & -PAGE_SIZE) == page) {
                return true;
            }
        }
        return false;
    }

    /** {@return whether an address is canonical for the current paging depth} */
    boolean canonical(long address) {
        int shift = (cpu.cr4 & Cpu.CR4_LA57) != 0 ? 7 : 16;
        return address << shift >> shift == address;
    }

    private void walk(long address, int access) {
        if ((cpu.cr0 & Cpu.CR0_PG) == 0) {
            physical = address;
            mayWrite = true;
            dirty = true;
            userPage = true;
            flags = 0;
            return;
        }
        while (!tryWalk(address, access)) {
            // Another CPU changed an entry between our read and our update of its accessed bit.
            Thread.onSpinWait();
        }
    }

    private boolean tryWalk(long address, int access) {
        if ((cpu.cr4 & Cpu.CR4_PAE) == 0) {
            return walkLegacy(address, access);
        }
        boolean longMode = cpu.longMode();
        int level = !longMode ? 3 : (cpu.cr4 & Cpu.CR4_LA57) != 0 ? 5 : 4;
        long reserved = (cpu.efer & Cpu.EFER_NXE) != 0 ? RESERVED : RESERVED | NX;
        long table = longMode ? cpu.cr3 & FRAME : cpu.cr3 & 0xFFFF_FFE0L;
        boolean write = true;
        boolean user = true;
        boolean executable = true;
        // Entries met on the way whose accessed bit must be set once the access is known to be allowed.
        long unaccessed0 = -1;
        long unaccessed1 = -1;
        long unaccessed2 = -1;
        long unaccessed3 = -1;
        while (true) {
            int shift = 12 + 9 * (level - 1);
            long entryAddress = table + ((address >>> shift & 0x1FF) << 3);
            long offset = memory.offsetOf(entryAddress);
            long entry = offset < 0 ? 0 : ram.get(LONG, offset);
            if ((entry & P) == 0) {
                throw pageFault(address, access, 0);
            }
            boolean pdpte = level == 3 && !longMode;
            if (pdpte) {
                // The four PDPTEs have neither rights nor an accessed bit (SDM 3A 4.4.1).
                if ((entry & (RESERVED | NX | 0x1E6)) != 0) {
                    throw pageFault(address, access, ERROR_P | ERROR_RSVD);
                }
                table = entry & FRAME;
                level--;
                continue;
            }
            if ((entry & (longMode ? reserved : reserved | 0x7FF0_0000_0000_0000L)) != 0
                    || (entry & PS) != 0 && level > 3) {
                throw pageFault(address, access, ERROR_P | ERROR_RSVD);
            }
            write &= (entry & RW) != 0;
            user &= (entry & US) != 0;
            executable &= (entry & NX) == 0;
            boolean leaf = level == 1 || (entry & PS) != 0 && level <= 3;
            if (leaf) {
                long pageMask = (1L << shift) - 1;
                if (level > 1 && (entry & pageMask & FRAME & ~PAGE_SIZE) != 0) {
                    // Bit 12 is PAT in a large page; the rest below the frame is reserved.
                    throw pageFault(address, access, ERROR_P | ERROR_RSVD);
                }
                check(address, access, write, user, executable);
                long update = entry | A | (access == WRITE ? D : 0);
                if (update != entry && !ATOMIC_LONG.compareAndSet(ram, offset, entry, update)
                        || unaccessed0 >= 0 && !setAccessed(unaccessed0)
                        || unaccessed1 >= 0 && !setAccessed(unaccessed1)
                        || unaccessed2 >= 0 && !setAccessed(unaccessed2)
                        || unaccessed3 >= 0 && !setAccessed(unaccessed3)) {
                    return false;
                }
                physical = entry & FRAME & ~pageMask | address & pageMask;
                flags = globalFlag(entry) | (level == 1 ? 0 : level == 2 ? FLAG_LARGE : FLAG_HUGE);
                dirty = (update & D) != 0;
                noteLargePage(address, flags);
                return true;
            }
            if ((entry & A) == 0) {
                unaccessed3 = unaccessed2;
                unaccessed2 = unaccessed1;
                unaccessed1 = unaccessed0;
                unaccessed0 = offset;
            }
            table = entry & FRAME;
            level--;
        }
    }

    private boolean setAccessed(long offset) {
        long entry = ram.get(LONG, offset);
        return (entry & P) != 0 && (boolean) ATOMIC_LONG.compareAndSet(ram, offset, entry, entry | A);
    }

    /** Walks two-level 32-bit page tables (SDM 3A 4.3). */
    private boolean walkLegacy(long address, int access) {
        long directory = memory.offsetOf((cpu.cr3 & 0xFFFF_F000L) + ((address >>> 22 & 0x3FF) << 2));
        int upper = directory < 0 ? 0 : ram.get(INT, directory);
        if ((upper & P) == 0) {
            throw pageFault(address, access, 0);
        }
        if ((upper & PS) != 0 && (cpu.cr4 & Cpu.CR4_PSE) != 0) {
            // PSE-36: bits 13-20 hold address bits 32-39; bit 21 is reserved.
            if ((upper & 1 << 21) != 0) {
                throw pageFault(address, access, ERROR_P | ERROR_RSVD);
            }
            check(address, access, (upper & RW) != 0, (upper & US) != 0, true);
            int update = upper | (int) A | (access == WRITE ? (int) D : 0);
            if (update != upper && !ATOMIC_INT.compareAndSet(ram, directory, upper, update)) {
                return false;
            }
            physical = upper & 0xFFC0_0000L | (upper & 0x1F_E000L) << 19 | address & 0x3F_FFFFL;
            flags = globalFlag(update) | FLAG_LARGE;
            dirty = (update & D) != 0;
            largePages.add(address);
            largePages.add(address ^ 1 << PIECE_SHIFT);
            return true;
        }
        long offset = memory.offsetOf((upper & 0xFFFF_F000L) + ((address >>> 12 & 0x3FF) << 2));
        int entry = offset < 0 ? 0 : ram.get(INT, offset);
        if ((entry & P) == 0) {
            throw pageFault(address, access, 0);
        }
        check(address, access, (upper & entry & RW) != 0, (upper & entry & US) != 0, true);
        int update = entry | (int) A | (access == WRITE ? (int) D : 0);
        if (update != entry && !ATOMIC_INT.compareAndSet(ram, offset, entry, update)
                || (upper & A) == 0 && !ATOMIC_INT.compareAndSet(ram, directory, upper, upper | (int) A)) {
            return false;
        }
        physical = entry & 0xFFFF_F000L | address & 0xFFF;
        flags = globalFlag(update);
        dirty = (update & D) != 0;
        return true;
    }

    private int globalFlag(long entry) {
        return (entry & G) != 0 && (cpu.cr4 & Cpu.CR4_PGE) != 0 ? FLAG_GLOBAL : 0;
    }

    /** Checks the rights that the tables give together (SDM 3A 4.6.1). */
    private void check(long address, int access, boolean write, boolean user, boolean executable) {
        boolean allowed;
        userPage = user;
        if (view == VIEW_USER) {
            mayWrite = write;
            allowed = user;
        } else {
            mayWrite = write || (cpu.cr0 & Cpu.CR0_WP) == 0;
            allowed = !user
                    || (access == EXECUTE
                            ? (cpu.cr4 & Cpu.CR4_SMEP) == 0
                            : view == VIEW_SUPERVISOR_AC || (cpu.cr4 & Cpu.CR4_SMAP) == 0);
        }
        if (access == WRITE) {
            allowed &= mayWrite;
        } else if (access == EXECUTE) {
            allowed &= executable;
        }
        if (!allowed) {
            throw pageFault(address, access, ERROR_P);
        }
    }

    private Fault pageFault(long address, int access, int error) {
        if (access == WRITE) {
            error |= ERROR_W;
        }
        if (view == VIEW_USER) {
            error |= ERROR_U;
        }
        if (access == EXECUTE
                && ((cpu.cr4 & Cpu.CR4_SMEP) != 0 || (cpu.cr4 & Cpu.CR4_PAE) != 0 && (cpu.efer & Cpu.EFER_NXE) != 0)) {
            error |= ERROR_I;
        }
        cpu.cr2 = address;
        return cpu.fault(Vector.PAGE_FAULT, error);
    }

    private void noteLargePage(long address, int flags) {
        if ((flags & FLAG_LARGE) != 0) {
            largePages.add(address);
        } else if ((flags & FLAG_HUGE) != 0) {
            noteHugePage(address & -1L << HUGE_SHIFT, address | (1L << HUGE_SHIFT) - 1);
        }
    }

    private void noteHugePage(long low, long high) {
        if (Long.compareUnsigned(low, hugeLow) < 0) {
            hugeLow = low;
        }
        if (Long.compareUnsigned(high, hugeHigh) > 0) {
            hugeHigh = high;
        }
    }

    // ---------------------------------------------------------------- invalidation

    /** Drops every translation, global ones too. */
    void flushAll() {
        for (int number = 0; number < TABLES; number++) {
            flush(number, false);
        }
        largePages.clear();
        hugeLow = -1L;
        hugeHigh = 0;
        cpu.code.flushTranslations(false);
        tellFlushed(false);
        spaces.reset(identifier());
        use(0);
    }

    /** Drops every translation that is not global, of all address spaces. */
    void flushNonGlobal() {
        for (int number = 0; number < TABLES; number++) {
            flush(number, true);
        }
        cpu.code.flushTranslations(true);
        tellFlushed(true);
    }

    private void tellFlushed(boolean keepGlobal) {
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.translationsFlushed(keepGlobal);
        }
    }

    private void flush(int number, boolean keepGlobal) {
        UsedSlots slots = used[number];
        if (slots == null) {
            return;
        }
        long[] tlb = tables[number];
        for (int i = 0; i < (keepGlobal ? slots.localCount() : slots.count()); i++) {
            int slot = slots.get(i) << 2;
            if (!keepGlobal || (tlb[slot + 3] & FLAG_GLOBAL) == 0) {
                clear(tlb, slot);
            }
        }
        slots.clear(!keepGlobal);
    }

    /** {@return the current process-context identifier (SDM 3A 4.10.1)} */
    private int identifier() {
        return (cpu.cr4 & Cpu.CR4_PCIDE) != 0 ? (int) cpu.cr3 & IDENTIFIER : 0;
    }

    /**
     * Uses the translations of the address space that CR3 has been loaded with.
     *
     * @param keep whether those of it that were made before, and are not global, are still good
     */
    void selectAddressSpace(boolean keep) {
        int identifier = identifier();
        int next = spaces.find(identifier);
        boolean known = next >= 0;
        if (!known) {
            next = spaces.take(identifier);
            makeTables(next);
        }
        if (known && keep && next == space) {
            return;
        }
        if (!known || !keep) {
            flushTables(next);
        }
        flushCommon();
        use(next);
    }

    private void use(int next) {
        spaces.use(next);
        space = next;
        cpu.updateView();
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.addressSpaceSelected(next);
        }
    }

    /** Keeps nothing of address spaces but the current one, so that the memory for it is free. */
    void giveBack() {
        spaces.keepOnly(space);
        for (int other = 0; other < AddressSpaces.COUNT; other++) {
            if (other != space) {
                flushTables(other);
                dropTable(1 + 2 * other);
                dropTable(2 + 2 * other);
            }
        }
    }

    /**
     * Drops the translations of an address space that are not global.
     *
     * @param identifier its process-context identifier
     */
    void flushAddressSpace(int identifier) {
        int flushed = spaces.find(identifier);
        if (flushed < 0) {
            return;
        }
        flushTables(flushed);
        if (flushed == space) {
            flushCommon();
        }
    }

    private void flushTables(int flushed) {
        flush(1 + 2 * flushed, true);
        flush(2 + 2 * flushed, true);
        cpu.code.flushAddressSpace(flushed);
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.addressSpaceFlushed(flushed);
        }
    }

    /** Drops what the common table has of the address space that was current. */
    private void flushCommon() {
        flush(COMMON_TABLE, true);
        cpu.code.flushSupervisor();
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.supervisorFlushed();
        }
    }

    /** {@return the number of the current address space, below {@link AddressSpaces#COUNT}} */
    int addressSpace() {
        return space;
    }

    /** Drops the translations of one page, as INVLPG does; those of other address spaces, too. */
    void flushPage(long address) {
        boolean huge = Long.compareUnsigned(address, hugeLow) >= 0 && Long.compareUnsigned(address, hugeHigh) <= 0;
        int shift = huge ? HUGE_SHIFT : largePages.mayHave(address) ? LARGE_SHIFT : PAGE_SHIFT;
        if (shift != PAGE_SHIFT) {
            dropPieces(address);
        }
        long page = address & -PAGE_SIZE;
        int slot = slot(address);
        for (long[] tlb : tables) {
            if (tlb != null && (tlb[slot] == page || tlb[slot + 1] == page)) {
                tlb[slot] = NO_TAG;
                tlb[slot + 1] = NO_TAG;
            }
        }
        cpu.code.flushTranslation(address, shift);
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.translationFlushed(page, shift);
        }
    }

    /** Drops all pieces of the large page that an address may be in. */
    private void dropPieces(long address) {
        for (int number = 0; number < TABLES; number++) {
            long[] tlb = tables[number];
            for (int i = 0; tlb != null && i < used[number].count(); i++) {
                int slot = used[number].get(i) << 2;
                long page = tlb[slot] != NO_TAG ? tlb[slot] : tlb[slot + 1];
                if (page != NO_TAG && samePage(page, address, (int) tlb[slot + 3])) {
                    tlb[slot] = NO_TAG;
                    tlb[slot + 1] = NO_TAG;
                }
            }
        }
    }

    /**
     * {@return whether an entry's page is a piece of the large page that an address is in, or may be}
     *
     * @param page linear address of the entry
     * @param address linear address
     * @param flags the entry's flags, from {@link #flags}
     */
    static boolean samePage(long page, long address, int flags) {
        return (flags & FLAG_LARGE) != 0 && (page ^ address) >>> LARGE_SHIFT == 0
                || (flags & FLAG_HUGE) != 0 && (page ^ address) >>> HUGE_SHIFT == 0;
    }

    /**
     * Makes writes to a page of RAM come to {@link #writeSlow}, because code of it is being cached. Called by the CPU's own
     * thread or by that of the CPU that holds the rendezvous.
     */
    void trapWrites(int pageNumber) {
        int where = writable[pageNumber];
        if (where == 0) {
            return;
        }
        writable[pageNumber] = 0;
        for (int i = 0; i < Writers.COUNT; i++) {
            long address = writers.get(pageNumber, i);
            if (address != Writers.NOBODY) {
                trapWrites(pageNumber, where, address);
            }
        }
    }

    private void trapWrites(int pageNumber, int where, long address) {
        for (int number = 0; number < TABLES; number++) {
            long[] tlb = tables[number];
            if (tlb == null || !mayHaveWritable(number, where)) {
                continue;
            }
            if (address != Writers.ANYBODY) {
                trapWrites(tlb, slot(address), pageNumber);
                continue;
            }
            for (int i = 0; i < used[number].count(); i++) {
                trapWrites(tlb, used[number].get(i) << 2, pageNumber);
            }
        }
        TranslationListener listener = cpu.translations;
        if (listener != null) {
            listener.writesTrapped(pageNumber, where, address);
        }
    }

    private static void trapWrites(long[] tlb, int slot, int pageNumber) {
        if (mayWrite(tlb, slot, pageNumber)) {
            tlb[slot + 1] = NO_TAG;
        }
    }

    /** {@return the number of the table in use, below {@link #TABLES}} */
    int tableNumber() {
        return table;
    }

    /**
     * Translates a page for a TLB outside of this class; may fault as the access does.
     *
     * @param address linear address
     * @param write whether the access writes
     * @return the offset in RAM of the page when the access may be made there without coming here, else -1
     */
    long translatePage(long address, boolean write) {
        int access = write ? WRITE : READ;
        translate(address, access);
        long[] tlb = tables[table];
        int slot = slot(address);
        long page = address & -PAGE_SIZE;
        return tlb[slot + access] == page ? page + tlb[slot + 2] : -1;
    }

    /** {@return whether a page may be written without coming here, as one perhaps that {@link #translatePage} has just translated} */
    boolean writable(long address) {
        int slot = slot(address);
        return tables[table][slot + 1] == (address & -PAGE_SIZE);
    }

    /** {@return whether a page may be read without coming here} */
    boolean readable(long address) {
        int slot = slot(address);
        return tables[table][slot] == (address & -PAGE_SIZE);
    }

    /**
     * Takes note of a page that was entered into a TLB outside of this class by a walk outside of it.
     *
     * @param number of the table
     * @param address linear address of the page
     * @param flags its flags
     * @param writable the number of the page of RAM if it may be written without coming here, else a negative number
     */
    void noteEntered(int number, long address, int flags, int writable) {
        noteLargePage(address, flags);
        if (writable >= 0) {
            noteWriter(number, writable, address);
        }
    }

    /**
     * {@return where the page tables begin in RAM if they are of the usual kind: four levels, with execute-disable and global
     * pages, all in RAM, and no page is watched by the debugger; else -1}
     */
    long usualPageTables() {
        boolean usual = (cpu.cr4 & (Cpu.CR4_LA57 | Cpu.CR4_PGE)) == Cpu.CR4_PGE
                && (cpu.efer & Cpu.EFER_NXE) != 0
                && cpu.longMode()
                && (cpu.dr[7] & 0xFF) == 0;
        return usual ? memory.offsetOf(cpu.cr3 & FRAME) : -1;
    }

    /** {@return the flags of the page that was translated last} */
    int flags() {
        return flags;
    }

    /** {@return the flags of a page that {@link #translatePage} has just translated} */
    int flags(long address) {
        return (int) tables[table][slot(address) + 3];
    }

    private static void clear(long[] tlb, int slot) {
        tlb[slot] = NO_TAG;
        tlb[slot + 1] = NO_TAG;
        tlb[slot + 2] = NO_TAG;
        tlb[slot + 3] = 0;
    }
}
