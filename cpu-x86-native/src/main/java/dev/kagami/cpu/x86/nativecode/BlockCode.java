package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.x86.decode.Instruction;
import java.util.ArrayList;
import java.util.List;

/**
 * The block being emitted: where it is, the instruction it has come to, and the ways out of it. A way out is a direct jump
 * to the next block (within a page, once it is known), a lookup in the jump cache, or an exit: a number stored in the
 * state block and a jump to common code that saves the registers.
 */
final class BlockCode {
    private static final long PAGE_SIZE = 4096;

    final Assembler asm;
    final Instruction in = new Instruction();

    /** Guest code. */
    byte[] code = new byte[0];

    /**
     * Linear address of the block. Of user code it is the offset in its page, and so is every guest address here: a distance
     * from that page, the address of which is in the state block while it runs.
     */
    long guestStart;

    /** Offset of the current instruction in the guest code. */
    int start;

    /** {@link #addressAt}: there is no such code. */
    static final int NOWHERE = -1;

    /** Where the code begins that computes the current guest address into rcx; at a miss, it is run again. */
    int addressAt;

    /** Where that code ends. */
    int addressEnd;

    /** The host register that holds the address then. */
    int addressIn;

    /** Where the code of the current instruction begins: nothing has changed when a lookup misses, so it may run again. */
    int begin;

    /** Instructions before the current one. */
    int instructions;

    /** Whether the block may use the vector registers. */
    boolean vectors;

    /** Whether the block runs at privilege level 3; otherwise at 0. */
    boolean user;

    /** The instruction before was STI: no events must be looked at before the current one has run. */
    boolean shadow;

    /** The instructions on vector registers that may be run, besides SSE. */
    VectorExtensions extensions = VectorExtensions.NONE;

    /** Guest registers in scratch registers. */
    final ScratchCache scratch;

    /** Where short jumps to cold code lead. */
    final Islands islands;

    /** What was found out about the block beforehand. */
    final BlockPlan plan = new BlockPlan();

    /** See {@link #pointsTo}. */
    private int pointerWindow;

    /** Changes from one use of {@link StateBlock#RETIRED} to the next. */
    private int counters;

    /** Position in the code memory where the code being emitted will stand, less where that is in the buffer. */
    private int origin;

    /** The same for the cold code. */
    private int coldPosition;

    /** Where the cold code begins in the buffer. */
    private int coldStart;

    /** How much farther it is to the cold code than in the buffer. */
    private int coldDistance;

    /** Position of the block's first code. */
    private int entryPosition;

    /** Position of the common way out. */
    private int leave;

    /** Position of the common way out with an address in rcx. */
    private int leaveMiss;

    /** Position of what is done at a miss of the TLB, see {@link PageWalk}. */
    private int walk;

    /** Position of the look at a whole group of the jump cache. */
    private int group;

    /** Position of the code that reads the clock. */
    private int clock;

    /** Positions of the second half of SYSCALL and SYSRET. */
    private int systemCall;

    private int systemReturn;

    /** Position of the last direct branch's exit, or 0; each has that of the one before. */
    private int directs;

    private final List<Stub> stubs = new ArrayList<>();
    private final List<Side> sides = new ArrayList<>();
    private final List<Window> windows = new ArrayList<>();

    /**
     * A cold piece of code behind the block: an exit, the jump that leads there, the instructions before that, and code to run
     * again on the way.
     */
    private record Stub(int jumpAt, Exit exit, int before, int from, int to, int address) {}

    /** A branch out of the middle of the block: the jump, its target, and the instructions run until then. */
    private record Side(int jumpAt, long target, int run) {}

    /** A window's miss: code that computes its address, which is {@code offset} before the one accessed. */
    private record Window(
            int jumpAt, Exit exit, int from, int to, int address, int span, int offset, long guest, int run) {}

    BlockCode(Assembler asm) {
        this.asm = asm;
        scratch = new ScratchCache(asm);
        islands = new Islands(asm);
    }

