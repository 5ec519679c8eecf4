package dev.kagami.platform.pci;

/**
 * What a PCI function says it is.
 *
 * @param vendorId vendor, 16 bits
 * @param deviceId device, 16 bits
 * @param revision revision, 8 bits
 * @param classCode base class, subclass and programming interface, 24 bits
 * @param subsystemVendorId vendor of the subsystem, 16 bits
 * @param subsystemId subsystem, 16 bits
 */
public record PciIdentity(
        int vendorId, int deviceId, int revision, int classCode, int subsystemVendorId, int subsystemId) {
    /** Checks the values. */
    public PciIdentity {
        check(vendorId, 16);
        check(deviceId, 16);
        check(revision, 8);
        check(classCode, 24);
        check(subsystemVendorId, 16);
        check(subsystemId, 16);
    }

    private static void check(int value, int bits) {
        if (value >>> bits != 0) {
            throw new IllegalArgumentException("%#x doesn't fit into %d bits".formatted(value, bits));
        }
    }
}
