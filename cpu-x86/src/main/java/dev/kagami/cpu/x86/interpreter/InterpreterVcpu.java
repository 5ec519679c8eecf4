package dev.kagami.cpu.x86.interpreter;

import dev.kagami.cpu.ExitReason;
import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.VcpuStats;
import dev.kagami.cpu.X86State;
import java.io.PrintStream;
import java.lang.invoke.VarHandle;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A virtual CPU run by interpretation: the run loop and what happens between blocks. */
public sealed class InterpreterVcpu implements Vcpu permits TranslatingVcpu {
    /** Names of the architectures whose processors keep the order that x86 asks for. */
    private static final Set<String> HOSTS_OF_X86 = Set.of("amd64", "x86_64", "x86", "i386");

    final Cpu cpu;
    final BlockBuilder builder;
    private final @Nullable PrintStream trace;
    private final TraceRecorder recorder;

    /** Other CPUs and devices could see accesses in an order that x86 doesn't have (SDM 3A 9.2), if nothing were done about it. */
    private final boolean ordering;

    private String exitDetail = "";

    /** The CPU has told that no interrupt can wake it. */
    private boolean resting;

    /** The last exception, and its error code or -1. */
    int exceptionVector = -1;

    int exceptionErrorCode = -1;

    InterpreterVcpu(Cpu cpu, @Nullable PrintStream trace) {
        this(cpu, trace, TraceRecorder.Mode.HOT);
    }

    InterpreterVcpu(Cpu cpu, @Nullable PrintStream trace, TraceRecorder.Mode traces) {
        this(cpu, trace, !HOSTS_OF_X86.contains(System.getProperty("os.arch")), traces);
    }

    InterpreterVcpu(Cpu cpu, @Nullable PrintStream trace, boolean ordering, TraceRecorder.Mode traces) {
        this(cpu, trace, ordering, new TraceRecorder(cpu, traces, ordering));
    }

    InterpreterVcpu(Cpu cpu, @Nullable PrintStream trace, boolean ordering, TraceRecorder recorder) {
        this.cpu = cpu;
        this.trace = trace;
        this.ordering = ordering;
        this.recorder = recorder;
        builder = new BlockBuilder(cpu);
        CpuState.reset(cpu);
    }

    @Override
    public int index() {
        return cpu.index;
    }

    @Override
    public void kick() {
        cpu.signal(Cpu.EVENT_KICK);
    }

    @Override
    public String exitDetail() {
        return exitDetail;
    }

    @Override
    public X86State state() {
        return CpuState.save(cpu);
    }

    @Override
    public void setState(X86State state) {
        CpuState.restore(cpu, state);
    }

    @Override
    public VcpuStats stats() {
        return new VcpuStats(
                cpu.retired,
                cpu.portReads,
                cpu.portWrites,
                cpu.mmioReads,
                cpu.mmioWrites,
                cpu.halts,
                cpu.interrupts,
                cpu.exceptions);
    }

    @Override
    public ExitReason run() {
        exitDetail = "";
        if (trace != null) {
            cpu.signal(Cpu.EVENT_STEP);
        }
        wake();
        CodeBudget.OF_PROCESS.enter(cpu);
        cpu.rendezvous.enter(cpu);
        try {
            while (true) {
                int events = cpu.events();
                ExitReason exit = events == 0 ? null : handle(events);
                if (exit != null) {
                    return exit;
                }
                if ((cpu.events() & Cpu.EVENT_HALT) != 0) {
                    continue;
                }
                if ((cpu.events() & Cpu.EVENT_STEP) != 0) {
                    step();
                } else if (cpu.interruptShadow) {
                    // Whatever is pending waits for one more instruction.
                    step();
                } else if (ordering) {
                    runBlocksInOrder();
                } else {
                    runBlocks();
                }
            }
        } catch (Fault fault) {
            if (fault.vector == Fault.SHUTDOWN) {
                exitDetail = "triple fault at rip 0x%x; the first exception was vector %d"
                        .formatted(cpu.r[Cpu.RIP], exceptionVector);
                return ExitReason.SHUTDOWN;
            }
            exitDetail = "fault outside of an instruction: " + fault.getMessage();
            return ExitReason.INTERNAL_ERROR;
        } catch (RuntimeException | StackOverflowError | AssertionError e) {
            // A defect of ours must not take the JVM down; the machine reports it.
            System.getLogger(InterpreterVcpu.class.getName())
                    .log(System.Logger.Level.ERROR, "interpreter failed at rip 0x%x".formatted(cpu.r[Cpu.RIP]), e);
            exitDetail = "%s near rip 0x%x".formatted(e, cpu.r[Cpu.RIP]);
            return ExitReason.INTERNAL_ERROR;
        } finally {
            cpu.rendezvous.leave(cpu);
            CodeBudget.OF_PROCESS.leave(cpu);
        }
    }

