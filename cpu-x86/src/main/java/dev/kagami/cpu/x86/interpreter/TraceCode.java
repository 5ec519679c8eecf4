package dev.kagami.cpu.x86.interpreter;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.kagami.cpu.x86.decode.Instruction;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.ToIntFunction;

/**
 * Writes the bytecode of a {@link Trace}'s instructions.
 *
 * <p>Guest registers and flags are local variables from their first use on, so that the JVM's compiler keeps them in registers of
 * the host and drops flags that nobody looks at. Those changed are stored where the trace may end: before an instruction that is called
 * as an op, and on the ways out, which are not taken as a rule.
 *
 * <p>Accesses to memory stay in order on a host that is an x86: each stands behind a branch of its own, whose other way needs what was
 * loaded before, so that the JVM's compiler can't move it to before or behind the next one. On other hosts fences do that.
 */
final class TraceCode {
    private static final String PACKAGE = TraceCode.class.getPackageName();
    static final ClassDesc CPU_CLASS = ClassDesc.of(PACKAGE, "Cpu");
    static final ClassDesc OP_CLASS = ClassDesc.of(PACKAGE, "Op");
    static final ClassDesc RELATIVE_CLASS = ClassDesc.of(PACKAGE, "ControlOps$Relative");
    private static final ClassDesc MMU_CLASS = ClassDesc.of(PACKAGE, "Mmu");
    private static final ClassDesc CODE_CLASS = ClassDesc.of(PACKAGE, "CodeCache");
    private static final ClassDesc FUSED = ClassDesc.of(PACKAGE, "FusedOps");
    private static final ClassDesc RUNTIME = ClassDesc.of(PACKAGE, "TraceRuntime");
    private static final ClassDesc LONGS = CD_long.arrayType();
    private static final ClassDesc VCPU_CLASS = ClassDesc.of(PACKAGE, "InterpreterVcpu");

    private static final MethodTypeDesc SLOT = MethodTypeDesc.of(CD_int, CD_long);
    private static final MethodTypeDesc READ_SLOW =
            MethodTypeDesc.of(CD_long, CPU_CLASS, CD_long, CD_int, CD_int, CD_int);
    private static final MethodTypeDesc WRITE_SLOW =
            MethodTypeDesc.of(CD_void, CPU_CLASS, CD_long, CD_long, CD_int, CD_int, CD_int);
    private static final MethodTypeDesc MODIFY_SLOW = MethodTypeDesc.of(CD_void, CPU_CLASS, CD_long, CD_int, CD_int);
    private static final MethodTypeDesc AUX = MethodTypeDesc.of(CD_long, CD_long, CD_long, CD_long, CD_int);
    private static final MethodTypeDesc AUX_OF_AUX = MethodTypeDesc.of(CD_long, CD_long, CD_long, CD_int);
    private static final MethodTypeDesc CARRY_AUX = MethodTypeDesc.of(CD_long, CD_long, CD_long);
    private static final MethodTypeDesc SHIFT_AUX = MethodTypeDesc.of(CD_long, CD_long);
    private static final MethodTypeDesc SHIFT_RIGHT_AUX = MethodTypeDesc.of(CD_long, CD_long, CD_int);
    private static final MethodTypeDesc CONDITION = MethodTypeDesc.of(CD_boolean, CD_int, CD_long, CD_long);
    private static final MethodTypeDesc COMPARE = MethodTypeDesc.of(CD_boolean, CD_int, CD_long, CD_long);
    private static final MethodTypeDesc LEAVE = MethodTypeDesc.of(CD_void, CPU_CLASS, CD_long, CD_int);
    private static final MethodTypeDesc LEAVE_JUMP =
            MethodTypeDesc.of(CD_void, CPU_CLASS, RELATIVE_CLASS, CD_boolean, CD_long, CD_int);
    private static final MethodTypeDesc LEAVE_LAST =
            MethodTypeDesc.of(CD_void, CPU_CLASS, OP_CLASS, CD_int, CD_long, CD_int, CD_int);
    private static final MethodTypeDesc EXECUTE =
            MethodTypeDesc.of(CD_void, CPU_CLASS, OP_CLASS, CD_int, CD_long, CD_int);
    private static final MethodTypeDesc GOES_ON = MethodTypeDesc.of(CD_boolean, CPU_CLASS, CD_int, CD_int);
    private static final MethodTypeDesc GOES_ON_AT = MethodTypeDesc.of(CD_boolean, CPU_CLASS, CD_int, CD_int, CD_long);

    /** Turns of an empty loop: that many make the JVM's thresholds for loops those that it has for entries of methods without. */
    private static final int SPINS = 25;

