package dev.kagami.cpu.x86.interpreter;

/** The local APIC (SDM 3A chapter 11). */
final class LocalApic {
    boolean claims(long address) {
        return false;
    }

    long read(int offset, int size) {
        return 0;
    }

    void write(int offset, int size, long value) {}
}
