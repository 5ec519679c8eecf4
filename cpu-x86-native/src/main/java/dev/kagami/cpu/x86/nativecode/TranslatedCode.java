package dev.kagami.cpu.x86.nativecode;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The translated code of one virtual CPU: its memory, the blocks in it and the jumps between them.
 *
 * <p>The memory is divided into regions that are filled one after the other. When all are full, the oldest is evicted:
 * its blocks are forgotten, and jumps that lead into it lead to their exits again. So the guest never waits for longer than
 * that takes, and most of what is hot stays. Belongs to the vCPU's thread, which must not be in translated code.
 */
final class TranslatedCode {
    /** Room that must be left in a region for one more block. */
    static final int BLOCK_BYTES = 64 << 10;

    private static final System.Logger LOGGER = System.getLogger(TranslatedCode.class.getName());

    private final HostMemory.CodeMemory memory;
    private final ExitTable exits;
    private final Region[] regions;
    private final int maxBlocks;
    private final BlockTable blocks = new BlockTable();
    private final UserJumps userJumps;

    /** Room for the code at position 0. */
    private static final int MISS_BYTES = 64;

    /** Where the code ends that is never evicted. */
    private int fixedEnd = MISS_BYTES;

    private final int fixedLimit;
    private int current;
    private long evictions;
    private boolean closed;

    /** A part of the code memory that is evicted as a whole. */
    private static final class Region {
        final int start;
        final int limit;
        int end;
        final List<NativeBlock> blocks = new ArrayList<>();
        int[] exits = new int[256];
        int exitCount;

        Region(int start, int limit) {
            this.start = start;
            this.limit = limit;
            end = start;
        }

        boolean holds(int position) {
            return position >= start && position < limit;
        }

        void addExit(int number) {
            if (exitCount == exits.length) {
                exits = Arrays.copyOf(exits, 2 * exitCount);
            }
            exits[exitCount++] = number;
        }
    }

    /**
     * Creates an empty store.
     *
     * @param options size of the memory and number of regions
     * @param memory the code memory
     * @param exits the exits of all code
     * @param userJumps told of the blocks of user code that there are
     */
    TranslatedCode(NativeOptions options, HostMemory.CodeMemory memory, ExitTable exits, UserJumps userJumps) {
        this.userJumps = userJumps;
        this.memory = memory;
        this.exits = exits;
        maxBlocks = options.maxBlocks();
        int size = options.codeBytes() / options.regions();
        if (size < 2 * BLOCK_BYTES) {
            throw new IllegalArgumentException("regions of %d bytes are too small".formatted(size));
        }
        fixedLimit = BLOCK_BYTES;
        regions = new Region[options.regions()];
        for (int i = 0; i < regions.length; i++) {
            regions[i] = new Region(i == 0 ? fixedLimit : i * size, (i + 1) * size);
        }
    }

    // ---------------------------------------------------------------- installing

    /** {@return the position of the next piece of code that stays for good} */
    int fixedPosition() {
        return fixedEnd;
    }

    /** Installs code at position 0, where jumps go that find no block; at most {@link #MISS_BYTES}. */
    void installMiss(Translator.Result code) {
        if (copy(code, 0) > MISS_BYTES) {
            throw new IllegalStateException("no room for the code of a miss");
        }
    }

    /** Installs code that stays for good at {@link #fixedPosition}; {@return its address} */
    long installFixed(Translator.Result code) {
        long address = address(fixedEnd);
        fixedEnd = copy(code, fixedEnd);
        if (fixedEnd > fixedLimit) {
            throw new IllegalStateException("no room for fixed code");
        }
        return address;
    }

    /** {@return the address at which a position is executable} */
    long address(int position) {
        return memory.executable() + position;
    }

    /** Makes room for one block more; {@return the position that it will have} */
    int makeRoom() {
        if (blocks.count() > maxBlocks) {
            blocks.removeCold();
            while (blocks.count() > maxBlocks / 2) {
                evictOldest();
            }
        }
        if (regions[current].end + BLOCK_BYTES > regions[current].limit) {
            evictOldest();
        }
        exits.begin();
        return regions[current].end;
    }

    /** Installs a block, with the exits made since, at the position that {@link #makeRoom} has given. */
    void install(NativeBlock block, Translator.Result code) {
        Region region = regions[current];
        if (region.end + code.length() > region.limit) {
            throw new IllegalStateException("a block of %d bytes".formatted(code.length()));
        }
        for (int i = 0; i < exits.recentCount(); i++) {
            int number = exits.recent(i);
            exits.get(number).page = block.page;
            region.addExit(number);
        }
        block.entry = region.end;
        region.blocks.add(block);
        region.end = copy(code, region.end);
        if (block.user() && !block.alone()) {
            userJumps.set(block);
        }
    }

