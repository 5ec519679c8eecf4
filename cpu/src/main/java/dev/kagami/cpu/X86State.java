package dev.kagami.cpu;

import java.util.SortedMap;

/**
 * The architectural state of one x86-64 CPU, the same for every engine.
 *
 * @param gpr the 16 general registers in the encoding's order: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15
 * @param rip instruction pointer
 * @param rflags flags
 * @param segments es, cs, ss, ds, fs, gs, ldtr, tr (the order of SDM 2B's sreg encoding, then the system segments)
 * @param gdtr global descriptor table
 * @param idtr interrupt descriptor table
 * @param cr0 control register 0
 * @param cr2 page-fault linear address
 * @param cr3 page-table base
 * @param cr4 control register 4
 * @param cr8 task priority, 0 to 15
 * @param xcr0 extended control register 0
 * @param dr debug registers 0 to 7 (4 and 5 are unused)
 * @param fpu x87 and MMX state
 * @param vectors 32 registers of 8 quadwords (512 bits) each, lowest quadword first, and the 8 opmask registers behind them
 * @param mxcsr SSE control and status
 * @param msrs every other model-specific register that the CPU has, by number (SDM 4)
 * @param apic the local APIC's registers in the page's order: element i is at offset {@code 16 * i}
 * @param halted true while the CPU waits in HLT
 * @param interruptShadow true when the next instruction is in the shadow of STI or MOV SS
 * @param awaitingStartup true while the CPU does nothing until another one sends it a start-up message (SDM 3A 9.4)
 * @param pending what the CPU is about to do, or holds back
 */
public record X86State(
        long[] gpr,
        long rip,
        long rflags,
        Segment[] segments,
        Table gdtr,
        Table idtr,
        long cr0,
        long cr2,
        long cr3,
        long cr4,
        long cr8,
        long xcr0,
        long[] dr,
        Fpu fpu,
        long[] vectors,
        int mxcsr,
        SortedMap<Integer, Long> msrs,
        int[] apic,
        boolean halted,
        boolean interruptShadow,
        boolean awaitingStartup,
        Pending pending) {

    /**
     * What happens before the next instruction, or after it, and what doesn't.
     *
     * @param nmi a non-maskable interrupt waits
     * @param nmiBlocked non-maskable interrupts are blocked until the next IRET
     * @param init an INIT message waits
     * @param startup vector of a start-up message that waits, or -1
     * @param debugTraps the breakpoints that the last instruction met, as in DR6
     * @param debugShadow debug exceptions are held back for one instruction, behind MOV SS
     * @param step a single-step exception waits
     */
    public record Pending(
            boolean nmi,
            boolean nmiBlocked,
            boolean init,
            int startup,
            int debugTraps,
            boolean debugShadow,
            boolean step) {
        /** Nothing. */
        public static final Pending NOTHING = new Pending(false, false, false, -1, 0, false, false);
    }

    /**
     * A segment register with its hidden part.
     *
     * @param selector visible selector
     * @param base linear base address
     * @param limit offset of the last byte, after scaling by the granularity bit
     * @param attributes bits 8-15 and 20-23 of the descriptor's high doubleword, at their places there shifted right by
     *     8 (type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15); 0 with P clear for an unusable segment
     */
    public record Segment(int selector, long base, int limit, int attributes) {}

    /**
     * A descriptor-table register.
     *
     * @param base linear address
     * @param limit offset of the last byte, 0 to 0xFFFF
     */
    public record Table(long base, int limit) {}

    /**
     * x87 state.
     *
     * @param significands 64-bit significands of the physical registers R0 to R7 (also MM0 to MM7)
     * @param signExponents sign in bit 15 and biased exponent of the physical registers
     * @param control control word
     * @param status status word with TOP
     * @param tag full tag word, 2 bits a physical register
     * @param opcode last opcode, 11 bits
     * @param instructionPointer last instruction's address
     * @param dataPointer last operand's address
     */
    public record Fpu(
            long[] significands,
            short[] signExponents,
            int control,
            int status,
            int tag,
            int opcode,
            long instructionPointer,
            long dataPointer) {}
}
