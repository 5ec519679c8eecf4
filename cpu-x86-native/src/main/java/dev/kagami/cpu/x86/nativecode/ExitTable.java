package dev.kagami.cpu.x86.nativecode;

import java.util.ArrayList;
import java.util.List;

/** The exits of all code in the code memory, by number. */
final class ExitTable {
    private final List<Exit> exits = new ArrayList<>();

    int add(Exit exit) {
        exits.add(exit);
        return exits.size() - 1;
    }

    Exit get(int number) {
        return exits.get(number);
    }

    int size() {
        return exits.size();
    }

    /** Forgets the exits from a number on. */
    void truncate(int from) {
        exits.subList(from, exits.size()).clear();
    }
}
