package dev.kagami.virtio;

/** The kinds of devices that exist here, with their numbers (virtio 1.2, 5) and PCI class codes. */
public enum DeviceType {
    /** Network card. */
    NETWORK(1, 0x02_0000),
    /** Disk. */
    BLOCK(2, 0x01_8000),
    /** Consoles and byte streams. */
    CONSOLE(3, 0x07_8000),
    /** Source of random numbers. */
    ENTROPY(4, 0x10_8000),
    /** Memory balloon. */
    BALLOON(5, 0x05_8000),
    /** Sockets between host and guest. */
    SOCKET(19, 0x02_8000),
    /** Shared directory. */
    FILE_SYSTEM(26, 0x01_8000);

    private final int id;
    private final int pciClass;

    DeviceType(int id, int pciClass) {
        this.id = id;
        this.pciClass = pciClass;
    }

    /** {@return the device's number} */
    public int id() {
        return id;
    }

    /** {@return the PCI class code, 24 bits} */
    public int pciClass() {
        return pciClass;
    }
}