    // ---------------------------------------------------------------- events

    private @Nullable ExitReason handle(int events) {
        if ((events & Cpu.EVENT_KICK) != 0) {
            cpu.clear(Cpu.EVENT_KICK);
            return ExitReason.INTERRUPTED;
        }
        if ((events & Cpu.EVENT_STOP) != 0) {
            cpu.clear(Cpu.EVENT_STOP);
            cpu.rendezvous.leave(cpu);
            cpu.rendezvous.enter(cpu);
        }
        if ((events & Cpu.EVENT_CODE_WRITTEN) != 0) {
            cpu.clear(Cpu.EVENT_CODE_WRITTEN);
            cpu.code.dropWritten();
        }
        if ((events & Cpu.EVENT_GIVE_BACK) != 0) {
            cpu.clear(Cpu.EVENT_GIVE_BACK);
            // Whoever was idle when asked may have something to do by now.
            if (cpu.halted) {
                cpu.giveCodeBack();
            }
        }
        if ((events & Cpu.EVENT_STARTUP) != 0) {
            cpu.clear(Cpu.EVENT_STARTUP);
            if (cpu.apic.takeInit() && !initialize()) {
                return ExitReason.SHUTDOWN;
            }
        }
        if ((events & Cpu.EVENT_HALT) != 0) {
            return halted();
        }
        if ((events & Cpu.EVENT_INTERRUPT) != 0 && !cpu.interruptShadow) {
            cpu.clear(Cpu.EVENT_INTERRUPT);
            deliverInterrupt();
        }
        return null;
    }

    /** Delivers the most urgent interrupt, if one may be taken now. */
    private boolean deliverInterrupt() {
        if (!cpu.nmiBlocked && cpu.apic.takeNmi()) {
            cpu.nmiBlocked = true;
            // Whatever is pending besides has to wait for IF too.
            cpu.interruptWaiting = true;
            leaveHalt();
            cpu.interrupts++;
            Interrupts.external(cpu, Vector.NMI);
            return true;
        }
        if ((cpu.systemFlags & Cpu.IF) == 0) {
            cpu.interruptWaiting = true;
            return false;
        }
        int vector = cpu.apic.nextVector();
        if (vector == LocalApic.NO_VECTOR) {
            cpu.interruptWaiting = false;
            return false;
        }
        if (vector == LocalApic.EXTINT_VECTOR) {
            vector = cpu.bus.acknowledgeExternalInterrupt();
        } else {
            cpu.apic.acknowledge(vector);
        }
        // There may be more behind this one; it has to wait for IF again.
        cpu.interruptWaiting = true;
        leaveHalt();
        cpu.interrupts++;
        Interrupts.external(cpu, vector);
        return true;
    }

    private void leaveHalt() {
        cpu.halted = false;
        cpu.clear(Cpu.EVENT_HALT);
        wake();
    }

    private void wake() {
        if (resting) {
            resting = false;
            cpu.processors.wakes(cpu);
        }
    }

    private @Nullable ExitReason halted() {
        if (cpu.awaitingStartup) {
            return awaitStartup();
        }
        if (!cpu.halted) {
            leaveHalt();
            return null;
        }
        cpu.interruptShadow = false;
        cpu.clear(Cpu.EVENT_INTERRUPT);
        if (deliverInterrupt()) {
            return null;
        }
        return (cpu.systemFlags & Cpu.IF) == 0 ? rest() : sleep();
    }

