/**
 * Decoding of x86 machine code for all modes (SDM 2, chapter 2 and appendix A).
 *
 * <p>{@link dev.kagami.cpu.x86.decode.Decoder} fills an {@link dev.kagami.cpu.x86.decode.Instruction} with the raw fields
 * of one instruction; it knows lengths and operand encodings, not meanings. The interpreter, a translator and the trace
 * all start from it.
 */
package dev.kagami.cpu.x86.decode;
