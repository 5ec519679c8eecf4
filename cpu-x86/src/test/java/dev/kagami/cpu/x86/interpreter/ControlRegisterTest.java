package dev.kagami.cpu.x86.interpreter;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** MOV CR, LMSW, CLTS, INVLPG, INVPCID, XSETBV and the way into long mode (SDM 3A 2.5, 9.8.5). */
class ControlRegisterTest {
    private static final String MOV_CR0_RAX = "0F 22 C0";
    private static final String MOV_CR3_RAX = "0F 22 D8";
    private static final String MOV_CR4_RAX = "0F 22 E0";

    private TestMachine machine;
    private Cpu cpu;

    @AfterEach
    void stop() {
        machine.close();
    }

    private void use(TestMachine machine) {
        this.machine = machine;
        cpu = machine.cpu;
    }

    private void assertRefused(String hex, long value) {
        cpu.r[Cpu.RAX] = value;
        long[] before = {cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer};
        assertFault(hex, Vector.GENERAL_PROTECTION);
        assertThat(new long[] {cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer}).isEqualTo(before);
    }

    private void assertFault(String hex, int vector) {
        Fault fault = machine.exec(hex);
        assertThat(fault).as(hex).isNotNull();
        assertThat(fault.vector).as(hex).isEqualTo(vector);
        assertThat(cpu.r[Cpu.RIP]).as(hex).isEqualTo(TestMachine.CODE);
    }

    private void assertAccepted(String hex, long value) {
        cpu.r[Cpu.RAX] = value;
        assertThat(machine.exec(hex)).as(hex).isNull();
    }

    @Test
    void cr0RefusesImpossibleCombinations() {
        use(TestMachine.inLongMode());
        assertRefused(MOV_CR0_RAX, cpu.cr0 | 1L << 32);
        assertRefused(MOV_CR0_RAX, cpu.cr0 & ~Cpu.CR0_PE);
        assertRefused(MOV_CR0_RAX, cpu.cr0 | Cpu.CR0_NW);
        assertRefused(MOV_CR0_RAX, cpu.cr0 & ~Cpu.CR0_PG);
        assertAccepted(MOV_CR0_RAX, cpu.cr0 | Cpu.CR0_CD | Cpu.CR0_NW | Cpu.CR0_TS | 1 << 10);
        assertThat(cpu.cr0 & (Cpu.CR0_TS | 1 << 10)).as("reserved bits stay 0").isEqualTo(Cpu.CR0_TS);
        assertThat(machine.exec("0F 06")).isNull();
        assertThat(cpu.cr0 & Cpu.CR0_TS).isZero();
    }

    @Test
    void cr4RefusesReservedBitsAndChangesThatLongModeForbids() {
        use(TestMachine.inLongMode());
        assertRefused(MOV_CR4_RAX, cpu.cr4 | 1L << 32);
        assertRefused(MOV_CR4_RAX, cpu.cr4 | 1 << 13);
        assertRefused(MOV_CR4_RAX, cpu.cr4 | Cpu.CR4_LA57);
        assertRefused(MOV_CR4_RAX, cpu.cr4 & ~Cpu.CR4_PAE);
        cpu.cr3 |= 8;
        assertRefused(MOV_CR4_RAX, cpu.cr4 | Cpu.CR4_PCIDE);
        cpu.cr3 &= ~8L;
        assertAccepted(MOV_CR4_RAX, cpu.cr4 | Cpu.CR4_PCIDE | Cpu.CR4_UMIP);
    }

    @Test
    void cr3TakesTheNoFlushBitOnlyWithPcids() {
        use(TestMachine.inLongMode());
        long table = cpu.cr3;
        assertRefused(MOV_CR3_RAX, table | 1L << 63);
        assertRefused(MOV_CR3_RAX, table | 1L << Mmu.PHYSICAL_BITS);
        cpu.cr4 |= Cpu.CR4_PCIDE;
        assertAccepted(MOV_CR3_RAX, table | 1L << 63 | 5);
        assertThat(cpu.cr3).isEqualTo(table | 5);
    }

