package dev.kagami.platform.pci;

/** A capability that a guest can only read. */
public final class FixedCapability implements PciCapability {
    private final int id;
    private final byte[] body;

    /**
     * Makes the capability.
     *
     * @param id the identifier, 8 bits
     * @param body what follows identifier and link
     */
    public FixedCapability(int id, byte[] body) {
        this.id = id;
        this.body = body.clone();
    }

    @Override
    public int id() {
        return id;
    }

    @Override
    public int length() {
        return BODY + body.length;
    }

    @Override
    public int read(int offset, int size) {
        int value = 0;
        for (int i = 0; i < size; i++) {
            value |= (body[offset - BODY + i] & 0xFF) << 8 * i;
        }
        return value;
    }

    @Override
    public void write(int offset, int size, int value) {
        // Read-only.
    }

    @Override
    public PciHostState.Capability state() {
        return PciHostState.Capability.NONE;
    }

    @Override
    public void setState(PciHostState.Capability state) {
        // Nothing changes.
    }

    @Override
    public void reset() {
        // Nothing changes.
    }
}
