/** The engine that interprets x86-64; see {@code dev.kagami.cpu.x86.interpreter} for how. */
package dev.kagami.cpu.x86;
