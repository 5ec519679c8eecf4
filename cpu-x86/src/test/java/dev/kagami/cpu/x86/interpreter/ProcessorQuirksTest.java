package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The decisions of {@code docs/conformance.md} about what manuals leave open or emulators tend to leave out, as
 * vectors. On a host that can, the processor must agree with what is written here.
 */
class ProcessorQuirksTest {
    private static final String ZEROS = " x0=00000000000000000000000000000000 x1=00000000000000000000000000000000";

    private static void passes(String line) {
        RecordedVector vector = new RecordedVector();
        vector.parse(line);
        MachineState scratch = new MachineState();
        try (SnippetMachine machine = new SnippetMachine()) {
            assertThat(vector.check(machine, scratch, false)).isEmpty();
            assertThat(vector.check(machine, scratch, true)).isEmpty();
        }
    }

    private static void passesAlsoOnTheHost(String line) {
        passes(line);
        if (HostOracle.unavailable().isEmpty()) {
            RecordedVector vector = new RecordedVector();
            vector.parse(line);
            try (HostOracle oracle = new HostOracle()) {
                oracle.run(vector.input, vector.code);
            }
            assertThat(vector.input.difference(
                            vector.output, vector.undefinedFlags, vector.undefinedStatus, vector.undefinedRegisters))
                    .isEmpty();
        }
    }

    /** 32-bit addresses and a count of 0: processors of different makers differ, so the host is not asked. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "movsb 67f3a4 rcx=aaaaaaaa00000000 rsi=bbbbbbbb20000100 rdi=cccccccc20000110"
                        + " > rcx=0 rsi=20000100 rdi=20000110",
                "stosq 67f348ab rcx=aaaaaaaa00000000 rdi=cccccccc20000110 > rcx=0 rdi=20000110",
                "lodsd 67f3ad rcx=aaaaaaaa00000000 rsi=bbbbbbbb20000100 > rcx=0",
                "cmpsb 67f3a6 rcx=aaaaaaaa00000000 rsi=bbbbbbbb20000100 rdi=cccccccc20000110 fl=51 > rcx=0",
                "scasb 67f2ae rcx=aaaaaaaa00000000 rdi=cccccccc20000110 fl=94 > rcx=0"
            })
    void repeatingZeroTimesWith32BitAddressesClearsUpperHalves(String line) {
        passes(line);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bsf.64 480fbcc3 rax=123456789abcdef0 rbx=0 > fl=44 uf=895",
                "bsf.32 0fbcc3 rax=123456789abcdef0 rbx=ffffffff00000000 > fl=44 uf=895",
                "bsr.16 660fbdc3 rax=123456789abcdef0 rbx=ffffffffffff0000 > fl=44 uf=895",
                "bsr.64 480fbdc3 rax=123456789abcdef0 rbx=0 > fl=44 uf=895"
            })
    void scanningZeroLeavesTheDestination(String line) {
        passesAlsoOnTheHost(line);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                // FLD1 onto a full stack: overflow, C1 set.
                "fld1 d9e8 ftw=ff > fsw=3a41 st0=ffffc000000000000000 uw=4500",
                // FCHS of an empty register: underflow, C1 clear.
                "fchs d9e0 > fsw=41 ftw=1 st0=ffffc000000000000000 uw=4500",
                // FSTP of an empty register stores the indefinite number and pops.
                "fstp dd1c2500010020 > fsw=841 m100=000000000000f8ff uw=4500"
            })
    void stackFaultsRaiseTheStackFaultFlag(String line) {
        passesAlsoOnTheHost(line);
    }

    @Test
    void denormalOperandsRaiseTheDenormalFlag() {
        String one = " x0=00000000000000000000000000000001 x1=00000000000000000000000000000000";
        passesAlsoOnTheHost("addss f30f58c1" + one + " > mxcsr=1f82");
        passesAlsoOnTheHost("addss.daz f30f58c1 mxcsr=1fc0" + one + " >" + ZEROS);
        // 1 + the smallest float: denormal and inexact.
        passesAlsoOnTheHost("fadd d8042500010020 ftw=1 st0=3fff8000000000000000 m100=01000000 > fsw=22 uw=4500");
    }

    @Test
    void aFailedCompareExchangeOf32BitsKeepsTheWholeDestination() {
        passesAlsoOnTheHost("cmpxchg 0fb1cb rax=1111111122222222 rbx=3333333344444444 > fl=95 rax=44444444");
    }
}
