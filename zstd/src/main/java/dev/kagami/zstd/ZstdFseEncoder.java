package dev.kagami.zstd;

/**
 * Turns a table of finite-state entropy codes around: which state, read for a symbol, leads to a given next state.
 *
 * <p>In the decoder's table the states of one symbol together lead to every state exactly once (RFC 8878, 4.1), so the way
 * back is a lookup.
 */
final class ZstdFseEncoder {
    private final ZstdFse table;
    private final short[][] previous;
    private final short[] last;

    ZstdFseEncoder(ZstdFse table, int symbols) {
        this.table = table;
        int size = 1 << table.accuracyLog;
        this.previous = new short[symbols][size];
        this.last = new short[symbols];
        for (int state = size - 1; state >= 0; state--) {
            int symbol = table.symbols[state];
            int from = table.baselines[state];
            for (int next = from; next < from + (1 << table.bitCounts[state]); next++) {
                previous[symbol][next] = (short) state;
            }
            // A state that reads bits tells a decoder that runs out of them that it is at the end.
            if (table.bitCounts[state] > 0 || last[symbol] == 0) {
                last[symbol] = (short) state;
            }
        }
    }

    /** {@return a state for the last symbol, which nothing follows} */
    int last(int symbol) {
        return last[symbol];
    }

    /**
     * Writes the bits that lead from a symbol to the state that follows it.
     *
     * @return the symbol's state
     */
    int step(int symbol, int next, ZstdBitWriter bits) {
        int state = previous[symbol][next];
        bits.write(next - table.baselines[state], table.bitCounts[state]);
        return state;
    }

    /** Writes a state as a whole. */
    void writeState(int state, ZstdBitWriter bits) {
        bits.write(state, table.accuracyLog);
    }
}
