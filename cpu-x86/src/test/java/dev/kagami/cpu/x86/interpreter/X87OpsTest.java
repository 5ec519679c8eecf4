package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kagami.cpu.x86.softfloat.Float80;
import dev.kagami.cpu.x86.softfloat.FloatContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** x87 instructions: stack, exceptions, environment. Numbers are compared with the processor's elsewhere. */
class X87OpsTest {
    private static final String FADDP = "dec1";
    private static final String FDIVP = "def9";
    private static final String FLDZ = "d9ee";
    private static final String FLD1 = "d9e8";
    private static final String FNSTSW_AX = "dfe0";

    private final X87TestMachine machine = new X87TestMachine();

    @AfterEach
    void close() {
        machine.close();
    }

    @Test
    void valuesGoThroughTheStackInOrder() {
        machine.push(7).push(2).run("def9"); // FDIVP: ST(1) = ST(1) / ST(0)
        assertThat(machine.pop()).isEqualTo(3.5);
        machine.push(7).push(2).run("def1"); // FDIVRP: ST(1) = ST(0) / ST(1)
        assertThat(machine.pop()).isEqualTo(2.0 / 7);
        machine.push(7).push(2).run("dee9"); // FSUBP
        assertThat(machine.pop()).isEqualTo(5);
        machine.push(7).push(2).run("dee1"); // FSUBRP
        assertThat(machine.pop()).isEqualTo(-5);
    }

    @Test
    void maskedUnderflowGivesIndefiniteWithC1Clear() {
        machine.run(FLD1, FADDP);
        assertThat(machine.x87.status & (X87.STACK_FAULT | FloatContext.INVALID | X87.C1))
                .isEqualTo(X87.STACK_FAULT | FloatContext.INVALID);
        assertThat(machine.x87.signExponent(0)).isEqualTo(Float80.INDEFINITE_SIGN_EXPONENT);
        assertThat(machine.x87.significand(0)).isEqualTo(Float80.INDEFINITE_SIGNIFICAND);
    }

    @Test
    void maskedOverflowPushesIndefiniteWithC1Set() {
        for (int i = 0; i < 9; i++) {
            machine.run(FLD1);
        }
        assertThat(machine.x87.status & (X87.STACK_FAULT | X87.C1)).isEqualTo(X87.STACK_FAULT | X87.C1);
        assertThat(machine.x87.significand(0)).isEqualTo(Float80.INDEFINITE_SIGNIFICAND);
    }

    @Test
    void unmaskedExceptionIsDeliveredByTheNextWaitingInstruction() {
        machine.x87.control &= ~FloatContext.ZERO_DIVIDE;
        machine.run(FLD1, FLDZ);
        assertThat(machine.faultOf(FDIVP)).isEqualTo(-1);
        assertThat(machine.x87.status & X87.ERROR_SUMMARY).isNotZero();
        // The operands stay.
        assertThat(machine.x87.isEmpty(1)).isFalse();
        assertThat(machine.faultOf(FNSTSW_AX)).isEqualTo(-1);
        assertThat(machine.faultOf("9b")).isEqualTo(Vector.FLOATING_POINT);
        assertThat(machine.faultOf(FLD1)).isEqualTo(Vector.FLOATING_POINT);
        assertThat(machine.faultOf("0f6fc1")).isEqualTo(Vector.FLOATING_POINT);
        machine.run("dbe2"); // FNCLEX
        assertThat(machine.faultOf(FLD1)).isEqualTo(-1);
    }

    @Test
    void loadingAControlWordCanMakeAnExceptionPending() {
        machine.run(FLD1, FLDZ, FDIVP);
        machine.cpu.writeShort(X87TestMachine.AREA, 0x37B);
        machine.run("d92f");
        assertThat(machine.faultOf("9b")).isEqualTo(Vector.FLOATING_POINT);
    }

