package dev.kagami.cpu.x86.nativecode;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The translated code of one virtual CPU: its memory, the blocks in it and the jumps between them.
 *
 * <p>The memory is divided into regions that are filled one after the other. When all are full, the oldest is evicted:
 * its blocks are forgotten, and jumps that lead into it lead to their exits again. So the guest never waits for longer than
 * that takes, and most of what is hot stays. Each region has a part for code that runs often and one for code that runs rarely,
 * so that the former is dense: what limits large programs is how much code the host has to fetch. Belongs to the vCPU's thread, which must not be in translated code.
 */
final class TranslatedCode {
    /** Room that must be left in a region for one more block, in the part for each kind of its code. */
    static final int BLOCK_BYTES = 32 << 10;

    /** About what a block takes of the heap, and of the tables that find it. */
    private static final int BYTES_PER_BLOCK = 64;

    private static final System.Logger LOGGER = System.getLogger(TranslatedCode.class.getName());

    // In front of a block's code, and of the jump that is always there: its linear address or offset in the page, its
    // page of RAM, the position of the first exit whose jump leads to it, and that of the last of its own direct
    // branches' exits; positions are 0 when there is none.
    private static final int DIRECTS = -Islands.BYTES - Integer.BYTES;
    private static final int LINKS = DIRECTS - Integer.BYTES;
    private static final int PAGE = LINKS - Integer.BYTES;
    private static final int LINEAR = PAGE - Long.BYTES;
    private static final int HEADER_BYTES = -LINEAR;

    private final NativeVcpu owner;
    private final HostMemory.CodeMemory memory;

    /** The writable view of the memory. */
    private final ByteBuffer bytes;

    /** The exit by which the code was left. */
    private final Exit left = new Exit();

    private final Region[] regions;
    private final int maxBlocks;
    private BlockTable blocks = new BlockTable();
    private final UserJumps userJumps;

    /** Room for the code at position 0. */
    private static final int MISS_BYTES = 96;

    /** Where the code ends that is never evicted. */
    private int fixedEnd = MISS_BYTES;

    private final int fixedLimit;
    private int current;
    private long evictions;

    /** A part of the code memory that is evicted as a whole. */
    private static final class Region {
        final int start;

        /** Where the part for cold code begins. */
        final int coldStart;

        final int limit;
        int end;
        int coldEnd;
        final ArrayList<NativeBlock> blocks = new ArrayList<>();

        Region(int start, int limit) {
            this.start = start;
            this.limit = limit;
            coldStart = align(start + (limit - start) / 2);
            empty();
        }

        void empty() {
            end = start;
            coldEnd = coldStart;
        }

        boolean holds(int position) {
            return position >= start && position < limit;
        }
    }

