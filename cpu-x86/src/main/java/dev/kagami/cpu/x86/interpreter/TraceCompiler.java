package dev.kagami.cpu.x86.interpreter;

import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.kagami.cpu.x86.decode.Decoder;
import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.attribute.CodeAttribute;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DynamicConstantDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.Cleaner;
import java.lang.reflect.AccessFlag;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Makes {@link Trace}s: a hidden class for each, whose code the JVM compiles when it has run a few thousand times. */
final class TraceCompiler {
    private static final String PACKAGE = TraceCompiler.class.getPackageName();
    private static final ClassDesc SELF = ClassDesc.of(PACKAGE, "CompiledTrace");
    private static final ClassDesc TRACE = ClassDesc.of(PACKAGE, "Trace");
    private static final ClassDesc OBJECT_ARRAY = ConstantDescs.CD_Object.arrayType();
    private static final MethodTypeDesc NOTHING = MethodTypeDesc.of(CD_void);
    private static final MethodTypeDesc RUN = MethodTypeDesc.of(CD_void, TraceCode.CPU_CLASS);
    private static final MethodTypeDesc NEW =
            MethodTypeDesc.of(CD_void, ClassDesc.of(PACKAGE, "Block").arrayType(), CD_long.arrayType());
    private static final MethodType CONSTRUCTOR = MethodType.methodType(void.class, Block[].class, long[].class);

    /** So many plans wait at most; what is dropped is found again if it goes on being hot. */
    private static final int WAITING = 64;

    /** The JVM doesn't compile methods of more bytecode. An instruction takes 65 bytes on the average. */
    static final int MAX_BYTES = 8000;

    /**
     * Traces that may exist at a time. Compiled, each takes some 15 KB of the JVM's code cache, which a process with many machines must
     * not fill.
     */
    private static final int MAX_TRACES = 4000;

    private static final Cleaner CLEANER = Cleaner.create();

    private static final AtomicInteger TRACES = new AtomicInteger();

    /** No address of code: it isn't canonical. */
    private static final long NOWHERE = 1L << 63 | 1;

    private static final Executor EXECUTOR = executor();

    private final Plan plan;
    private final Decoder decoder = new Decoder();
    private final Instruction instruction = new Instruction();
    private final byte[] bytes = new byte[Mmu.PAGE_SIZE];
    private final List<Op> ops = new ArrayList<>();

    /**
     * What to make a trace of.
     *
     * @param cpu the CPU
     * @param blocks the blocks in order, of 64-bit code, each within a page
     * @param starts the instruction pointer at the start of each
     * @param loops whether the first block follows the last one
     * @param ordering whether there are fences between instructions
     */
    record Plan(Cpu cpu, Block[] blocks, long[] starts, boolean loops, boolean ordering) {
        private boolean isValid() {
            return Arrays.stream(blocks).allMatch(block -> block.valid);
        }

        private Plan firstHalf() {
            int length = blocks.length / 2;
            return new Plan(cpu, Arrays.copyOf(blocks, length), Arrays.copyOf(starts, length), false, ordering);
        }
    }

    private TraceCompiler(Plan plan) {
        this.plan = plan;
    }

    private static Executor executor() {
        ThreadPoolExecutor executor = new ThreadPoolExecutor(
                1,
                1,
                10,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(WAITING),
                Thread.ofVirtual().name("kagami-traces").factory(),
                new ThreadPoolExecutor.DiscardPolicy());
        executor.allowCoreThreadTimeOut(true);
        return executor;
    }

    /** Makes a trace some time and enters it into its first block. */
    static void compile(Plan plan) {
        if (TRACES.get() >= MAX_TRACES) {
            return;
        }
        EXECUTOR.execute(() -> {
            try {
                compileNow(plan);
            } catch (RuntimeException | LinkageError e) {
                // Code that is being overwritten may look like anything, and RAM of a machine that has ended is gone.
                System.getLogger(TraceCompiler.class.getName())
                        .log(System.Logger.Level.DEBUG, "no trace of 0x%x".formatted(plan.starts[0]), e);
            }
        });
    }

    /** Makes a trace and enters it into its first block, unless code that it would be of has been dropped, or a block alone is too large. */
    static void compileNow(Plan plan) {
        if (!plan.isValid()) {
            return;
        }
        Trace trace = new TraceCompiler(plan).make();
        if (trace != null) {
            TRACES.incrementAndGet();
            CLEANER.register(trace, TRACES::decrementAndGet);
            plan.blocks[0].trace = trace;
        } else if (plan.blocks.length > 1) {
            compileNow(plan.firstHalf());
        }
    }

