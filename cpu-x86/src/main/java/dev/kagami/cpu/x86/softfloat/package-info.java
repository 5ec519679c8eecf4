/**
 * IEEE 754 arithmetic as x86 processors do it, in integers: binary32 and binary64 with the rules of SSE, the 80-bit
 * extended format with the rules of the x87 unit.
 *
 * <p>Every operation is a static function of its operands and a {@link dev.kagami.cpu.x86.softfloat.FloatContext},
 * which holds the rounding mode and collects exception flags. Nothing allocates. {@link
 * dev.kagami.cpu.x86.softfloat.BinaryFloat} is the complete definition of SSE arithmetic; {@link
 * dev.kagami.cpu.x86.softfloat.HostFloat} gives the same results through Java's own arithmetic when the operands are
 * ordinary numbers, and falls back to it otherwise. {@link dev.kagami.cpu.x86.softfloat.Float80} is the x87 unit's.
 *
 * <p>Sources: IEEE 754-2008; Intel SDM volume 1, chapters 4, 8, 10 and 11.
 */
package dev.kagami.cpu.x86.softfloat;