    @Test
    void writeToCr3DropsTranslationsButKeepsGlobalOnes() {
        use(TestMachine.inLongMode());
        long page = 0x10_0000;
        long globalPage = 0x10_1000;
        machine.map(globalPage, globalPage, 7 | 1 << 8);
        machine.memory.writeLong(page, 1);
        machine.memory.writeLong(globalPage, 2);
        machine.memory.writeLong(0x20_0000, 3);
        cpu.r[Cpu.RSI] = page;
        cpu.r[Cpu.RDI] = globalPage;
        // Read both, so that the TLB has them; map both elsewhere; reload CR3; read again.
        String read = "48 8B 06 48 8B 1F";
        long entries = 0x8_3000 + (page >>> 12) * 8;
        cpu.r[Cpu.RBP] = entries;
        cpu.r[8] = 0x20_0007;
        String remap = "4C 89 45 00 4C 89 45 08";
        assertThat(machine.exec(read + remap + "0F 20 D9 0F 22 D9" + read)).isNull();
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
        assertThat(cpu.r[Cpu.RBX]).as("global").isEqualTo(2);
        assertThat(machine.exec("0F 01 3F" + read)).as("invlpg").isNull();
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(3);
    }

    private static final long NO_FLUSH = 1L << 63;
    private static final long PAGE = 0x10_0000;

    /** Makes a page lead somewhere else, behind the TLB's back. */
    private void remap(long value) {
        long at = 0x20_0000 + value * Mmu.PAGE_SIZE;
        machine.memory.writeLong(at, value);
        machine.memory.writeLong(0x8_3000 + (PAGE >>> 12) * 8, at | 7);
    }

    /** {@return what is read from the page after CR3 has been loaded} */
    private long readIn(long identifier) {
        cpu.r[Cpu.RSI] = PAGE;
        assertAccepted(MOV_CR3_RAX + "48 8B 1E", 0x8_0000 | identifier);
        return cpu.r[Cpu.RBX];
    }

    private void usePcids() {
        use(TestMachine.inLongMode());
        assertThat(cpu.cr3).isEqualTo(0x8_0000);
        assertAccepted(MOV_CR4_RAX, cpu.cr4 | Cpu.CR4_PCIDE);
    }

    @Test
    void loadsOfCr3DropTranslationsOfTheirPcidOnly() {
        usePcids();
        remap(1);
        assertThat(readIn(1)).isEqualTo(1);
        remap(2);
        assertThat(readIn(2)).as("another PCID").isEqualTo(2);
        assertThat(readIn(1 | NO_FLUSH)).as("kept").isEqualTo(1);
        remap(3);
        assertThat(readIn(1)).as("flushed").isEqualTo(3);
        assertThat(readIn(2 | NO_FLUSH)).as("not concerned").isEqualTo(2);
        assertAccepted(MOV_CR3_RAX, 0x8_0000);
        assertAccepted(MOV_CR4_RAX, cpu.cr4 & ~Cpu.CR4_PCIDE);
        assertAccepted(MOV_CR4_RAX, cpu.cr4 | Cpu.CR4_PCIDE);
        assertThat(readIn(2 | NO_FLUSH)).as("a change of CR4.PCIDE drops all").isEqualTo(3);
    }

    @Test
    void invpcidDropsTranslationsOfThePcidNamed() {
        usePcids();
        remap(1);
        for (int identifier = 1; identifier < 4; identifier++) {
            readIn(identifier);
        }
        remap(2);
        String invpcid = "66 0F 38 82 04 25 00 00 04 00";
        machine.memory.writeLong(TestMachine.DATA, 2);
        machine.memory.writeLong(TestMachine.DATA + 8, PAGE);
        assertAccepted(invpcid, 1);
        assertThat(readIn(1 | NO_FLUSH)).isEqualTo(1);
        assertThat(readIn(2 | NO_FLUSH)).as("single context").isEqualTo(2);
        machine.memory.writeLong(TestMachine.DATA, 1);
        assertAccepted(invpcid, 0);
        assertThat(readIn(1 | NO_FLUSH)).as("single address").isEqualTo(2);
        remap(3);
        assertAccepted(invpcid, 1);
        machine.memory.writeLong(TestMachine.DATA, 0);
        assertAccepted(invpcid, 3);
        for (int identifier = 1; identifier < 4; identifier++) {
            assertThat(readIn(identifier | NO_FLUSH)).as("all contexts").isEqualTo(3);
        }
        remap(4);
        assertAccepted(invpcid, 2);
        for (int identifier = 1; identifier < 4; identifier++) {
            assertThat(readIn(identifier | NO_FLUSH)).as("all, global ones too").isEqualTo(4);
        }
    }