    // Local variables.
    private static final int CPU = 1;
    private static final int R = 2;
    private static final int TLB = 3;
    private static final int EPOCH = 4;
    private static final int REGISTERS = 5;
    private static final int RESULT = 37;
    private static final int AUXILIARY = 39;
    private static final int ADDRESS = 41;
    private static final int SLOT_INDEX = 43;
    private static final int VALUE = 44;
    private static final int A = 46;
    private static final int B = 48;
    private static final int X = 50;
    private static final int OFFSET = 52;
    private static final int SPIN = 54;

    /** What the flags come from, as far as it makes conditions cheaper. */
    private enum Origin {
        /** Nothing known. */
        ANY,
        /** A comparison of {@link #A} and {@link #B}, sign-extended, which still are there. */
        COMPARISON,
        /** A logical operation: nothing carries. */
        LOGIC
    }

    private final CodeBuilder code;
    private final ClassDesc self;
    private final ToIntFunction<Op> constants;
    private final int mode;
    private final boolean ordering;
    private final ClassDesc ram;
    private final MethodTypeDesc get;
    private final MethodTypeDesc set;

    private final boolean[] known = new boolean[16];
    private final boolean[] dirty = new boolean[16];
    private boolean flagsKnown;
    private boolean flagsDirty;
    private Origin origin = Origin.ANY;

    // Where the code is, set before each instruction.
    private Op op;
    private int position;
    private long start;
    private long behind;
    private int retiredBefore;
    private int retiredBehind;

    /**
     * Begins the code of a trace.
     *
     * @param code what to write to
     * @param self the class that the code is in
     * @param constants gives the number of the static field that holds an op
     * @param cpu the CPU
     * @param mode {@link Cpu#codeMode} of the code
     * @param ordering whether there are fences between instructions
     */
    TraceCode(CodeBuilder code, ClassDesc self, ToIntFunction<Op> constants, Cpu cpu, int mode, boolean ordering) {
        this.code = code;
        this.self = self;
        this.constants = constants;
        this.mode = mode;
        this.ordering = ordering;
        ram = ramClass(cpu);
        get = MethodTypeDesc.of(CD_long, ram, CD_long);
        set = MethodTypeDesc.of(CD_void, ram, CD_long, CD_long);
        spin();
        code.getstatic(self, "CPU", CPU_CLASS).astore(CPU);
        code.getstatic(self, "R", LONGS).astore(R);
        loadTlb();
        code.aload(CPU)
                .getfield(CPU_CLASS, "code", CODE_CLASS)
                .getfield(CODE_CLASS, "epoch", CD_int)
                .istore(EPOCH);
    }

    /** {@return the class of what RAM is accessed by} */
    static ClassDesc ramClass(Cpu cpu) {
        return (cpu.ramBuffer != null ? ByteBuffer.class : MemorySegment.class)
                .describeConstable()
                .orElseThrow();
    }

    /** {@return the field of {@link Cpu} that holds that} */
    static String ramField(Cpu cpu) {
        return cpu.ramBuffer != null ? "ramBuffer" : "ram";
    }

    /** Ends an instruction. */
    void end() {
        if (ordering) {
            code.invokestatic(VCPU_CLASS, "fence", MethodTypeDesc.of(CD_void));
        }
    }

    /**
     * Says which instruction is next.
     *
     * @param op the op that it is, or is part of
     * @param position its {@link Trace#position}
     * @param start the instruction pointer at the start of its block
     * @param behind the instruction pointer behind it
     * @param before instructions from the start of the trace to that of the block
     * @param count instructions from the start of the trace to behind it
     */
    void at(Op op, int position, long start, long behind, int before, int count) {
        this.op = op;
        this.position = position;
        this.start = start;
        this.behind = behind;
        retiredBefore = before;
        retiredBehind = count;
    }

    /**
     * Writes a loop that does nothing. The JVM compiles what has been entered often or has gone round often, and its last compiler
     * drops the loop: traces get there some ten times sooner.
     */
    private void spin() {
        Label again = code.newLabel();
        code.iconst_0().istore(SPIN);
        code.labelBinding(again);
        code.iinc(SPIN, 1).iload(SPIN).loadConstant(SPINS).if_icmplt(again);
    }

    // ---------------------------------------------------------------- state

    private void loadTlb() {
        code.aload(CPU).getfield(CPU_CLASS, "tlb", LONGS).astore(TLB);
    }

    private static int local(int register) {
        return REGISTERS + 2 * register;
    }

    /** Pushes a register or another slot of {@link Cpu#r}. */
    private void load(int register) {
        if (register < 16 && known[register]) {
            code.lload(local(register));
            return;
        }
        code.aload(R).loadConstant(register).laload();
        if (register < 16) {
            code.dup2().lstore(local(register));
            known[register] = true;
        }
    }

    /** Pops a register. */
    private void store(int register) {
        code.lstore(local(register));
        known[register] = true;
        dirty[register] = true;
    }

