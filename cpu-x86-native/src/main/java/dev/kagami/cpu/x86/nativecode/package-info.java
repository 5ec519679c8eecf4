/**
 * A binary translator from x86-64 to x86-64.
 *
 * <p>Guest instructions run as the same instructions of the host: registers are renamed, memory operands go through an
 * inlined lookup of a software TLB, and everything else (flags, results, partial registers) is the host's own doing. The
 * guest's arithmetic flags live in the host's flags all the time, so every address computation and lookup that is emitted
 * around an instruction is made of instructions that touch no flag. What is not translated, the interpreter does, one
 * instruction at a time.
 *
 * <p>Accesses at constant distances from each other share one lookup, see
 * {@link dev.kagami.cpu.x86.nativecode.BlockPlan}: code that does so runs where all of them are in one page, and the same
 * instructions without windows run elsewhere.
 *
 * <p>Twelve guest registers are kept in host registers; r9, r10, r11 and r15 are in the state block, to which the host's
 * rsp points, with a stack of its own below it, and in scratch registers between lookups. Host rcx, rsi and rdi are scratch. See
 * {@link dev.kagami.cpu.x86.nativecode.Translator} for the code that is emitted and
 * {@link dev.kagami.cpu.x86.nativecode.StateBlock} for the block's layout.
 *
 * <p>Nothing that a guest does may harm the JVM: every guest address passes the TLB, and instructions that could trap on
 * the host are either guarded (division) or left to the interpreter.
 */
package dev.kagami.cpu.x86.nativecode;