    @Test
    void globalTranslationsHoldForAllPcids() {
        usePcids();
        remap(1);
        long entry = 0x8_3000 + (PAGE >>> 12) * 8;
        machine.memory.writeLong(entry, machine.memory.readLong(entry) | 1 << 8);
        assertThat(readIn(1)).isEqualTo(1);
        assertThat(readIn(2)).isEqualTo(1);
        remap(2);
        assertThat(readIn(1)).as("kept by a load of CR3").isEqualTo(1);
        assertThat(machine.exec("0F 01 3E")).as("invlpg").isNull();
        assertThat(readIn(1 | NO_FLUSH)).isEqualTo(2);
        assertThat(readIn(2 | NO_FLUSH)).as("dropped for all").isEqualTo(2);
    }

    @Test
    void whatIsGivenBackIsTranslatedAnew() {
        usePcids();
        remap(1);
        readIn(1);
        readIn(2);
        remap(2);
        cpu.giveCodeBack();
        assertThat(readIn(1 | NO_FLUSH)).isEqualTo(2);
        remap(3);
        assertThat(readIn(2)).isEqualTo(3);
        assertThat(readIn(1 | NO_FLUSH)).as("kept again").isEqualTo(2);
    }

    @Test
    void moreAddressSpacesThanAreKeptAreNotMistakenForEachOther() {
        usePcids();
        int count = 3 * AddressSpaces.COUNT;
        for (int identifier = 1; identifier <= count; identifier++) {
            remap(identifier);
            assertThat(readIn(identifier | NO_FLUSH)).isEqualTo(identifier);
        }
        for (int identifier = count; identifier > 0; identifier--) {
            assertThat(readIn(identifier | NO_FLUSH)).isIn((long) identifier, (long) count);
        }
    }

    @Test
    void invpcidChecksItsDescriptor() {
        use(TestMachine.inLongMode());
        String invpcid = "66 0F 38 82 04 25 00 00 04 00";
        assertAccepted(invpcid, 2);
        assertAccepted(invpcid, 3);
        assertRefused(invpcid, 4);
        machine.memory.writeLong(TestMachine.DATA, 1);
        assertRefused(invpcid, 1);
        cpu.cr4 |= Cpu.CR4_PCIDE;
        assertAccepted(invpcid, 1);
        machine.memory.writeLong(TestMachine.DATA, 1L << 12);
        assertRefused(invpcid, 1);
        machine.memory.writeLong(TestMachine.DATA, 0);
        machine.memory.writeLong(TestMachine.DATA + 8, 1L << 62);
        assertRefused(invpcid, 0);
        assertAccepted(invpcid, 1);
    }

    @Test
    void protectedModeGoesToLongModeAndBack() {
        use(TestMachine.inProtectedMode());
        // Page tables as long mode would have them, then the steps of SDM 3A 9.8.5.
        machine.longMode();
        machine.protectedMode();
        cpu.r[Cpu.RCX] = 0xC000_0080L;
        String enter = "B8 20 00 00 00 0F 22 E0" // cr4 = PAE
                + "B8 00 00 08 00 0F 22 D8" // cr3
                + "0F 32 0D 00 01 00 00 0F 30" // efer |= LME
                + "0F 20 C0 0D 00 00 00 80 0F 22 C0"; // cr0 |= PG
        assertThat(machine.exec(enter)).isNull();
        assertThat(cpu.longMode()).isTrue();
        assertThat(cpu.mode).as("compatibility mode until CS.L").isEqualTo(32);
        machine.code(0x1_8000, "48 89 C8 F4"); // mov rax,rcx
        assertThat(machine.exec("EA 00 80 01 00 08 00")).isNull();
        assertThat(cpu.mode).isEqualTo(64);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(0xC000_0080L);
        // Leave: far return to 32-bit code, paging off.
        machine.code(0x1_8000, "0F 20 C0 25 FF FF FF 7F 0F 22 C0 F4");
        assertThat(machine.exec("6A 30 68 00 80 01 00 48 CB")).isNull();
        assertThat(cpu.longMode()).isFalse();
        assertThat(cpu.efer & Cpu.EFER_LME).isNotZero();
        assertThat(cpu.mode).isEqualTo(32);
    }

    @Test
    void longModeNeedsPhysicalAddressExtension() {
        use(TestMachine.inProtectedMode());
        cpu.efer = Cpu.EFER_LME;
        assertRefused(MOV_CR0_RAX, cpu.cr0 | Cpu.CR0_PG);
    }