    private void needFlags() {
        if (!flagsKnown) {
            code.aload(CPU).getfield(CPU_CLASS, "flagResult", CD_long).lstore(RESULT);
            code.aload(CPU).getfield(CPU_CLASS, "flagAux", CD_long).lstore(AUXILIARY);
            flagsKnown = true;
        }
    }

    private void flagsChanged(Origin origin) {
        flagsKnown = true;
        flagsDirty = true;
        this.origin = origin;
    }

    /** Stores what has changed, for code that is left here. */
    private void save() {
        for (int i = 0; i < 16; i++) {
            if (dirty[i]) {
                code.aload(R).loadConstant(i).lload(local(i)).lastore();
            }
        }
        if (flagsDirty) {
            code.aload(CPU).lload(RESULT).putfield(CPU_CLASS, "flagResult", CD_long);
            code.aload(CPU).lload(AUXILIARY).putfield(CPU_CLASS, "flagAux", CD_long);
        }
    }

    private void clean() {
        Arrays.fill(dirty, false);
        flagsDirty = false;
    }

    private void forget() {
        Arrays.fill(known, false);
        flagsKnown = false;
        origin = Origin.ANY;
    }

    private void pushOp(Op op, ClassDesc type) {
        code.getstatic(self, "o" + constants.applyAsInt(op), OP_CLASS);
        if (!type.equals(OP_CLASS)) {
            code.checkcast(type);
        }
    }

    // ---------------------------------------------------------------- ways out

    /** Leaves behind the instruction; what has changed is saved. */
    private void leaveBehind() {
        code.aload(CPU).loadConstant(behind).loadConstant(retiredBehind).invokestatic(RUNTIME, "leave", LEAVE);
        code.return_();
    }

    /** Leaves through the op of a branch. */
    void leaveThroughOp() {
        save();
        code.aload(CPU);
        pushOp(op, OP_CLASS);
        code.loadConstant(position)
                .loadConstant(start)
                .loadConstant(retiredBefore)
                .loadConstant(retiredBehind)
                .invokestatic(RUNTIME, "leave", LEAVE_LAST)
                .return_();
    }

    /** Runs the instruction as an op. */
    void call() {
        save();
        clean();
        code.aload(CPU);
        pushOp(op, OP_CLASS);
        code.loadConstant(position)
                .loadConstant(start)
                .loadConstant(retiredBefore)
                .invokestatic(RUNTIME, "execute", EXECUTE);
        forget();
        loadTlb();
        if (!(op instanceof BranchOp)) {
            Label same = code.newLabel();
            if (op.endsBlock()) {
                code.aload(CPU).loadConstant(mode).iload(EPOCH).invokestatic(RUNTIME, "goesOn", GOES_ON);
                code.ifne(same);
            } else {
                ifSameEpoch(same);
            }
            leaveBehind();
            code.labelBinding(same);
        }
    }

    private void ifSameEpoch(Label same) {
        code.aload(CPU).getfield(CPU_CLASS, "code", CODE_CLASS).getfield(CODE_CLASS, "epoch", CD_int);
        code.iload(EPOCH).if_icmpeq(same);
    }

    /**
     * Runs a branch as an op and goes on if it leads to where the trace does.
     *
     * @param next the instruction pointer there
     */
    void branch(long next) {
        call();
        Label same = code.newLabel();
        code.aload(CPU).loadConstant(mode).iload(EPOCH).loadConstant(next).invokestatic(RUNTIME, "goesOn", GOES_ON_AT);
        code.ifne(same);
        retire(retiredBehind);
        code.return_();
        code.labelBinding(same);
    }

    private void retire(int count) {
        code.aload(CPU)
                .dup()
                .getfield(CPU_CLASS, "retired", CD_long)
                .loadConstant((long) count)
                .ladd()
                .putfield(CPU_CLASS, "retired", CD_long);
    }

    /**
     * Goes on at the start of the trace, unless something is pending.
     *
     * @param begin where its code begins
     * @param rip the instruction pointer there
     * @param count instructions of the trace, also those that there is no code of
     */
    void loop(Label begin, long rip, int count) {
        save();
        clean();
        forget();
        Label pending = code.newLabel();
        code.aload(CPU)
                .invokevirtual(CPU_CLASS, "events", MethodTypeDesc.of(CD_int))
                .ifne(pending);
        retire(count);
        code.goto_(begin);
        code.labelBinding(pending);
        behind = rip;
        retiredBehind = count;
        leaveBehind();
    }

    // ---------------------------------------------------------------- memory

    /** Pushes the linear address of a memory operand. */
    private void address(Instruction in) {
        offset(in);
        if (in.segmentOverride >= Instruction.FS) {
            code.aload(R)
                    .loadConstant(Cpu.SEGMENT_BASE + in.segmentOverride)
                    .laload()
                    .ladd();
        }
    }

