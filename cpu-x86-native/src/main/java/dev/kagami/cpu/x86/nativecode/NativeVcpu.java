package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.Timers;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.interpreter.Cpu;
import dev.kagami.cpu.x86.interpreter.TranslatingVcpu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.LongBuffer;
import org.jspecify.annotations.Nullable;

/** A virtual CPU that runs translated code where there is some. */
final class NativeVcpu extends TranslatingVcpu {
    private static final int PAGE_SHIFT = 12;
    private static final int PAGE_SIZE = 1 << PAGE_SHIFT;

    private static final int GUEST_RSP = 4;
    private static final int SEGMENTS = 6;

    /** One for each way of using vector registers. */
    private static final int JUMP_VIEWS = 2;

    /** Added to the mode of blocks that have the guest's vector registers in the host's. */
    private static final int VECTOR_MODE = 0x100;

    /** Multiplied by the ordinal of the {@link VectorExtensions} that blocks may have. */
    private static final int EXTENSION_MODE = 0x1000;

    /** MXCSR as the JVM has it: all exceptions masked, none noted. */
    private static final int JVM_MXCSR = 0x1F80;

    /** Result of {@link #left}: translated code has been left for good. */
    private static final int LEFT = -1;

    /** {@link StateBlock#EVENTS}: there is none. */
    private static final int QUIET = 1;

    private static final VarHandle EVENTS = ValueLayout.JAVA_INT.varHandle();
    private static final MethodHandle ENTER = HostMemory.entry();

    private final NativeOptions options;
    private final @Nullable Disturbance disturbance;

    /** Whoever signals an event may come when the CPU is closed already: this memory lives as long as it is reachable. */
    private final Arena arena = Arena.ofAuto();

    /** Held by the thread that runs the CPU. */
    private final Object running = new Object();

    private volatile boolean closed;

    /** The memory of code, and of what finds it, is the host's again. */
    private boolean freed;

    private final MemorySegment state;

    /** The same as quadwords. */
    private final LongBuffer words;

    /** What {@link StateBlock#FILLED} is filled with. */
    private final long[] filled = new long[index(StateBlock.FILLED_END - StateBlock.FILLED)];

    private final JumpCache jumps;
    private final UserJumps userJumps;
    private final SoftTlb tlb;
    private final HostMemory.CodeMemory memory;
    private final Translator translator;
    private final TranslatedCode code;
    private final DataPage page = new DataPage();
    private final byte[] guestCode = new byte[PAGE_SIZE];
    private final MethodHandle enterPlain;
    private final MethodHandle enterVectors;

    /** Translated code that runs now, or ran last, has the guest's vector registers in the host's. */
    private boolean vectors;

    /**
     * The guest's vector registers are in the state block, or in the host's; else in the CPU. They stay in the block while the
     * kernel runs, for as long as translated code does.
     */
    private boolean taken;

    /** How often translations of addresses have been dropped: whoever has begun an access must look it up again. */
    private volatile int flushes;

    /** What the guest may use; blocks translated when it might use others are others. */
    private VectorExtensions extensions = VectorExtensions.NONE;

    /** The guest may have AVX-512, so that all of the vector registers are moved. */
    private final boolean widest;