    private @Nullable Trace make() {
        byte[] file = ClassFile.of(ClassFile.DebugElementsOption.DROP_DEBUG).build(SELF, this::write);
        if (bytes(file) > MAX_BYTES) {
            return null;
        }
        Object[] data = new Object[1 + ops.size()];
        data[0] = plan.cpu;
        for (int i = 0; i < ops.size(); i++) {
            data[1 + i] = ops.get(i);
        }
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup().defineHiddenClassWithClassData(file, data, true);
            return (Trace)
                    lookup.findConstructor(lookup.lookupClass(), CONSTRUCTOR).invoke(plan.blocks, plan.starts);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** {@return the size of a class's largest method} */
    private static int bytes(byte[] file) {
        return ClassFile.of().parse(file).methods().stream()
                .flatMap(method -> method.findAttribute(Attributes.code()).stream())
                .mapToInt(CodeAttribute::codeLength)
                .max()
                .orElse(0);
    }

    private void write(ClassBuilder c) {
        ClassDesc ram = TraceCode.ramClass(plan.cpu);
        c.withFlags(AccessFlag.FINAL);
        c.withSuperclass(TRACE);
        c.withMethodBody(
                "<init>",
                NEW,
                0,
                b -> b.aload(0)
                        .aload(1)
                        .aload(2)
                        .invokespecial(TRACE, "<init>", NEW)
                        .return_());
        c.withMethodBody("run", RUN, 0, this::write);
        int flags = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;
        c.withField("CPU", TraceCode.CPU_CLASS, flags);
        c.withField("R", CD_long.arrayType(), flags);
        c.withField("RAM", ram, flags);
        for (int i = 0; i < ops.size(); i++) {
            c.withField("o" + i, TraceCode.OP_CLASS, flags);
        }
        c.withMethodBody("<clinit>", NOTHING, ClassFile.ACC_STATIC, b -> {
            // What is in static final fields are constants for the JVM's compiler.
            b.ldc(DynamicConstantDesc.ofNamed(
                            ConstantDescs.ofConstantBootstrap(
                                    ConstantDescs.CD_MethodHandles, "classData", ConstantDescs.CD_Object),
                            ConstantDescs.DEFAULT_NAME,
                            OBJECT_ARRAY))
                    .astore(0);
            b.aload(0)
                    .iconst_0()
                    .aaload()
                    .checkcast(TraceCode.CPU_CLASS)
                    .dup()
                    .putstatic(SELF, "CPU", TraceCode.CPU_CLASS)
                    .dup()
                    .getfield(TraceCode.CPU_CLASS, "r", CD_long.arrayType())
                    .putstatic(SELF, "R", CD_long.arrayType())
                    .getfield(TraceCode.CPU_CLASS, TraceCode.ramField(plan.cpu), ram)
                    .putstatic(SELF, "RAM", ram);
            for (int i = 0; i < ops.size(); i++) {
                b.aload(0)
                        .loadConstant(1 + i)
                        .aaload()
                        .checkcast(TraceCode.OP_CLASS)
                        .putstatic(SELF, "o" + i, TraceCode.OP_CLASS);
            }
            b.return_();
        });
    }

    /** Copies the code of a block. */
    private void read(Block block) {
        long from = ((long) block.page.number << Mmu.PAGE_SHIFT) + block.start;
        MemorySegment.copy(plan.cpu.ram, ValueLayout.JAVA_BYTE, from, bytes, 0, block.bytes);
    }

    private int constant(Op op) {
        int i = ops.indexOf(op);
        if (i < 0) {
            i = ops.size();
            ops.add(op);
        }
        return i;
    }

    private void write(CodeBuilder b) {
        Block[] blocks = plan.blocks;
        TraceCode code = new TraceCode(b, SELF, this::constant, plan.cpu, blocks[0].mode, plan.ordering);
        Label begin = b.newBoundLabel();
        int retired = 0;
        for (int k = 0; k < blocks.length; k++) {
            boolean last = k == blocks.length - 1;
            if (!last) {
                write(code, k, retired, plan.starts[k + 1]);
            } else if (plan.loops) {
                write(code, k, retired, plan.starts[0]);
                code.loop(begin, plan.starts[0], retired + blocks[k].instructions);
            } else {
                write(code, k, retired, NOWHERE);
            }
            retired += blocks[k].instructions;
        }
    }

    /**
     * Writes a block.
     *
     * @param code what to write to
     * @param k its number
     * @param retired instructions before it
     * @param next where the trace goes on behind it, or {@link #NOWHERE}
     */
    private void write(TraceCode code, int k, int retired, long next) {
        Block block = plan.blocks[k];
        Op[] all = block.ops;
        long start = plan.starts[k];
        int count = retired;
        read(block);
        int i = 0;
        int at = 0;
        int behind;
        for (; at < block.bytes; at = behind) {
            if (decoder.decode(bytes, at, block.bytes, 64, instruction) != Decoder.OK) {
                break;
            }
            behind = at + instruction.length;
            count++;
            while (all[i].offset + all[i].length <= at && i < all.length - 1) {
                i++;
            }
            Op op = all[i];
            if (op.offset > at) {
                // Of NOPs there are no ops.
                continue;
            }
            boolean pair = op.instructions() > 1;
            if (pair ? behind > op.offset + op.length : at != op.offset || behind != at + op.length) {
                throw new IllegalStateException("code that has changed since it was decoded");
            }
            code.at(op, Trace.position(k, i), start, start + behind, retired, count);
            if (behind < block.bytes || !(op instanceof BranchOp)) {
                if (!code.instruction(instruction)) {
                    code.call();
                }
                code.end();
            } else if (next == NOWHERE) {
                code.leaveThroughOp();
            } else {
                code.branch(instruction, next);
                code.end();
            }
        }
        Op end = all[all.length - 1];
        if (next == NOWHERE && (at < block.bytes || end.instructions() == 0)) {
            code.at(end, Trace.position(k, all.length - 1), start, start + at, retired, retired + block.instructions);
            code.leaveThroughOp();
        }
    }
}