    private void offset(Instruction in) {
        long displacement = in.displacement;
        boolean any = false;
        if (in.base == Instruction.BASE_RIP) {
            displacement += behind;
        } else if (in.base != Instruction.NONE) {
            load(in.base);
            any = true;
        }
        if (in.index != Instruction.NONE) {
            load(in.index);
            if (in.scale != 0) {
                code.loadConstant(in.scale).lshl();
            }
            if (any) {
                code.ladd();
            }
            any = true;
        }
        if (displacement != 0 || !any) {
            code.loadConstant(displacement);
            if (any) {
                code.ladd();
            }
        }
    }

    /** Looks the address in {@link #ADDRESS} up; goes to a label when the access isn't to RAM that the TLB has. */
    private void lookUp(int size, int tag, Label slow) {
        code.aload(TLB)
                .lload(ADDRESS)
                .invokestatic(MMU_CLASS, "slot", SLOT)
                .dup()
                .istore(SLOT_INDEX);
        if (tag != 0) {
            code.loadConstant(tag).iadd();
        }
        code.laload().lload(ADDRESS);
        if (size > 1) {
            code.loadConstant((long) size - 1).ladd();
        }
        code.loadConstant((long) -Mmu.PAGE_SIZE).land().lcmp().ifne(slow);
    }

    private void pushOffset() {
        code.lload(ADDRESS)
                .aload(TLB)
                .iload(SLOT_INDEX)
                .iconst_2()
                .iadd()
                .laload()
                .ladd();
    }

    private void pushRam() {
        code.getstatic(self, "RAM", ram);
    }

    /** Pops an address and pushes what is there: bytes and words zero-extended, doublewords sign-extended. */
    private void read(int size) {
        Label slow = code.newLabel();
        Label done = code.newLabel();
        code.lstore(ADDRESS);
        lookUp(size, 0, slow);
        pushRam();
        pushOffset();
        code.invokestatic(RUNTIME, "get" + size, get).goto_(done);
        code.labelBinding(slow);
        save();
        code.aload(CPU)
                .lload(ADDRESS)
                .loadConstant(size)
                .loadConstant(position)
                .loadConstant(retiredBefore)
                .invokestatic(RUNTIME, "readSlow", READ_SLOW);
        code.labelBinding(done);
    }

    /**
     * Writes {@link #VALUE} to {@link #ADDRESS}.
     *
     * @param size bytes
     * @param completion does what the instruction does besides, before code that it has changed is left
     */
    private void write(int size, Runnable completion) {
        Label slow = code.newLabel();
        Label done = code.newLabel();
        lookUp(size, 1, slow);
        pushRam();
        pushOffset();
        code.lload(VALUE).invokestatic(RUNTIME, "set" + size, set).goto_(done);
        code.labelBinding(slow);
        save();
        code.aload(CPU)
                .lload(ADDRESS)
                .lload(VALUE)
                .loadConstant(size)
                .loadConstant(position)
                .loadConstant(retiredBefore)
                .invokestatic(RUNTIME, "writeSlow", WRITE_SLOW);
        ifSameEpoch(done);
        completion.run();
        leaveBehind();
        code.labelBinding(done);
    }

    /** Reads what is at {@link #ADDRESS} to change it; leaves where that was in {@link #OFFSET}. */
    private void readToModify(int size) {
        Label slow = code.newLabel();
        Label done = code.newLabel();
        lookUp(size, 1, slow);
        pushOffset();
        code.lstore(OFFSET);
        pushRam();
        code.lload(OFFSET).invokestatic(RUNTIME, "get" + size, get).goto_(done);
        code.labelBinding(slow);
        code.loadConstant(-1L).lstore(OFFSET);
        save();
        code.aload(CPU)
                .lload(ADDRESS)
                .loadConstant(size)
                .loadConstant(position)
                .loadConstant(retiredBefore)
                .invokestatic(RUNTIME, "readToModifySlow", READ_SLOW);
        code.labelBinding(done);
    }

    /** Writes {@link #X} to where {@link #readToModify} read; everything else is done. */
    private void modify(int size) {
        Label slow = code.newLabel();
        Label done = code.newLabel();
        code.lload(OFFSET).lconst_0().lcmp().iflt(slow);
        pushRam();
        code.lload(OFFSET).lload(X).invokestatic(RUNTIME, "set" + size, set).goto_(done);
        code.labelBinding(slow);
        save();
        code.aload(CPU)
                .lload(X)
                .loadConstant(size)
                .loadConstant(retiredBefore)
                .invokestatic(RUNTIME, "modifySlow", MODIFY_SLOW);
        ifSameEpoch(done);
        leaveBehind();
        code.labelBinding(done);
    }