    NativeVcpu(Cpu cpu, NativeOptions options) {
        super(cpu);
        this.options = options;
        widest = HostFeatures.AVX512 && hasAvx512();
        translator = new Translator(widest);
        disturbance = options.disturbance();
        state = arena.allocate(StateBlock.STACK_BYTES + StateBlock.SIZE, 64).asSlice(StateBlock.STACK_BYTES);
        words = HostMemory.buffer(state).asLongBuffer();
        jumps = new JumpCache(JUMP_VIEWS);
        userJumps = new UserJumps(JUMP_VIEWS);
        tlb = new SoftTlb();
        memory = HostMemory.mapCode(options.codeBytes());
        code = new TranslatedCode(this, options, memory, userJumps);
        enterPlain = entry(translator.entry().emitEnter(state.address(), false));
        enterVectors = entry(translator.entry().emitEnter(state.address(), true));
        for (boolean withVectors : new boolean[] {false, true}) {
            code.installFixed(translator.entry().emitLeave(code.fixedPosition(), withVectors));
        }
        code.installMiss(translator.entry().emitMiss());
        for (boolean withVectors : new boolean[] {false, true}) {
            code.installFixed(translator.entry().emitWalk(code.fixedPosition(), withVectors, memory()));
            code.installFixed(translator.entry().emitGroup(code.fixedPosition(), withVectors));
            code.installFixed(translator.entry().emitClock(code.fixedPosition(), withVectors));
            code.installFixed(translator.entry().emitSystemCall(code.fixedPosition(), withVectors));
        }
        code.installFixed(translator.entry().emitSystemReturn(code.fixedPosition()));
        set(StateBlock.CODE_BASE, memory.executable());
        set(StateBlock.COMMON_TLB, tlb.address(0));
        set(StateBlock.PAGE_INDEX_MASK, UserJumps.INDEX_MASK);
        set(StateBlock.CLOCK_FUNCTION, HostMemory.clockFunction());
        set(StateBlock.ALIGNMENT_MASK, 15L);
        set(StateBlock.BIT_MASKS, 31L);
        set(StateBlock.BIT_MASKS + 8, 63L);
        set(StateBlock.WIDE_ALIGNMENT_MASK, 31L);
        set(StateBlock.WIDEST_ALIGNMENT_MASK, 63L);
        set(StateBlock.CANONICAL_MASK, 0x1FFFEL);
        set(StateBlock.HOST_MXCSR, JVM_MXCSR);
        set(StateBlock.TLB_INDEX_MASK, (long) (SoftTlb.ENTRIES - 1) << 12);
        set(StateBlock.PAGE_MASK, -(long) PAGE_SIZE);
        set(StateBlock.OFFSET_MASK, PAGE_SIZE - 1L);
        set(StateBlock.JUMP_INDEX_MASK, JumpCache.INDEX_MASK);
        listen();
    }

    private MethodHandle entry(Translator.Result entry) {
        return ENTER.bindTo(MemorySegment.ofAddress(code.installFixed(entry)));
    }

    /** Makes the CPU stop for good if it runs, and frees the code memory. */
    void close() {
        closed = true;
        kick();
        synchronized (running) {
            if (!freed) {
                freed = true;
                code.close();
                jumps.close();
                userJumps.close();
                tlb.close();
            }
        }
    }

    @Override
    public ExitReason run() {
        synchronized (running) {
            if (closed) {
                throw new IllegalStateException("the virtual CPU is closed");
            }
            return super.run();
        }
    }

    private static int index(int place) {
        return place >> 3;
    }

    private long get(int place) {
        return words.get(index(place));
    }

    private void set(int place, long value) {
        words.put(index(place), value);
    }

    // ---------------------------------------------------------------- running

    private VectorExtensions usableExtensions() {
        if (!HostFeatures.AVX || !avxUsable()) {
            return VectorExtensions.NONE;
        }
        return widest && avx512Usable() ? VectorExtensions.AVX512 : VectorExtensions.AVX;
    }

    /** Makes rare things happen; {@return whether to leave} */
    private boolean disturb(Disturbance disturbance) {
        if (disturbance.leaves()) {
            kick();
            return true;
        }
        if (disturbance.emptiesTlb()) {
            tlb.clear(false);
        }
        if (disturbance.forgetsJumps()) {
            forgetJumps();
        }
        if (disturbance.evictsCode()) {
            code.evictOldest();
            forgetJumps();
        }
        translator.limit(disturbance.blockLength());
        return false;
    }