    /** Begins a block. */
    void begin(
            byte[] bytes,
            long guest,
            int position,
            int positionOfCold,
            boolean withVectors,
            VectorExtensions vectorExtensions,
            boolean userMode,
            EntryCode entry) {
        asm.clear();
        islands.clear();
        vectors = withVectors;
        extensions = vectorExtensions;
        user = userMode;
        shadow = false;
        leave = entry.leave(withVectors);
        leaveMiss = entry.leaveMiss(withVectors);
        walk = entry.walk(withVectors);
        group = entry.group(withVectors);
        clock = entry.clock(withVectors);
        systemCall = entry.systemCall(withVectors);
        systemReturn = entry.systemReturn();
        stubs.clear();
        sides.clear();
        windows.clear();
        scratch.clear();
        pointerWindow = BlockPlan.NONE;
        code = bytes;
        guestStart = guest;
        origin = position - Islands.BYTES;
        entryPosition = position;
        coldPosition = positionOfCold;
        coldStart = Integer.MAX_VALUE;
        instructions = 0;
        start = 0;
        directs = 0;
    }

    /** Begins an instruction. */
    void beginInstruction() {
        islands.room(Islands.INSTRUCTION);
        begin = asm.position();
        addressAt = NOWHERE;
        scratch.beginInstruction();
    }

    /** Notes that the host address of a window is in {@link Registers#POINTER} now. */
    void pointsTo(int window) {
        pointerWindow = window;
        asm.pointerTouched = false;
    }

    /** {@return whether the host address of a window is still in {@link Registers#POINTER}} */
    boolean stillPointsTo(int window) {
        return pointerWindow == window && !asm.pointerTouched;
    }

    /** Makes the scratch registers free for whatever is emitted next; the current instruction begins behind that. */
    void releaseScratch() {
        pointerWindow = BlockPlan.NONE;
        int before = asm.position();
        scratch.flush();
        scratch.clear();
        if (begin == before) {
            begin = asm.position();
        }
    }

    /** {@return the guest address of the current instruction} */
    long guest() {
        return guestStart + start;
    }

    /** {@return the guest address of the instruction behind the current one} */
    long next() {
        return guestStart + start + in.length;
    }

    /** {@return how many cold pieces there are so far} */
    int stubs() {
        return stubs.size();
    }

    /** Takes back what was emitted since the current instruction began. */
    void takeBack(int stubsBefore) {
        asm.truncate(begin);
        islands.truncate(begin);
        while (stubs.size() > stubsBefore) {
            stubs.removeLast();
        }
        if (!windows.isEmpty() && windows.getLast().run == instructions) {
            windows.removeLast();
        }
    }

    // ---------------------------------------------------------------- pieces of instructions

    /** Emits the current instruction's legacy prefixes as they are. */
    void prefixes() {
        if (in.operandPrefix) {
            asm.emit(0x66);
        }
        if (in.rep) {
            asm.emit(0xF3);
        }
        if (in.repne) {
            asm.emit(0xF2);
        }
        if (in.lock) {
            asm.emit(0xF0);
        }
    }

    /** Emits the current instruction's opcode. */
    void opcode() {
        if (in.map != Instruction.MAP_PRIMARY) {
            asm.emit(0x0F);
        }
        if (in.map == Instruction.MAP_0F38) {
            asm.emit(0x38);
        }
        asm.emit(in.opcode);
    }

    /** Emits the current instruction's immediate. */
    void immediateBytes() {
        for (int i = in.immediateSize; i > 0; i--) {
            asm.emit(code[start + in.length - i]);
        }
    }

    // ---------------------------------------------------------------- ways out

    /** Makes a jump lead to an exit: by the position of its displacement, or by its island's number if that is inverted. */
    private void stub(Exit exit, int jumpAt) {
        stubs.add(new Stub(jumpAt, exit, instructions, 0, 0, Assembler.NONE));
    }

    /** Begins the description of an exit; {@code address} as the block's own. */
    private Exit begin(Exit.Kind kind, long address) {
        return Exit.of(kind, address - guestStart);
    }

