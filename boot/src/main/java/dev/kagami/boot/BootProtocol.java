package dev.kagami.boot;

/** How a kernel is started. */
public enum BootProtocol {
    /** Chosen by the kernel file's content. */
    AUTOMATIC("automatic"),
    /** The 64-bit Linux boot protocol (Documentation/arch/x86/boot.rst). */
    LINUX("Linux 64-bit"),
    /** The 32-bit PVH entry (Xen, docs/misc/pvh.pandoc). */
    PVH("PVH"),
    /** Multiboot specification, version 0.6.96. */
    MULTIBOOT("multiboot 1");

    private final String title;

    BootProtocol(String title) {
        this.title = title;
    }

    /** {@return the name as people write it} */
    public String title() {
        return title;
    }
}
