package dev.kagami.platform.acpi;

import static dev.kagami.platform.acpi.Aml.busNumbers;
import static dev.kagami.platform.acpi.Aml.device;
import static dev.kagami.platform.acpi.Aml.eisaId;
import static dev.kagami.platform.acpi.Aml.integer;
import static dev.kagami.platform.acpi.Aml.memory;
import static dev.kagami.platform.acpi.Aml.memoryWindow;
import static dev.kagami.platform.acpi.Aml.name;
import static dev.kagami.platform.acpi.Aml.packageOf;
import static dev.kagami.platform.acpi.Aml.ports;
import static dev.kagami.platform.acpi.Aml.resources;
import static dev.kagami.platform.acpi.Aml.string;

import dev.kagami.platform.pci.PciHost;
import dev.kagami.platform.pci.PciLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Describes the PCI host bridge: its device in the DSDT, and the table MCFG (PCI Firmware 3.0, 4.1.2). */
public final class PciTables {
    private static final int CONFIGURATION_PORTS = 8;
    private static final int ANY_FUNCTION = 0xFFFF;
    private static final int SLOT_SHIFT = 16;
    private static final int MCFG_BODY = 24;

    private PciTables() {}

    /**
     * Describes the bridge and reserves its configuration space.
     *
     * @param layout where PCI is
     * @return AML of two devices for {@code \\_SB}
     */
    public static byte[] bridge(PciLayout layout) {
        byte[][] routes = new byte[PciHost.SLOTS - 1][];
        for (int slot = 1; slot < PciHost.SLOTS; slot++) {
            // Pin INTA of every function, wired straight to a line of the I/O APIC (ACPI 6.5, 6.2.13).
            routes[slot - 1] = packageOf(
                    integer((long) slot << SLOT_SHIFT | ANY_FUNCTION),
                    integer(0),
                    integer(0),
                    integer(PciLayout.interruptOf(slot)));
        }
        byte[] bridge = device(
                "PCI0",
                name("_HID", eisaId("PNP0A03")),
                name("_UID", integer(0)),
                name("_SEG", integer(0)),
                name("_BBN", integer(0)),
                name(
                        "_CRS",
                        resources(
                                busNumbers(0, 1),
                                ports(PciHost.ADDRESS_PORT, CONFIGURATION_PORTS),
                                memoryWindow(layout.lowStart(), layout.lowSize()),
                                memoryWindow(layout.highStart(), layout.highSize()))),
                name("_PRT", packageOf(routes)));
        byte[] reserved = device(
                "PCIR",
                name("_HID", eisaId("PNP0C02")),
                name("_UID", string("pci")),
                name("_CRS", resources(memory(PciLayout.CONFIGURATION_START, PciLayout.CONFIGURATION_SIZE, true))));
        return Aml.concat(bridge, reserved);
    }

    /** {@return the table that says where the memory-mapped configuration space is} */
    public static AcpiTable configurationSpace() {
        ByteBuffer body = ByteBuffer.allocate(MCFG_BODY).order(ByteOrder.LITTLE_ENDIAN);
        // Eight reserved bytes, base address, segment group 0, buses 0 to 0.
        body.putLong(0).putLong(PciLayout.CONFIGURATION_START);
        return new AcpiTable("MCFG", 1, body.array());
    }
}
