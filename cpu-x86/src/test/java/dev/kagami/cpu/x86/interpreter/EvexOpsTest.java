package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** AVX-512 instructions: what they need, what they access and where they fault. Results are compared with the processor's elsewhere. */
class EvexOpsTest {
    private static final String VPADDD = "62f16d48fec3"; // zmm0, zmm2, zmm3
    private static final String VMOVDQA64_LOAD = "62f1fd486f07"; // zmm0, [rdi]
    private static final String VMOVDQA64_LOAD_MASKED = "62f1fd496f07"; // zmm0{k1}, [rdi]
    private static final String VMOVDQA64_STORE = "62f1fd487f07"; // [rdi], zmm0
    private static final String VMOVDQA64_STORE_MASKED = "62f1fd497f07"; // [rdi]{k1}, zmm0
    private static final String VMOVDQU64_LOAD = "62f1fe486f07"; // zmm0, [rdi]
    private static final String VMOVDQU64_STORE = "62f1fe487f07"; // [rdi], zmm0
    private static final String VMOVDQU32_LOAD_ZEROING = "62f17ec96f07"; // zmm0{k1}{z}, [rdi]
    private static final String VMOVDQU32_STORE_MASKED = "62f17e497f07"; // [rdi]{k1}, zmm0
    private static final String VPADDD_MASKED = "62f16d49fe07"; // zmm0{k1}, zmm2, [rdi]
    private static final String VPADDD_BROADCAST = "62f16d59fe07"; // zmm0{k1}, zmm2, [rdi]{1to16}
    private static final String VPCMPEQD_MASKED = "62f16d497617"; // k2{k1}, zmm2, [rdi]
    private static final String VPERMD_MASKED = "62f26d493607"; // zmm0{k1}, zmm2, [rdi]
    private static final String VBROADCASTI32X4 = "62f27d495a07"; // zmm0{k1}, [rdi]
    private static final String VEXTRACTI32X4 = "62f37d49390701"; // [rdi]{k1}, zmm0, 1
    private static final String VMOVSS_LOAD = "62f17e091007"; // xmm0{k1}, [rdi]
    private static final String VPMOVQB_STORE = "62f27e493207"; // [rdi]{k1}, zmm0
    private static final String VPEXPANDD = "62f27d498907"; // zmm0{k1}, [rdi]
    private static final String VPCOMPRESSD_STORE = "62f27d498b07"; // [rdi]{k1}, zmm0
    private static final String VPGATHERDD = "62f27d4190048f"; // zmm0{k1}, [rdi + zmm17 * 4]
    private static final String VPSCATTERDD = "62f27d41a0048f"; // [rdi + zmm17 * 4]{k1}, zmm0

    /** The end of the data window's page: the next one isn't there. */
    private static final long END = MachineState.DATA + 0x1000;

    private static final int INDEXES = 17;

    private final X87TestMachine machine = new X87TestMachine();
    private final Cpu cpu = machine.cpu;

    @AfterEach
    void close() {
        machine.close();
    }

    private void fill(int register, long value) {
        for (int i = 0; i < 8; i++) {
            cpu.vec[8 * register + i] = value;
        }
    }

    private void mask(long bits) {
        cpu.vec[EvexOp.MASKS + 1] = bits;
    }

    private long mask() {
        return cpu.vec[EvexOp.MASKS + 1];
    }

    /** Numbers the 32-bit elements of a register from a number on. */
    private void number(int register, int from) {
        for (int i = 0; i < 16; i++) {
            EvexOp.set(cpu.vec, 8 * register, i, 4, from + i);
        }
    }

    private int element(int register, int number) {
        return (int) EvexOp.get(cpu.vec, 8 * register, number, 4);
    }

