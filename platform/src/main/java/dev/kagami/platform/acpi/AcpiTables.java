package dev.kagami.platform.acpi;

import static dev.kagami.platform.acpi.Aml.device;
import static dev.kagami.platform.acpi.Aml.eisaId;
import static dev.kagami.platform.acpi.Aml.integer;
import static dev.kagami.platform.acpi.Aml.interrupt;
import static dev.kagami.platform.acpi.Aml.memory;
import static dev.kagami.platform.acpi.Aml.method;
import static dev.kagami.platform.acpi.Aml.name;
import static dev.kagami.platform.acpi.Aml.packageOf;
import static dev.kagami.platform.acpi.Aml.ports;
import static dev.kagami.platform.acpi.Aml.resources;
import static dev.kagami.platform.acpi.Aml.scope;
import static dev.kagami.platform.acpi.Aml.string;

import dev.kagami.platform.device.AcpiPm;
import dev.kagami.platform.device.CmosRtc;
import dev.kagami.platform.device.GeneralEvents;
import dev.kagami.platform.device.Hpet;
import dev.kagami.platform.device.IoApic;
import dev.kagami.platform.device.PanicPort;
import dev.kagami.platform.device.Pic8259;
import dev.kagami.platform.device.Pit8254;
import dev.kagami.platform.device.PostCode;
import dev.kagami.platform.device.ResetPorts;
import dev.kagami.platform.device.Uart16550;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * All ACPI tables of a machine as one image for the firmware area, where kernels look for the root pointer (ACPI 6.5,
 * 5.2.5.1): RSDP, RSDT, XSDT, FADT, FACS, MADT, DSDT, HPET if there is one, and what else the machine brings.
 *
 * @param rsdpAddress guest-physical address of the root pointer
 * @param image the bytes to be written at {@link #ADDRESS}
 */
public record AcpiTables(long rsdpAddress, byte[] image) {
    /** Guest-physical address of the image. */
    public static final long ADDRESS = 0xE_0000L;

    /** Bytes of the firmware area. */
    public static final int AREA = 0x2_0000;

    /** Guest-physical address of the page that holds the machine's generation: 16 bytes that differ after each restore. */
    public static final long GENERATION_ADDRESS = ADDRESS + AREA - 4096;

    /** Largest size of the image in bytes. */
    public static final int MAX_SIZE = (int) (GENERATION_ADDRESS - ADDRESS);

    private static final int ALIGNMENT = 64;

    private static final int RSDP_SIZE = 36;
    private static final int RSDP_CHECKSUM = 8;
    private static final int RSDP_OLD_SIZE = 20;
    private static final int RSDP_EXTENDED_CHECKSUM = 32;

    private static final int FACS_SIZE = 64;
    private static final int FACS_VERSION = 2;

    private static final int FADT_REVISION = 5;
    private static final int FADT_MINOR = 1;
    private static final int FADT_SIZE = 268;
    private static final int PROFILE_ENTERPRISE_SERVER = 4;
    /** Latencies above these say that the state doesn't exist (ACPI 6.5, table 5.9). */
    private static final int NO_C2 = 101;

    private static final int NO_C3 = 1001;

    private static final int BOOT_LEGACY_DEVICES = 1;
    private static final int BOOT_NO_VGA = 1 << 2;
    private static final int BOOT_NO_ASPM = 1 << 4;

    private static final int FLAG_WBINVD = 1;
    private static final int FLAG_PROC_C1 = 1 << 2;
    private static final int FLAG_NO_FIXED_SLEEP_BUTTON = 1 << 5;
    private static final int FLAG_NO_FIXED_RTC_WAKE = 1 << 6;
    private static final int FLAG_TIMER_32_BITS = 1 << 8;
    private static final int FLAG_RESET_REGISTER = 1 << 10;

    private static final int SPACE_MEMORY = 0;
    private static final int SPACE_IO = 1;

    private static final int MADT_REVISION = 4;
    private static final int LOCAL_APIC_ADDRESS = 0xFEE0_0000;
    private static final int MADT_PC_COMPATIBLE = 1;
    private static final int ENABLED = 1;
    /** Active high and level-triggered (ACPI 6.5, table 5.26). */
    private static final int ACTIVE_HIGH_LEVEL = 0x0D;

    private static final int ALL_PROCESSORS = 0xFF;
    private static final int GENERATION_CHANGED = 0x80;

    /**
     * What the tables say about the machine.
     *
     * @param processors number of CPUs, 1 to 255; their APIC ids count from 0
     * @param hpet whether there is an HPET
     * @param devices AML of more devices, to go into {@code \_SB}
     * @param tables more tables
     */
    public record Content(int processors, boolean hpet, List<byte[]> devices, List<AcpiTable> tables) {}

    /**
     * Builds the tables.
     *
     * @param content what to describe
     * @return the tables
     * @throws IllegalArgumentException when they don't fit into the firmware area
     */
    public static AcpiTables build(Content content) {
        Image image = new Image();
        int rsdp = image.reserve(RSDP_SIZE);
        int facs = image.add(facs());
        int dsdt = image.add(new AcpiTable("DSDT", 2, dsdt(content)).encode());
        List<Integer> entries = new ArrayList<>();
        entries.add(image.add(new AcpiTable("FACP", FADT_REVISION, fadt(facs, dsdt)).encode()));
        entries.add(image.add(new AcpiTable("APIC", MADT_REVISION, madt(content.processors())).encode()));
        if (content.hpet()) {
            entries.add(image.add(new AcpiTable("HPET", 1, hpet()).encode()));
        }
        for (AcpiTable table : content.tables()) {
            entries.add(image.add(table.encode()));
        }
        ByteBuffer rsdtBody = allocate(4 * entries.size());
        ByteBuffer xsdtBody = allocate(8 * entries.size());
        for (int entry : entries) {
            rsdtBody.putInt(entry);
            xsdtBody.putLong(entry);
        }
        int rsdt = image.add(new AcpiTable("RSDT", 1, rsdtBody.array()).encode());
        int xsdt = image.add(new AcpiTable("XSDT", 1, xsdtBody.array()).encode());
        image.put(rsdp, rsdp(rsdt, xsdt));
        return new AcpiTables(rsdp, image.bytes());
    }

    private static byte[] rsdp(int rsdt, int xsdt) {
        ByteBuffer rsdp = allocate(RSDP_SIZE);
        rsdp.put(AcpiTable.ascii("RSD PTR "))
                .put((byte) 0)
                .put(AcpiTable.ascii("KAGAMI"))
                .put((byte) 2);
        rsdp.putInt(rsdt).putInt(RSDP_SIZE).putLong(xsdt);
        rsdp.put(RSDP_CHECKSUM, AcpiTable.checksum(rsdp.array(), 0, RSDP_OLD_SIZE));
        rsdp.put(RSDP_EXTENDED_CHECKSUM, AcpiTable.checksum(rsdp.array(), 0, RSDP_SIZE));
        return rsdp.array();
    }

    private static byte[] facs() {
        ByteBuffer facs = allocate(FACS_SIZE);
        facs.put(AcpiTable.ascii("FACS")).putInt(FACS_SIZE);
        facs.put(32, (byte) FACS_VERSION);
        return facs.array();
    }

    /** The fixed description table without its header; offsets in comments count from the header (table 5.9). */
    private static byte[] fadt(int facs, int dsdt) {
        ByteBuffer fadt = allocate(FADT_SIZE - AcpiTable.HEADER_SIZE);
        int control = AcpiPm.PORT + AcpiPm.CONTROL_OFFSET;
        int timer = AcpiPm.PORT + AcpiPm.TIMER_OFFSET;
        fadt.putInt(facs).putInt(dsdt); // 36
        fadt.put((byte) 0).put((byte) PROFILE_ENTERPRISE_SERVER).putShort((short) AcpiPm.SCI); // 44
        fadt.putInt(0).putInt(0); // 48: no SMI command port, the machine is always in ACPI mode
        fadt.putInt(AcpiPm.PORT).putInt(0).putInt(control).putInt(0); // 56: PM1
        fadt.putInt(0).putInt(timer).putInt(GeneralEvents.PORT).putInt(0); // 72: PM2, timer, events
        fadt.put((byte) 4).put((byte) 2).put((byte) 0).put((byte) 4); // 88: lengths
        fadt.putInt(GeneralEvents.PORTS); // 92: length of block 0, no block 1
        fadt.putShort((short) NO_C2).putShort((short) NO_C3); // 96
        fadt.putInt(0).putShort((short) 0); // 100: flush size and stride, duty cycle
        fadt.put((byte) 0).put((byte) 0).put((byte) CmosRtc.CENTURY); // 106
        fadt.putShort((short) (BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_ASPM))
                .put((byte) 0); // 109
        fadt.putInt(FLAG_WBINVD
                | FLAG_PROC_C1
                | FLAG_NO_FIXED_SLEEP_BUTTON
                | FLAG_NO_FIXED_RTC_WAKE
                | FLAG_TIMER_32_BITS
                | FLAG_RESET_REGISTER); // 112
        address(fadt, SPACE_IO, 8, ResetPorts.RESET_PORT); // 116
        fadt.put((byte) ResetPorts.RESET_VALUE).putShort((short) 0).put((byte) FADT_MINOR); // 128
        fadt.putLong(0).putLong(dsdt); // 132
        address(fadt, SPACE_IO, 32, AcpiPm.PORT); // 148
        fadt.position(172 - AcpiTable.HEADER_SIZE);
        address(fadt, SPACE_IO, 16, control);
        fadt.position(208 - AcpiTable.HEADER_SIZE);
        address(fadt, SPACE_IO, 32, timer);
        address(fadt, SPACE_IO, 8 * GeneralEvents.PORTS, GeneralEvents.PORT); // 220
        return fadt.array();
    }

    /** A generic address (ACPI 6.5, 5.2.3.2). Access sizes are 1, 2, 3 for 8, 16, 32 bits. */
    private static void address(ByteBuffer out, int space, int bits, long address) {
        int access = space == SPACE_MEMORY ? 0 : Integer.numberOfTrailingZeros(bits) - 2;
        out.put((byte) space).put((byte) bits).put((byte) 0).put((byte) access).putLong(address);
    }

    /** Processors and interrupt controllers (ACPI 6.5, 5.2.12). */
    private static byte[] madt(int processors) {
        ByteBuffer madt = allocate(8 + 8 * processors + 12 + 2 * 10 + 6);
        madt.putInt(LOCAL_APIC_ADDRESS).putInt(MADT_PC_COMPATIBLE);
        for (int i = 0; i < processors; i++) {
            madt.put((byte) 0).put((byte) 8).put((byte) i).put((byte) i).putInt(ENABLED);
        }
        madt.put((byte) 1)
                .put((byte) 12)
                .put((byte) 0)
                .put((byte) 0)
                .putInt((int) IoApic.ADDRESS)
                .putInt(0);
        interruptOverride(madt, 0, 2, 0);
        interruptOverride(madt, AcpiPm.SCI, AcpiPm.SCI, ACTIVE_HIGH_LEVEL);
        // Non-maskable interrupts come in at LINT1 of every local APIC.
        madt.put((byte) 4)
                .put((byte) 6)
                .put((byte) ALL_PROCESSORS)
                .putShort((short) 0)
                .put((byte) 1);
        return madt.array();
    }

    private static void interruptOverride(ByteBuffer madt, int irq, int line, int flags) {
        madt.put((byte) 2)
                .put((byte) 10)
                .put((byte) 0)
                .put((byte) irq)
                .putInt(line)
                .putShort((short) flags);
    }

    /** High precision event timer (IA-PC HPET specification 1.0a, 3.2.4). */
    private static byte[] hpet() {
        ByteBuffer hpet = allocate(20);
        hpet.putInt(Hpet.CAPABILITIES);
        address(hpet, SPACE_MEMORY, 64, Hpet.ADDRESS);
        hpet.put((byte) 0).putShort((short) Hpet.MIN_TICKS).put((byte) 0);
        return hpet.array();
    }

    private static byte[] dsdt(Content content) {
        List<byte[]> devices = new ArrayList<>();
        for (int i = 0; i < content.processors(); i++) {
            devices.add(device("C%03X".formatted(i), name("_HID", string("ACPI0007")), name("_UID", integer(i))));
        }
        devices.add(legacy(
                "PIC",
                "PNP0000",
                ports(Pic8259.MASTER_PORT, 2),
                ports(Pic8259.SLAVE_PORT, 2),
                ports(Pic8259.EDGE_LEVEL_PORT, 2)));
        devices.add(
                content.hpet()
                        ? legacy("TIMR", "PNP0100", ports(Pit8254.PORT, 4))
                        : legacy("TIMR", "PNP0100", ports(Pit8254.PORT, 4), interrupt(0)));
        devices.add(
                content.hpet()
                        ? legacy("RTC", "PNP0B00", ports(CmosRtc.PORT, 2))
                        : legacy("RTC", "PNP0B00", ports(CmosRtc.PORT, 2), interrupt(CmosRtc.IRQ)));
        devices.add(device(
                "COM1",
                name("_HID", eisaId("PNP0501")),
                name("_UID", integer(1)),
                name("_STA", integer(0x0F)),
                name("_CRS", resources(ports(Uart16550.COM1_PORT, Uart16550.PORTS), interrupt(Uart16550.COM1_IRQ)))));
        devices.add(legacy(
                "SYSR",
                "PNP0C02",
                ports(Pit8254.CONTROL_PORT, 1),
                ports(PostCode.PORT, 1),
                ports(ResetPorts.CONTROL_A_PORT, 1),
                ports(AcpiPm.PORT, AcpiPm.PORTS),
                ports(GeneralEvents.PORT, GeneralEvents.PORTS)));
        devices.add(device(
                "PEVT",
                name("_HID", string("QEMU0001")),
                name("_STA", integer(0x0F)),
                name("_CRS", resources(ports(PanicPort.PORT, 1)))));
        // Virtual Machine Generation ID (Microsoft, 2012); Linux looks for either name.
        devices.add(device(
                "VGEN",
                name("_HID", string("VMGENCTR")),
                name("_CID", string("VM_GEN_COUNTER")),
                name("_DDN", string("VM_Gen_Counter")),
                name("ADDR", packageOf(integer(GENERATION_ADDRESS), integer(0)))));
        if (content.hpet()) {
            devices.add(legacy(
                    "HPET", "PNP0103", interrupt(0), interrupt(CmosRtc.IRQ), memory(Hpet.ADDRESS, Hpet.SIZE, false)));
        }
        devices.addAll(content.devices());
        byte[] softOff =
                packageOf(integer(AcpiPm.SLEEP_TYPE_S5), integer(AcpiPm.SLEEP_TYPE_S5), integer(0), integer(0));
        byte[] events = scope(
                "\\_GPE",
                method("_E%02X".formatted(GeneralEvents.GENERATION), 0, Aml.notify("\\_SB.VGEN", GENERATION_CHANGED)));
        return Aml.concat(scope("\\_SB", devices.toArray(byte[][]::new)), events, name("\\_S5", softOff));
    }

    private static byte[] legacy(String path, String id, byte[]... descriptors) {
        return device(path, name("_HID", eisaId(id)), name("_CRS", resources(descriptors)));
    }

    private static ByteBuffer allocate(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Lays tables out one after the other. */
    private static final class Image {
        private final byte[] bytes = new byte[MAX_SIZE];
        private int used;

        /** {@return the guest-physical address of the new space} */
        int reserve(int size) {
            int start = used;
            int end = start + size;
            if (size > MAX_SIZE || end > MAX_SIZE) {
                throw new IllegalArgumentException("the ACPI tables don't fit into %d bytes".formatted(MAX_SIZE));
            }
            used = Math.ceilDiv(end, ALIGNMENT) * ALIGNMENT;
            return (int) ADDRESS + start;
        }

        int add(byte[] table) {
            int address = reserve(table.length);
            put(address, table);
            return address;
        }

        void put(int address, byte[] content) {
            System.arraycopy(content, 0, bytes, address - (int) ADDRESS, content.length);
        }

        byte[] bytes() {
            return java.util.Arrays.copyOf(bytes, Math.min(used, MAX_SIZE));
        }
    }
}
