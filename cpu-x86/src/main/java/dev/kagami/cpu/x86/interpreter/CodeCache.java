package dev.kagami.cpu.x86.interpreter;

import dev.kagami.memory.CodeWriteListener;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * The decoded code of one CPU: blocks by physical page, and a translation cache from linear pages to those.
 *
 * <p>Each CPU has its own, so blocks are linked and dropped without locks. Writes by others, devices and other CPUs,
 * arrive through {@link #writtenElsewhere} and take effect before the next block.
 */
final class CodeCache implements CodeWriteListener {
    private static final int ENTRIES = 1024;

    private static final int JUMPS = 16_384;

    /** A tag that no page address equals. */
    private static final long NO_TAG = 1;

    /** When this many pages hold code, all of it is dropped; keeps the heap bounded. */
    private static final int MAX_PAGES = 8192;

    /** About what a decoded instruction takes of the heap, with its share of the block and of links. */
    private static final int BYTES_PER_OP = 64;

    /** About what a page with code takes of it besides. */
    private static final int BYTES_PER_PAGE = 256;

    /** The decoded code of all CPUs of a machine takes at most this part of the heap. */
    private static final int HEAP_SHARE = 4;

    private static final long MAX_OPS = Runtime.getRuntime().maxMemory() / HEAP_SHARE / BYTES_PER_OP;

    /** log2 of how many pages of RAM share an array of {@link #pages}: most of RAM never holds code. */
    private static final int CHUNK_SHIFT = 8;

    private static final int CHUNK = 1 << CHUNK_SHIFT;

    private static final VarHandle PAGES = MethodHandles.arrayElementVarHandle(CodePage[].class);
    private static final VarHandle CHUNKS = MethodHandles.arrayElementVarHandle(CodePage[][].class);

    private final Cpu cpu;

    /** By number. Others look here for whether there is something to announce. */
    private final @Nullable CodePage @Nullable [][] pages;

    private int pageCount;

    /** Decoded instructions in all pages; a guest that jumps to every byte could fill any heap with them. */
    private long opCount;

    /** Where translations of the supervisor are; those of the user are behind it, by address space. */
    private static final int SUPERVISOR = 0;

    private final @Nullable Translations[] translations = new Translations[1 + AddressSpaces.COUNT];

    private Translations current;

    /** Recently found blocks by linear address, in front of the translation cache. */
    private final Block[] jumps = new Block[JUMPS];

    /** Counts the times that translations were forgotten; where a block was found is good for one generation. */
    int generation = 1;

    /** Counts the times that translations were forgotten or code dropped; what spans blocks is good for one epoch. */
    int epoch = 1;

    /** The last generation in which a block was found on a linear page; pages share entries. */
    private final int[] foundOn = new int[ENTRIES];

    private final ConcurrentLinkedQueue<Integer> written = new ConcurrentLinkedQueue<>();

    /** A translation cache. */
    private static final class Translations {
        final long[] tag = new long[ENTRIES];
        final CodePage[] target = new CodePage[ENTRIES];
        final boolean[] global = new boolean[ENTRIES];
        final UsedSlots used = new UsedSlots(ENTRIES);

        Translations() {
            Arrays.fill(tag, NO_TAG);
        }

        void flush(boolean keepGlobal) {
            for (int i = 0; i < (keepGlobal ? used.localCount() : used.count()); i++) {
                int slot = used.get(i);
                if (!keepGlobal || !global[slot]) {
                    tag[slot] = NO_TAG;
                }
            }
            used.clear(!keepGlobal);
        }

        void flush(long address, int shift) {
            for (int i = 0; shift != Mmu.PAGE_SHIFT && i < used.count(); i++) {
                int slot = used.get(i);
                if ((tag[slot] ^ address) >>> shift == 0) {
                    tag[slot] = NO_TAG;
                }
            }
            tag[slot(address)] = NO_TAG;
        }
    }

    private static int slot(long linear) {
        return (int) (linear >>> Mmu.PAGE_SHIFT) & ENTRIES - 1;
    }

    CodeCache(Cpu cpu) {
        this.cpu = cpu;
        pages = new CodePage
                [(int) (cpu.memory.size() + ((long) CHUNK << Mmu.PAGE_SHIFT) - 1 >>> Mmu.PAGE_SHIFT + CHUNK_SHIFT)][];
        current = new Translations();
        translations[SUPERVISOR] = current;
        cpu.memory.addCodeWriteListener(this);
    }

    /** Uses the translations of user or supervisor mode in the current address space. */
    void selectView(boolean user) {
        int i = user ? 1 + cpu.mmu.addressSpace() : SUPERVISOR;
        Translations selected = translations[i];
        if (selected == null) {
            selected = new Translations();
            translations[i] = selected;
        }
        current = selected;
    }

    /**
     * Finds the block at an address, translating when needed; may fault.
     *
     * @param linear linear address of the code
     * @param mode {@link Cpu#codeMode}
     * @return the block, or null when that code has not been decoded
     */
    @Nullable
    Block find(long linear, int mode) {
        Block jump = jumps[jump(linear)];
        if (jump != null && isAt(jump, linear, mode)) {
            return jump;
        }
        // A forgotten translation doesn't mean that the page's code is unknown: it is translated here, for whoever gets
        // null decodes the code once more, beside the same code decoded before.
        CodePage page = page(linear);
        Block block = page == null ? null : page.find((int) linear & Mmu.PAGE_SIZE - 1, mode);
        if (block == null) {
            return null;
        }
        if (block.secondPage >= 0) {
            return secondHalfMatches(block, linear) ? block : null;
        }
        found(block, linear);
        return block;
    }

    /** {@return whether a block is what {@link #find} would find, as far as can be told without looking} */
    boolean isAt(Block block, long linear, int mode) {
        return block.linear == linear && block.generation == generation && block.mode == mode;
    }

    private static int jump(long linear) {
        return (int) (linear ^ linear >>> 12) & JUMPS - 1;
    }

    /** Notes that a block, which is all on one page, begins at an address according to translations that are good now. */
    private void found(Block block, long linear) {
        block.linear = linear;
        block.generation = generation;
        jumps[jump(linear)] = block;
        foundOn[slot(linear)] = generation;
    }

    private boolean secondHalfMatches(Block block, long linear) {
        CodePage second = page(cpu.wrap((linear | Mmu.PAGE_SIZE - 1) + 1));
        return second != null && second.number == block.secondPage;
    }

    /**
     * Finds the page object of the code at an address, translating when needed; may fault.
     *
     * @param linear linear address
     * @return the page, or null when the code is not in RAM
     */
    @Nullable
    CodePage page(long linear) {
        Translations cache = current;
        int i = slot(linear);
        if (cache.tag[i] == (linear & -Mmu.PAGE_SIZE) && !cache.target[i].dropped) {
            return cache.target[i];
        }
        long offset = cpu.mmu.translateCode(linear);
        if (offset < 0) {
            return null;
        }
        CodePage page = pageOf((int) (offset >>> Mmu.PAGE_SHIFT));
        cache.tag[i] = linear & -Mmu.PAGE_SIZE;
        cache.target[i] = page;
        cache.global[i] = (cpu.mmu.flags() & Mmu.FLAG_GLOBAL) != 0;
        cache.used.add(i, cache.global[i]);
        return page;
    }

    /** {@return the page object of the code at an address if that has been found before; else null} */
    @Nullable
    CodePage knownPage(long linear) {
        Translations cache = current;
        int i = slot(linear);
        return cache.tag[i] == (linear & -Mmu.PAGE_SIZE) && !cache.target[i].dropped ? cache.target[i] : null;
    }

    /** {@return whether the page that {@link #page} has just found is a global one} */
    boolean isGlobal(long linear) {
        return current.global[slot(linear)];
    }

    /** {@return the page object of a page of RAM, made and watched for writes if it is new} */
    CodePage pageOf(int number) {
        CodePage page = known(number);
        if (page == null) {
            if (pageCount >= MAX_PAGES) {
                dropAll();
            }
            page = new CodePage(number);
            pageCount++;
            // No CPU is in the middle of a write now, and none makes one behind our back from now on.
            cpu.rendezvous.begin(cpu);
            try {
                set(number, page);
                cpu.memory.watch(number);
                cpu.processors.trapWrites(number);
            } finally {
                cpu.rendezvous.end(cpu);
            }
        }
        return page;
    }

    /** {@return the page object of a page of RAM, or null when it holds no code; for any thread} */
    private @Nullable CodePage known(int number) {
        CodePage[] chunk = (CodePage[]) CHUNKS.getVolatile(pages, number >> CHUNK_SHIFT);
        return chunk == null ? null : (CodePage) PAGES.getVolatile(chunk, number & CHUNK - 1);
    }

    private void set(int number, @Nullable CodePage page) {
        CodePage[] chunk = (CodePage[]) CHUNKS.getVolatile(pages, number >> CHUNK_SHIFT);
        if (chunk == null) {
            chunk = new CodePage[CHUNK];
            CHUNKS.setVolatile(pages, number >> CHUNK_SHIFT, chunk);
        }
        PAGES.setVolatile(chunk, number & CHUNK - 1, page);
    }

    /** Handles a write by this CPU to a watched page. */
    void written(int number, int from, int bytes) {
        CodePage page = known(number);
        if (page != null && page.touches(from, bytes)) {
            drop(page);
        }
    }

    /** Makes room for another block, when there is none, by dropping all code. Not while a block is being executed. */
    void makeRoom() {
        if (opCount * cpu.processorsCount() >= MAX_OPS) {
            dropAll();
        }
    }

    /** Enters a block, just decoded at an address, into the page that it begins on. */
    void add(Block block, long linear) {
        int before = block.page.ops();
        block.page.add(block);
        opCount += block.page.ops() - before;
        if (block.secondPage < 0) {
            found(block, linear);
        }
    }

    /** {@return about how many bytes of the heap decoded code takes; may be called from any thread} */
    long bytes() {
        return BYTES_PER_OP * opCount + (long) BYTES_PER_PAGE * pageCount;
    }

    /** {@return how many decoded instructions there are} */
    long ops() {
        return opCount;
    }

    private void newGeneration() {
        generation++;
        epoch++;
    }

    /**
     * {@return whether a block is at an address, as far as can be told without a page walk; if so it is found there in this generation}
     */
    boolean isKnownAt(Block block, long linear) {
        if (block.linear != linear || block.generation != generation) {
            if (knownPage(linear) != block.page) {
                return false;
            }
            found(block, linear);
        }
        return true;
    }

    /** Drops a page's code, so that it is an ordinary data page until code of it runs again. */
    private void drop(CodePage page) {
        page.invalidate();
        epoch++;
        opCount -= page.ops();
        set(page.number, null);
        pageCount--;
        cpu.memory.unwatch(page.number);
    }

    @Override
    public void codeWritten(int pageNumber) {
        writtenElsewhere(pageNumber, 0, Mmu.PAGE_SIZE);
    }

    /** Takes note of a write by a device or by another CPU; may be called from any thread. */
    void writtenElsewhere(int number, int from, int bytes) {
        CodePage page = known(number);
        if (page != null && page.noteWritten(from, bytes)) {
            written.add(number);
            cpu.signal(Cpu.EVENT_CODE_WRITTEN);
        }
    }

    /** Drops the pages of which others have written code. */
    void dropWritten() {
        for (Integer number = written.poll(); number != null; number = written.poll()) {
            CodePage page = known(number);
            if (page != null && page.takeWritten()) {
                drop(page);
            }
        }
    }

    private void dropAll() {
        flushTranslations(false);
        for (int i = 0; i < pages.length; i++) {
            CodePage[] chunk = pages[i];
            if (chunk == null) {
                continue;
            }
            for (CodePage page : chunk) {
                if (page != null) {
                    drop(page);
                }
            }
            CHUNKS.setVolatile(pages, i, null);
        }
    }

    /** Drops all code and everything that refers to it. Not while a block is being executed. */
    void giveBack() {
        dropAll();
        Arrays.fill(jumps, null);
        for (Translations cache : translations) {
            if (cache != null) {
                Arrays.fill(cache.target, null);
            }
        }
    }

    /** Drops everything and stops listening. */
    void close() {
        cpu.memory.removeCodeWriteListener(this);
        dropAll();
    }

    /**
     * Forgets which linear pages lead to which code.
     *
     * @param keepGlobal whether to remember global pages
     */
    void flushTranslations(boolean keepGlobal) {
        for (Translations cache : translations) {
            if (cache != null) {
                cache.flush(keepGlobal);
            }
        }
        newGeneration();
    }

    /** Forgets what is not global of an address space; {@link #flushSupervisor} must follow if that is the current one. */
    void flushAddressSpace(int space) {
        Translations cache = translations[1 + space];
        if (cache != null) {
            cache.flush(true);
        }
    }

    /** Forgets what is not global of the supervisor, whatever the address space. */
    void flushSupervisor() {
        Translations cache = translations[SUPERVISOR];
        if (cache != null) {
            cache.flush(true);
        }
        newGeneration();
    }

    /**
     * Forgets one linear page.
     *
     * @param address linear address
     * @param shift log2 of the size of the largest page that it may be part of, all of which must be forgotten
     */
    void flushTranslation(long address, int shift) {
        for (Translations cache : translations) {
            if (cache != null) {
                cache.flush(address, shift);
            }
        }
        // Most pages that are dropped one by one are data.
        if (shift != Mmu.PAGE_SHIFT || foundOn[slot(address)] == generation) {
            newGeneration();
        }
    }
}