    @Test
    void unitThatWasSwitchedAwayRaisesDeviceNotAvailable() {
        machine.cpu.cr0 |= Cpu.CR0_TS;
        assertThat(machine.faultOf(FLD1)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        assertThat(machine.faultOf("9b")).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        assertThat(machine.faultOf("0fae07")).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
        machine.cpu.cr0 &= ~Cpu.CR0_MP;
        assertThat(machine.faultOf("9b")).isEqualTo(-1);
        machine.cpu.cr0 = machine.cpu.cr0 & ~Cpu.CR0_TS | Cpu.CR0_EM;
        assertThat(machine.faultOf(FLD1)).isEqualTo(Vector.DEVICE_NOT_AVAILABLE);
    }

    @Test
    void storeThatFaultsLeavesStackAndFlags() {
        machine.push(1e300);
        machine.cpu.r[Cpu.RDI] = 0x5555_0000L;
        assertThat(machine.faultOf("d91f")).isEqualTo(Vector.PAGE_FAULT);
        assertThat(machine.x87.status & FloatContext.ALL_EXCEPTIONS).isZero();
        assertThat(machine.x87.isEmpty(0)).isFalse();
    }

    @Test
    void examineTellsClassesApart() {
        machine.push(-0.0).run("d9e5");
        assertThat(machine.x87.status & X87.CONDITIONS).isEqualTo(X87.C3 | X87.C1);
        machine.push(1.5).run("d9e5");
        assertThat(machine.x87.status & X87.CONDITIONS).isEqualTo(X87.C2);
        machine.push(Double.POSITIVE_INFINITY).run("d9e5");
        assertThat(machine.x87.status & X87.CONDITIONS).isEqualTo(X87.C2 | X87.C0);
        machine.push(Double.NaN).run("d9e5");
        assertThat(machine.x87.status & X87.CONDITIONS).isEqualTo(X87.C0);
        machine.run("ddc0", "d9e5");
        assertThat(machine.x87.status & (X87.C3 | X87.C2 | X87.C0)).isEqualTo(X87.C3 | X87.C0);
    }

    @Test
    void environmentKeepsTagsAndPointersAndMasksExceptions() {
        Cpu cpu = machine.cpu;
        machine.push(1).run(FLDZ);
        machine.x87.control = 0x340;
        machine.run("d937"); // FNSTENV
        assertThat(cpu.readInt(X87TestMachine.AREA)).isEqualTo(0xFFFF0340);
        // R7 holds 1 (valid, 0), R6 zero (1), the others are empty.
        assertThat(cpu.readInt(X87TestMachine.AREA + 8)).isEqualTo(0xFFFF1FFF);
        assertThat(cpu.readInt(X87TestMachine.AREA + 16) >>> 16).isEqualTo(0x1EE);
        assertThat(machine.x87.control).isEqualTo(0x37F);
        machine.run("dbe3", "d927"); // FNINIT, FLDENV
        assertThat(machine.x87.control).isEqualTo(0x340);
        assertThat(machine.x87.fullTag()).isEqualTo(0x1FFF);
        assertThat(machine.x87.opcode).isEqualTo(0x1EE);
    }

    @Test
    void saveAndRestoreBringBackTheRegisters() {
        machine.push(1.25).push(-3);
        machine.run("dd37"); // FNSAVE, which initializes
        assertThat(machine.x87.tag).isEqualTo(X87.ALL_EMPTY);
        machine.run("dd27"); // FRSTOR
        assertThat(machine.pop()).isEqualTo(-3);
        assertThat(machine.pop()).isEqualTo(1.25);
    }

    @Test
    void sineOfAHugeNumberIsLeftToSoftware() {
        machine.push(0x1p63).run("d9fe");
        assertThat(machine.x87.status & X87.C2).isNotZero();
        assertThat(machine.pop()).isEqualTo(0x1p63);
        machine.push(0.5).run("d9fb"); // FSINCOS
        assertThat(machine.pop()).isEqualTo(Math.cos(0.5));
        assertThat(machine.pop()).isEqualTo(Math.sin(0.5));
    }

    @Test
    void emmsEmptiesTheRegisters() {
        machine.push(1).run("0f77");
        assertThat(machine.x87.tag).isEqualTo(X87.ALL_EMPTY);
        assertThat(machine.x87.status & X87.TOP).isZero();
    }

    @Test
    void undefinedEncodingsAreRefused() {
        for (String hex :
                new String[] {"d9d1", "d9e2", "d9ef", "dae8", "dbe5", "dbf8", "ddf0", "ded8", "dfe1", "d90f"}) {
            assertThat(machine.faultOf(hex)).as(hex).isEqualTo(Vector.INVALID_OPCODE);
        }
    }
}
