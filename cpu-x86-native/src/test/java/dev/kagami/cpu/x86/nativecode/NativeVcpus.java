package dev.kagami.cpu.x86.nativecode;

import dev.kagami.cpu.Vcpu;
import dev.kagami.cpu.x86.decode.Instruction;
import dev.kagami.cpu.x86.interpreter.Cpu;

/** Lets tests of other packages make virtual CPUs of this one. */
public final class NativeVcpus {
    private static final int MEBIBYTE = 1 << 20;

    private NativeVcpus() {}

    /** {@return a virtual CPU that translates everything at once} */
    public static Vcpu eager(Cpu cpu) {
        return new NativeVcpu(cpu, new NativeOptions(1, 4 * MEBIBYTE, 4, 1 << 16, null));
    }

    /** {@return a virtual CPU that translates everything at once and is disturbed} */
    public static Vcpu disturbed(Cpu cpu, Gate gate) {
        return new NativeVcpu(cpu, new NativeOptions(1, MEBIBYTE, 4, 2000, gate));
    }

    /** {@return a virtual CPU as that of {@link ParanoidEngine}} */
    public static Vcpu paranoid(Cpu cpu, long seed) {
        return new NativeVcpu(cpu, NativeOptions.disturbed(new Disturbance(seed, 8)));
    }

    /** {@return a virtual CPU that translates everything at once, is disturbed, and has room for a kernel} */
    public static Vcpu following(Cpu cpu, Gate gate) {
        return new NativeVcpu(cpu, new NativeOptions(1, 8 * MEBIBYTE, 16, 1 << 16, gate));
    }

    /** {@return a virtual CPU that translates everything at once and counts misses} */
    public static Vcpu counting(Cpu cpu, Misses misses) {
        return new NativeVcpu(cpu, new NativeOptions(1, MEBIBYTE, 4, 1 << 16, misses));
    }

    /** Frees the host memory of a virtual CPU. */
    public static void close(Vcpu vcpu) {
        ((NativeVcpu) vcpu).close();
    }

    /** Disturbs, and leaves the run loop when it was passed some number of times. */
    public static final class Gate extends Disturbance {
        private int left;

        /** Creates a gate; see {@link Disturbance}. */
        public Gate(long seed, int oneIn) {
            super(seed, oneIn);
        }

        /** Sets how often the run loop may be passed. */
        public void leaveAfter(int count) {
            left = count;
        }

        @Override
        boolean leaves() {
            return left-- <= 0;
        }
    }

    /** Disturbs nothing, but counts the misses of the TLB that Java has resolved. */
    public static final class Misses extends Disturbance {
        private static final int NEVER = 1 << 24;

        /** The misses so far. */
        public int resolved;

        /** Creates a count of none. */
        public Misses() {
            super(1, NEVER);
        }

        @Override
        boolean refusesWalk() {
            return false;
        }

        @Override
        boolean interpretsMiss() {
            resolved++;
            return false;
        }
    }

    /** {@return whether a VEX-encoded instruction would run as it is on a host that has AVX} */
    public static boolean runsOnHost(Instruction in) {
        return VexGeneral.classify(in) != VexGeneral.NO || VexForm.classify(in) != VectorForm.NO;
    }
}
