package dev.kagami.memory;

/** Thrown when an access by a device or a loader is not wholly inside guest RAM. */
public final class GuestAddressException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final long address;
    private final long length;

    /**
     * Creates the exception.
     *
     * @param address guest-physical address of the access
     * @param length length of the access in bytes
     */
    public GuestAddressException(long address, long length) {
        super("guest-physical range 0x%x + 0x%x is not guest RAM".formatted(address, length));
        this.address = address;
        this.length = length;
    }

    /** {@return the guest-physical address of the access} */
    public long address() {
        return address;
    }

    /** {@return the length of the access in bytes} */
    public long length() {
        return length;
    }
}