    @Override
    protected boolean runTranslated() {
        if (disturbance != null && disturb(disturbance)) {
            return true;
        }
        if (!supervisorOrUser()) {
            return false;
        }
        VectorExtensions usable = usableExtensions();
        if (extensions != usable) {
            extensions = usable;
            forgetJumps();
        }
        // Programs hardly do without vector registers, kernels do.
        boolean needsVectors = userMode() && vectorsUsable();
        NativeBlock block = find(instructionPointer(), needsVectors, false);
        if (block == null) {
            return false;
        }
        if (!needsVectors && block.entry == NativeBlock.NEEDS_VECTORS && vectorsUsable()) {
            needsVectors = true;
            block = find(instructionPointer(), true, false);
            if (block == null) {
                return false;
            }
        }
        if (block.entry == NativeBlock.REFUSED) {
            interpretInstruction();
            return true;
        }
        if (!block.translated()) {
            return false;
        }
        // Whoever signals after this stops us again; whoever did before has left its mark in the CPU's events.
        EVENTS.setVolatile(state, (long) StateBlock.EVENTS, QUIET);
        if (eventsPending()) {
            return true;
        }
        if (disturbance != null && disturbance.raisesEvent()) {
            eventPending();
        }
        copyRegistersOut(words, index(StateBlock.REGISTERS));
        set(StateBlock.FLAGS, arithmeticFlags());
        copySystemOut();
        vectors = false;
        if (needsVectors) {
            takeVectors();
        } else {
            useJumps();
        }
        set(StateBlock.TLB, tlb.address(table()));
        set(StateBlock.PAGE, instructionPointer() & -PAGE_SIZE);
        int position = block.entry;
        while (position >= 0) {
            try {
                if (vectors) {
                    enterVectors.invokeExact(code.address(position));
                } else {
                    enterPlain.invokeExact(code.address(position));
                }
            } catch (RuntimeException | Error e) {
                throw e;
            } catch (Throwable e) {
                throw new IllegalStateException(e);
            }
            position = left(code.exit((int) get(StateBlock.EXIT)));
        }
        return true;
    }

    /**
     * Does what an exit asks for.
     *
     * @return position in the code memory to go on at, or a negative number when the registers are back in the CPU
     */
    private int left(Exit exit) {
        boolean alone = false;
        int entered = (int) get(StateBlock.ENTERED);
        if (entered != 0) {
            noteEntered(entered);
        }
        if ((int) get(StateBlock.PRIVILEGE_CHANGED) != 0) {
            changePrivilege();
        }
        if (exit.kind == Exit.Kind.READ || exit.kind == Exit.Kind.WRITE) {
            long address = get(StateBlock.ADDRESS);
            boolean write = exit.kind == Exit.Kind.WRITE;
            setAccessControl((int) get(StateBlock.ACCESS_CONTROL));
            int flushesBefore = flushes;
            // An access that straddles pages is the interpreter's. So is one that may not be made at all, until the
            // page has
            // been accessed: or else it would be marked so without that.
            if ((address & PAGE_SIZE - 1) + exit.size <= PAGE_SIZE
                    && (!exit.partial || isTranslated(address, write))
                    && translateData(address, write, page)
                    && !(disturbance != null && disturbance.interpretsMiss())) {
                tlb.enter(table(), address, ram().address() + page.offset, page);
                // What the block has found in its windows holds no longer than the TLB's entries.
                if (flushes == flushesBefore) {
                    if (exit.fits(address, page.writable) && !(disturbance != null && disturbance.closesWindow())) {
                        return exit.host;
                    }
                    alone = true;
                }
            }
        }
        if (exit.kind == Exit.Kind.INDIRECT && !vectors && userMode() && vectorsUsable()) {
            takeVectors();
        }
        if (exit.kind == Exit.Kind.DIRECT || exit.kind == Exit.Kind.INDIRECT) {
            NativeBlock known = follow(exit);
            if (known != null) {
                return goOn(target(exit), known);
            }
        }
        countInstructions(takeRetired() - exit.uncounted);
        if (exit.kind == Exit.Kind.INDIRECT && exit.release != Exit.UNCHECKED && !canonical(get(StateBlock.ADDRESS))) {
            takeBack(exit);
            return LEFT;
        }
        long guest = target(exit);
        copyRegistersIn();
        copySystemIn();
        setInstructionPointer(guest);
        if (exit.kind == Exit.Kind.VECTOR) {
            if (!vectorsUsable()) {
                giveVectors();
                interpretInstruction();
                return LEFT;
            }
            NativeBlock target = findNext(guest, true, false);
            if (target == null) {
                return LEFT;
            }
            takeVectors();
            return target.entry;
        }
        if (alone) {
            NativeBlock target = findNext(guest, vectors, true);
            if (target == null) {
                interpretInstruction();
                return LEFT;
            }
            return goOn(guest, target);
        }
        if (exit.kind != Exit.Kind.DIRECT && exit.kind != Exit.Kind.INDIRECT) {
            giveVectors();
        }
        switch (exit.kind) {
            case READ, WRITE, INTERPRET, VECTOR -> {
                interpretInstruction();
                return LEFT;
            }
            case EVENT -> {
                return LEFT;
            }
            case DIRECT, INDIRECT -> {
                NativeBlock target = findNext(guest, vectors, exit.alone);
                if (target == null) {
                    return LEFT;
                }
                remember(exit, guest, target);
                return goOn(guest, target);
            }
        }
        throw new AssertionError(exit.kind);
    }

