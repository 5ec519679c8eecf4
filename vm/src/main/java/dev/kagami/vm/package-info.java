/**
 * Linux virtual machines for the JVM: everything a program imports.
 *
 * <h2>The first command in a guest</h2>
 *
 * {@snippet class="dev.kagami.vm.Guide" region="first"}
 *
 * <p>The default guest is Debian's cloud kernel with a busybox, fetched once through the host's own {@code apt}. It is up when
 * {@link dev.kagami.vm.VirtualMachine#exec exec} returns. Nothing has to be installed, and no option of the JVM is needed: where
 * no faster engine can run, x86-64 code is interpreted, and {@link dev.kagami.vm.VirtualMachine#engineReason} says why.
 *
 * <h2>Describing a machine</h2>
 *
 * <p>A machine is described once, by a lambda that fills a builder, and is immutable from then on:
 *
 * {@snippet class="dev.kagami.vm.Guide" region="describe"}
 *
 * <p>{@link dev.kagami.vm.VirtualMachineConfig#validate} finds everything that is wrong with a description at once, with the
 * path to the part and what to do; {@link dev.kagami.vm.VirtualMachine#create create} refuses such a description:
 *
 * {@snippet class="dev.kagami.vm.Guide" region="problems"}
 *
 * <h2>Commands and files</h2>
 *
 * <p>An agent in the guest runs commands and takes files, over vsock, for the process that made the machine and nobody else. The
 * default guest has it; images get it with their {@linkplain dev.kagami.vm.VirtualMachineConfig.Builder#cloudInit cloud-init
 * seed}, anew at each boot and without a trace on their disk.
 *
 * {@snippet class="dev.kagami.vm.Guide" region="commands"}
 *
 * <h2>The console</h2>
 *
 * {@snippet class="dev.kagami.vm.Guide" region="console"}
 *
 * <h2>Pausing, saving, branching</h2>
 *
 * <p>A machine can be {@linkplain dev.kagami.vm.VirtualMachine#pause paused}, {@linkplain dev.kagami.vm.VirtualMachine#save
 * saved} to a file, and branched: machines that are made from one snapshot share its memory until they write to it.
 *
 * {@snippet class="dev.kagami.vm.Guide" region="snapshots"}
 *
 * <h2>The end</h2>
 *
 * <p>Nothing that a guest does is an exception: a machine says by its {@link dev.kagami.vm.Outcome} how it ended. What can't be
 * carried out is a {@link dev.kagami.vm.KagamiException} with a code, a message and a hint; a method that is called in the
 * wrong state throws a {@link dev.kagami.vm.MachineStateException}.
 *
 * {@snippet class="dev.kagami.vm.Guide" region="end"}
 *
 * <h2>Watching</h2>
 *
 * <p>{@link dev.kagami.vm.VirtualMachine#metrics} tells what has happened so far. The Flight Recorder gets
 * {@code dev.kagami.StateChange}, {@code dev.kagami.Snapshot} and, once a second, {@code dev.kagami.Statistics}; on demand also
 * {@code dev.kagami.VirtqueueKick} and {@code dev.kagami.Translation}, of which there are many. Log messages go to
 * {@link java.lang.System.Logger}s named after the classes.
 */
package dev.kagami.vm;
