package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.fail;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Random code, descriptors and registers in every mode: whatever a guest does ends in a fault of the guest, never in an
 * exception of ours. A failure prints its seed.
 */
class HostileCodeTest {
    private static final int CASES = 1000;
    private static final int STEPS = 150;
    private static final int MODES = 7;

    /** Opcodes of system instructions, to meet them more often than one byte in 256. */
    private static final int[] INTERESTING = {
        0x0F01, 0x0F00, 0x0F02, 0x0F03, 0x0F05, 0x0F07, 0x0F20, 0x0F22, 0x0F21, 0x0F23, 0x0F30, 0x0F32, 0x0F34, 0x0F35,
        0x0FAE, 0x0FC7, 0x0FB2, 0x0FB4, 0x0FA1, 0x0FA9, 0x8E, 0x8C, 0xCF, 0xCB, 0xCA, 0xCD, 0xCC, 0xCE, 0xF1, 0x9A,
        0xEA, 0xFF, 0x9D, 0x9C, 0x60, 0x61, 0xC8, 0xC9, 0xC4, 0xC5, 0x62, 0x63, 0x07, 0x17, 0x1F, 0xF4, 0xFA, 0xFB,
        0xE4, 0xEE
    };

    private static final int[] DESCRIPTOR_TYPES = {
        0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x89, 0x8B, 0x8C, 0x8E, 0x8F, 0xE4, 0xE5, 0xE9, 0xEC, 0xEE, 0xEF, 0x92,
        0x93, 0xF2, 0xF3, 0x96, 0x9A, 0x9E, 0xFA, 0xFE, 0x98, 0x12, 0x1A
    };

    @Test
    void nothingButFaultsComesOutOfRandomCode() {
        long seed = System.nanoTime();
        SplittableRandom seeds = new SplittableRandom(seed);
        for (int i = 0; i < CASES; i++) {
            runCase(seeds.nextLong());
        }
    }

    private static void runCase(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        try (TestMachine machine = new TestMachine(2 << 20)) {
            prepare(machine, random);
            Cpu cpu = machine.cpu;
            for (int step = 0; step < STEPS; step++) {
                Fault fault = machine.step();
                if (fault != null) {
                    if (fault.vector == Fault.SHUTDOWN) {
                        return;
                    }
                    Interrupts.raise(cpu, fault.vector, fault.hasErrorCode, fault.errorCode);
                } else if (random.nextInt(16) == 0) {
                    Interrupts.external(cpu, random.nextInt(256));
                }
                cpu.halted = false;
                if (random.nextInt(8) == 0) {
                    scatterCode(machine, random, cpu.codeAddress() & 0xF_FFFF);
                }
            }
        } catch (Fault shutdown) {
            if (shutdown.vector != Fault.SHUTDOWN) {
                fail("fault %s outside of an instruction, seed %dL".formatted(shutdown.getMessage(), seed), shutdown);
            }
        } catch (RuntimeException | AssertionError e) {
            fail("seed %dL".formatted(seed), e);
        }
    }

    /** Makes tables, code and registers at random, in a random mode. */
    static void prepare(TestMachine machine, SplittableRandom random) {
        Cpu cpu = machine.cpu;
        machine.bus.remembers = false;
        switch (random.nextInt(MODES)) {
            case 0 -> machine.realMode();
            case 1 -> machine.protectedMode();
            case 2 -> {
                machine.protectedMode();
                machine.userMode();
            }
            case 3 -> {
                machine.protectedMode();
                cpu.systemFlags |= Cpu.VM | random.nextInt(4) << 12;
                cpu.cpl = 3;
                for (int i = 0; i < 6; i++) {
                    Segmentation.setReal(cpu, i, i == Cpu.CS ? 0x1000 : random.nextInt(0x1_0000));
                }
            }
            case 4 -> machine.longMode();
            case 5 -> {
                machine.longMode();
                machine.userMode();
            }
            default -> {
                machine.longMode();
                machine.compatibilityMode();
            }
        }
        for (int i = 0; i < 0x400; i += 8) {
            long base = random.nextInt(0x20_0000);
            int attributes = DESCRIPTOR_TYPES[random.nextInt(DESCRIPTOR_TYPES.length)] | random.nextInt(16) << 12;
            if (i >= TestMachine.FREE) {
                machine.descriptor(i, base, random.nextInt(0x10_0000), attributes);
            }
        }
        for (int vector = 0; vector < 256; vector++) {
            int type = random.nextInt(8) == 0 ? DESCRIPTOR_TYPES[random.nextInt(DESCRIPTOR_TYPES.length)] : 0xEE;
            int selector = random.nextInt(4) == 0
                    ? random.nextInt(0x400)
                    : cpu.longMode() ? TestMachine.KERNEL_CODE : TestMachine.KERNEL_CODE32;
            machine.gate(vector, selector, TestMachine.CODE + random.nextInt(0x1000), type, random.nextInt(8));
        }
        for (int offset = 0; offset < 0x68; offset += 4) {
            if (random.nextInt(4) == 0) {
                machine.memory.writeInt(TestMachine.TSS + offset, (int) value(random));
            }
        }
        scatterCode(machine, random, TestMachine.CODE);
        for (int i = 0; i < 16; i++) {
            cpu.r[i] = value(random) & (cpu.mode == 64 ? -1L : 0xFFFF_FFFFL);
        }
        cpu.r[Cpu.RSP] = random.nextInt(4) == 0 ? cpu.r[Cpu.RSP] : TestMachine.STACK;
        cpu.r[Cpu.RIP] = cpu.r[Cpu.SEGMENT_BASE + Cpu.CS] == 0 ? TestMachine.CODE : random.nextInt(0x1000);
        cpu.cr4 |= random.nextLong() & (Cpu.CR4_UMIP | Cpu.CR4_DE | Cpu.CR4_OSXSAVE | Cpu.CR4_TSD | Cpu.CR4_OSFXSR);
        cpu.msrs.star = random.nextLong();
        cpu.msrs.lstar = TestMachine.CODE + random.nextInt(0x1000);
        cpu.msrs.sysenterCs = random.nextInt(0x1_0000);
        cpu.updateMode();
    }

    private static long value(SplittableRandom random) {
        return switch (random.nextInt(5)) {
            case 0 -> random.nextLong();
            case 1 -> random.nextInt(0x400);
            case 2 -> -random.nextInt(0x400);
            case 3 -> random.nextInt(1 << 21);
            default -> TestMachine.CODE + random.nextInt(0x1000);
        };
    }

    /** Writes random bytes with system instructions among them. */
    static void scatterCode(TestMachine machine, SplittableRandom random, long from) {
        byte[] code = new byte[0x1000];
        random.nextBytes(code);
        for (int i = 0; i < code.length - 16; i += 1 + random.nextInt(12)) {
            int opcode = INTERESTING[random.nextInt(INTERESTING.length)];
            if (opcode > 0xFF) {
                code[i++] = (byte) (opcode >> 8);
            }
            code[i] = (byte) opcode;
        }
        if (machine.memory.isRam(from, code.length)) {
            machine.memory.write(from, code);
        }
    }
}