    /** Leaves before the current instruction. */
    void exit(Exit.Kind kind) {
        exit(begin(kind, guest()));
    }

    /** Makes a jump leave before the current instruction. */
    void exit(Exit.Kind kind, int jumpAt) {
        stub(begin(kind, guest()), jumpAt);
    }

    private void exit(Exit exit) {
        stub(exit, asm.jump());
    }

    /** Makes a jump at this place lead to the interpreter, which runs the current instruction. */
    void interpret(int jumpAt) {
        stub(begin(Exit.Kind.INTERPRET, guest()), jumpAt);
    }

    /** Makes a jump lead out of the block, behind the current instruction. */
    void side(int jumpAt, long target) {
        sides.add(new Side(jumpAt, target, instructions + 1));
    }

    /**
     * Makes a jump lead to where a miss of the TLB is handled, from where the current instruction is resumed. The guest
     * address is computed once more on the way, so that the other way doesn't have to keep it.
     */
    void miss(int size, boolean write, int jumpAt) {
        stubs.add(new Stub(jumpAt, missed(size, write), instructions, addressAt, addressEnd, addressIn));
    }

    private Exit missed(int size, boolean write) {
        Exit exit = begin(write ? Exit.Kind.WRITE : Exit.Kind.READ, guest());
        exit.size = size;
        exit.partial = in.opmask != 0;
        exit.high = size;
        exit.writes = write;
        exit.host = origin + begin;
        return exit;
    }

    /** The same for a miss of the current instruction's window, which is looked up at the address computed. */
    void windowMiss(int size, boolean write, int jumpAt) {
        int window = plan.window(instructions);
        int offset = plan.offset(instructions);
        Exit exit = missed(size, write);
        exit.alone = true;
        exit.low = -offset;
        exit.high = plan.span(window) - offset;
        exit.writes |= plan.writes(window);
        windows.add(new Window(
                jumpAt, exit, addressAt, addressEnd, addressIn, plan.span(window), offset, guest(), instructions));
    }

