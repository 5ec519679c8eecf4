/** Placeholder until the module's first class. */
package dev.kagami.cpu.x86;
