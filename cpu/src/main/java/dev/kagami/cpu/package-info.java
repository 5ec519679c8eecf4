/**
 * The engine contract: how a machine runs virtual CPUs without knowing how they are virtualized.
 *
 * <p>An {@link dev.kagami.cpu.Engine} (found by {@link java.util.ServiceLoader}) says whether it can run here and why
 * not, and makes the {@link dev.kagami.cpu.Processors} of one machine. Each {@link dev.kagami.cpu.Vcpu} is driven by one
 * platform thread calling {@link dev.kagami.cpu.Vcpu#run}, which returns when the machine must act. Port and memory-mapped
 * I/O go to the {@link dev.kagami.cpu.Bus}; engines know no device and devices know no engine.
 */
package dev.kagami.cpu;