    /** Emits what is done at a window's miss: where it straddles pages, code without windows goes on. */
    private void emitMiss(Window window) {
        landCold(window.jumpAt);
        asm.copy(window.from, window.to);
        asm.extractByState(Registers.ADDRESS, window.address, StateBlock.OFFSET_MASK);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, window.span - 1);
        asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, StateBlock.PAGE_MASK);
        int within = asm.jumpIfRcxZero();
        count(window.run - instructions);
        int at = asm.jump();
        Exit alone = begin(Exit.Kind.DIRECT, window.guest);
        alone.forward = true;
        alone.alone = true;
        alone.host = origin + at;
        stub(alone, at);
        asm.landShort(within);
        asm.copy(window.from, window.to);
        asm.lea(Registers.ADDRESS, window.address, Assembler.NONE, 0, window.offset);
        window.exit.uncounted = instructions - window.run;
        leave(window.exit, walk);
    }

    /** Leaves by common code at a position of the code memory. */
    private void leave(Exit exit, int common) {
        int at = asm.position() + Exit.LEAVE_BYTES;
        asm.pushConstant(origin + at);
        asm.jumpTo(origin, common);
        asm.pushed(0);
        if (asm.position() != at) {
            throw new AssertionError("leaving takes %d bytes".formatted(asm.position() - at + Exit.LEAVE_BYTES));
        }
        exit.write(asm, origin + at, entryPosition, directs);
        if (exit.kind == Exit.Kind.DIRECT) {
            directs = origin + at;
        }
    }

    /** {@return the position of the last direct branch's exit, or 0} */
    int directs() {
        return directs;
    }

    /** Goes on at a constant address. */
    void direct(long target) {
        if (linkable(target)) {
            link(asm.jump(), target);
        } else {
            far(target);
        }
    }

    /** Makes a jump emitted before go on at a constant address. */
    void direct(int jumpAt, long target) {
        if (linkable(target)) {
            link(jumpAt, target);
        } else {
            asm.land(jumpAt);
            far(target);
        }
    }

    /** {@return whether a jump may lead straight to the code of a guest address once that is known} */
    private boolean linkable(long target) {
        // An instruction that may cross into the next page depends on that page's translation, too.
        boolean whole = (target & PAGE_SIZE - 1) <= PAGE_SIZE - Instruction.MAX_LENGTH;
        return whole && ((target ^ guestStart) & -PAGE_SIZE) == 0;
    }

    private void link(int jumpAt, long target) {
        Exit exit = begin(Exit.Kind.DIRECT, target);
        exit.forward = target > guestStart;
        exit.host = origin + jumpAt;
        stub(exit, jumpAt);
    }

    /** Goes on at a constant address that lies, in part at least, in another page: that may be other RAM tomorrow. */
    private void far(long target) {
        if (user) {
            address(Registers.ADDRESS, target);
            Exit exit = begin(Exit.Kind.INDIRECT, target);
            exit.constant = true;
            user(exit);
            return;
        }
        islands.room(Islands.LOOKUP);
        int offset = JumpCache.offset(target);
        asm.loadState(Registers.VALUE, StateBlock.JUMPS);
        asm.load(Registers.POINTER, Registers.VALUE, offset);
        asm.constant(Registers.ADDRESS, target);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, 1);
        Exit exit = begin(Exit.Kind.INDIRECT, target);
        exit.constant = true;
        stub(exit, jumpUnlessOne());
        asm.jumpMemory(Registers.VALUE, offset + 8);
        islands.close();
    }

    /**
     * Goes on at the guest address in {@link Registers#ADDRESS}.
     *
     * @param release see {@link Exit#release}
     */
    void indirect(int release) {
        if (user) {
            Exit exit = begin(Exit.Kind.INDIRECT, guest());
            exit.release = release;
            user(exit);
            return;
        }
        islands.room(Islands.LOOKUP);
        JumpCache.emitPlace(asm);
        asm.load(Registers.POINTER, Registers.VALUE, 0);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, 1);
        Exit exit = begin(Exit.Kind.INDIRECT, guest());
        exit.release = release;
        stub(exit, jumpUnlessOne());
        asm.jumpMemory(Registers.VALUE, 8);
        islands.close();
    }

    /**
     * Goes on at the user address in {@link Registers#ADDRESS}.
     *
     * @param exit way out when nothing is known of its page
     */
    private void user(Exit exit) {
        islands.room(Islands.LOOKUP);
        UserJumps.emitLookup(asm);
        stub(exit, jumpUnlessOne());
        UserJumps.emitGo(asm);
        islands.close();
    }

    /**
     * Emits a jump that is taken unless rcx is 1. One is taken from rcx in any case.
     *
     * @return the jump, for {@link #stub}
     */
    int jumpUnlessOne() {
        if (HostFeatures.FAST_LOOP) {
            return ~islands.add(asm.loop());
        }
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, -1);
        int one = asm.jumpIfRcxZero();
        int other = asm.jump();
        asm.landShort(one);
        return other;
    }

    /** Goes on where SYSCALL goes; RCX and R11 are as it leaves them already. */
    void systemCall() {
        asm.jumpTo(origin, systemCall);
    }

    /** Goes on where SYSRET goes, to an address and with flags that have been looked at. */
    void systemReturn() {
        asm.jumpTo(origin, systemReturn);
    }

    /** Leaves unless a page of RAM is mapped behind the block's own page. */
    void checkSecondPage(int page) {
        islands.room(Islands.LOOKUP);
        address(Registers.ADDRESS, PAGE_SIZE);
        UserJumps.emitPlace(asm);
        asm.load(Registers.POINTER, Registers.VALUE, 0);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER, 0, -UserJumps.BIAS);
        int mapped = asm.jumpIfRcxZero();
        int unmapped = asm.jump();
        asm.landShort(mapped);
        asm.load(Registers.ADDRESS, Registers.VALUE, UserJumps.RAM_PAGE);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, -page);
        int same = asm.jumpIfRcxZero();
        asm.land(unmapped);
        Exit exit = begin(Exit.Kind.INDIRECT, guestStart);
        exit.constant = true;
        exit(exit);
        asm.landShort(same);
    }

    /**
     * Looks whether the address in {@link Registers#VALUE}, which is lost, is canonical: whether its upper 17 bits are alike.
     *
     * @return the short jump that is taken when it is
     */
    int jumpIfCanonical() {
        asm.rotateRight(Registers.VALUE, Registers.VALUE, 47);
        asm.lea(Registers.ADDRESS, Registers.VALUE, Assembler.NONE, 0, 1);
        asm.extractByState(Registers.ADDRESS, Registers.ADDRESS, StateBlock.CANONICAL_MASK);
        return asm.jumpIfRcxZero();
    }

    /** Leaves a constant guest address in a register; for user code, it must be {@link #reachable}. */
    void address(int register, long address) {
        if (user) {
            asm.loadState(register, StateBlock.PAGE);
            asm.lea(register, register, Assembler.NONE, 0, (int) address);
        } else {
            asm.constant(register, address);
        }
    }

    /** {@return whether the code can name what is at a distance from the current instruction} */
    boolean reachable(long distance) {
        return Math.abs(distance) < Integer.MAX_VALUE - 2 * PAGE_SIZE;
    }

    /** Leaves the guest's time-stamp counter in {@link Registers#VALUE}. */
    void readClock() {
        asm.callTo(origin, clock);
    }

    /** Counts instructions; {@return the position of the byte that says how many} */
    int count(int number) {
        int counter = StateBlock.RETIRED + Long.BYTES * (counters++ & StateBlock.COUNTERS - 1);
        asm.loadState(Registers.ADDRESS, counter);
        asm.lea(Registers.ADDRESS, Registers.ADDRESS, Assembler.NONE, 0, number);
        int at = asm.position() - 1;
        asm.storeState(Registers.ADDRESS, counter);
        return at;
    }

    /** Makes a jump lead to the current place in the cold code. */
    private void landCold(int jumpAt) {
        int at = jumpAt >= 0 ? jumpAt : islands.jump(~jumpAt);
        asm.land(at);
        if (at < coldStart) {
            asm.set32(at, asm.get32(at) + coldDistance);
        }
    }

    /** {@return where the cold code begins in the buffer, after {@link #emitStubs}} */
    int coldStart() {
        return coldStart;
    }

    /**
     * Emits the ways out: first what branches out of the middle run, then the code that runs rarely, which will stand elsewhere, so
     * that what runs often is close together.
     */
    void emitStubs() {
        for (Side side : sides) {
            if (side.run == instructions) {
                direct(side.jumpAt, side.target);
            } else {
                asm.land(side.jumpAt);
                count(side.run - instructions);
                direct(side.target);
            }
        }
        coldStart = asm.position();
        int hotOrigin = origin;
        origin = coldPosition - coldStart;
        coldDistance = origin - hotOrigin;
        for (Window window : windows) {
            emitMiss(window);
        }
        for (Stub stub : stubs) {
            landCold(stub.jumpAt);
            Exit exit = stub.exit;
            int common = stub.address != Assembler.NONE ? walk : leave;
            boolean indirect = exit.kind == Exit.Kind.INDIRECT;
            if (indirect && !user) {
                common = group;
                if (exit.constant) {
                    asm.constant(Registers.ADDRESS, guestStart + exit.guest);
                } else {
                    asm.difference(Registers.ADDRESS, Registers.ADDRESS, Registers.POINTER);
                }
            } else if (indirect && !exit.constant) {
                common = leaveMiss;
                UserJumps.emitAddress(asm);
            }
            asm.copy(stub.from, stub.to);
            if (stub.address != Assembler.NONE && stub.address != Registers.ADDRESS) {
                asm.move(Registers.ADDRESS, stub.address);
            }
            switch (exit.kind) {
                case READ, WRITE, INTERPRET, VECTOR -> exit.uncounted = instructions - stub.before;
                case EVENT, DIRECT, INDIRECT -> exit.uncounted = 0;
            }
            leave(exit, common);
        }
    }
}
