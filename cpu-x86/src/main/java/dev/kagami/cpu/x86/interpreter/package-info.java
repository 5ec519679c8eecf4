/**
 * The interpreter: runs guest code from predecoded instructions.
 *
 * <p>{@link dev.kagami.cpu.x86.interpreter.BlockBuilder} turns the code at an address into a
 * {@link dev.kagami.cpu.x86.interpreter.Block}: an array of {@link dev.kagami.cpu.x86.interpreter.Op} objects, one a guest
 * instruction, each with one virtual {@code execute} method that finds its operands in final fields. Blocks are kept by
 * <em>physical</em> page, so they survive address-space switches and are shared by all mappings of a page; a write to a
 * page that holds code drops the blocks it touches.
 *
 * <p>Flags are lazy: an arithmetic instruction stores its result and its carries ({@link dev.kagami.cpu.x86.interpreter.Cpu}),
 * and whoever needs a flag derives it. Faults are a preallocated exception thrown from an instruction that has not changed
 * any state yet.
 *
 * <p>Blocks that stay hot run as {@link dev.kagami.cpu.x86.interpreter.Trace}s, JVM bytecode for several blocks in a row.
 */
package dev.kagami.cpu.x86.interpreter;