    // ---------------------------------------------------------------- operands

    private static boolean isHigh(Instruction in, int register, int size) {
        return size == 1 && !in.rex && register >= 4;
    }

    /** Pushes a register operand, with anything above its size. */
    private void register(Instruction in, int register, int size) {
        if (isHigh(in, register, size)) {
            load(register - 4);
            code.loadConstant(8).lshr();
        } else {
            load(register);
        }
    }

    /** Pops a register operand, with anything above its size. */
    private void setRegister(Instruction in, int register, int size) {
        switch (size) {
            case 8 -> store(register);
            case 4 -> {
                code.loadConstant(0xFFFF_FFFFL).land();
                store(register);
            }
            case 2 -> insert(register, 0xFFFFL, 0);
            default -> {
                if (isHigh(in, register, size)) {
                    insert(register - 4, 0xFFL, 8);
                } else {
                    insert(register, 0xFFL, 0);
                }
            }
        }
    }

    private void insert(int register, long mask, int shift) {
        code.loadConstant(mask).land();
        if (shift != 0) {
            code.loadConstant(shift).lshl();
        }
        load(register);
        code.loadConstant(~(mask << shift)).land().lor();
        store(register);
    }

    /** Pushes the ModRM operand, with anything above its size. */
    private void operand(Instruction in, int size) {
        if (in.isMemory()) {
            address(in);
            read(size);
        } else {
            register(in, in.rm, size);
        }
    }

    private void signExtend(int size) {
        switch (size) {
            case 1 -> code.l2i().i2b().i2l();
            case 2 -> code.l2i().i2s().i2l();
            case 4 -> code.l2i().i2l();
            default -> {}
        }
    }

    private void zeroExtend(int size) {
        if (size < 8) {
            code.loadConstant(-1L >>> 64 - 8 * size).land();
        }
    }

    // ---------------------------------------------------------------- arithmetic

    /** Computes {@link #A} and {@link #B} to {@link #X}, with anything above the size, and sets the flags. */
    private void compute(int operation, int size) {
        switch (operation) {
            case AluOps.ADD -> {
                code.lload(A).lload(B).ladd().lstore(X);
                arithmetic("addAux", size);
            }
            case AluOps.ADC -> {
                needFlags();
                code.lload(A).lload(B).ladd();
                code.lload(AUXILIARY).loadConstant(63).lushr().ladd().lstore(X);
                arithmetic("addAux", size);
            }
            case AluOps.SBB -> {
                needFlags();
                code.lload(A).lload(B).lsub();
                code.lload(AUXILIARY).loadConstant(63).lushr().lsub().lstore(X);
                arithmetic("subAux", size);
            }
            case AluOps.SUB, AluOps.CMP -> {
                code.lload(A).lload(B).lsub().lstore(X);
                arithmetic("subAux", size);
                if (operation == AluOps.CMP) {
                    origin = Origin.COMPARISON;
                }
            }
            case AluOps.NEG -> {
                code.lload(A).lstore(B).lconst_0().lstore(A);
                compute(AluOps.SUB, size);
            }
            case AluOps.AND, AluOps.TEST -> {
                code.lload(A).lload(B).land().lstore(X);
                logic(size);
            }
            case AluOps.OR -> {
                code.lload(A).lload(B).lor().lstore(X);
                logic(size);
            }
            case AluOps.XOR -> {
                code.lload(A).lload(B).lxor().lstore(X);
                logic(size);
            }
            case AluOps.INC, AluOps.DEC -> {
                needFlags();
                code.lload(A)
                        .loadConstant(operation == AluOps.INC ? 1L : -1L)
                        .ladd()
                        .lstore(X);
                code.lload(X);
                signExtend(size);
                code.lstore(RESULT);
                code.lload(AUXILIARY)
                        .lload(RESULT)
                        .loadConstant(8 * size)
                        .invokestatic(CPU_CLASS, operation == AluOps.INC ? "incAux" : "decAux", AUX_OF_AUX)
                        .lstore(AUXILIARY);
                flagsChanged(Origin.ANY);
            }
            default -> code.lload(A).loadConstant(-1L).lxor().lstore(X);
        }
    }

    private void arithmetic(String aux, int size) {
        code.lload(A)
                .lload(B)
                .lload(X)
                .loadConstant(8 * size)
                .invokestatic(RUNTIME, aux, AUX)
                .lstore(AUXILIARY);
        code.lload(X);
        signExtend(size);
        code.lstore(RESULT);
        flagsChanged(Origin.ANY);
    }

    private void logic(int size) {
        code.lload(X);
        signExtend(size);
        code.lstore(RESULT).lconst_0().lstore(AUXILIARY);
        flagsChanged(Origin.LOGIC);
    }