    /** Takes note of the pages that {@link PageWalk} has entered. */
    private void noteEntered(int count) {
        long ramAt = ram().address();
        for (int i = 0; i < count; i++) {
            long word = get(StateBlock.ENTERED_PAGES + Long.BYTES * i);
            int flags = (int) word & PageWalk.FLAGS;
            int entry = tlb.entryAt(word - flags);
            tlb.noteEntered(entry, flags);
            long writable = tlb.writablePageOf(entry);
            int number = writable < 0 ? -1 : (int) (writable - ramAt >>> PAGE_SHIFT);
            noteEntered(SoftTlb.tableOf(entry), tlb.pageOf(entry), flags, number);
        }
        set(StateBlock.ENTERED, 0);
    }

    /** {@return the instructions entered since this was called last} */
    private long takeRetired() {
        long sum = 0;
        for (int i = 0; i < StateBlock.COUNTERS; i++) {
            int at = StateBlock.RETIRED + Long.BYTES * i;
            sum += get(at);
            set(at, 0);
        }
        return sum;
    }

    /** {@return the position to go on at, for a block at an address} */
    private int goOn(long guest, NativeBlock block) {
        set(StateBlock.PAGE, guest & -PAGE_SIZE);
        return block.entry;
    }

    private long target(Exit exit) {
        return exit.kind == Exit.Kind.INDIRECT && !exit.constant ? get(StateBlock.ADDRESS) : guest(exit);
    }

    private long guest(Exit exit) {
        long guest = code.linear(exit) + exit.guest;
        return userMode() ? get(StateBlock.PAGE) + guest : guest;
    }

    /** {@return the block to go on at, if that is known without touching the CPU's state; else null} */
    private @Nullable NativeBlock follow(Exit exit) {
        long guest = target(exit);
        int number = knownCodePage(guest);
        if (number < 0) {
            return null;
        }
        NativeBlock block = code.known(blockAddress(guest), number, blockMode(vectors, exit.alone));
        if (block == null || !block.translated() || block.secondPage != NativeBlock.NO_PAGE || eventsPending()) {
            return null;
        }
        remember(exit, guest, block);
        return block;
    }

    /** Makes the branch find its target by itself next time. */
    private void remember(Exit exit, long guest, NativeBlock target) {
        if (disturbance != null && disturbance.keepsUnlinked()) {
            return;
        }
        if (exit.kind == Exit.Kind.DIRECT) {
            // A link holds for as long as both ends are in one page of RAM: should that page be mapped elsewhere by
            // now, this is not the way to go next time.
            code.link(exit, target);
        } else if (target.user()) {
            userJumps.enter(jumpView(), guest, target.page, target.mode());
            userJumps.set(target);
            if (target.secondPage != NativeBlock.NO_PAGE) {
                userJumps.enter(jumpView(), nextPage(guest), target.secondPage, target.mode());
            }
        } else {
            boolean global =
                    codeGlobal(guest) && (target.secondPage == NativeBlock.NO_PAGE || codeGlobal(nextPage(guest)));
            jumps.enter(jumpView(), guest, code.address(target.entry), global);
        }
    }

    /** Lets the interpreter raise the exception of an indirect branch whose target is not canonical. */
    private void takeBack(Exit exit) {
        int stackPointer = StateBlock.REGISTERS + 8 * GUEST_RSP;
        set(stackPointer, get(stackPointer) - exit.release);
        countInstructions(-1);
        copyRegistersIn();
        copySystemIn();
        giveVectors();
        setInstructionPointer(guest(exit));
        interpretInstruction();
    }

    /** {@return what blocks are known by: user code may be mapped anywhere} */
    private long blockAddress(long linear) {
        return userMode() ? linear & PAGE_SIZE - 1 : linear;
    }

    /** {@return what blocks that may be gone on at depend on besides their bytes} */
    private int blockMode(boolean withVectors, boolean alone) {
        return codeMode()
                | (withVectors ? VECTOR_MODE : 0)
                | EXTENSION_MODE * extensions.ordinal()
                | (alone ? NativeBlock.ALONE_MODE : 0)
                | (userMode() ? NativeBlock.USER_MODE : 0);
    }