    private @Nullable ExitReason awaitStartup() {
        cpu.clear(Cpu.EVENT_INTERRUPT);
        int vector = cpu.apic.takeStartup();
        if (vector == LocalApic.NO_VECTOR) {
            return rest();
        }
        leaveHalt();
        CpuState.start(cpu, vector);
        cpu.signal(Cpu.EVENT_INTERRUPT);
        return null;
    }

    /** Sleeps until something happens that wakes a CPU with interrupts disabled, unless nothing can. */
    private @Nullable ExitReason rest() {
        resting = true;
        if (cpu.processors.restsForGood(cpu)) {
            exitDetail = cpu.awaitingStartup
                    ? "never started"
                    : "HLT with interrupts disabled at rip 0x%x".formatted(cpu.r[Cpu.RIP]);
            return ExitReason.HALTED;
        }
        return sleep();
    }

    private @Nullable ExitReason sleep() {
        cpu.halts += cpu.halted ? 1 : 0;
        cpu.sleep(Cpu.EVENT_HALT | Cpu.EVENT_STEP);
        return null;
    }

    /** Does what INIT asks for; returns false when there is nothing to go on with. */
    private boolean initialize() {
        wake();
        CpuState.initialize(cpu);
        cpu.apic.initialize();
        if (!cpu.awaitingStartup) {
            exitDetail = "INIT of the boot processor, which has no firmware to start over with";
            return false;
        }
        return true;
    }

    // ---------------------------------------------------------------- execution

    /** Runs blocks until an event is pending or an instruction faulted. */
    void runBlocks() {
        Cpu cpu = this.cpu;
        TraceRecorder recorder = this.recorder;
        Block block = null;
        Trace hot = null;
        int i = 0;
        cpu.linkFrom = null;
        try {
            while (cpu.events() == 0) {
                Block before = block;
                // No block's instruction is at fault when the next one can't be fetched.
                block = null;
                hot = null;
                block = follow(before);
                hot = recorder.find(block);
                if (hot != null) {
                    hot.run(cpu);
                    continue;
                }
                i = 0;
                Op[] ops = block.ops;
                // Unrolled, because the JVM's compiler reloads all that is live, not just this, at each turn of a loop.
                while (true) {
                    ops[i].execute(cpu);
                    if (++i == ops.length) {
                        break;
                    }
                    ops[i].execute(cpu);
                    if (++i == ops.length) {
                        break;
                    }
                    ops[i].execute(cpu);
                    if (++i == ops.length) {
                        break;
                    }
                    ops[i].execute(cpu);
                    if (++i == ops.length) {
                        break;
                    }
                }
                recorder.ran(block);
            }
        } catch (Fault fault) {
            leave(block, hot, i, fault);
        } finally {
            recorder.interrupt();
        }
    }

    /**
     * Does the same with fences behind each instruction. Within one, what is stored depends on what was loaded; repeated string
     * instructions may store in any order on an x86, too (SDM 3A 9.2.4).
     */
    private void runBlocksInOrder() {
        Block block = null;
        Trace hot = null;
        int i = 0;
        cpu.linkFrom = null;
        try {
            while (cpu.events() == 0) {
                Block before = block;
                block = null;
                hot = null;
                block = follow(before);
                hot = recorder.find(block);
                if (hot != null) {
                    hot.run(cpu);
                    continue;
                }
                for (i = 0; i < block.ops.length; i++) {
                    block.ops[i].execute(cpu);
                    fence();
                }
                recorder.ran(block);
            }
        } catch (Fault fault) {
            leave(block, hot, i, fault);
        } finally {
            recorder.interrupt();
        }
    }

    /**
     * Finds the block to go on with; may fault as an instruction fetch does.
     *
     * @param before the block that has just run, or null when the CPU didn't come from one
     * @return the block
     */
    private Block follow(@Nullable Block before) {
        Block block;
        if (before == null) {
            block = lookUp();
        } else {
            block = cpu.next;
            if (block == null) {
                Block after = before.after;
                block = cpu.linkFrom == null && cpu.code.isAt(after, cpu.codeAddress(), cpu.codeMode)
                        ? after
                        : lookUp();
            }
            // Most go where they went: a store would only make a line of the host's caches dirty.
            if (before.after != block) {
                before.after = block;
            }
        }
        cpu.next = null;
        // Decoded, programs are larger than the host's caches: while this block runs, the next one arrives.
        block.after.fetch();
        return block;
    }

