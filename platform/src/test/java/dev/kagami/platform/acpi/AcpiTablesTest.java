package dev.kagami.platform.acpi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kagami.platform.pci.PciLayout;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcpiTablesTest {
    private static AcpiTables tables(int processors, boolean hpet) {
        return AcpiTables.build(new AcpiTables.Content(processors, hpet, List.of(), List.of()));
    }

    /** Walks from the root pointer, checking every checksum on the way. */
    private static Map<String, ByteBuffer> walk(AcpiTables tables) {
        ByteBuffer rsdp = at(tables, tables.rsdpAddress(), 36);
        assertThat(sum(rsdp, 20)).isZero();
        assertThat(sum(rsdp, 36)).isZero();
        assertThat(rsdp.get(15)).isEqualTo((byte) 2);
        Map<String, ByteBuffer> found = new LinkedHashMap<>();
        ByteBuffer xsdt = table(tables, rsdp.getLong(24));
        ByteBuffer rsdt = table(tables, rsdp.getInt(16));
        assertThat(signature(xsdt)).isEqualTo("XSDT");
        assertThat(signature(rsdt)).isEqualTo("RSDT");
        assertThat((xsdt.capacity() - 36) / 8).isEqualTo((rsdt.capacity() - 36) / 4);
        for (int i = 0; i < (xsdt.capacity() - 36) / 8; i++) {
            long address = xsdt.getLong(36 + 8 * i);
            assertThat(rsdt.getInt(36 + 4 * i)).isEqualTo((int) address);
            ByteBuffer table = table(tables, address);
            found.put(signature(table), table);
        }
        ByteBuffer dsdt = table(tables, found.get("FACP").getLong(140));
        assertThat(found.get("FACP").getInt(40))
                .isEqualTo((int) found.get("FACP").getLong(140));
        found.put(signature(dsdt), dsdt);
        return found;
    }

    private static ByteBuffer at(AcpiTables tables, long address, int size) {
        int offset = (int) (address - AcpiTables.ADDRESS);
        return ByteBuffer.wrap(Arrays.copyOfRange(tables.image(), offset, offset + size))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuffer table(AcpiTables tables, long address) {
        ByteBuffer table = at(tables, address, at(tables, address, 36).getInt(4));
        assertThat(sum(table, table.capacity())).as(signature(table)).isZero();
        return table;
    }

    private static String signature(ByteBuffer table) {
        return new String(table.array(), 0, 4, StandardCharsets.US_ASCII);
    }

    private static int sum(ByteBuffer bytes, int length) {
        int sum = 0;
        for (int i = 0; i < length; i++) {
            sum += bytes.get(i);
        }
        return sum & 0xFF;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 64, 255})
    void checksumsAndPointersAreRight(int processors) {
        Map<String, ByteBuffer> found = walk(tables(processors, true));

        assertThat(found).containsOnlyKeys("FACP", "APIC", "HPET", "DSDT");
        assertThat(walk(tables(processors, false))).doesNotContainKey("HPET");
    }

    @Test
    void fixedDescriptionNamesTheHardware() {
        AcpiTables tables = tables(1, true);
        ByteBuffer fadt = walk(tables).get("FACP");

        assertThat(fadt.capacity()).isEqualTo(268);
        assertThat(fadt.getShort(46)).as("SCI").isEqualTo((short) 9);
        assertThat(fadt.getInt(56)).as("PM1a event").isEqualTo(0x600);
        assertThat(fadt.getInt(64)).as("PM1a control").isEqualTo(0x604);
        assertThat(fadt.getInt(76)).as("timer").isEqualTo(0x608);
        assertThat(fadt.get(88)).isEqualTo((byte) 4);
        assertThat(fadt.get(89)).isEqualTo((byte) 2);
        assertThat(fadt.get(91)).isEqualTo((byte) 4);
        assertThat(fadt.getInt(80)).as("general-purpose events").isEqualTo(0x620);
        assertThat(fadt.get(92)).isEqualTo((byte) 2);
        assertThat(fadt.getLong(224)).isEqualTo(0x620);
        assertThat(fadt.get(108)).as("century").isEqualTo((byte) 0x32);
        assertThat(fadt.getShort(109)).as("legacy devices, no 8042, no VGA").isEqualTo((short) 0x15);
        assertThat(fadt.getInt(112) & 1 << 10).as("reset register").isNotZero();
        assertThat(fadt.getLong(120)).isEqualTo(0xCF9);
        assertThat(fadt.get(128)).isEqualTo((byte) 6);
        assertThat(fadt.getLong(152)).isEqualTo(0x600);
        assertThat(fadt.getLong(176)).isEqualTo(0x604);
        assertThat(fadt.getLong(212)).isEqualTo(0x608);
        ByteBuffer facs = at(tables, fadt.getInt(36), 64);
        assertThat(signature(facs)).isEqualTo("FACS");
        assertThat(fadt.getInt(36) % 64).isZero();
    }

    @Test
    void madtListsProcessorsAndInterruptWiring() {
        ByteBuffer madt = walk(tables(3, true)).get("APIC");
        List<String> entries = new ArrayList<>();
        for (int at = 44; at < madt.capacity(); at += madt.get(at + 1)) {
            entries.add(
                    switch (madt.get(at)) {
                        case 0 -> "cpu " + madt.get(at + 3);
                        case 1 -> "ioapic %x".formatted(madt.getInt(at + 4));
                        case 2 ->
                            "irq %d line %d flags %x"
                                    .formatted(madt.get(at + 3), madt.getInt(at + 4), madt.getShort(at + 8));
                        case 4 -> "nmi lint%d".formatted(madt.get(at + 5));
                        default -> "unknown";
                    });
        }

        assertThat(entries)
                .containsExactly(
                        "cpu 0",
                        "cpu 1",
                        "cpu 2",
                        "ioapic fec00000",
                        "irq 0 line 2 flags 0",
                        "irq 9 line 9 flags d",
                        "nmi lint1");
    }

    @Test
    void tooManyDevicesAreRefused() {
        List<byte[]> devices = List.of(new byte[AcpiTables.MAX_SIZE]);

        assertThatThrownBy(() -> AcpiTables.build(new AcpiTables.Content(1, false, devices, List.of())))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void amlDisassemblesWithoutComplaint(@TempDir Path directory) throws IOException, InterruptedException {
        assumeTrue(
                Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .anyMatch(folder -> Files.isExecutable(Path.of(folder, "iasl"))),
                "iasl isn't installed");
        PciLayout layout = new PciLayout(0xC000_0000L, 0x2000_0000L, 1L << 34, 1L << 34);
        AcpiTables tables = AcpiTables.build(new AcpiTables.Content(
                2, true, List.of(PciTables.bridge(layout)), List.of(PciTables.configurationSpace())));
        for (Map.Entry<String, ByteBuffer> table : walk(tables).entrySet()) {
            String name = table.getKey().toLowerCase(java.util.Locale.ROOT);
            Files.write(directory.resolve(name + ".aml"), table.getValue().array());
            String said = run(directory, "iasl", "-d", name + ".aml");
            assertThat(said).doesNotContainIgnoringCase("error").doesNotContainIgnoringCase("warning");
        }
        String source = Files.readString(directory.resolve("dsdt.dsl"));
        assertThat(source)
                .contains("PNP0501", "PNP0B00", "PNP0103", "ACPI0007", "Name (\\_S5")
                .contains("0x03F8,             // Range Minimum");
        assertThat(source)
                .contains("PNP0A03", "WordBusNumber", "DWordMemory", "QWordMemory", "_PRT")
                .contains("0xC0000000,", "0xDFFFFFFF,", "0x0000000400000000,", "0x00000007FFFFFFFF,")
                .contains("0xE0000000,         // Address Base");
        assertThat(Files.readString(directory.resolve("mcfg.dsl"))).contains("Base Address : 00000000E0000000");
        assertThat(run(directory, "iasl", "-p", "again", "dsdt.dsl")).contains("0 Errors", "0 Warnings");
    }

    private static String run(Path directory, String... command) throws IOException, InterruptedException {
        Path output = Files.createTempFile(directory, "output", ".txt");
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        return Files.readString(output);
    }
}