    /** Finds the block at an address; counts it and translates it when it has become hot. Faults as a fetch does. */
    private @Nullable NativeBlock find(long linear, boolean withVectors, boolean alone) {
        int number = codePage(linear);
        if (number < 0) {
            return null;
        }
        int mode = blockMode(withVectors, alone);
        NativeBlock block = code.block(blockAddress(linear), number, mode);
        if (block.secondPage != NativeBlock.NO_PAGE && codePage(nextPage(linear)) != block.secondPage) {
            drop(block);
        }
        if (block.entry == NativeBlock.COLD && (++block.heat >= options.hot() || alone)) {
            translate(block, linear);
        }
        return block;
    }

    /**
     * Finds the block to go on at. When there is none to go on at right now, or its code can't be fetched, the vector registers
     * are given back.
     */
    private @Nullable NativeBlock findNext(long linear, boolean withVectors, boolean alone) {
        NativeBlock target = null;
        try {
            target = find(linear, withVectors, alone);
        } finally {
            if (target == null || !target.translated() || eventsPending()) {
                target = null;
                giveVectors();
            }
        }
        return target;
    }

    // ---------------------------------------------------------------- system registers

    private void copySystemOut() {
        fill(StateBlock.BASES, segmentBase(Instruction.FS));
        fill(StateBlock.BASES + 8, segmentBase(Instruction.GS));
        for (int i = 0; i < SEGMENTS; i++) {
            fill(StateBlock.SELECTORS + 8 * i, selector(i));
        }
        int flags = systemFlags();
        fill(StateBlock.INTERRUPT_FLAG, flags & FLAG_IF);
        fill(StateBlock.INTERRUPT_WAITING, interruptWaiting() ? 1 : 0);
        fill(StateBlock.DIRECTION, flags & FLAG_DF);
        copyReturnOut();
        copyCallsOut();
        fill(StateBlock.ACCESS_CONTROL, flags & FLAG_AC);
        fill(StateBlock.SUPERVISOR_TLBS, tlb.address(supervisorTable(false)));
        fill(StateBlock.SUPERVISOR_TLBS + 8, tlb.address(supervisorTable(true)));
        long time = timeStampOverHostTime();
        fill(StateBlock.TIME_OFFSET, time);
        fill(StateBlock.TIME_INTERPRETED, time == Timers.NOT_HOST_TIME ? 1 : 0);
        fill(StateBlock.TIME_AUXILIARY, timeStampAuxiliary());
        // While translated code runs, the host's flags have bit 1 and IF, and none of those that only the guest may
        // have.
        fill(StateBlock.OTHER_FLAGS, (long) (flags & PUSHED_FLAGS) - 2 - FLAG_IF);
        fill(StateBlock.BASES_REFUSED, basesAccessible() ? 0 : 1);
        long tables = disturbance != null && disturbance.refusesWalk() ? -1 : usualPageTables();
        fill(StateBlock.PAGE_TABLES, tables < 0 ? 0 : ram().address() + tables);
        fill(StateBlock.PAGE_FAULT_ADDRESS, pageFaultAddress());
        fill(StateBlock.KERNEL_GS_BASE, kernelGsBase());
        words.put(index(StateBlock.FILLED), filled);
    }

    private void fill(int place, long value) {
        filled[index(place - StateBlock.FILLED)] = value;
    }

    /** Lets the CPU know of the privilege level that translated code has changed, and all that belongs to it. */
    private void changePrivilege() {
        set(StateBlock.PRIVILEGE_CHANGED, 0);
        vectors = (int) get(StateBlock.VECTORS_HERE) != 0;
        int flags = (int) get(StateBlock.INTERRUPT_FLAG)
                | (int) get(StateBlock.DIRECTION)
                | (int) get(StateBlock.ACCESS_CONTROL);
        setPrivilege((int) get(StateBlock.PRIVILEGE), flags);
    }