    /** Pushes whether a condition holds. */
    private void condition(int condition) {
        needFlags();
        // Overflow and parity need the flags; zero and sign don't need the operands.
        boolean ofResult = (condition | 1) == 5 || origin == Origin.LOGIC || (condition | 1) == 9;
        if (origin != Origin.ANY && condition >= 2 && (condition | 1) != 11) {
            code.loadConstant(condition);
            if (ofResult) {
                code.lload(RESULT).lconst_0();
            } else {
                code.lload(A).lload(B);
            }
            code.invokestatic(FUSED, "holds64", COMPARE);
        } else {
            code.loadConstant(condition).lload(RESULT).lload(AUXILIARY).invokestatic(CPU_CLASS, "condition", CONDITION);
        }
    }

    /** An operation with the ModRM operand first; {@code second} pushes the other one. */
    private void first(Instruction in, int operation, int size, Runnable second) {
        boolean writes = operation != AluOps.CMP && operation != AluOps.TEST;
        if (in.isMemory() && writes) {
            address(in);
            code.lstore(ADDRESS);
            readToModify(size);
        } else {
            operand(in, size);
        }
        signExtend(size);
        code.lstore(A);
        second.run();
        code.lstore(B);
        origin = Origin.ANY;
        compute(operation, size);
        if (writes && in.isMemory()) {
            modify(size);
        } else if (writes) {
            code.lload(X);
            setRegister(in, in.rm, size);
        }
    }

    private void registerFirst(Instruction in, int operation, int size, int register, Runnable second) {
        second.run();
        signExtend(size);
        code.lstore(B);
        register(in, register, size);
        signExtend(size);
        code.lstore(A);
        origin = Origin.ANY;
        compute(operation, size);
        if (operation != AluOps.CMP && operation != AluOps.TEST) {
            code.lload(X);
            setRegister(in, register, size);
        }
    }

    private boolean shift(Instruction in, int size, int count) {
        int operation = in.group() == ShiftOps.SAL ? ShiftOps.SHL : in.group();
        int n = count & (size == 8 ? 63 : 31);
        if (in.isMemory() || size < 4 || n == 0 || operation < ShiftOps.SHL) {
            return false;
        }
        load(in.rm);
        if (operation == ShiftOps.SHR) {
            zeroExtend(size);
        } else if (operation == ShiftOps.SAR) {
            signExtend(size);
        }
        origin = Origin.ANY;
        int bits = 8 * size;
        switch (operation) {
            case ShiftOps.SHL -> {
                code.loadConstant(64 - bits + n - 1).lshl().lstore(X);
                code.lload(X).invokestatic(RUNTIME, "shiftLeftAux", SHIFT_AUX).lstore(AUXILIARY);
                code.lload(X).iconst_1().lshl().loadConstant(64 - bits).lshr().lstore(RESULT);
            }
            case ShiftOps.SHR -> {
                code.loadConstant(n - 1).lushr().lstore(X);
                code.lload(X).loadConstant(bits).invokestatic(RUNTIME, "shiftRightAux", SHIFT_RIGHT_AUX);
                code.lstore(AUXILIARY);
                code.lload(X).iconst_1().lushr().lstore(RESULT);
            }
            default -> {
                code.loadConstant(n - 1).lshr().lstore(X);
                code.lload(X)
                        .invokestatic(RUNTIME, "shiftRightArithmeticAux", SHIFT_AUX)
                        .lstore(AUXILIARY);
                code.lload(X).iconst_1().lshr().lstore(RESULT);
            }
        }
        flagsChanged(Origin.ANY);
        code.lload(RESULT);
        setRegister(in, in.rm, size);
        return true;
    }

    // ---------------------------------------------------------------- instructions

    /**
     * Writes an instruction that is no branch.
     *
     * @param in the instruction
     * @return false when there is no code for it, and nothing was written
     */
    boolean instruction(Instruction in) {
        if (in.encoding != Instruction.ENCODING_LEGACY
                || in.lock
                || in.hasModRm && in.mod != 3 && in.addressSize != 8) {
            return false;
        }
        return switch (in.map) {
            case Instruction.MAP_PRIMARY -> primary(in);
            case Instruction.MAP_0F -> secondary(in);
            default -> false;
        };
    }