    /**
     * Creates an empty store.
     *
     * @param owner told when guest code changes
     * @param options size of the memory and number of regions
     * @param memory the code memory
     * @param userJumps told of the blocks of user code that there are
     */
    TranslatedCode(NativeVcpu owner, NativeOptions options, HostMemory.CodeMemory memory, UserJumps userJumps) {
        this.owner = owner;
        this.userJumps = userJumps;
        this.memory = memory;
        bytes = HostMemory.buffer(memory.writable());
        maxBlocks = options.maxBlocks();
        int size = options.codeBytes() / options.regions();
        if (size < 4 * BLOCK_BYTES) {
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
        fixedEnd = align(copy(code, fixedEnd));
        if (fixedEnd > fixedLimit) {
            throw new IllegalStateException("no room for fixed code");
        }
        return address;
    }

    /** {@return the address at which a position is executable} */
    long address(int position) {
        return memory.executable() + position;
    }

    /** Makes room for one block more; {@return the position that it will have, but for its {@link #coldPosition cold part}} */
    int makeRoom() {
        if (blocks.count() > maxBlocks) {
            blocks.removeCold();
            while (blocks.count() > maxBlocks / 2) {
                evictOldest();
            }
        }
        Region region = regions[current];
        if (region.end + BLOCK_BYTES > region.coldStart || region.coldEnd + BLOCK_BYTES > region.limit) {
            evictOldest();
        }
        return position(regions[current]);
    }

    /** {@return the position that the cold part of the block will have for which {@link #makeRoom} has made room} */
    int coldPosition() {
        return regions[current].coldEnd;
    }

    /** {@return where the next block's code will stand} */
    private static int position(Region region) {
        return align(region.end + HEADER_BYTES);
    }

    private static int align(int position) {
        return position + 15 & -16;
    }

    /** Installs a block at the position that {@link #makeRoom} has given. */
    void install(NativeBlock block, Translator.Result code) {
        Region region = regions[current];
        int entry = position(region);
        int coldLength = code.length() - code.coldStart();
        if (entry + code.coldStart() > region.coldStart || region.coldEnd + coldLength > region.limit) {
            throw new IllegalStateException("a block of %d bytes".formatted(code.length()));
        }
        bytes.putLong(entry + LINEAR, block.linear);
        bytes.putInt(entry + PAGE, block.page);
        bytes.putInt(entry + LINKS, 0);
        bytes.putInt(entry + DIRECTS, code.directs());
        block.entry = entry;
        region.blocks.add(block);
        int start = entry - Islands.BYTES;
        bytes.put(start, code.host(), 0, code.coldStart());
        region.end = start + code.coldStart();
        bytes.put(region.coldEnd, code.host(), code.coldStart(), coldLength);
        region.coldEnd += coldLength;
        if (block.user() && !block.alone()) {
            userJumps.set(block);
        }
    }

    private int copy(Translator.Result code, int position) {
        bytes.put(position, code.host(), 0, code.length());
        return position + code.length();
    }

    /** Frees the code memory. What is dropped afterwards doesn't matter any more. */
    void close() {
        memory.unmap();
    }

    // ---------------------------------------------------------------- blocks

    /** {@return what is known of the code at an address} */
    NativeBlock block(long linear, int page, int mode) {
        NativeBlock block = blocks.find(linear, page, mode);
        if (block == null) {
            block = new NativeBlock(owner, linear, page, mode);
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
        if (block.known) {
            if (block.translated()) {
                unlink(block);
                bytes.putInt(block.entry + PAGE, NativeBlock.NO_PAGE);
            }
            forgetJumps(block);
            block.reset();
        }
    }

    private void forgetJumps(NativeBlock block) {
        if (block.user() && !block.alone()) {
            userJumps.remove(block);
        }
    }

    // ---------------------------------------------------------------- exits and links

    /** {@return the exit at a position, by which the code was left; valid until the next call} */
    Exit exit(int position) {
        left.read(bytes, position);
        left.evictions = evictions;
        return left;
    }

    /** {@return the linear address of the block of an exit, or its offset in the page if it is user code} */
    long linear(Exit exit) {
        return bytes.getLong(exit.entry + LINEAR);
    }

    /** Makes the jump of an exit lead to a block from now on, if both are in one page and the exit is still there. */
    void link(Exit exit, NativeBlock target) {
        if (exit.evictions != evictions || bytes.getInt(exit.entry + PAGE) != target.page) {
            return;
        }
        int at = exit.position;
        if (bytes.getInt(at + Exit.PREVIOUS) != 0) {
            return;
        }
        int head = target.entry + LINKS;
        int next = bytes.getInt(head);
        bytes.putInt(at + Exit.NEXT, next);
        bytes.putInt(at + Exit.PREVIOUS, head);
        if (next != 0) {
            bytes.putInt(next + Exit.PREVIOUS, at + Exit.NEXT);
        }
        bytes.putInt(head, at);
        patch(exit.host, target.entry + (exit.forward ? Translator.CHECK_LENGTH : 0));
    }

    /** Changes the displacement of a jump. */
    private void patch(int at, int target) {
        bytes.putInt(at, target - (at + 4));
    }

    /** Makes the jump of the exit at a position lead to where the code is left, unless it does so already. */
    private void unlink(int at) {
        int previous = bytes.getInt(at + Exit.PREVIOUS);
        if (previous == 0) {
            return;
        }
        int next = bytes.getInt(at + Exit.NEXT);
        bytes.putInt(previous, next);
        if (next != 0) {
            bytes.putInt(next + Exit.PREVIOUS, previous);
        }
        bytes.putInt(at + Exit.PREVIOUS, 0);
        patch(Exit.jump(bytes, at), at - Exit.LEAVE_BYTES);
    }

    /** Makes no jump lead to a block, or from it to others. */
    private void unlink(NativeBlock block) {
        for (int at = bytes.getInt(block.entry + LINKS); at != 0; at = bytes.getInt(block.entry + LINKS)) {
            unlink(at);
        }
        for (int at = bytes.getInt(block.entry + DIRECTS); at != 0; at = Exit.nextDirect(bytes, at)) {
            unlink(at);
        }
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
        for (NativeBlock block : region.blocks) {
            // A block whose code had changed may have been translated again, into another region.
            if (block.known && region.holds(block.entry)) {
                unlink(block);
                forgetJumps(block);
                blocks.remove(block);
            }
        }
        int count = region.blocks.size();
        region.blocks.clear();
        region.empty();
        evictions++;
        long nanoseconds = System.nanoTime() - begin;
        LOGGER.log(System.Logger.Level.DEBUG, () -> "evicted %d blocks in %d us".formatted(count, nanoseconds / 1000));
    }

    /** Evicts all code, and gives its memory back to the host. */
    void giveBack() {
        for (int i = 0; i < regions.length; i++) {
            evict(i);
            regions[i].blocks.trimToSize();
        }
        blocks = new BlockTable();
        memory.empty(fixedLimit);
        current = 0;
    }

    /** {@return about how many bytes the code takes, with what is known of it; may be called from any thread} */
    long bytes() {
        long sum = (long) BYTES_PER_BLOCK * blocks.count();
        for (Region region : regions) {
            sum += region.end - region.start + region.coldEnd - region.coldStart;
        }
        return sum;
    }

    /** {@return how often code was evicted: whoever keeps addresses of code must forget them when this changes} */
    long evictions() {
        return evictions;
    }
}
