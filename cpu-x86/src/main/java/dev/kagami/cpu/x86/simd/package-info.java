/**
 * Pure functions behind the packed-integer and cryptographic instructions of x86.
 *
 * <p>Every function works on 64-bit lanes held in {@code long}s, the lowest element in the lowest bits, so that one function
 * serves the MMX (one lane), SSE (two lanes) and later AVX (four lanes) form of an instruction. Where the result mixes the
 * two quadwords of a 128-bit lane, a function takes both and yields one quadword of the result; what needs both at
 * once (the SHA rounds) writes into the caller's register array. Functions are named by the instruction's mnemonic, never
 * allocate, keep no state, and so may be called from any thread. Semantics are those of the Intel SDM, volume 2.
 */
package dev.kagami.cpu.x86.simd;