    private boolean primary(Instruction in) {
        int opcode = in.opcode;
        int size = in.operandSize;
        int low = opcode & 7 | in.rexB();
        if (opcode < 0x40 && (opcode & 7) < 6) {
            int s = (opcode & 1) == 0 ? 1 : size;
            int operation = opcode >> 3;
            switch (opcode & 6) {
                case 0 -> first(in, operation, s, () -> registerSecond(in, in.reg, s));
                case 2 -> registerFirst(in, operation, s, in.reg, () -> operand(in, s));
                default -> registerFirst(in, operation, s, Cpu.RAX, () -> code.loadConstant(in.immediate));
            }
            return true;
        }
        switch (opcode) {
            case 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57 -> {
                if (size == 2) {
                    return false;
                }
                load(low);
                code.lstore(VALUE);
                push();
            }
            case 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F -> {
                if (size == 2) {
                    return false;
                }
                pop(Cpu.RSP);
                store(low);
            }
            case 0x63 -> {
                if (size == 2) {
                    return false;
                }
                operand(in, 4);
                signExtend(4);
                setRegister(in, in.reg, size);
            }
            case 0x68, 0x6A -> {
                if (size == 2) {
                    return false;
                }
                code.loadConstant(in.immediate).lstore(VALUE);
                push();
            }
            case 0x80 -> first(in, in.group(), 1, () -> code.loadConstant(in.immediate));
            case 0x81, 0x83 -> first(in, in.group(), size, () -> code.loadConstant(in.immediate));
            case 0x84 -> first(in, AluOps.TEST, 1, () -> registerSecond(in, in.reg, 1));
            case 0x85 -> first(in, AluOps.TEST, size, () -> registerSecond(in, in.reg, size));
            case 0x88, 0x89 -> {
                int s = opcode == 0x88 ? 1 : size;
                if (in.isMemory()) {
                    address(in);
                    code.lstore(ADDRESS);
                    register(in, in.reg, s);
                    code.lstore(VALUE);
                    write(s, () -> {});
                } else {
                    register(in, in.reg, s);
                    setRegister(in, in.rm, s);
                }
            }
            case 0x8A, 0x8B -> {
                int s = opcode == 0x8A ? 1 : size;
                operand(in, s);
                setRegister(in, in.reg, s);
            }
            case 0x8D -> {
                if (!in.isMemory()) {
                    return false;
                }
                offset(in);
                setRegister(in, in.reg, size);
            }
            case 0x98 -> {
                load(Cpu.RAX);
                signExtend(size / 2);
                setRegister(in, Cpu.RAX, size);
            }
            case 0x99 -> {
                load(Cpu.RAX);
                signExtend(size);
                code.loadConstant(63).lshr();
                setRegister(in, Cpu.RDX, size);
            }
            case 0xA8 -> registerFirst(in, AluOps.TEST, 1, Cpu.RAX, () -> code.loadConstant(in.immediate));
            case 0xA9 -> registerFirst(in, AluOps.TEST, size, Cpu.RAX, () -> code.loadConstant(in.immediate));
            case 0xB0, 0xB1, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7 -> {
                code.loadConstant(in.immediate);
                setRegister(in, low, 1);
            }
            case 0xB8, 0xB9, 0xBA, 0xBB, 0xBC, 0xBD, 0xBE, 0xBF -> {
                code.loadConstant(in.immediate);
                setRegister(in, low, size);
            }
            case 0xC0 -> {
                return shift(in, 1, (int) in.immediate);
            }
            case 0xC1 -> {
                return shift(in, size, (int) in.immediate);
            }
            case 0xD1 -> {
                return shift(in, size, 1);
            }
            case 0xC6, 0xC7 -> {
                int s = opcode == 0xC6 ? 1 : size;
                if (in.group() != 0) {
                    return false;
                }
                if (in.isMemory()) {
                    address(in);
                    code.lstore(ADDRESS).loadConstant(in.immediate).lstore(VALUE);
                    write(s, () -> {});
                } else {
                    code.loadConstant(in.immediate);
                    setRegister(in, in.rm, s);
                }
            }
            case 0xC9 -> {
                if (size == 2) {
                    return false;
                }
                pop(Cpu.RBP);
                store(Cpu.RBP);
            }
            case 0xF6, 0xF7 -> {
                int s = opcode == 0xF6 ? 1 : size;
                switch (in.group()) {
                    case 0, 1 -> first(in, AluOps.TEST, s, () -> code.loadConstant(in.immediate));
                    case 2 -> first(in, AluOps.NOT, s, code::lconst_0);
                    case 3 -> first(in, AluOps.NEG, s, code::lconst_0);
                    default -> {
                        return false;
                    }
                }
            }
            case 0xFE, 0xFF -> {
                if (in.group() > 1) {
                    return false;
                }
                first(in, in.group() == 0 ? AluOps.INC : AluOps.DEC, opcode == 0xFE ? 1 : size, code::lconst_0);
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private void registerSecond(Instruction in, int register, int size) {
        register(in, register, size);
        signExtend(size);
    }

    /** Pushes {@link #VALUE} on the guest's stack. */
    private void push() {
        load(Cpu.RSP);
        code.loadConstant(-8L).ladd().lstore(ADDRESS);
        write(8, () -> code.aload(R).loadConstant(Cpu.RSP).lload(ADDRESS).lastore());
        code.lload(ADDRESS);
        store(Cpu.RSP);
    }

    /** Pushes what is on the guest's stack where a register points, and has the stack pointer point behind it. */
    private void pop(int pointer) {
        load(pointer);
        read(8);
        load(pointer);
        code.loadConstant(8L).ladd();
        store(Cpu.RSP);
    }

    private boolean secondary(Instruction in) {
        int opcode = in.opcode;
        int size = in.operandSize;
        if (opcode >= 0x40 && opcode <= 0x4F) {
            operand(in, size);
            code.lstore(VALUE);
            Label skip = code.newLabel();
            Label done = code.newLabel();
            load(in.reg);
            code.lstore(X);
            condition(opcode & 15);
            code.ifeq(skip).lload(VALUE).goto_(done);
            code.labelBinding(skip).lload(X);
            code.labelBinding(done);
            setRegister(in, in.reg, size);
            return true;
        }
        if (opcode >= 0x90 && opcode <= 0x9F) {
            if (in.isMemory()) {
                address(in);
                code.lstore(ADDRESS);
                condition(opcode & 15);
                code.i2l().lstore(VALUE);
                write(1, () -> {});
            } else {
                condition(opcode & 15);
                code.i2l();
                setRegister(in, in.rm, 1);
            }
            return true;
        }
        switch (opcode) {
            case 0xB6, 0xB7, 0xBE, 0xBF -> {
                int source = (opcode & 1) + 1;
                operand(in, source);
                if (opcode >= 0xBE) {
                    signExtend(source);
                } else {
                    zeroExtend(source);
                }
                setRegister(in, in.reg, size);
            }
            case 0xA3 -> {
                if (in.isMemory()) {
                    return false;
                }
                load(in.rm);
                load(in.reg);
                code.l2i().loadConstant(8 * size - 1).iand().lushr();
                testBit();
            }
            case 0xBA -> {
                if (in.group() != 4) {
                    return false;
                }
                operand(in, size);
                code.loadConstant((int) in.immediate & 8 * size - 1).lushr();
                testBit();
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private void testBit() {
        code.lstore(X);
        needFlags();
        code.lload(AUXILIARY)
                .lload(X)
                .invokestatic(RUNTIME, "carryAux", CARRY_AUX)
                .lstore(AUXILIARY);
        flagsChanged(Origin.ANY);
    }

    // ---------------------------------------------------------------- branches

    /**
     * Writes a branch.
     *
     * @param in the instruction
     * @param next where the trace goes on
     */
    void branch(Instruction in, long next) {
        if (in.map == Instruction.MAP_0F && in.opcode >= 0x80 && in.opcode <= 0x8F
                || in.map == Instruction.MAP_PRIMARY && in.opcode >= 0x70 && in.opcode <= 0x7F) {
            if (!((ControlOps.Relative) op).mayFault() && in.immediate != 0) {
                conditional(in, next);
                return;
            }
        } else if (in.map == Instruction.MAP_PRIMARY) {
            switch (in.opcode) {
                case 0xE9, 0xEB -> {
                    if (!((ControlOps.Relative) op).mayFault() && behind + in.immediate == next) {
                        return;
                    }
                }
                case 0xE8 -> {
                    if (!((ControlOps.Relative) op).mayFault() && behind + in.immediate == next) {
                        code.loadConstant(behind).lstore(VALUE);
                        // What leaves does so at the target.
                        behind = next;
                        push();
                        return;
                    }
                }
                case 0xC2, 0xC3 -> {
                    ret(in, next);
                    return;
                }
                default -> {}
            }
        }
        branch(next);
    }

    private void conditional(Instruction in, long next) {
        boolean taken = behind + in.immediate == next;
        if (!taken && behind != next) {
            throw new IllegalStateException("a jump that leads elsewhere");
        }
        Label goesOn = code.newLabel();
        condition(in.opcode & 15);
        if (taken) {
            code.ifne(goesOn);
        } else {
            code.ifeq(goesOn);
        }
        save();
        code.aload(CPU);
        pushOp(op, RELATIVE_CLASS);
        code.loadConstant(taken ? 0 : 1)
                .loadConstant(start)
                .loadConstant(retiredBehind)
                .invokestatic(RUNTIME, "leave", LEAVE_JUMP)
                .return_();
        code.labelBinding(goesOn);
    }

    private void ret(Instruction in, long next) {
        load(Cpu.RSP);
        read(8);
        Label same = code.newLabel();
        code.loadConstant(next).lcmp().ifeq(same);
        leaveThroughOp();
        code.labelBinding(same);
        load(Cpu.RSP);
        code.loadConstant(8 + (in.immediate & 0xFFFF)).ladd();
        store(Cpu.RSP);
    }
}