    /** Takes back the exits made since {@link #makeRoom}, when there is nothing to install. */
    void discardExits() {
        for (int i = 0; i < exits.recentCount(); i++) {
            exits.remove(exits.recent(i));
        }
    }

    private int copy(Translator.Result code, int position) {
        MemorySegment.copy(code.host(), 0, memory.writable(), ValueLayout.JAVA_BYTE, position, code.length());
        return position + code.length() + 15 & -16;
    }

    /** Frees the code memory, and what finds user code in it. What is dropped afterwards doesn't matter any more. */
    void close() {
        if (!closed) {
            closed = true;
            memory.unmap();
            userJumps.close();
        }
    }

    // ---------------------------------------------------------------- blocks

    /** {@return what is known of the code at an address} */
    NativeBlock block(long linear, int page, int mode) {
        NativeBlock block = blocks.find(linear, page, mode);
        if (block == null) {
            block = new NativeBlock(linear, page, mode);
            blocks.add(block);
        }
        return block;
    }

    /** {@return what is known of the code at an address, or null} */
    @Nullable
    NativeBlock known(long linear, int page, int mode) {
        return blocks.find(linear, page, mode);
    }

    /** Enters a block again that {@link #makeRoom} may have forgotten. */
    void keep(NativeBlock block) {
        if (!block.known) {
            blocks.add(block);
        }
    }

    /** Forgets the code of a block, because the guest's has changed. */
    void drop(NativeBlock block) {
        if (block.known && !closed) {
            unlinkAll(block);
            forgetJumps(block);
            block.reset();
        }
    }

    private void forgetJumps(NativeBlock block) {
        if (block.user() && !block.alone()) {
            userJumps.remove(block);
        }
    }

    // ---------------------------------------------------------------- links

    /** Makes the jump of an exit lead to a block from now on, unless the exit is gone. */
    void link(Exit exit, NativeBlock target) {
        if (exit.number == Exit.GONE || exit.target != null) {
            return;
        }
        exit.target = target;
        exit.before = null;
        exit.after = target.links;
        if (target.links != null) {
            target.links.before = exit;
        }
        target.links = exit;
        exit.stub = patch(exit.host, target.entry + (exit.forward ? Translator.CHECK_LENGTH : 0));
    }

    /** Changes the displacement of a jump; {@return where it led to} */
    private int patch(int at, int target) {
        ValueLayout.OfInt layout = ValueLayout.JAVA_INT_UNALIGNED;
        int before = memory.writable().get(layout, at) + at + 4;
        memory.writable().set(layout, at, target - (at + 4));
        return before;
    }

    private void unlinkAll(NativeBlock block) {
        Exit next;
        for (Exit exit = block.links; exit != null; exit = next) {
            next = exit.after;
            patch(exit.host, exit.stub);
            exit.target = null;
            exit.before = null;
            exit.after = null;
        }
        block.links = null;
    }

    /** Takes an exit out of the list of those that lead to its target. */
    private static void forgetLink(Exit exit) {
        NativeBlock target = exit.target;
        if (target == null) {
            return;
        }
        Exit before = exit.before;
        Exit after = exit.after;
        if (before == null) {
            target.links = after;
        } else {
            before.after = after;
        }
        if (after != null) {
            after.before = before;
        }
        exit.target = null;
    }

    // ---------------------------------------------------------------- eviction

    /** Evicts the oldest code. */
    void evictOldest() {
        current = (current + 1) % regions.length;
        evict(current);
    }

    private void evict(int number) {
        Region region = regions[number];
        if (region.end == region.start) {
            return;
        }
        long begin = System.nanoTime();
        for (int i = 0; i < region.exitCount; i++) {
            forgetLink(exits.get(region.exits[i]));
            exits.remove(region.exits[i]);
        }
        region.exitCount = 0;
        for (NativeBlock block : region.blocks) {
            // A block whose code had changed may have been translated again, into another region.
            if (block.known && region.holds(block.entry)) {
                unlinkAll(block);
                forgetJumps(block);
                blocks.remove(block);
            }
        }
        int count = region.blocks.size();
        region.blocks.clear();
        region.end = region.start;
        evictions++;
        long nanoseconds = System.nanoTime() - begin;
        LOGGER.log(System.Logger.Level.DEBUG, () -> "evicted %d blocks in %d us".formatted(count, nanoseconds / 1000));
    }

    /** {@return how often code was evicted: whoever keeps addresses of code must forget them when this changes} */
    long evictions() {
        return evictions;
    }
}