    /** Copies out what SYSCALL and SYSRET need. */
    private void copyCallsOut() {
        fill(StateBlock.PRIVILEGE_CHANGED, 0);
        fill(StateBlock.SYSTEM_CALL_REFUSED, systemCallsUsual() ? 0 : 1);
        boolean refused = interruptWaiting() || !systemReturnsUsual();
        fill(StateBlock.SYSTEM_RETURN_REFUSED, refused ? 1 : 0);
        fill(StateBlock.SYSTEM_CALL_TARGET, systemCallTarget());
        fill(StateBlock.SYSTEM_CALL_SELECTORS, systemCallSelector());
        fill(StateBlock.SYSTEM_CALL_SELECTORS + 8, systemCallStack());
        fill(StateBlock.SYSTEM_RETURN_SELECTORS, systemReturnSelector());
        fill(StateBlock.SYSTEM_RETURN_SELECTORS + 8, systemReturnStack());
        fill(StateBlock.USER_TLB, tlb.address(userTable()));
        fill(StateBlock.KERNEL_JUMPS, jumps.address(0));
        fill(StateBlock.USER_JUMPS, userJumps.address(0));
        fill(StateBlock.USER_JUMPS + 8, userJumps.address(1));
    }

    /** Copies out what IRETQ looks at in the kernel; of user code, in the one that SYSCALL goes to. */
    private void copyReturnOut() {
        long codeAt;
        long stackAt;
        long codeSegment;
        long stack;
        if (userMode()) {
            codeAt = descriptorAddressOf(systemCallSelector());
            stackAt = descriptorAddressOf(systemCallStack());
            codeSegment = systemCallDescriptor();
            stack = systemCallStackDescriptor();
        } else {
            codeAt = descriptorAddressOf(selector(Instruction.CS));
            codeSegment = descriptor(Instruction.CS);
            // Nothing of a null SS can change: let the comparison be that of CS.
            stackAt = nullStack() ? codeAt : descriptorAddressOf(selector(Instruction.SS));
            stack = nullStack() ? codeSegment : descriptor(Instruction.SS);
        }
        boolean interpreted = interruptWaiting() || returnsFromNmi() || codeAt == -1 || stackAt == -1;
        fill(StateBlock.RETURN_INTERPRETED, interpreted ? 1 : 0);
        fill(StateBlock.DESCRIPTOR_ADDRESSES, codeAt);
        fill(StateBlock.DESCRIPTOR_ADDRESSES + 8, stackAt);
        fill(StateBlock.DESCRIPTORS, codeSegment);
        fill(StateBlock.DESCRIPTORS + 8, stack);
    }

    private void copyRegistersIn() {
        copyRegistersIn(words, index(StateBlock.REGISTERS));
        setArithmeticFlags((int) get(StateBlock.FLAGS));
    }

    private void copySystemIn() {
        setInterruptFlag((int) get(StateBlock.INTERRUPT_FLAG));
        setAccessControl((int) get(StateBlock.ACCESS_CONTROL));
        setDirection((int) get(StateBlock.DIRECTION));
        setBases(get(StateBlock.BASES), get(StateBlock.BASES + 8), get(StateBlock.KERNEL_GS_BASE));
    }

    // ---------------------------------------------------------------- vector registers

    /** Goes on with the vector registers in the host's. */
    private void takeVectors() {
        if (!taken) {
            boolean upper = copyVectorsOut(words, index(StateBlock.VECTORS), widest);
            set(StateBlock.MXCSR, mxcsr());
            set(StateBlock.UPPER_IN_USE, upper ? 1 : 0);
            setTaken(true);
        }
        vectors = true;
        useJumps();
    }

    /** Makes translated code look for targets where those are that may be gone to as things are. */
    private void useJumps() {
        int view = jumpView();
        set(StateBlock.JUMPS, userMode() ? userJumps.address(view) : jumps.address(view));
        set(StateBlock.VECTORS_HERE, view);
    }

    private void forgetJumps() {
        jumps.clear(false);
        userJumps.clear();
    }

    /** Lets the CPU have the vector registers again, if it doesn't. */
    private void giveVectors() {
        if (taken) {
            copyVectorsIn(words, index(StateBlock.VECTORS), widest);
            setMxcsr((int) get(StateBlock.MXCSR));
            setTaken(false);
        }
        vectors = false;
    }

    private void setTaken(boolean value) {
        taken = value;
        set(StateBlock.VECTORS_TAKEN, value ? 1 : 0);
    }

    // ---------------------------------------------------------------- code memory

    /** {@return the address of the page behind the one that an address is in} */
    private static long nextPage(long linear) {
        return (linear | PAGE_SIZE - 1) + 1;
    }

