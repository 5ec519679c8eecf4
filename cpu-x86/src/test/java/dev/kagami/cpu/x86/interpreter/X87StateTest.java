package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** FXSAVE, FXRSTOR and the XSAVE family against SDM 1 10.5 and chapter 13. */
class X87StateTest {
    private static final long AREA = X87TestMachine.AREA;
    private static final String FXSAVE = "0fae07";
    private static final String FXRSTOR = "0fae0f";
    private static final String XSAVE = "0fae27";
    private static final String XRSTOR = "0fae2f";
    private static final String XSAVEC = "0fc727";
    private static final String XSAVES = "0fc72f";
    private static final String XRSTORS = "0fc71f";
    private static final int HEADER = 512;

    private final X87TestMachine machine = new X87TestMachine();
    private final Cpu cpu = machine.cpu;

    @BeforeEach
    void enable() {
        cpu.cr4 |= Cpu.CR4_OSXSAVE;
        cpu.xcr0 = X87State.COMPONENT_X87 | X87State.COMPONENT_SSE;
        cpu.r[Cpu.RAX] = -1;
        cpu.r[Cpu.RDX] = -1;
        for (int i = 0; i < 0x400; i += 8) {
            cpu.writeLong(AREA + i, 0);
        }
    }

    @AfterEach
    void close() {
        machine.close();
    }

    private void fill() {
        for (int i = 0; i < 16; i++) {
            cpu.vec[8 * i] = 0x0101L * i + 1;
            cpu.vec[8 * i + 1] = ~cpu.vec[8 * i];
        }
        cpu.mxcsr = 0x9FC0;
        machine.push(2.5).push(-1);
    }

    private void wipe() {
        for (int i = 0; i < 16; i++) {
            cpu.vec[8 * i] = 0x55;
            cpu.vec[8 * i + 1] = 0x55;
        }
        cpu.mxcsr = 0x1F80;
        machine.run("dbe3");
    }

    private void expectFilled() {
        for (int i = 0; i < 16; i++) {
            assertThat(cpu.vec[8 * i]).isEqualTo(0x0101L * i + 1);
            assertThat(cpu.vec[8 * i + 1]).isEqualTo(~cpu.vec[8 * i]);
        }
        assertThat(cpu.mxcsr).isEqualTo(0x9FC0);
        assertThat(machine.pop()).isEqualTo(-1);
        assertThat(machine.pop()).isEqualTo(2.5);
        assertThat(machine.x87.tag).isEqualTo(X87.ALL_EMPTY);
    }

    @Test
    void fxsaveAndFxrstorBringEverythingBack() {
        fill();
        machine.run(FXSAVE);
        assertThat(cpu.readShort(AREA)).isEqualTo(0x37F);
        assertThat(cpu.readByte(AREA + 4)).isEqualTo(0xC0);
        assertThat(cpu.readInt(AREA + 28)).isEqualTo(0xFFFF);
        // ST(0) is -1, whatever physical register it is in.
        assertThat(cpu.readLong(AREA + 32)).isEqualTo(Long.MIN_VALUE);
        assertThat(cpu.readShort(AREA + 40)).isEqualTo(0xBFFF);
        wipe();
        machine.run(FXRSTOR);
        expectFilled();
    }

    @Test
    void fxsaveWantsAlignmentAndFxrstorKnownMxcsrBits() {
        machine.run(FXSAVE);
        cpu.writeInt(AREA + 24, 0x11F80);
        assertThat(machine.faultOf(FXRSTOR)).isEqualTo(Vector.GENERAL_PROTECTION);
        cpu.r[Cpu.RDI] += 8;
        assertThat(machine.faultOf(FXSAVE)).isEqualTo(Vector.GENERAL_PROTECTION);
    }

    @Test
    void xsaveAndXrstorBringEverythingBack() {
        fill();
        machine.run(XSAVE);
        assertThat(cpu.readLong(AREA + HEADER)).isEqualTo(3);
        assertThat(cpu.readLong(AREA + HEADER + 8)).isZero();
        wipe();
        machine.run(XRSTOR);
        expectFilled();
    }

    @Test
    void compactedFormatBringsEverythingBack() {
        fill();
        machine.run(XSAVEC);
        assertThat(cpu.readLong(AREA + HEADER + 8)).isEqualTo(1L << 63 | 3);
        wipe();
        machine.run(XRSTOR);
        expectFilled();
    }

    private void fillWide() {
        cpu.xcr0 = X87State.COMPONENT_X87 | EvexOp.COMPONENTS;
        for (int i = 0; i < SimdOp.MEMORY_SLOT; i++) {
            cpu.vec[i] = 0x0101_0101_0101_0101L * (i + 1);
        }
    }

    private void expectFilledWide() {
        for (int i = 0; i < SimdOp.MEMORY_SLOT; i++) {
            assertThat(cpu.vec[i]).as("quadword %d", i).isEqualTo(0x0101_0101_0101_0101L * (i + 1));
        }
    }

