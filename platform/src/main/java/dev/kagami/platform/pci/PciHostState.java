package dev.kagami.platform.pci;

import java.util.List;

/**
 * State of {@link PciHost}: what is in configuration space, and the interrupt tables. What the functions' devices have
 * besides is theirs.
 *
 * @param address the configuration address register
 * @param functions the functions, by place
 */
public record PciHostState(int address, List<Function> functions) {
    /** Copies the list. */
    public PciHostState {
        functions = List.copyOf(functions);
    }

    /**
     * State of a function.
     *
     * @param slot its place, 0 to 31
     * @param registers the configuration space without capabilities
     * @param capabilities the capabilities, in their order
     */
    public record Function(int slot, byte[] registers, List<Capability> capabilities) {
        /** Copies the list. */
        public Function {
            capabilities = List.copyOf(capabilities);
        }
    }

    /**
     * State of a capability.
     *
     * @param registers its registers
     * @param table the interrupt table, if it has one
     * @param pending the interrupts that wait there
     */
    public record Capability(byte[] registers, int[] table, long[] pending) {
        /** A capability that never changes. */
        public static final Capability NONE = new Capability(new byte[0], new int[0], new long[0]);

        static Capability of(byte[] registers) {
            return new Capability(registers, new int[0], new long[0]);
        }
    }
}
