package dev.kagami.block.qcow2;

import dev.kagami.block.BlockException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Counts references to clusters. Takes memory by what is referred to, within limits. */
final class ReferenceMap {
    private static final int PAGE_BITS = 9;
    private static final int PAGE = 1 << PAGE_BITS;
    private static final int PAGE_COST = PAGE * Integer.BYTES + 100;

    private final Map<Long, int[]> pages = new HashMap<>();
    private final Path file;
    private final long maxPages;
    private long end;

    ReferenceMap(Path file) {
        this.file = file;
        this.maxPages = Runtime.getRuntime().maxMemory() / 2 / PAGE_COST;
    }

    void add(long cluster, int references) {
        int[] page = pages.get(cluster >>> PAGE_BITS);
        if (page == null) {
            if (pages.size() >= maxPages) {
                throw new BlockException(
                        BlockException.Code.UNSUPPORTED,
                        "%s uses too many clusters to count them in memory".formatted(file),
                        "Give the program more memory (JAVA_TOOL_OPTIONS=-Xmx4g).");
            }
            page = new int[PAGE];
            pages.put(cluster >>> PAGE_BITS, page);
        }
        int index = (int) cluster & PAGE - 1;
        page[index] = (int) Math.min(Integer.MAX_VALUE, (long) page[index] + references);
        end = Math.max(end, cluster + 1);
    }

    int get(long cluster) {
        int[] page = pages.get(cluster >>> PAGE_BITS);
        return page == null ? 0 : page[(int) cluster & PAGE - 1];
    }

    /** Something done with a cluster that is referred to. */
    interface Action {
        void accept(long cluster, int references);
    }

    void forEach(Action action) {
        pages.keySet().stream().sorted().forEach(number -> {
            int[] page = pages.get(number);
            for (int i = 0; i < PAGE; i++) {
                if (page[i] != 0) {
                    action.accept((number << PAGE_BITS) + i, page[i]);
                }
            }
        });
    }

    /** {@return the cluster behind the last one referred to} */
    long end() {
        return end;
    }
}
