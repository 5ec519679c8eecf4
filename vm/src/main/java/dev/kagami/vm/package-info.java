/**
 * Linux virtual machines for the JVM: everything a program imports.
 *
 * <p>A machine is described once, by a lambda that fills a builder, and is immutable from then on:
 *
 * {@snippet :
 * try (VirtualMachine machine = VirtualMachine.create(c -> c
 *         .linux(l -> l.kernel(Path.of("vmlinuz")).initrd(Path.of("initrd.img")).commandLine("console=ttyS0"))
 *         .memory(MemorySize.ofMebibytes(512))
 *         .serial(s -> s.output(System.out)))) {
 *     machine.start();
 *     Outcome outcome = machine.awaitShutdown();
 * }
 * }
 *
 * <p>{@link dev.kagami.vm.VirtualMachineConfig#validate} finds everything that is wrong with a description at once;
 * what can't be carried out is a {@link dev.kagami.vm.KagamiException} with a code, a message and a hint; a machine that
 * ran says by its {@link dev.kagami.vm.Outcome} how it ended.
 */
package dev.kagami.vm;