    @Test
    void reservedBitsOfDirectoryPointersAreRefusedWithPae() {
        use(TestMachine.inProtectedMode());
        cpu.cr4 = Cpu.CR4_PAE;
        cpu.cr3 = TestMachine.DATA;
        machine.memory.writeLong(TestMachine.DATA + 8, 1 | 1 << 1);
        assertRefused(MOV_CR0_RAX, cpu.cr0 | Cpu.CR0_PG);
    }

    @Test
    void machineStatusWordCanSetProtectionButNotClearIt() {
        use(TestMachine.inRealMode());
        machine.segment(Cpu.CS, 0x1000, TestMachine.CODE, 0xFFFF, TestMachine.ATTR_CODE16);
        cpu.updateMode();
        machine.code(TestMachine.CODE, "0F 01 F0 F4");
        cpu.r[Cpu.RIP] = 0;
        cpu.r[Cpu.RAX] = 0xFFF1;
        assertThat(machine.run(5)).isNull();
        assertThat(cpu.cr0 & 0xF).isEqualTo(1);
        cpu.r[Cpu.RIP] = 0;
        cpu.r[Cpu.RAX] = 8;
        assertThat(machine.run(5)).isNull();
        assertThat(cpu.cr0 & 0xF).isEqualTo(9);
    }

    @Test
    void controlRegistersAreForTheKernelAndSomeDoNotExist() {
        use(TestMachine.inLongMode());
        for (String hex : new String[] {"0F 20 C8", "0F 22 E8", "0F 20 F0", "0F 22 F8", "44 0F 20 C8"}) {
            assertFault(hex, Vector.INVALID_OPCODE);
        }
        machine.userMode();
        String[] privileged = {
            "0F 20 C0",
            "0F 22 C0",
            "44 0F 20 C0",
            "0F 06",
            "0F 01 F0",
            "0F 01 3F",
            "0F 21 C0",
            "0F 23 C0",
            "0F 30",
            "0F 32",
            "0F 08",
            "0F 09",
            "F4",
            "0F 01 14 25 00 00 04 00",
            "0F 33",
            "66 0F 38 82 04 25 00 00 04 00"
        };
        for (String hex : privileged) {
            assertFault(hex, Vector.GENERAL_PROTECTION);
        }
    }

    @Test
    void taskPriorityIsSeenThroughCr8() {
        use(TestMachine.inLongMode());
        assertAccepted("44 0F 22 C0 44 0F 20 C3", 9);
        assertThat(cpu.r[Cpu.RBX]).isEqualTo(9);
        assertThat(cpu.apic.taskPriority()).isEqualTo(9);
        assertRefused("44 0F 22 C0", 16);
    }

    @Test
    void extendedControlRegisterNeedsItsBit() {
        use(TestMachine.inLongMode());
        assertFault("0F 01 D0", Vector.INVALID_OPCODE);
        cpu.cr4 |= Cpu.CR4_OSXSAVE;
        cpu.r[Cpu.RCX] = 0;
        cpu.r[Cpu.RDX] = 0;
        assertRefused("0F 01 D1", 2);
        assertRefused("0F 01 D1", 1L << 17 | 3);
        assertAccepted("0F 01 D1 0F 01 D0", 3);
        assertThat(cpu.r[Cpu.RAX]).isEqualTo(3);
        cpu.r[Cpu.RCX] = 7;
        assertRefused("0F 01 D0", 0);
    }

    @Test
    void supervisorAccessPreventionFollowsStacAndClac() {
        use(TestMachine.inLongMode());
        // The code, stack and tables must be supervisor pages; DATA stays a user page.
        for (long page = 0; page < TestMachine.mapped(); page += 4096) {
            if (page != TestMachine.DATA) {
                machine.map(page, page, 3);
            }
        }
        cpu.cr4 |= Cpu.CR4_SMAP;
        cpu.updateMode();
        String load = "8B 04 25 00 00 04 00";
        Fault fault = machine.exec(load);
        assertThat(fault).isNotNull();
        assertThat(fault.vector).isEqualTo(Vector.PAGE_FAULT);
        assertThat(machine.exec("0F 01 CB" + load)).isNull();
        assertThat(machine.exec("0F 01 CA" + load)).isNotNull();
        // POPF sets AC as well.
        assertThat(machine.exec("68 02 00 04 00 9D" + load)).isNull();
    }
}