    final Block lookUp() {
        long linear = cpu.codeAddress();
        Block found = cpu.code.find(linear, cpu.codeMode);
        if (found == null) {
            found = builder.build(linear);
        }
        BranchOp from = cpu.linkFrom;
        if (from != null) {
            cpu.linkFrom = null;
            if (found.secondPage < 0) {
                from.link(found, cpu.linkTaken);
            }
        }
        return found;
    }

    /** Executes one instruction with all that debugging asks for. */
    private void step() {
        boolean stepping = trace != null || Debug.active(cpu);
        if (!stepping) {
            cpu.clear(Cpu.EVENT_STEP);
        }
        cpu.interruptShadow = false;
        Block block = null;
        try {
            Debug.beforeInstruction(cpu, cpu.codeAddress());
            block = builder.buildStep();
        } catch (Fault fault) {
            leave(null, 0, fault);
            return;
        }
        if (trace != null) {
            print(trace, block);
        }
        int i = 0;
        try {
            for (i = 0; i < block.ops.length; i++) {
                block.ops[i].execute(cpu);
            }
            cpu.retired += block.instructions;
            // From here on the instruction pointer is that of the next instruction.
            block = null;
            Debug.afterInstruction(cpu);
        } catch (Fault fault) {
            leave(block, i, fault);
        }
        cpu.linkFrom = null;
        if (ordering) {
            fence();
        }
    }

    /** Keeps the order that x86 does: all but that of a store and a load behind it. */
    static void fence() {
        VarHandle.acquireFence();
        VarHandle.storeStoreFence();
    }

    /** Leaves a block, or the trace that ran in its place, at an instruction that did not complete. */
    private void leave(@Nullable Block block, @Nullable Trace hot, int i, Fault fault) {
        if (hot == null) {
            leave(block, i, fault);
            return;
        }
        int number = Trace.block(cpu.position);
        cpu.r[Cpu.RIP] = hot.starts[number];
        leave(hot.blocks[number], Trace.op(cpu.position), fault);
    }

    /** Leaves a block at an instruction that did not complete. */
    final void leave(@Nullable Block block, int i, Fault fault) {
        cpu.linkFrom = null;
        boolean stack = false;
        if (block != null) {
            Op op = block.ops[i];
            stack = op.usesStack();
            cpu.retired += op.ordinal;
            cpu.r[Cpu.RIP] = cpu.mode == 64 ? cpu.r[Cpu.RIP] + op.offset : cpu.r[Cpu.RIP] + op.offset & 0xFFFF_FFFFL;
        }
        int vector = fault.vector;
        if (vector == Fault.RESTART) {
            return;
        }
        if (vector == Fault.SHUTDOWN) {
            throw fault;
        }
        if (fault.nonCanonical && stack) {
            vector = Vector.STACK_FAULT;
        }
        cpu.exceptions++;
        exceptionVector = vector;
        exceptionErrorCode = fault.hasErrorCode ? fault.errorCode : -1;
        Interrupts.raise(cpu, vector, fault.hasErrorCode, fault.errorCode);
    }

    private void print(PrintStream out, Block block) {
        Op op = block.ops[0];
        StringBuilder line = new StringBuilder(200);
        line.append(String.format(Locale.ROOT, "%016x %d ", cpu.r[Cpu.RIP], cpu.mode));
        for (int i = 0; i < op.length; i++) {
            line.append(String.format(Locale.ROOT, "%02x", builder.code(i)));
        }
        line.append(' ').append(op.getClass().getSimpleName());
        for (int i = 0; i < 16; i++) {
            line.append(String.format(Locale.ROOT, " %x", cpu.r[i]));
        }
        line.append(String.format(Locale.ROOT, " f=%x", cpu.flags()));
        out.println(line);
    }
}