    /** A breakpoint in use keeps what is moved from being moved at once. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1})
    void allOfAvx512IsBroughtBackFromWhereIntelsProcessorsHaveIt(long breakpoints) {
        cpu.dr[7] = breakpoints;
        for (String save : new String[] {XSAVE, XSAVEC}) {
            fillWide();
            machine.run(save);
            assertThat(cpu.readLong(AREA + HEADER)).isEqualTo(0xE6);
            assertThat(cpu.readLong(AREA + 160 + 16)).isEqualTo(cpu.vec[8]); // XMM1
            assertThat(cpu.readLong(AREA + 576 + 16)).isEqualTo(cpu.vec[8 + 2]); // upper half of YMM1
            boolean compact = save.equals(XSAVEC);
            assertThat(cpu.readLong(AREA + (compact ? 832 : 1088) + 8)).isEqualTo(cpu.vec[SimdOp.MASKS + 1]);
            assertThat(cpu.readLong(AREA + (compact ? 896 : 1152) + 32)).isEqualTo(cpu.vec[8 + 4]);
            assertThat(cpu.readLong(AREA + (compact ? 1408 : 1664) + 64)).isEqualTo(cpu.vec[17 * 8]);
            Arrays.fill(cpu.vec, 0x55);
            machine.run(XRSTOR);
            expectFilledWide();
        }
    }

    @Test
    void whatIsInItsInitialStateIsNotInTheCompactedArea() {
        cpu.xcr0 = X87State.COMPONENT_X87 | EvexOp.COMPONENTS;
        Arrays.fill(cpu.vec, 0);
        cpu.vec[SimdOp.MASKS + 3] = 7;
        cpu.vec[31 * 8] = 9;
        cpu.r[Cpu.RAX] = X87State.COMPONENT_X87 | X87State.COMPONENT_OPMASK | X87State.COMPONENT_HIGH_ZMM;
        cpu.writeLong(AREA + 32, 0x1234);
        machine.run(XSAVEC);
        assertThat(cpu.readLong(AREA + HEADER)).isEqualTo(0xA0);
        assertThat(cpu.readLong(AREA + HEADER + 8)).isEqualTo(1L << 63 | 0xA1);
        assertThat(cpu.readLong(AREA + 32)).isEqualTo(0x1234); // ST(0)
        assertThat(cpu.readLong(AREA + 576 + 24)).isEqualTo(7);
        assertThat(cpu.readLong(AREA + 640 + 15 * 64)).isEqualTo(9);
        machine.push(1);
        cpu.vec[31 * 8] = 0;
        cpu.vec[0] = 5;
        machine.run(XRSTOR);
        assertThat(machine.x87.tag).isEqualTo(X87.ALL_EMPTY);
        assertThat(cpu.vec[31 * 8]).isEqualTo(9);
        assertThat(cpu.vec[0]).isEqualTo(5);
    }

    @Test
    void xsaveTouchesOnlyWhatItIsAskedFor() {
        fill();
        cpu.r[Cpu.RAX] = X87State.COMPONENT_X87;
        cpu.writeLong(AREA + HEADER, X87State.COMPONENT_SSE);
        cpu.writeLong(AREA + 160, 0x1234);
        machine.run(XSAVE);
        assertThat(cpu.readLong(AREA + 160)).isEqualTo(0x1234);
        assertThat(cpu.readLong(AREA + HEADER)).isEqualTo(3);
    }

    @Test
    void xrstorInitializesWhatTheHeaderLeavesOut() {
        fill();
        machine.run(XSAVE);
        cpu.writeLong(AREA + HEADER, 0);
        machine.run(XRSTOR);
        assertThat(cpu.vec[0]).isZero();
        assertThat(cpu.vec[15 * 8 + 1]).isZero();
        assertThat(machine.x87.tag).isEqualTo(X87.ALL_EMPTY);
        assertThat(machine.x87.control).isEqualTo(X87.INITIAL_CONTROL);
        // The standard format loads MXCSR even so (SDM 1 13.8.1).
        assertThat(cpu.mxcsr).isEqualTo(0x9FC0);
    }

    @Test
    void xrstorRefusesBadHeaders() {
        machine.run(XSAVE);
        for (int[] poke : new int[][] {{HEADER, 4}, {HEADER + 8, 1}, {HEADER + 16, 1}}) {
            long before = cpu.readLong(AREA + poke[0]);
            cpu.writeLong(AREA + poke[0], poke[1]);
            assertThat(machine.faultOf(XRSTOR)).as("offset %d", poke[0]).isEqualTo(Vector.GENERAL_PROTECTION);
            cpu.writeLong(AREA + poke[0], before);
        }
        cpu.writeLong(AREA + HEADER + 8, 1L << 63 | 1);
        cpu.writeLong(AREA + HEADER, 2);
        assertThat(machine.faultOf(XRSTOR)).isEqualTo(Vector.GENERAL_PROTECTION);
    }

    @Test
    void xsaveWantsToBeEnabledAndAligned() {
        cpu.r[Cpu.RDI] += 16;
        assertThat(machine.faultOf(XSAVE)).isEqualTo(Vector.GENERAL_PROTECTION);
        cpu.r[Cpu.RDI] -= 16;
        cpu.cr0 |= Cpu.CR0_TS;
        assertThat(machine.faultOf(XSAVE)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        cpu.cr4 &= ~Cpu.CR4_OSXSAVE;
        assertThat(machine.faultOf(XSAVE)).isEqualTo(Vector.INVALID_OPCODE);
    }

    @Test
    void supervisorFormsArePrivileged() {
        assertThat(machine.faultOf(XSAVES)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.faultOf(XRSTORS)).isEqualTo(Vector.GENERAL_PROTECTION);
        fill();
        cpu.cpl = 0;
        machine.run(XSAVES);
        wipe();
        machine.run(XRSTORS);
        expectFilled();
    }
}