    private void copyCode(int pageNumber, int from, int to, int bytes) {
        long at = (long) pageNumber * PAGE_SIZE + from;
        MemorySegment.copy(ram(), ValueLayout.JAVA_BYTE, at, guestCode, to, bytes);
    }

    /** Translates a block; faults as a fetch does if its only instruction crosses into a page that can't be fetched. */
    private void translate(NativeBlock block, long linear) {
        int from = (int) linear & PAGE_SIZE - 1;
        int available = Math.min(PAGE_SIZE - from, Translator.MAX_BYTES);
        copyCode(block.page, from, 0, available);
        int second = NativeBlock.NO_PAGE;
        if (available < Instruction.MAX_LENGTH && translator.firstIsCut(guestCode, available)) {
            second = codePage(nextPage(linear));
            if (second < 0) {
                block.entry = NativeBlock.REFUSED;
                return;
            }
            copyCode(second, 0, available, Instruction.MAX_LENGTH - available);
            available = Instruction.MAX_LENGTH;
        }
        long evictions = code.evictions();
        int position = code.makeRoom();
        if (code.evictions() != evictions) {
            forgetJumps();
        }
        code.keep(block);
        boolean withVectors = (block.mode() & VECTOR_MODE) != 0;
        TranslationEvent event = new TranslationEvent();
        event.begin();
        boolean alone = block.alone();
        Translator.Result result = translator.translate(
                guestCode,
                available,
                block.linear,
                second,
                position,
                code.coldPosition(),
                withVectors,
                extensions,
                userMode(),
                alone);
        if (result.instructions() == 0) {
            block.entry = result.stoppedForVectors() ? NativeBlock.NEEDS_VECTORS : NativeBlock.REFUSED;
        } else {
            code.install(block, result);
        }
        event.end();
        if (event.shouldCommit()) {
            event.guestAddress = linear;
            event.instructions = result.instructions();
            event.guestBytes = result.guestBytes();
            event.commit();
        }
        if (second == NativeBlock.NO_PAGE) {
            dependOnCode(block.page, from, result.guestBytes(), block);
        } else {
            block.secondPage = second;
            dependOnCode(block.page, from, PAGE_SIZE - from, block);
            dependOnCode(second, 0, from + Instruction.MAX_LENGTH - PAGE_SIZE, block);
        }
    }

    /** Forgets the code of a block, and where it was found. */
    void drop(NativeBlock block) {
        if (!block.known || freed) {
            return;
        }
        code.drop(block);
        if (!block.user()) {
            jumps.forget(block.linear);
        }
    }

    // ---------------------------------------------------------------- jump cache

    /** {@return the view of the jump cache: code that has the guest's vector registers in the host's has one of its own} */
    private int jumpView() {
        return vectors ? 1 : 0;
    }

    @Override
    public void eventPending() {
        EVENTS.setVolatile(state, (long) StateBlock.EVENTS, 0);
    }

    @Override
    public void translationsFlushed(boolean keepGlobal) {
        flushes++;
        tlb.clear(keepGlobal);
        jumps.clear(keepGlobal);
        userJumps.clear();
    }

    @Override
    public void addressSpaceFlushed(int space) {
        flushes++;
        tlb.clear(1 + 2 * space, true);
        tlb.clear(2 + 2 * space, true);
        userJumps.clear(space);
    }

    @Override
    public void supervisorFlushed() {
        flushes++;
        tlb.clear(0, true);
        jumps.clear(true);
    }

    @Override
    public void addressSpaceSelected(int space) {
        flushes++;
        userJumps.select(space);
    }

    @Override
    public void translationFlushed(long page, int shift) {
        flushes++;
        tlb.drop(page, shift);
        jumps.drop(page, shift);
        userJumps.drop(page, shift);
    }

    @Override
    public void writesTrapped(int pageNumber, int writers, long address) {
        flushes++;
        tlb.trapWrites(hostPage(pageNumber), writers, address);
    }

    @Override
    public boolean mayWrite(int pageNumber, long address) {
        return tlb.mayWrite(hostPage(pageNumber), address);
    }

    private long hostPage(int pageNumber) {
        return ram().address() + (long) pageNumber * PAGE_SIZE;
    }

    @Override
    public long codeBytes() {
        return code.bytes();
    }

    @Override
    public void giveCodeBack() {
        code.giveBack();
        jumps.giveBack();
        userJumps.forgetAll();
        tlb.giveBack();
    }
}