    @Test
    void instructionsNeedTheSystemsConsent() {
        assertThat(machine.faultOf(VPADDD)).isEqualTo(-1);
        for (int component : new int[] {0x20, 0x40, 0x80, 4, 2}) {
            cpu.xcr0 = 0xE7 & ~component;
            assertThat(machine.faultOf(VPADDD)).as("XCR0 %x", cpu.xcr0).isEqualTo(Vector.INVALID_OPCODE);
        }
        cpu.xcr0 = 0xE7;
        cpu.cr0 |= Cpu.CR0_TS;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        cpu.cr4 &= ~Cpu.CR4_OSXSAVE;
        assertThat(machine.faultOf(VPADDD)).isEqualTo(Vector.INVALID_OPCODE);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                VMOVDQA64_STORE,
                VMOVSS_LOAD,
                VEXTRACTI32X4,
                VPMOVQB_STORE,
                VPEXPANDD,
                VPCOMPRESSD_STORE,
                VPGATHERDD,
                VPSCATTERDD,
                "62f17d086ec7", // vmovd xmm0, edi
                "62f17d087ec7", // vmovd edi, xmm0
                "62f27e4828c1", // vpmovm2b zmm0, k1
                "62f27e4829c1", // vpmovb2m k0, zmm1
            })
    void stateIsCheckedBeforeAnythingElse(String instruction) {
        cpu.cr0 |= Cpu.CR0_TS;
        cpu.r[Cpu.RDI] = END;
        mask(-1);
        assertThat(machine.faultOf(instruction)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
    }

    @Test
    void onlyAlignedMovesNeedAlignmentAndOnlyWhenTheyAccessMemory() {
        cpu.r[Cpu.RDI] = MachineState.DATA + 32;
        assertThat(machine.faultOf(VMOVDQA64_LOAD)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.faultOf(VMOVDQA64_STORE)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.faultOf(VMOVDQU64_LOAD)).isEqualTo(-1);
        assertThat(machine.faultOf(VMOVDQU64_STORE)).isEqualTo(-1);
        mask(1);
        assertThat(machine.faultOf(VMOVDQA64_LOAD_MASKED)).isEqualTo(Vector.GENERAL_PROTECTION);
        assertThat(machine.faultOf(VMOVDQA64_STORE_MASKED)).isEqualTo(Vector.GENERAL_PROTECTION);
        mask(0x100); // above the elements
        assertThat(machine.faultOf(VMOVDQA64_LOAD_MASKED)).isEqualTo(-1);
        assertThat(machine.faultOf(VMOVDQA64_STORE_MASKED)).isEqualTo(-1);
    }

    @Test
    void storesThatFaultChangeNothing() {
        cpu.r[Cpu.RDI] = END - 48;
        cpu.writeLong(END - 48, 0x2222);
        assertThat(machine.faultOf(VMOVDQU64_STORE)).isEqualTo(Vector.PAGE_FAULT);
        mask(0x1001);
        assertThat(machine.faultOf(VMOVDQU32_STORE_MASKED)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.cr2).isEqualTo(END);
        assertThat(cpu.readLong(END - 48)).isEqualTo(0x2222);
    }

    @Test
    void loadsThatFaultChangeNothing() {
        fill(0, 0x1111);
        cpu.r[Cpu.RDI] = END - 48;
        assertThat(machine.faultOf(VMOVDQU64_LOAD)).isEqualTo(Vector.PAGE_FAULT);
        mask(0x1001);
        assertThat(machine.faultOf(VMOVDQU32_LOAD_ZEROING)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.vec[0]).isEqualTo(0x1111);
    }

    @Test
    void elementsThatAreNotSelectedAreNotAccessed() {
        cpu.r[Cpu.RDI] = END - 8;
        cpu.writeLong(END - 8, 0x5555_6666_7777_8888L);
        fill(0, -1);
        fill(2, 0);
        mask(2);
        assertThat(machine.faultOf(VMOVDQU32_LOAD_ZEROING)).isEqualTo(-1);
        assertThat(cpu.vec[0]).isEqualTo(0x5555_6666_0000_0000L);
        assertThat(cpu.vec[7]).isZero();
        assertThat(machine.faultOf(VPADDD_MASKED)).isEqualTo(-1);
        assertThat(machine.faultOf(VPCMPEQD_MASKED)).isEqualTo(-1);
        assertThat(machine.faultOf(VMOVDQU32_STORE_MASKED)).isEqualTo(-1);
        mask(0xFF);
        cpu.vec[0] = 0x11;
        assertThat(machine.faultOf(VPMOVQB_STORE)).isEqualTo(-1);
        assertThat(cpu.readLong(END - 8) & 0xFF).isEqualTo(0x11);
        cpu.r[Cpu.RDI] = END;
        mask(0);
        assertThat(machine.faultOf(VPADDD_BROADCAST)).isEqualTo(-1);
        mask(6);
        assertThat(machine.faultOf(VMOVSS_LOAD)).isEqualTo(-1);
        assertThat(machine.faultOf(VPADDD_BROADCAST)).isEqualTo(Vector.PAGE_FAULT);
    }

    @Test
    void partsOfABroadcastThatGoNowhereAreNotAccessed() {
        cpu.r[Cpu.RDI] = END - 8;
        cpu.writeLong(END - 8, 0x2_0000_0001L);
        fill(0, 0);
        mask(0x3020);
        assertThat(machine.faultOf(VBROADCASTI32X4)).isEqualTo(-1);
        assertThat(cpu.vec[2]).isEqualTo(0x2_0000_0000L);
        assertThat(cpu.vec[6]).isEqualTo(0x2_0000_0001L);
        mask(0x4000);
        assertThat(machine.faultOf(VBROADCASTI32X4)).isEqualTo(Vector.PAGE_FAULT);
    }

    @Test
    void permutationsAndExtractionsAccessAllOfMemoryWhateverTheMask() {
        cpu.r[Cpu.RDI] = END - 8;
        cpu.writeLong(END - 8, 0x77);
        mask(0);
        assertThat(machine.faultOf(VPERMD_MASKED)).isEqualTo(Vector.PAGE_FAULT);
        mask(1);
        assertThat(machine.faultOf(VEXTRACTI32X4)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.readLong(END - 8)).isEqualTo(0x77);
    }

    @Test
    void compressionWritesOnlyAsManyElementsAsAreSelected() {
        cpu.r[Cpu.RDI] = END - 12;
        cpu.writeLong(END - 20, -1);
        cpu.writeInt(END - 12, -1);
        number(0, 100);
        mask(0x8021);
        assertThat(machine.faultOf(VPCOMPRESSD_STORE)).isEqualTo(-1);
        assertThat(cpu.readInt(END - 16)).isEqualTo(-1);
        assertThat(cpu.readInt(END - 12)).isEqualTo(100);
        assertThat(cpu.readInt(END - 8)).isEqualTo(105);
        assertThat(cpu.readInt(END - 4)).isEqualTo(115);
        mask(0x8421);
        number(0, 200);
        assertThat(machine.faultOf(VPCOMPRESSD_STORE)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.readInt(END - 12)).isEqualTo(100);
        cpu.r[Cpu.RDI] = MachineState.DATA;
        cpu.writeInt(MachineState.DATA + 16, -1);
        assertThat(machine.faultOf(VPCOMPRESSD_STORE)).isEqualTo(-1);
        assertThat(cpu.readInt(MachineState.DATA + 12)).isEqualTo(215);
        assertThat(cpu.readInt(MachineState.DATA + 16)).isEqualTo(-1);
    }

    @Test
    void expansionReadsOnlyAsManyElementsAsAreSelected() {
        cpu.r[Cpu.RDI] = END - 8;
        cpu.writeInt(END - 8, 1);
        cpu.writeInt(END - 4, 2);
        number(0, 100);
        mask(0x8010);
        assertThat(machine.faultOf(VPEXPANDD)).isEqualTo(-1);
        assertThat(element(0, 3)).isEqualTo(103);
        assertThat(element(0, 4)).isEqualTo(1);
        assertThat(element(0, 15)).isEqualTo(2);
        mask(7);
        assertThat(machine.faultOf(VPEXPANDD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(element(0, 0)).isEqualTo(100);
    }

    @Test
    void gatherThatFaultsGoesOnWhereItWas() {
        fill(INDEXES, 0);
        number(0, 100);
        cpu.writeInt(MachineState.DATA, 0x77);
        EvexOp.set(cpu.vec, 8 * INDEXES, 9, 4, 0x400); // on the next page
        mask(0xFFFF_0000_FF0FL);
        assertThat(machine.faultOf(VPGATHERDD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(cpu.cr2).isEqualTo(END);
        assertThat(mask()).isEqualTo(0xFFFF_0000_FE00L);
        assertThat(element(0, 3)).isEqualTo(0x77);
        assertThat(element(0, 4)).isEqualTo(104);
        assertThat(element(0, 8)).isEqualTo(0x77);
        assertThat(element(0, 9)).isEqualTo(109);
        cpu.writeInt(MachineState.DATA, 0x88);
        EvexOp.set(cpu.vec, 8 * INDEXES, 9, 4, 0);
        assertThat(machine.faultOf(VPGATHERDD)).isEqualTo(-1);
        assertThat(mask()).isZero();
        assertThat(element(0, 8)).isEqualTo(0x77);
        assertThat(element(0, 9)).isEqualTo(0x88);
        assertThat(element(0, 4)).isEqualTo(104);
    }

    @Test
    void scatterThatFaultsGoesOnWhereItWas() {
        fill(INDEXES, 0);
        number(0, 100);
        EvexOp.set(cpu.vec, 8 * INDEXES, 9, 4, 0x400); // on the next page
        mask(0xFFFF);
        assertThat(machine.faultOf(VPSCATTERDD)).isEqualTo(Vector.PAGE_FAULT);
        assertThat(mask()).isEqualTo(0xFE00);
        // The last one wins of those at the same place.
        assertThat(cpu.readInt(MachineState.DATA)).isEqualTo(108);
        EvexOp.set(cpu.vec, 8 * INDEXES, 9, 4, 1);
        assertThat(machine.faultOf(VPSCATTERDD)).isEqualTo(-1);
        assertThat(mask()).isZero();
        assertThat(cpu.readInt(MachineState.DATA)).isEqualTo(115);
        assertThat(cpu.readInt(MachineState.DATA + 4)).isEqualTo(109);
    }

    @Test
    void gathersNeedAnOpmaskAndAnIndexOfTheirOwn() {
        assertThatThrownBy(() -> machine.run("62f27d4090048f")) // zmm0, [rdi + zmm17 * 4]
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> machine.run("62e27d41900c8f")) // zmm17{k1}, [rdi + zmm17 * 4]
                .isInstanceOf(IllegalArgumentException.class);
    }
}
