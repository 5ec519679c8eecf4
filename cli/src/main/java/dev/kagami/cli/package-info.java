/**
 * The {@code kagami} command: a thin client of {@link dev.kagami.vm.VirtualMachine}. What it adds is the terminal: raw
 * mode, the escape key, the exit status.
 */
package dev.kagami.cli;
