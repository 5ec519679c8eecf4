package dev.kagami.cpu.x86.interpreter;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The blocks decoded from one physical page. */
final class CodePage {
    /** A page has some ten blocks; more buckets are made as they come. */
    private static final int FEW_BUCKETS = 16;

    private static final int LINE_SHIFT = 6;

    /** So many tails are kept before those of dropped blocks are looked for. */
    private static final int FEW_TAILS = 16;

    /** The same for dependents. */
    private static final int FEW_DEPENDENTS = 64;

    /** Number of the page in the RAM mapping. */
    final int number;

    /** The page's code was dropped: whoever still leads here must look for it anew. */
    boolean dropped;

    private Block[] buckets = new Block[FEW_BUCKETS];

    private int blocks;

    /** Blocks of one instruction that begins on another page and ends on this one. */
    private final List<Block> tails = new ArrayList<>();

    private int manyTails = FEW_TAILS;

    /** Instructions in all blocks, decoded. */
    private int ops;

    /** Told when the page's code is dropped: what was derived from it outside of this class. */
    private final List<CodeDependent> dependents = new ArrayList<>();

    private int manyDependents = FEW_DEPENDENTS;

    /** One bit per 64 bytes: set when a block covers some of them. */
    private long lines;

    /** One bit per 64 bytes: set by others that have written there, until the CPU takes note. */
    @SuppressWarnings("unused") // through WRITTEN
    private volatile long written;

    private static final VarHandle WRITTEN;

    static {
        try {
            WRITTEN = MethodHandles.lookup().findVarHandle(CodePage.class, "written", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    CodePage(int number) {
        this.number = number;
    }

    private int bucket(int start) {
        return (start ^ start >> 6) & buckets.length - 1;
    }

    @Nullable
    Block find(int start, int mode) {
        Block block = buckets[bucket(start)];
        while (block != null && (block.start != start || block.mode != mode)) {
            block = block.nextInBucket;
        }
        return block;
    }

    void add(Block block) {
        Block same = find(block.start, block.mode);
        if (same != null) {
            // One instruction whose second half was on another page then.
            remove(same);
            same.invalidate();
        }
        if (blocks == buckets.length) {
            grow();
        }
        ops += block.ops.length;
        enter(block);
        blocks++;
        lines |= lineMask(block.start, Math.min(block.bytes, Mmu.PAGE_SIZE - block.start));
    }

    private void enter(Block block) {
        int bucket = bucket(block.start);
        block.nextInBucket = buckets[bucket];
        buckets[bucket] = block;
    }

    private void grow() {
        Block[] old = buckets;
        buckets = new Block[2 * old.length];
        Block next;
        for (Block first : old) {
            for (Block block = first; block != null; block = next) {
                next = block.nextInBucket;
                enter(block);
            }
        }
    }

    /** Notes a block that begins on another page and whose last {@code bytes} bytes are at the start of this one. */
    void addTail(Block block, int bytes) {
        // Blocks are dropped with the page that they begin on, and made again.
        if (tails.size() >= manyTails) {
            tails.removeIf(tail -> !tail.valid);
            manyTails = Math.max(FEW_TAILS, 2 * tails.size());
        }
        tails.add(block);
        lines |= lineMask(0, bytes);
    }

    /** Notes something derived from bytes of this page, to be told once when they change. */
    void addDependent(int from, int bytes, CodeDependent dependent) {
        if (dependents.size() >= manyDependents) {
            dependents.removeIf(old -> !old.lives());
            manyDependents = Math.max(FEW_DEPENDENTS, 2 * dependents.size());
        }
        dependents.add(dependent);
        lines |= lineMask(from, bytes);
    }

    private void remove(Block block) {
        int bucket = bucket(block.start);
        Block previous = null;
        for (Block b = buckets[bucket]; b != null; previous = b, b = b.nextInBucket) {
            if (b == block) {
                if (previous == null) {
                    buckets[bucket] = b.nextInBucket;
                } else {
                    previous.nextInBucket = b.nextInBucket;
                }
                blocks--;
                return;
            }
        }
    }

    private static long lineMask(int from, int bytes) {
        int first = from >> LINE_SHIFT;
        int last = from + Math.max(bytes, 1) - 1 >> LINE_SHIFT;
        return -1L >>> 63 - last & -1L << first;
    }

    /** {@return how many decoded instructions the page has held so far, dropped or not} */
    int ops() {
        return ops;
    }

    /** {@return how many blocks of other pages end on this one, of those known} */
    int tails() {
        return tails.size();
    }

    /** {@return whether a write touches a line that holds code} */
    boolean touches(int from, int bytes) {
        return (lines & lineMask(from, bytes)) != 0;
    }

    /** Notes a write; may be called from any thread. Returns whether it is the first since {@link #takeWritten}. */
    boolean noteWritten(int from, int bytes) {
        return (long) WRITTEN.getAndBitwiseOr(this, lineMask(from, bytes)) == 0;
    }

    /** {@return whether a write noted since the last call touches a line that holds code} */
    boolean takeWritten() {
        return ((long) WRITTEN.getAndSet(this, 0L) & lines) != 0;
    }

    /** Drops all blocks. */
    void invalidate() {
        dropped = true;
        lines = 0;
        for (int i = 0; i < buckets.length; i++) {
            for (Block block = buckets[i]; block != null; block = block.nextInBucket) {
                block.invalidate();
            }
            buckets[i] = null;
        }
        blocks = 0;
        for (Block block : tails) {
            block.invalidate();
            block.page.remove(block);
        }
        tails.clear();
        dependents.forEach(CodeDependent::codeChanged);
        dependents.clear();
    }
}
